"""What the bot says, as values that each surface renders its own way: Slack, terminal or JSON."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from index.bilingual import Language
from index.records import EvidenceKind, Quantization
from skills.conversation.request import Currency, Request, Requirements, SkillName
from skills.stated import in_conflict


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Cost(_Frozen):
    """What a model costs to run, in a stated unit, with how the number came about."""

    value: float | None
    unit: str
    basis: str


class Loss(_Frozen):
    """Expected shortfall of quality on this task, 0 (best) to 1, with its standard error."""

    value: float
    se: float


class EvidenceLine(_Frozen):
    """One figure that an answer rests on."""

    benchmark: str
    score: float
    kind: EvidenceKind
    source: str
    """A link, or `job 42` for what was measured here."""
    date: str | None = None
    scale_max: float | None = None
    detail: str | None = None
    """For measured figures: data set, interval and number of items in words."""


class Recommendation(_Frozen):
    """One model that meets every hard constraint, with the arithmetic of its rank."""

    rank: int
    model: str
    adapter: str | None = None
    """Name of the tuned adapter on top of the model, when it is one of ours."""
    quantization: Quantization | None
    """None for hosted models."""
    score: float
    """cost + alpha * loss, in the unit of `cost`: smaller is better."""
    cost: Cost
    loss: Loss
    p_best: float
    vram_gib: float | None
    tokens_per_s: float | None = None
    """Single-stream estimate, or measured when `evidence` says so."""
    licence: str | None
    context_tokens: int | None
    params_b: float | None
    reasons: tuple[str, ...]
    evidence: tuple[EvidenceLine, ...]


class Exclusion(_Frozen):
    """One model that was left out, and the constraint that it breaks."""

    model: str
    reason: str
    constraint: str


class FrontierPiece(_Frozen):
    """The model that wins for every alpha between two values; None is no upper end."""

    model: str
    alpha_from: float
    alpha_to: float | None


class Citation(_Frozen):
    """A passage or a source that the text refers to as [n]."""

    n: int
    title: str
    source: str
    locator: str
    quote: str


class Action(_Frozen):
    """A next step that a surface may offer as a button or a hint."""

    id: Literal[
        "evaluate", "finetune", "explain", "compare", "excluded", "cheaper", "faster", "better", "less_memory",
        "cancel", "ask", "retry", "reproduce",
    ]  # fmt: skip
    label: str
    value: dict[str, Any]


class Answer(_Frozen):
    """One reply. `text` is Markdown and complete by itself; the rest lets a surface show more."""

    thread: str
    skill: SkillName
    language: Language
    requirements: Requirements
    text: str
    recommendations: tuple[Recommendation, ...] = ()
    excluded: tuple[Exclusion, ...] = ()
    frontier: tuple[FrontierPiece, ...] = ()
    citations: tuple[Citation, ...] = ()
    actions: tuple[Action, ...] = ()
    jobs: tuple[str, ...] = ()
    """Jobs that the answer is about."""
    exchange: int | None = None
    """Its number in the thread's memory; None before it is remembered."""
    currency: Currency | None = None
    """The money of the costs in `text`; `cost` itself is in US dollars."""
    conflicts: tuple[str, ...] = ()
    """What the request says that cannot hold together, a line each. `text` opens with them."""

    @classmethod
    def to(cls, request: Request, text: str, **more: Any) -> Answer:
        """An answer to this request, in its thread and language; `more` are the other fields.

        It opens with what the request says that cannot hold together, so that no answer hides it.
        """
        conflicts = [in_conflict(c, request.requirements, request.language) for c in request.conflicts]
        text = "\n\n".join(["\n".join(conflicts), text]) if conflicts else text
        about = {
            "thread": request.turn.thread,
            "skill": request.skill,
            "language": request.language,
            "requirements": request.requirements,
            "currency": request.currency,
        }
        return cls.model_validate({**about, "text": text, "conflicts": conflicts, **more})

    @property
    def started_jobs(self) -> tuple[str, ...]:
        """Jobs that this answer started: each gets a card."""
        return self.jobs if self.skill in {"evaluate", "finetune", "select-base"} else ()
