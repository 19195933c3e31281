"""What a job is at any moment: its state, the legal moves between states, and the events it leaves."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from finetune.spec import EvaluationSpec, TuningSpec
from index.bilingual import Bilingual

JobState = Literal["queued", "starting", "running", "cancelling", "succeeded", "failed", "cancelled"]

TERMINAL: frozenset[JobState] = frozenset({"succeeded", "failed", "cancelled"})

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

EventKind = Literal["state", "progress", "candidate", "loss", "note"]
"""state: {"state"}; progress: {"done", "total", "stage"}; candidate: one finished row of the result's
`candidates`; loss: {"step", "train", "eval"}; note: {"en", "zh"}, a sentence for the person."""


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
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def is_finished(self) -> bool:
        """True when nothing more will happen to it."""
        return self.state in TERMINAL
