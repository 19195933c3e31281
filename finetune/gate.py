"""Who may do what with jobs: asked by `finetune.jobs` at the moment of doing, answered by the package above.

Whatever surface an order comes from, however old its button is, it ends in `Jobs.submit`, `cancel` or `prioritise`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Protocol

from sqlalchemy import Engine

from finetune.spec import EvaluationSpec, TuningSpec
from finetune.state import Job, Terms
from index.errors import BadInput

if TYPE_CHECKING:
    from finetune.jobs import Jobs

Launch = tuple[EvaluationSpec | TuningSpec, Terms]


class QuotaReached(BadInput):
    """A quota of whoever started it leaves nothing for the next part of what is under way."""


class Gate(Protocol):
    """Raises an error that says who can help, and nothing is done; or lets it be done."""

    def launch(
        self, spec: EvaluationSpec | TuningSpec, *, owner: str, thread: str | None, terms: Terms
    ) -> AbstractContextManager[Launch]:
        """Let a job be queued for its owner in the block; what it may take can only become less."""

    def stop(self, job: Job) -> None:
        """Let a job be cancelled."""

    def prioritise(self, job: Job) -> None:
        """Let a job go before or behind others."""


class OpenGate:
    """Nobody to ask: one's own desk, as in a script or a test."""

    @contextmanager
    def launch(
        self,
        spec: EvaluationSpec | TuningSpec,
        *,
        owner: str,  # noqa: ARG002
        thread: str | None,  # noqa: ARG002
        terms: Terms,
    ) -> Iterator[Launch]:
        """Anything may be launched."""
        yield spec, terms

    def stop(self, job: Job) -> None:
        """Any job may be stopped."""

    def prioritise(self, job: Job) -> None:
        """Any job may go first."""


GateOf = Callable[[Engine, "Jobs"], Gate]
"""Makes the gate for jobs that a worker queues by itself."""
