"""The gate in front of jobs: role, quota and approval of whoever is asking now, each decision recorded.

Every surface ends here, however old the button or the form is that was used: what counts is what holds now.
Work that nobody is named for (`index.caller`) starts nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime

from bot import wording
from bot.access import Access, NotAllowed, named
from bot.quotas import Limit, channel_of, limits_of, usd_of
from bot.roles import EVERYBODY, NEEDED
from finetune.gate import Launch, QuotaReached
from finetune.jobs import Jobs
from finetune.spec import EvaluationSpec, TuningSpec, fingerprint
from finetune.state import Cost, Job, Terms
from index.audit import Trail
from index.bilingual import Bilingual
from index.caller import Caller, calling, current_caller

Clock = Callable[[], datetime]
Spec = EvaluationSpec | TuningSpec


def _now() -> datetime:
    return datetime.now(UTC)


class ApproverMustStart(NotAllowed):
    """The job costs more than one may start alone. `cost` is what it is expected to take."""

    def __init__(self, message: Bilingual, cost: Cost) -> None:
        super().__init__(message)
        self.cost = cost


class NobodyAsks(NotAllowed):
    """Something was to be done and no surface had said for whom: a bug of ours, which must not open a door."""

    def __init__(self) -> None:
        super().__init__(
            Bilingual(
                "I could not tell who asked for this, so I did nothing. Please try again from Slack or a terminal.",
                "无法确认是谁提出的请求，因此没有执行。请从 Slack 或终端重试。",
            )
        )


class Guard:
    """`finetune.gate.Gate` by the access rules."""

    _end = wording.NOTHING_STARTED
    """How a refusal for a quota ends."""
    _is_told_to_owner = True
    """False where others read it too, so that nobody is "you"."""

    def __init__(self, access: Access, jobs: Jobs, trail: Trail, clock: Clock = _now) -> None:
        self._access = access
        self._jobs = jobs
        self._trail = trail
        self._clock = clock
        self._one_at_a_time = threading.Lock()

    @contextmanager
    def launch(self, spec: Spec, *, owner: str, thread: str | None, terms: Terms) -> Iterator[Launch]:
        """Let a job be queued in the block, its limits lowered to what is left of the quotas.

        One at a time in this process, so that two launches do not both see the same rest of a quota.
        """
        caller, what = _caller(), f"{spec.kind} {fingerprint(spec)}"
        self._access.require("launch", caller.person, subject=what)
        if owner != caller.person:
            self._access.require("others' jobs", caller.person, subject=f"{what} of {owner}")
        with self._one_at_a_time:
            cost = self._jobs.expected_cost(spec, terms)
            spec, terms = self._within_quotas(spec, terms, cost, owner=owner, thread=thread, what=what)
            self._require_approval(caller, cost, what)
            self._trail.record("launch", what, "allowed")
            yield spec, terms

    def stop(self, job: Job) -> None:
        """Let a job be cancelled."""
        self._access.require_stop(_caller().person, job)
        self._trail.record("stop", f"job {job.id}", "allowed")

    def prioritise(self, job: Job) -> None:
        """Let a job go before or behind others."""
        self._access.require("priority", _caller().person, subject=f"job {job.id}")
        self._trail.record("priority", f"job {job.id}", "allowed")

    def _within_quotas(
        self, spec: Spec, terms: Terms, cost: Cost, *, owner: str, thread: str | None, what: str
    ) -> Launch:
        limits = limits_of(self._access, self._jobs, owner=owner, thread=thread, now=self._clock())
        for limit in limits:
            need = limit.need(cost)
            if limit.left <= 0 or (need is not None and need > limit.left):
                self._refuse_for_quota(limit, need, what)
        return _capped(spec, terms, limits)

    def _refuse_for_quota(self, limit: Limit, need: float | None, what: str) -> None:
        caller = _caller()
        who = self._access.whom_to_ask(NEEDED["roles"], caller.person, wording.RAISE_QUOTA)
        whose = _whose(limit.whose, caller.person if self._is_told_to_owner else None)
        sentence = wording.QUOTA_USED_UP if limit.left <= 0 else wording.OVER_QUOTA
        values = {
            language: {
                "whose": whose.to(language),
                "used": limit.amount(limit.used),
                "limit": limit.amount(limit.most),
                "need": limit.amount(need or 0.0),
                "who": who.to(language),
                "end": self._end.to(language),
            }
            for language in ("en", "zh")
        }
        refusal = Bilingual(en=sentence.en.format(**values["en"]), zh=sentence.zh.format(**values["zh"]))
        self._access.refuse("launch", caller.person, what, refusal, reason="quota")

    def _require_approval(self, caller: Caller, cost: Cost, what: str) -> None:
        most = self._access.rules.approval
        dollars = usd_of(cost, self._access.rules.usd_per_gpu_hour)
        is_over = _is_over(cost.gpu_minutes, most.gpu_minutes) or _is_over(dollars, most.usd)
        if not is_over or self._access.may("approve", caller.person, caller.channel):
            return
        self._trail.record("launch", what, "denied", reason="approval")
        is_known = (most.gpu_minutes is None or cost.gpu_minutes is not None) and (
            most.usd is None or dollars is not None
        )
        sentence = wording.NEEDS_APPROVAL if is_known else wording.COST_UNKNOWN
        who = self._access.whom_to_ask(NEEDED["approve"], caller.person)
        need, limit = _said(cost.gpu_minutes, dollars), _said(most.gpu_minutes, most.usd)
        message = Bilingual(
            en=sentence.en.format(need=need, limit=limit, who=who.en),
            zh=sentence.zh.format(need=need, limit=limit, who=who.zh),
        )
        raise ApproverMustStart(message, cost)


class RoundGuard(Guard):
    """`finetune.gate.Gate` for what begins by itself later on, such as the next round of a race.

    Whoever started the race was asked for role and approval then; their quotas, and those they fall under, count on.
    """

    _end = wording.ROUND_NOT_STARTED
    _is_told_to_owner = False

    @contextmanager
    def launch(self, spec: Spec, *, owner: str, thread: str | None, terms: Terms) -> Iterator[Launch]:
        """Let a job be queued in the block within the quotas of its owner; QuotaReached when they leave too little."""
        what = f"{spec.kind} {fingerprint(spec)}"
        with calling(Caller(person=owner, surface="worker", channel=channel_of(thread))), self._one_at_a_time:
            cost = self._jobs.expected_cost(spec, terms)
            try:
                launch = self._within_quotas(spec, terms, cost, owner=owner, thread=thread, what=what)
            except NotAllowed as refusal:
                raise QuotaReached(refusal.message) from None
            self._trail.record("launch", what, "allowed")
            yield launch

    def stop(self, job: Job) -> None:
        """A race takes back the runs of a round that it cannot complete."""
        self._trail.record("stop", f"job {job.id}", "allowed", person=job.owner)


def _whose(subject: str, reader: str | None) -> Bilingual:
    if subject == EVERYBODY:
        return wording.ALL_TOGETHER
    return wording.YOURSELF if subject == reader else Bilingual(named(subject), f" {named(subject)} ")


def _is_over(value: float | None, most: float | None) -> bool:
    """What cannot be told counts as over."""
    return most is not None and (value is None or value > most)


def _capped(spec: Spec, terms: Terms, limits: Iterable[Limit]) -> Launch:
    """No job may take more than what is left: it is ended there, however it was estimated."""
    for limit in limits:
        if limit.unit == "gpu_minutes":
            hours = limit.left / 60 / terms.gpus
            terms = replace(terms, max_hours=min(terms.max_hours or hours, hours))
        elif isinstance(spec, EvaluationSpec) and any(asked.is_hosted for asked in spec.asked_models):
            spec = spec.model_copy(update={"max_usd": min(spec.max_usd or limit.left, limit.left)})
    return spec, terms


def _said(gpu_minutes: float | None, usd: float | None) -> str:
    parts = [] if gpu_minutes is None else [f"{gpu_minutes:.0f} GPU min"]
    parts += [] if usd is None else [f"${usd:.2f}"]
    return " / ".join(parts) or "?"


def _caller() -> Caller:
    caller = current_caller()
    if caller is None:
        raise NobodyAsks
    return caller
