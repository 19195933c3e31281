"""Decide who may start and stop jobs. Asking is open to everybody who can reach the bot.

An empty list of runners means that everybody may start jobs: the right default for a team that trusts its
own workspace. As soon as one id is listed, only those on the list may.
"""

from __future__ import annotations

from dataclasses import dataclass

from bot import launch_wording, wording
from bot.people import mention
from finetune.effort import Effort
from finetune.state import Job
from index.errors import BadInput


class NotAllowed(BadInput):
    """The person may not do this; the message says who can help."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a job may take without anybody's leave. None: as much as it likes."""

    gpu_hours: float | None = None
    usd: float | None = None

    @property
    def are_set(self) -> bool:
        """True when there is any limit."""
        return self.gpu_hours is not None or self.usd is not None

    def allow(self, effort: Effort) -> bool:
        """True when the job stays within; what cannot be told beforehand does not."""
        pairs = ((self.gpu_hours, effort.gpu_hours), (self.usd, effort.usd))
        return all(limit is None or (taken is not None and taken <= limit) for limit, taken in pairs)


@dataclass(frozen=True, slots=True)
class Access:
    """Who may launch: the Slack user ids of the runners, or everybody when there are none. Who may let jobs go
    first: the administrators alone. Who may let a job take more than the limits: the approvers, or else the
    administrators."""

    runners: frozenset[str] = frozenset()
    admins: frozenset[str] = frozenset()
    approvers: frozenset[str] = frozenset()
    limits: Limits = Limits()

    def must_approve(self, person: str, effort: Effort) -> tuple[str, ...]:
        """Who has to be asked before this person may start such a job: one of these; nobody when it is empty.

        NotAllowed when the job is above the limits and there is nobody to ask.
        """
        if self.limits.allow(effort) or self.may_approve(person):
            return ()
        if not (asked := tuple(sorted(self.approvers or self.admins))):
            raise NotAllowed(launch_wording.NOBODY_TO_ASK)
        return asked

    def may_approve(self, person: str) -> bool:
        """True when this person may let jobs take more than the limits."""
        return person in (self.approvers or self.admins)

    def require_approve(self, person: str) -> None:
        """Raise NotAllowed unless this person may let jobs take more than the limits."""
        if not self.may_approve(person):
            some = ", ".join(mention(one) for one in sorted(self.approvers or self.admins)[:3])
            raise NotAllowed(wording.filled(launch_wording.NOT_AN_APPROVER, approvers=some))

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
