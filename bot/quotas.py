"""Quotas of persons, teams and everybody -> what is left of each this month, counted from the rows of jobs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from bot.access import Access
from bot.grants import kind_of
from bot.roles import EVERYBODY, Quota
from finetune.jobs import Jobs
from finetune.state import Cost, JobUse

Unit = Literal["gpu_minutes", "usd"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """One quota that a job falls under."""

    whose: str
    """A person, a group, a channel, or everybody."""
    unit: Unit
    most: float
    used: float
    usd_per_gpu_hour: float = 0.0

    @property
    def left(self) -> float:
        """What is left of it this month."""
        return self.most - self.used

    def need(self, cost: Cost) -> float | None:
        """What a job of this cost takes of it; None when nobody can tell."""
        return cost.gpu_minutes if self.unit == "gpu_minutes" else usd_of(cost, self.usd_per_gpu_hour)

    def amount(self, value: float) -> str:
        """A figure in the unit of the quota."""
        return f"{value:.0f} GPU min" if self.unit == "gpu_minutes" else f"${value:.2f}"


def usd_of(cost: Cost, usd_per_gpu_hour: float) -> float | None:
    """Dollars of a job: what hosted models bill, and its device time at the house's rate; None when unknown."""
    if cost.hosted_usd is None or (cost.gpu_minutes is None and usd_per_gpu_hour > 0):
        return None
    return cost.hosted_usd + (cost.gpu_minutes or 0.0) / 60 * usd_per_gpu_hour


def month_start_utc(now: datetime) -> str:
    """When the month began, as the store keeps times."""
    return now.strftime("%Y-%m-01T00:00:00.000+00:00")


def limits_of(access: Access, jobs: Jobs, *, owner: str, thread: str | None, now: datetime) -> list[Limit]:
    """The quotas that a job of this owner, begun in this thread, falls under. Counts only where there are any."""
    found = list(_quotas(access, owner, thread))
    if all(quota == Quota() for _, quota, _ in found):
        return []
    uses = jobs.used_since(month_start_utc(now))
    return [
        limit for whose, quota, is_meant in found for limit in _limits(access, whose, quota, uses, is_meant)
    ]


def spent_by(access: Access, jobs: Jobs, subject: str, now: datetime) -> Cost:
    """What a person, a group, a channel or everybody used this month, as quotas count it."""
    uses = [use for use in jobs.used_since(month_start_utc(now)) if _meant_by(access, subject)(use)]
    rate = access.rules.usd_per_gpu_hour
    return Cost(
        gpu_minutes=sum(use.cost.gpu_minutes or 0.0 for use in uses),
        hosted_usd=sum(usd_of(use.cost, rate) or 0.0 for use in uses),
    )


IsMeant = Callable[[JobUse], bool]


def _quotas(access: Access, owner: str, thread: str | None) -> Iterator[tuple[str, Quota, IsMeant]]:
    """Who has a quota that this job counts towards; what was set while it runs goes before the file."""
    rules, stored = access.rules.quotas, access.grants.quotas() if access.grants else {}
    yield owner, stored.get(owner) or rules.people.get(owner) or rules.person, _meant_by(access, owner)
    everybody = stored.get(EVERYBODY) or rules.everybody
    yield EVERYBODY, everybody, _meant_by(access, EVERYBODY)
    teams = {**rules.teams, **{name: quota for name, quota in stored.items() if kind_of(name) in _TEAMS}}
    for team, quota in teams.items():
        is_meant = _meant_by(access, team)
        if is_meant(JobUse(owner=owner, thread=thread, cost=Cost(gpu_minutes=None, hosted_usd=None))):
            yield team, quota, is_meant


_TEAMS = ("group", "channel")


def _meant_by(access: Access, subject: str) -> IsMeant:
    """Whether a job counts for a person, a user group, a channel or everybody."""
    kind = kind_of(subject)
    if kind == "everybody":
        return lambda _use: True
    if kind == "channel":
        return lambda use: channel_of(use.thread) == subject
    if kind == "group":
        members = access.members(subject)
        return lambda use: use.owner in members
    return lambda use: use.owner == subject


def channel_of(thread: str | None) -> str | None:
    """The channel of a thread's name, `TEAM:CHANNEL[:TS]`; None at a terminal."""
    parts = (thread or "").split(":")
    return parts[1] if len(parts) > 1 else None


def _limits(
    access: Access, whose: str, quota: Quota, uses: Sequence[JobUse], is_meant: IsMeant
) -> Iterator[Limit]:
    rate = access.rules.usd_per_gpu_hour
    mine = [use.cost for use in uses if is_meant(use)]
    if quota.gpu_minutes is not None:
        used = sum(cost.gpu_minutes or 0.0 for cost in mine)
        yield Limit(whose=whose, unit="gpu_minutes", most=quota.gpu_minutes, used=used)
    if quota.usd is not None:
        used = sum(usd_of(cost, rate) or 0.0 for cost in mine)
        yield Limit(whose=whose, unit="usd", most=quota.usd, used=used, usd_per_gpu_hour=rate)
