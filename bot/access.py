"""Decide who may do what, where. The one place that knows roles; asked each time something is done.

A role comes from SHORTLIST_RUNNERS and SHORTLIST_ADMINS, from the access file, and from what administrators granted while
it runs; it is given to a person, a user group, a channel or everybody, and the highest counts. Safe by default: all
may ask, nobody may start a job until somebody is named.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bot import launch_wording, wording
from bot.grants import Grant, Grants, kind_of
from bot.people import mention
from bot.roles import ACTIONS, EVERYBODY, NEEDED, Role, Rules, read_rules
from finetune.effort import Effort
from finetune.state import Job
from index.audit import Trail
from index.bilingual import Bilingual
from index.caller import current_caller
from index.errors import BadInput, ShortlistError

logger = logging.getLogger(__name__)

Members = Callable[[str], frozenset[str]]
"""User group (S…) -> Slack user ids."""

_SHOWN = 3


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


def no_groups(_group: str) -> frozenset[str]:
    """Where there is no Slack, groups have no members."""
    return frozenset()


class RulesFile:
    """The access file, read again when it changes. A change that cannot be read leaves the last good rules in force."""

    def __init__(self, path: Path | None) -> None:
        """Raises BadSetting when the file cannot be used at the start."""
        self._path = path
        self._seen: tuple[int, int] | None = self._stamp()
        self._rules = Rules() if path is None else read_rules(path)

    def rules(self) -> Rules:
        """The rules as they stand now."""
        stamp = self._stamp()
        if self._path is not None and stamp != self._seen:
            self._seen = stamp
            try:
                self._rules = read_rules(self._path)
            except ShortlistError as error:
                logger.error("access file not read again", extra={"reason": str(error)})
        return self._rules

    def _stamp(self) -> tuple[int, int] | None:
        try:
            found = self._path.stat() if self._path else None
        except OSError:
            return None
        return (found.st_mtime_ns, found.st_size) if found else None


@dataclass(slots=True)
class Access:
    """Who may do what: everything that gives a role, put together."""

    runners: frozenset[str] = frozenset()
    """By SHORTLIST_RUNNERS; `*` lets everybody start jobs."""
    admins: frozenset[str] = frozenset()
    """By SHORTLIST_ADMINS."""
    file: RulesFile = field(default_factory=lambda: RulesFile(None))
    grants: Grants | None = None
    members: Members = no_groups
    trail: Trail | None = None
    """Where refusals are recorded."""
    owner: str | None = None
    """Whoever owns the home, at their own terminal: an administrator, as they can do all of it anyway."""
    approvers: frozenset[str] = frozenset()
    """By SHORTLIST_APPROVERS."""
    limits: Limits = field(default_factory=Limits)
    """By SHORTLIST_APPROVE_GPU_HOURS and SHORTLIST_APPROVE_USD."""

    @property
    def rules(self) -> Rules:
        """Those of the access file."""
        return self.file.rules()

    def given(self) -> dict[str, Role]:
        """Subject -> its role, from everywhere. Asker is everybody unless the file lists some."""
        found = {} if self.rules.roles.get(Role.ASKER.word) else {EVERYBODY: Role.ASKER}
        sources: Iterable[Mapping[str, Role]] = (
            dict.fromkeys(self.runners, Role.RUNNER),
            dict.fromkeys(self.approvers, Role.APPROVER),
            dict.fromkeys(self.admins, Role.ADMINISTRATOR),
            self.rules.given(),
            {grant.subject: grant.role for grant in self._grants()},
            {self.owner: Role.ADMINISTRATOR} if self.owner else {},
        )
        for source in sources:
            for subject, role in source.items():
                found[subject] = max(found.get(subject, Role.NOBODY), role)
        return found

    def role_of(self, person: str, channel: str | None = None) -> Role:
        """The highest role that the person has in this channel."""
        role = Role.NOBODY
        for subject, given in self.given().items():
            if given > role and self._is_meant(subject, person, channel):
                role = given
        return role

    def _is_meant(self, subject: str, person: str, channel: str | None) -> bool:
        if subject in (person, EVERYBODY) or (channel is not None and subject == channel):
            return True
        return kind_of(subject) == "group" and person in self.members(subject)

    def may(self, action: str, person: str, channel: str | None = None) -> bool:
        """True when the person may do this there."""
        return self.role_of(person, channel) >= NEEDED[action]

    def require(
        self, action: str, person: str, *, subject: str = "", refusal: Bilingual | None = None
    ) -> None:
        """Raise NotAllowed, and record it, unless the person may do this where they are."""
        if not self.may(action, person, self._channel_of(person)):
            self.refuse(action, person, subject, refusal or self._refusal(action, person))

    def refuse(
        self, action: str, person: str, subject: str, refusal: Bilingual, *, reason: str = "role"
    ) -> None:
        """Record that this was refused, and raise NotAllowed with the sentence."""
        self._record_denied(action, person, subject, reason)
        raise NotAllowed(refusal)

    def _record_denied(self, action: str, person: str, subject: str, reason: str) -> None:
        if self.trail is not None:
            self.trail.record(action, subject, "denied", reason=reason, person=person)

    def must_approve(self, person: str, effort: Effort) -> tuple[str, ...]:
        """Who has to be asked before this person may start such a job: one of these; nobody when it is empty.

        NotAllowed when the job is above the limits and there is nobody to ask.
        """
        if self.limits.allow(effort) or self.may("approve", person, self._channel_of(person)):
            return ()
        if not (asked := self._asked()):
            raise NotAllowed(launch_wording.NOBODY_TO_ASK)
        return asked

    def _asked(self) -> tuple[str, ...]:
        """People who may approve: the approvers, or else the administrators."""
        people = {subject: role for subject, role in self.given().items() if kind_of(subject) == "person"}
        approvers = sorted(subject for subject, role in people.items() if role == Role.APPROVER)
        return tuple(approvers or sorted(s for s, role in people.items() if role > Role.APPROVER))

    def require_approve(self, person: str) -> None:
        """Raise NotAllowed unless this person may let jobs take more than the limits."""
        if not self.may("approve", person, self._channel_of(person)):
            some = ", ".join(mention(one) for one in self._asked()[:_SHOWN])
            refusal = wording.filled(launch_wording.NOT_AN_APPROVER, approvers=some)
            self.refuse("approve", person, "", refusal)

    def may_launch(self, person: str) -> bool:
        """True when this person may start a job where they are."""
        return self.may("launch", person, self._channel_of(person))

    def may_stop(self, person: str, job: Job) -> bool:
        """True for whoever started the job, and for those who may act on the jobs of others."""
        return person == job.owner or self.may("others' jobs", person, self._channel_of(person))

    def require_ask(self, person: str) -> None:
        """Raise NotAllowed unless this person may ask."""
        self.require("ask", person)

    def require_launch(self, person: str) -> None:
        """Raise NotAllowed unless this person may start a job."""
        self.require("launch", person)

    def require_stop(self, person: str, job: Job) -> None:
        """Raise NotAllowed unless this person may stop this job."""
        if not self.may_stop(person, job):
            refusal = wording.filled(wording.NOT_YOUR_JOB, job_id=job.id, owner=mention(job.owner))
            self.refuse("stop", person, f"job {job.id}", refusal)

    def require_admin(self, person: str) -> None:
        """Raise NotAllowed unless this person may change the order of jobs."""
        self.require("priority", person)

    def holders(self, least: Role) -> list[str]:
        """People, groups and channels with at least this role: people first, who can be asked at once."""
        found = [subject for subject, role in self.given().items() if role >= least and subject != EVERYBODY]
        kinds = ("person", "group", "channel")
        return sorted(found, key=lambda subject: (kinds.index(kind_of(subject)), subject))

    def whom_to_ask(self, least: Role, person: str, otherwise: Bilingual | None = None) -> Bilingual:
        """Those who have the role; where nobody has, what to set to give it, or what is said `otherwise`."""
        if some := self._some(least):
            return wording.filled(wording.ASK_THEM, people=some)
        if otherwise is not None:
            return wording.filled(otherwise, person=person)
        if least == Role.RUNNER:
            return wording.filled(wording.NO_RUNNERS_YET, person=person)
        return wording.filled(wording.NOBODY_HAS_ROLE, role=least.word, person=person)

    def _some(self, least: Role) -> str:
        """A few who have the role, as they are named in a sentence; empty when nobody has."""
        return ", ".join(named(subject) for subject in self.holders(least)[:_SHOWN])

    def _refusal(self, action: str, person: str) -> Bilingual:
        what, least = ACTIONS[action], NEEDED[action]
        if action == "launch" and (some := self._some(least)):
            return wording.filled(wording.NOT_A_RUNNER, people=some)
        who = self.whom_to_ask(least, person)
        return Bilingual(
            en=wording.NEEDS_ROLE.en.format(what=what.en, role=least.word, who=who.en),
            zh=wording.NEEDS_ROLE.zh.format(what=what.zh, role=least.word, who=who.zh),
        )

    def _grants(self) -> list[Grant]:
        return self.grants.all() if self.grants else []

    @staticmethod
    def _channel_of(person: str) -> str | None:
        """Where the person is right now, if it is them that we are working for."""
        caller = current_caller()
        return caller.channel if caller and caller.person == person else None


def named(subject: str) -> str:
    """How a refusal names somebody. A group is not mentioned: that would notify all of it."""
    if subject.startswith(("S", "C", "G")) and kind_of(subject) != "person":
        return f"<#{subject}>" if kind_of(subject) == "channel" else subject
    return mention(subject.removeprefix("os:"))
