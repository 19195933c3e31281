"""What a job is asked to do: frozen, hashable, valid before it is queued.

A spec names a data set by its content hash; the rows themselves lie under SHORTLIST_HOME, where
`finetune.data.register` put them, so a job does not depend on a file that somebody may edit or delete.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from finetune.errors import UnknownMetric, UnknownQuantization
from index.records import QUANTIZATIONS, Quantization

DatasetTask = Literal[
    "classification",
    "multiple-choice",
    "question-answering",
    "generation",
    "extraction",
    "language-modelling",
]
"""What the rows ask for: one of a few labels, one of a row's own choices, a short answer, a text like the
references, a JSON object, or nothing but to be likely."""


METRIC_NAMES: dict[DatasetTask, tuple[str, ...]] = {
    "classification": (
        "accuracy",
        "balanced_accuracy",
        "f1_macro",
        "f1_micro",
        "precision_macro",
        "recall_macro",
    ),
    "multiple-choice": ("accuracy",),
    "question-answering": ("exact_match", "token_f1"),
    "generation": ("chrf", "bleu", "rouge1", "rouge2", "rougeL"),
    "extraction": ("field_f1", "json_validity", "exact_match"),
    "language-modelling": ("bits_per_byte", "perplexity"),
}
"""What is reported for a task; the first decides unless another is named."""


class DatasetRef(BaseModel):
    """A registered data set."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    """What the person calls it, for display."""
    sha256: str
    rows: int = Field(ge=1)
    labels: tuple[str, ...] = ()
    """The distinct labels in sorted order, for classification."""
    task: DatasetTask = "classification"


class Candidate(BaseModel):
    """One thing to evaluate: a model, how it is loaded, and an adapter on top when there is one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    quantization: Quantization = "none"
    adapter: str | None = None
    """Folder of a tuned adapter."""

    @classmethod
    def parse(cls, text: str) -> Candidate:
        """Read MODEL or MODEL@QUANT; UnknownQuantization when it cannot be loaded that way."""
        model, _, quantization = text.partition("@")
        if quantization and quantization not in QUANTIZATIONS:
            raise UnknownQuantization(quantization, QUANTIZATIONS)
        return cls.model_validate({"model": model, "quantization": quantization or "none"})

    @property
    def label(self) -> str:
        """Short unique name for tables: `SmolLM2-135M-Instruct int8`."""
        quantization = "" if self.quantization == "none" else f" {self.quantization}"
        return self.model.rsplit("/", 1)[-1] + quantization + (" + adapter" if self.adapter else "")


class EvaluationSpec(BaseModel):
    """Score each candidate on the same rows of one data set, as a race unless `full`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["evaluation"] = "evaluation"
    candidates: tuple[Candidate, ...] = Field(min_length=1, max_length=32)
    dataset: DatasetRef
    metric: str | None = None
    """The one that decides; None takes the first of the task's."""
    limit: int | None = Field(default=None, ge=1)
    """Use that many rows, chosen by `seed`; None uses all."""
    seed: int = 0
    full: bool = False
    """Let every candidate answer every row, also when it cannot win any more."""
    alpha: float = Field(default=0.05, gt=0, le=0.5)
    """Chance of dropping the best candidate at most."""
    delta: float = Field(default=0.01, ge=0, lt=1)
    """A difference, on a scale of 0 to 1, that is too small to matter."""
    max_minutes: float | None = Field(default=None, gt=0)
    """No new batch of rows is begun after so long."""
    instruction: str | None = Field(default=None, max_length=20_000)
    """What the model is told first; None takes the task's own sentence."""
    examples: int = Field(default=0, ge=0, le=32)
    """So many rows are shown, with their answers, before the question; they are not scored."""
    max_new_tokens: int | None = Field(default=None, ge=1, le=32_768)
    """Longest answer that a model may write; None takes what suits the task."""

    @property
    def deciding_metric(self) -> str:
        """The metric that names the best; UnknownMetric when the task has no such one."""
        known = METRIC_NAMES[self.dataset.task]
        if self.metric is not None and self.metric not in known:
            raise UnknownMetric(self.metric, self.dataset.task, known)
        return self.metric or known[0]


class TuningSpec(BaseModel):
    """Fit a LoRA adapter on the training split and compare before and after on the held-out one.

    Defaults follow "LoRA Without Regret" (Thinking Machines, 2025): all linear layers, a learning rate
    about ten times that of full fine-tuning, effective batch under 32.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["tuning"] = "tuning"
    base_model: str
    dataset: DatasetRef
    method: Literal["lora", "qlora"] = "lora"
    """qlora loads the base in nf4 with double quantization."""
    lora_rank: int = Field(default=16, ge=1, le=256)
    lora_alpha: int = Field(default=32, ge=1, le=1024)
    learning_rate: float | None = Field(default=None, gt=0, le=1e-1)
    """Peak; None lets the recipe choose by the size of the model."""
    epochs: float = Field(default=1.0, gt=0, le=20)
    max_steps: int | None = Field(default=None, ge=1)
    batch_size: int = Field(default=4, ge=1, le=256)
    max_tokens: int = Field(default=512, ge=16, le=131072)
    """Rows longer than this are counted, reported and left out: never cut."""
    held_out_frac: float = Field(default=0.2, gt=0, lt=1)
    held_out_limit: int | None = Field(default=None, ge=2)
    limit: int | None = Field(default=None, ge=10)
    """Use that many rows before the split, chosen by `seed`; None uses all."""
    seed: int = 0


Spec = Annotated[EvaluationSpec | TuningSpec, Field(discriminator="kind")]


def fingerprint(spec: EvaluationSpec | TuningSpec) -> str:
    """A short hash of what was asked: equal specs have equal fingerprints."""
    return hashlib.sha256(spec.model_dump_json().encode()).hexdigest()[:16]
