"""What a job is at any moment: its state, the legal moves between states, and the events it leaves."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from finetune.spec import EvaluationSpec, TuningSpec
from index.bilingual import Bilingual

JobState = Literal["queued", "starting", "running", "cancelling", "succeeded", "failed", "cancelled"]

TERMINAL: frozenset[JobState] = frozenset({"succeeded", "failed", "cancelled"})

ACTIVE: frozenset[JobState] = frozenset({"queued", "starting", "running", "cancelling"})

TRANSITIONS: dict[JobState, frozenset[JobState]] = {
    "queued": frozenset({"starting", "cancelled", "failed"}),
    "starting": frozenset({"running", "starting", "cancelling", "failed", "cancelled"}),
    "running": frozenset({"starting", "cancelling", "succeeded", "failed"}),
    "cancelling": frozenset({"cancelled", "succeeded", "failed"}),
    "succeeded": frozenset(),
    "failed": frozenset(),
    "cancelled": frozenset(),
}
"""running -> starting is a new attempt after the worker or the child died."""

FORGOTTEN = "forgotten-"
"""Begins the owner's name of a job whose owner asked to be forgotten."""

EventKind = Literal["state", "progress", "candidate", "loss", "note"]
"""state: {"state"}; progress: {"done", "total", "stage"}, and "left_s" and "spent_usd" of the stage where known;
candidate: one finished row of the result's `candidates`; loss: {"step", "train", "eval"}; note: {"en", "zh"}, a sentence
for the person."""


PRIORITIES: dict[str, int] = {"low": -1, "normal": 0, "high": 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a job may take. Not part of its spec: they change how it runs, and no figure."""

    gpus: int = 1
    max_hours: float | None = None
    """Longest running time, all attempts together; None takes the house's."""
    memory_gib: float | None = None
    """Device memory that it was estimated to need; None where nobody could tell."""


ORDINARY = Terms()


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a job takes, or is expected to. None where nobody can tell."""

    gpu_minutes: float | None
    """Time on devices, times their number."""
    hosted_usd: float | None
    """What hosted models bill; 0 where none is asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobUse:
    """What one job used, or is expected to use while it has not ended."""

    owner: str
    thread: str | None
    cost: Cost


@dataclass(frozen=True, slots=True, kw_only=True)
class JobEvent:
    """One thing that happened to a job. `id` grows, so that a reader can ask for what came after."""

    id: int
    job_id: str
    kind: EventKind
    data: dict[str, Any]
    at_utc: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One queued, running or finished piece of work."""

    id: str
    spec: EvaluationSpec | TuningSpec
    owner: str
    thread: str | None
    state: JobState
    reason: Bilingual | None = None
    """Why it failed, for a person to read."""
    attempts: int = 0
    created_at_utc: str = ""
    started_at_utc: str | None = None
    ended_at_utc: str | None = None
    terms: Terms = ORDINARY
    priority: int = 0
    worker: str | None = None
    """Who has it in hand; None while it waits for a device."""
    ran_s: float = 0.0
    """Time on its devices so far, all attempts together."""
    request_id: str | None = None
    """The request that started it."""
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def is_waiting(self) -> bool:
        """True while it waits for a device."""
        return self.state == "queued" and self.worker is None

    @property
    def is_finished(self) -> bool:
        """True when nothing more will happen to it."""
        return self.state in TERMINAL


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What a person wants to know of a job that has not ended."""

    position: int | None = None
    """1 is next; None when it does not wait."""
    starts_in_s: float | None = None
    """None while nothing was measured that would tell."""
    done_frac: float | None = None
    left_s: float | None = None
    """At the speed of the last minutes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceUse:
    """One device of a worker, and the job that has it."""

    name: str
    host: str
    kind: str
    memory_gib: float
    job_id: str | None = None
    owner: str | None = None
    since_utc: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """Device time of one person's jobs."""

    owner: str
    device_hours: float
    jobs: int
