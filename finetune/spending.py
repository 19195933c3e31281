"""Rows of jobs -> what each used, and what a job is expected to take: what quotas are counted from.

An expectation is the lower of what the job may take at most and what such jobs took here; None where neither is known.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

from sqlalchemy import Engine, select

from finetune.policy import Policy
from finetune.spec import EvaluationSpec, TuningSpec
from finetune.state import ACTIVE, Cost, Job, JobUse, Terms
from index.schema import jobs

_TYPICAL_OF = 25


@dataclass(frozen=True, slots=True)
class Spending:
    """Reads only."""

    engine: Engine
    policy: Policy

    def expected(self, spec: EvaluationSpec | TuningSpec, terms: Terms) -> Cost:
        """What a job of this spec is expected to take."""
        known = [
            minutes
            for minutes in (self._at_most_min(spec, terms), self._typical_min(spec))
            if minutes is not None
        ]
        return Cost(gpu_minutes=min(known) if known else None, hosted_usd=_hosted_usd(spec))

    def since(self, start_utc: str, unfinished: Iterable[Job]) -> list[JobUse]:
        """What every job used that was submitted since then; those that have not ended count as expected."""
        expected = {job.id: self.expected(job.spec, job.terms) for job in unfinished}
        columns = (jobs.c.id, jobs.c.owner, jobs.c.thread, jobs.c.state, jobs.c.ran_s, jobs.c.gpus)
        query = select(*columns, jobs.c.spent_usd).where(jobs.c.created_at_utc >= start_utc)
        found = []
        with self.engine.connect() as connection:
            for row in connection.execute(query):
                minutes, usd = row.ran_s * row.gpus / 60, row.spent_usd or 0.0
                if row.state in ACTIVE and str(row.id) in expected:
                    cost = expected[str(row.id)]
                    minutes, usd = max(minutes, cost.gpu_minutes or 0.0), max(usd, cost.hosted_usd or 0.0)
                used = Cost(gpu_minutes=minutes, hosted_usd=usd)
                found.append(JobUse(owner=row.owner, thread=row.thread, cost=used))
        return found

    def _at_most_min(self, spec: EvaluationSpec | TuningSpec, terms: Terms) -> float | None:
        hours = terms.max_hours or self.policy.max_hours
        limits = [hours * 60] if hours else []
        if isinstance(spec, EvaluationSpec) and spec.max_minutes is not None:
            limits.append(spec.max_minutes)
        return min(limits) * terms.gpus if limits else None

    def _typical_min(self, spec: EvaluationSpec | TuningSpec) -> float | None:
        """What such jobs took here for each model, times the models."""
        columns = (jobs.c.ran_s, jobs.c.gpus, jobs.c.spec)
        query = select(*columns).where(jobs.c.kind == spec.kind, jobs.c.state == "succeeded")
        with self.engine.connect() as connection:
            rows = connection.execute(query.order_by(jobs.c.id.desc()).limit(_TYPICAL_OF)).all()
        each = [row.ran_s * row.gpus / 60 / _n_models(row.spec) for row in rows]
        models = len(spec.candidates) if isinstance(spec, EvaluationSpec) else 1
        return median(each) * models if each else None


def _n_models(spec: object) -> int:
    candidates = spec.get("candidates") if isinstance(spec, dict) else None
    return max(len(candidates), 1) if isinstance(candidates, list) else 1


def _hosted_usd(spec: EvaluationSpec | TuningSpec) -> float | None:
    """The most that hosted models may bill; None where they are asked without a limit."""
    if not isinstance(spec, EvaluationSpec) or not any(asked.is_hosted for asked in spec.asked_models):
        return 0.0
    return spec.max_usd
