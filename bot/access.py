"""Decide who may start and stop jobs. Asking is open to everybody who can reach the bot.

An empty list of runners means that everybody may start jobs: the right default for a team that trusts its
own workspace. As soon as one id is listed, only those on the list may.
"""

from __future__ import annotations

from dataclasses import dataclass

from bot import wording
from bot.people import mention
from finetune.state import Job
from index.errors import BadInput


class NotAllowed(BadInput):
    """The person may not do this; the message says who can help."""


@dataclass(frozen=True, slots=True)
class Access:
    """Who may launch: the Slack user ids of the runners, or everybody when there are none. Who may let jobs go
    first: the administrators alone."""

    runners: frozenset[str] = frozenset()
    admins: frozenset[str] = frozenset()

    def may_launch(self, person: str) -> bool:
        """True when this person may start a job."""
        return not self.runners or person in self.runners

    def may_stop(self, person: str, job: Job) -> bool:
        """True for whoever started the job, and for everybody who may start one."""
        return person == job.owner or self.may_launch(person)

    def require_admin(self, person: str) -> None:
        """Raise NotAllowed unless this person may let jobs go first."""
        if person not in self.admins:
            raise NotAllowed(wording.NOT_AN_ADMIN)

    def require_launch(self, person: str) -> None:
        """Raise NotAllowed unless this person may start a job."""
        if not self.may_launch(person):
            raise NotAllowed(wording.filled(wording.NOT_A_RUNNER, runners=self._some_runners()))

    def require_stop(self, person: str, job: Job) -> None:
        """Raise NotAllowed unless this person may stop this job."""
        if not self.may_stop(person, job):
            raise NotAllowed(wording.filled(wording.NOT_YOUR_JOB, job_id=job.id, owner=mention(job.owner)))

    def _some_runners(self) -> str:
        return ", ".join(mention(person) for person in sorted(self.runners)[:3])
