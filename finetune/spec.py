"""What a job is asked to do: frozen, hashable, valid before it is queued.

A spec names a data set by its content hash; the rows themselves lie under SHORTLIST_HOME, where
`finetune.data.register` put them, so a job does not depend on a file that somebody may edit or delete.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from finetune.errors import UnknownQuantization
from index.records import QUANTIZATIONS, Quantization

DatasetTask = Literal[
    "classification",
    "multiple-choice",
    "question-answering",
    "generation",
    "extraction",
    "language-modelling",
    "chat",
]
"""What the rows ask for: one of a few labels, one of a row's own choices, a short answer, a text like the
references, a JSON object, nothing but to be likely, or a reply that a judge scores."""


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
    """Score each candidate on the same rows of one labelled data set."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["evaluation"] = "evaluation"
    candidates: tuple[Candidate, ...] = Field(min_length=1, max_length=32)
    dataset: DatasetRef
    metric: Literal["accuracy"] = "accuracy"
    limit: int | None = Field(default=None, ge=1)
    """Use that many rows, chosen by `seed`; None uses all."""
    seed: int = 0


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
