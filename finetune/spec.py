"""What a job is asked to do: frozen, hashable, valid before it is queued.

A spec names a data set by its content hash; the rows themselves lie under SHORTLIST_HOME, where
`finetune.data.register` put them, so a job does not depend on a file that somebody may edit or delete.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, model_validator

from finetune.errors import (
    NotForHosted,
    NotForOthers,
    UnknownMetric,
    UnknownQuantization,
    WrongJudge,
    WrongRewriter,
)
from finetune.providers import PROVIDERS, checked_server, hosted_name, key_names
from index.bilingual import Bilingual
from index.records import LOADINGS, Quantization

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
references, a JSON object, nothing but to be likely, or an answer that a judge model likes."""

JUDGED = "win_rate"
"""Score of a judged answer: 1 when better than what it is compared with, 0.5 for a tie, 0 when worse."""


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
    "chat": (JUDGED,),
}
"""What is reported for a task; the first decides unless another is named."""


Augmentation = Literal["edits", "upsample", "paraphrase", "back-translation"]
"""edits: copies with typing slips, other case and punctuation. upsample: rows of rare labels again. paraphrase: the text
in other words; back-translation: translated and back; both by a hosted model."""
REWORDED = frozenset({"paraphrase", "back-translation"})
"""The ways that send rows to a hosted model."""
_TRIALS_OF_AUGMENTATION = 2
_PATIENCE = 3
MAX_TOKENS = 512
"""Longest row that is learned from where nothing else is stated."""


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


_WITH_SERVER = tuple(name for name, provider in PROVIDERS.items() if provider.takes_server)
_NOT_QUANTIZED = Bilingual(
    en="so it cannot be quantized here. Leave the quantization out",
    zh="不能在这里量化。请去掉量化方式",
)
_NO_ADAPTER = Bilingual(
    en="so no adapter can be put on top of it here. Leave the adapter out",
    zh="不能在这里加载适配器。请去掉适配器",
)


class Candidate(BaseModel):
    """One thing to evaluate: a model, how it is loaded, and an adapter on top when there is one.

    A hosted one, `provider:name`, is asked at its provider's or at another server.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    quantization: Quantization = "none"
    adapter: str | None = None
    """Folder of a tuned adapter."""
    base_url: str | None = None
    """Server of a hosted model, when it is not the provider's own."""

    @classmethod
    def parse(cls, text: str) -> Candidate:
        """Read MODEL, MODEL@QUANT or PROVIDER:NAME[@URL]; UnknownQuantization when it cannot be loaded that way."""
        if hosted_name(text) is not None:
            return cls._parse_hosted(text)
        model, _, quantization = text.partition("@")
        if "://" in quantization:
            raise NotForOthers(model, _WITH_SERVER)
        if quantization and quantization not in LOADINGS:
            raise UnknownQuantization(quantization, LOADINGS)
        return cls.model_validate({"model": model, "quantization": quantization or "none"})

    @classmethod
    def _parse_hosted(cls, text: str) -> Candidate:
        """Names of hosted models may hold an @ of their own, so only a link behind it is a server."""
        model, _, scheme = text.partition("@http")
        if scheme:
            return cls(model=model, base_url=f"http{scheme}")
        named, _, quantization = text.rpartition("@")
        if quantization in LOADINGS and named:
            raise NotForHosted(named, _NOT_QUANTIZED)
        return cls(model=text)

    @model_validator(mode="after")
    def _is_possible(self) -> Self:
        name = hosted_name(self.model)
        if self.base_url is not None:
            if name is None or not name.known.takes_server:
                raise NotForOthers(self.model, _WITH_SERVER)
            # Frozen for others: this is where the value is made.
            object.__setattr__(self, "base_url", checked_server(self.base_url))
        if name is not None and self.quantization != "none":
            raise NotForHosted(self.model, _NOT_QUANTIZED)
        if name is not None and self.adapter is not None:
            raise NotForHosted(self.model, _NO_ADAPTER)
        return self

    @property
    def is_hosted(self) -> bool:
        """Whether it is asked over an API and never loaded here."""
        return hosted_name(self.model) is not None

    @property
    def address(self) -> str:
        """The model and, for one of a server of its own, where it is: `openai:qwen3@http://127.0.0.1:8000/v1`."""
        return f"{self.model}@{self.base_url}" if self.base_url else self.model

    @property
    def label(self) -> str:
        """Short unique name for tables: `SmolLM2-135M-Instruct int8`, `openai:qwen3 at 127.0.0.1:8000`."""
        if self.is_hosted:
            return f"{self.model} at {urlsplit(self.base_url).netloc}" if self.base_url else self.model
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
    delta: float | None = Field(default=None, ge=0, lt=1)
    """A difference, on a scale of 0 to 1, that is too small to matter; None: 0.01 in a race that stops early, else
    0.05."""
    max_minutes: float | None = Field(default=None, gt=0)
    """No new batch of rows is begun after so long."""
    max_usd: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """No new batch of rows is begun that would likely bring what hosted models cost above this."""
    judge: Candidate | None = None
    """The hosted model that compares the answers of a chat."""
    instruction: str | None = Field(default=None, max_length=20_000)
    """What the model is told first; None takes the task's own sentence."""
    examples: int = Field(default=0, ge=0, le=32)
    """So many rows are shown, with their answers, before the question; they are not scored."""
    max_new_tokens: int | None = Field(default=None, ge=1, le=32_768)
    """Longest answer that a model may write; None takes what suits the task."""
    fresh: bool = False
    """Ask everything anew, also what was answered in an earlier job."""

    @model_validator(mode="after")
    def _has_the_judge_that_it_needs(self) -> Self:
        if (self.judge is None) == (self.dataset.task == "chat"):
            raise WrongJudge(self.dataset.task)
        if self.judge is not None and not self.judge.is_hosted:
            raise WrongJudge(self.dataset.task, judge=self.judge.model)
        return self

    @property
    def deciding_metric(self) -> str:
        """The metric that names the best; UnknownMetric when the task has no such one."""
        known = METRIC_NAMES[self.dataset.task]
        if self.metric is not None and self.metric not in known:
            raise UnknownMetric(self.metric, self.dataset.task, known)
        return self.metric or known[0]

    @property
    def key_names(self) -> tuple[str, ...]:
        """The variables with the keys of the providers that are asked: all the secrets that this job is given."""
        return key_names(asked.model for asked in self.asked_models)

    @property
    def asked_models(self) -> tuple[Candidate, ...]:
        """All that take part: the candidates, and the judge if there is one."""
        return (*self.candidates, *((self.judge,) if self.judge else ()))


NAMED_OPTIONS = (
    "metric", "limit", "seed", "full", "fresh", "alpha", "delta", "max_minutes", "max_usd", "instruction", "examples",
    "max_new_tokens",
)  # fmt: skip
"""Fields of an evaluation that a spec file gives under their own names."""


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
    use_rslora: bool = False
    """Scale the adapter by alpha / sqrt(rank) instead of alpha / rank (Kalajdzievski, arXiv 2312.03732)."""
    use_dora: bool = False
    """Learn the size of each weight column apart from its direction (Liu et al., arXiv 2402.09353)."""
    learning_rate: float | None = Field(default=None, gt=0, le=1e-1)
    """Peak; None lets the recipe choose by the size of the model."""
    epochs: float = Field(default=1.0, gt=0, le=20)
    max_steps: int | None = Field(default=None, ge=1)
    batch_size: int = Field(default=4, ge=1, le=256)
    """Rows a step; where memory is short a step is taken in shares, with the same outcome."""
    max_tokens: int | None = Field(default=None, ge=16, le=131072)
    """Rows longer than this are counted, reported and left out: never cut. None: 512, or the context if it is shorter."""
    held_out_frac: float = Field(default=0.2, gt=0, lt=1)
    held_out_limit: int | None = Field(default=None, ge=2)
    limit: int | None = Field(default=None, ge=10)
    """Use that many rows before the split, chosen by `seed`; None uses all."""
    learn_rows: int | None = Field(default=None, ge=2)
    """Learn from the first so many rows of one order, so that a larger run begins as a smaller one does; None learns
    from all, in an order that suits the batches. The rate then holds until the last fifth of the steps."""
    continues: str | None = Field(default=None, pattern=r"[0-9]{1,18}")
    """Number of a job with fewer `learn_rows`: its state before the rate fell is where this run begins."""
    early_stopping: int | None = Field(default=None, ge=0)
    """Stop after so many looks at the validation loss without a gain, and take the best; 0 never does. None: 3 where
    rows are seen more than once, or a search is wanted."""
    search: int = Field(default=0, ge=0, le=100)
    """Trials of learning rate, rank and epochs before the run, on validation rows; 0 takes what is given."""
    augmentation: tuple[Augmentation, ...] = ()
    """What is added to the rows that are learned from; measured against learning without it."""
    rewriter: Candidate | None = None
    """The hosted model that rewords rows, where the augmentation wants that."""
    gradient_checkpointing: bool | None = None
    """Compute activations again instead of keeping them; None does so when memory runs out."""
    general_texts: int = Field(default=12, ge=0, le=200)
    """So many texts of general knowledge are read before and after, to show what was forgotten."""
    instruction: str | None = Field(default=None, max_length=20_000)
    """What the model is told first; None takes the task's own sentence."""
    max_new_tokens: int | None = Field(default=None, ge=1, le=32_768)
    """Longest answer when a written one is scored; None takes what suits the task."""
    export: Literal["adapter", "merged", "gguf"] = "adapter"
    """merged: also the whole model in safetensors. gguf: also in that format, where llama.cpp's converter is installed."""
    seed: int = 0

    @model_validator(mode="after")
    def _has_the_rewriter_that_it_needs(self) -> Self:
        wants = bool(REWORDED & set(self.augmentation))
        if wants != (self.rewriter is not None) or (self.rewriter and not self.rewriter.is_hosted):
            raise WrongRewriter(self.rewriter.model if self.rewriter else None, is_wanted=wants)
        return self

    @property
    def key_names(self) -> tuple[str, ...]:
        """The key of the model that rewords rows; without one a fine-tune asks nobody, and is given no secret."""
        return key_names((self.rewriter.model,)) if self.rewriter else ()

    @property
    def trials(self) -> int:
        """Settings that are tried before the run: augmentation alone is tried against going without it."""
        return self.search or (_TRIALS_OF_AUGMENTATION if self.augmentation else 0)

    @property
    def patience(self) -> int:
        """Looks at the validation loss without a gain that end the run; 0 looks at none."""
        if self.early_stopping is not None:
            return self.early_stopping
        return _PATIENCE if self.epochs > 1 or self.search or self.augmentation else 0

    @property
    def needs_validation(self) -> bool:
        """Whether anything is chosen by rows that are neither learned from nor held out."""
        return bool(self.patience or self.search or self.augmentation)

    @property
    def learns_in_order(self) -> bool:
        """Whether a run of more rows takes the steps of one of fewer rows first, so that it can go on from there."""
        return self.learn_rows is not None and self.epochs == 1 and not self.augmentation

    @property
    def without_size(self) -> TuningSpec:
        """What runs that differ only in how much they learn from have in common."""
        return self.model_copy(update={"learn_rows": None, "continues": None})


Spec = Annotated[EvaluationSpec | TuningSpec, Field(discriminator="kind")]


def fingerprint(spec: EvaluationSpec | TuningSpec) -> str:
    """A short hash of what was asked: equal specs have equal fingerprints."""
    return hashlib.sha256(spec.model_dump_json().encode()).hexdigest()[:16]
