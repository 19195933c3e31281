"""What a person wants, as values: Turn (what came in), Requirements (what must hold), Request (both, understood).

None means "not stated", which is not "no limit".
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from index.bilingual import Language
from index.records import Quantization, Task

Priority = Literal["quality", "cost", "speed", "balanced"]
SkillName = Literal[
    "recommend",
    "answer",
    "explain",
    "compare",
    "evaluate",
    "finetune",
    "select-base",
    "jobs",
    "help",
    "clarify",
    "decline",
]


JobAction = Literal["cancel", "retry", "pause", "resume", "first"]
"""`first`: let it run before the others."""


class Turn(BaseModel):
    """One message of a person, wherever it came from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str
    thread: str
    """Slack channel and thread root, or the name of a terminal conversation."""
    person: str
    key: str | None = None
    """Equal for two deliveries of the same message, so that a job is submitted once."""
    after: int | None = None
    """The exchange that it follows; 0 for none; None for the newest of the thread."""
    scopes: tuple[str, ...] = ()
    """Whose defaults hold for it, the narrowest first."""
    channel: str | None = None
    """Slack channel that it was said in, or `*` at the owner's own terminal: which documents it may see."""


class Gpus(BaseModel):
    """Accelerators that the asker has."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str | None = None
    count: int = Field(default=1, ge=1)
    memory_gib: float | None = Field(default=None, gt=0)
    """Memory of one."""


class Requirements(BaseModel):
    """Limits and wishes as stated so far in the thread. None means "not stated"."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    task: Task | None = None
    languages: tuple[str, ...] | None = None
    """ISO 639-1 codes of the text that the model will work on."""
    max_memory_gib: float | None = Field(default=None, gt=0)
    """Accelerator memory in all."""
    gpus: Gpus | None = None
    licences: tuple[str, ...] | None = None
    """SPDX ids, or "commercial" for any licence that permits commercial use."""
    excluded_licences: tuple[str, ...] | None = None
    """Licences that they do not accept; "Llama" stands for all versions of it."""
    min_context_tokens: int | None = Field(default=None, gt=0)
    min_params_b: float | None = Field(default=None, ge=0)
    max_params_b: float | None = Field(default=None, gt=0)
    hosting: Literal["self", "api", "any"] | None = None
    max_usd_per_mtok: float | None = Field(default=None, ge=0)
    budget_usd_per_month: float | None = Field(default=None, ge=0)
    tokens_per_month: float | None = Field(default=None, gt=0)
    modalities: tuple[str, ...] | None = None
    priority: Priority | None = None
    alpha: float | None = Field(default=None, ge=0)
    """USD per million tokens that a full unit of quality is worth. Overrides the preset of `priority`."""
    finetune: bool | None = None
    candidates: tuple[str, ...] | None = None
    """Catalogue ids of the models that they named."""
    quantization: Quantization | None = None
    vendors: tuple[str, ...] | None = None
    """Organisations, as the catalogue calls them: only theirs."""
    excluded_vendors: tuple[str, ...] | None = None
    origins: tuple[str, ...] | None = None
    """Countries of the makers, ISO 3166, or "EU" for Europe: only from there."""
    excluded_origins: tuple[str, ...] | None = None
    reasoning: bool | None = None
    """True for a model that thinks before it answers, False for one that does not."""
    architecture: Literal["dense", "moe"] | None = None
    max_latency_s: float | None = Field(default=None, gt=0)
    """Time to the whole answer, not to the first token."""
    max_first_token_s: float | None = Field(default=None, gt=0)
    min_tokens_per_s: float | None = Field(default=None, gt=0)
    requests_per_month: float | None = Field(default=None, gt=0)
    """Where the tokens of a request are not known; with them it is `tokens_per_month`."""
    peak_requests_per_min: float | None = Field(default=None, gt=0)

    def stated(self) -> dict[str, object]:
        """Only what was stated, as JSON values."""
        return self.model_dump(mode="json", exclude_none=True)


class Currency(BaseModel):
    """The money that a team reckons in. Prices are kept in US dollars."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: str = Field(pattern=r"^[A-Z]{3}$")
    """ISO 4217."""
    per_usd: float = Field(gt=0)
    """What one US dollar is worth, as the team says: there is no look-up."""

    def of(self, usd: float) -> float:
        """Dollars in this currency."""
        return usd * self.per_usd


class Conflict(BaseModel):
    """Two things said that cannot both hold, and which of them was assumed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    fields: tuple[str, str]
    """What the two are about, as fields of Requirements."""
    said: tuple[str, str]
    """In the person's own words; empty for what the thread said before."""
    kept: Literal["first", "second", "both"]


class EvaluationWish(BaseModel):
    """How an evaluation is to be done. None means "not stated"."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    metric: str | None = None
    """The one that decides."""
    data_task: str | None = None
    """What the rows ask for, where it is not recognised."""
    full: bool | None = None
    """Every candidate answers every row."""
    examples: int | None = None
    """Rows shown with their answers first."""
    instruction: str | None = None
    """What the models are told first."""
    max_usd: float | None = Field(default=None, gt=0)
    """Dollars that hosted models may cost."""

    def over(self, before: EvaluationWish) -> EvaluationWish:
        """This wish, and where it says nothing the one before."""
        return before.model_copy(update=self.model_dump(exclude_none=True))


class Request(BaseModel):
    """One turn, understood in the light of its thread."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    turn: Turn
    language: Language
    skill: SkillName
    requirements: Requirements = Requirements()
    """Merged: what this turn says over what the thread said before."""
    changed: tuple[str, ...] = ()
    """Fields of `requirements` that this turn stated or dropped."""
    is_follow_up: bool = False
    references: tuple[str, ...] = ()
    """Models of the last answer that this turn points at ("the first one", "top three"), as catalogue ids."""
    mentioned: tuple[str, ...] = ()
    """Models that this very turn names, a bare family name ("Llama") as its newest members that were known."""
    about_excluded: bool = False
    """True when the turn asks what was left out of the last ranking."""
    job_action: JobAction | None = None
    """What the turn orders to be done to a job; None where it only asks about it."""
    job_rank: int | None = Field(default=None, ge=1)
    """Which of the jobs as they were listed ("the second job"), 1 being the first."""
    dataset: str | None = None
    """Path or name of a data set that this turn names."""
    job_id: str | None = None
    """Number of the job that this turn is about."""
    rows: int | None = Field(default=None, ge=1)
    """Number of data set rows that this turn asks to use ("on 100 rows")."""
    unknown_models: tuple[str, ...] = ()
    """Names in this turn that look like a model and are in no catalogue."""
    rejected: tuple[str, ...] = ()
    """Catalogue ids that this thread does not want: "anything but Llama"."""
    quantizations: tuple[Quantization, ...] = ()
    """Every quantization named in this turn, for evaluations that compare several."""
    evaluation: EvaluationWish = EvaluationWish()
    """How the evaluation that this turn asks for is to be done."""
    waived: tuple[str, ...] = ()
    """Fields of `requirements` that this thread said do not matter: no default fills them."""
    assumed: tuple[str, ...] = ()
    """Fields of `requirements` that a default filled, not the person."""
    currency: Currency | None = None
    """The money to show costs in; None shows US dollars."""
    conflicts: tuple[Conflict, ...] = ()
    """What this turn says that cannot hold together, or not with what the thread said."""
