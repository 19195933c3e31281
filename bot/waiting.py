"""Places in the line -> the cards of waiting jobs that say what is not true any more, though nothing happened to their jobs.

Slack takes some fifty edits a minute: the cards nearest to their turn come first, a few at a time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from finetune.jobs import Jobs
from finetune.state import Outlook
from skills.outlook import outlook_words

_LOOK_S = 15.0
_SAME_PLACE_S = 60.0
"""While the place is the same, the time is told anew that often."""
_MOST_EDITS = 10


@dataclass(slots=True)
class WaitingCards:
    """What the cards of waiting jobs say of their place. A card that this process has not written yet is edited once."""

    jobs: Jobs
    clock: Callable[[], float] = time.monotonic
    _looked_s: float = -1e9
    _told: dict[str, tuple[Outlook, float]] = field(default_factory=dict)

    def tell(self, job_id: str, outlook: Outlook | None) -> None:
        """Note what the card of a job says now."""
        if outlook is not None and outlook.position is not None:
            self._told[job_id] = outlook, self.clock()
        else:
            self._told.pop(job_id, None)

    def moved(self, job_ids: Sequence[str]) -> set[str]:
        """Of these jobs those whose card has to be edited; none between two looks."""
        if self.clock() - self._looked_s < _LOOK_S:
            return set()
        self._looked_s = self.clock()
        waiting = [job for job_id in job_ids if (job := self.jobs.status(job_id)).is_waiting]
        outlooks = self.jobs.outlooks(waiting)
        nearest = sorted(outlooks, key=lambda job_id: outlooks[job_id].position or 0)
        return set([job_id for job_id in nearest if self._is_other(job_id, outlooks[job_id])][:_MOST_EDITS])

    def _is_other(self, job_id: str, now: Outlook) -> bool:
        if job_id not in self._told:
            return True
        told, at_s = self._told[job_id]
        is_worded_anew = outlook_words(told, "en") != outlook_words(now, "en")
        is_old = self.clock() - at_s >= _SAME_PLACE_S
        return told.position != now.position or (is_old and is_worded_anew)
