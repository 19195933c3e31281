"""Races of base models over ordinary jobs: who is to be tuned on how many rows next, until it is clear whom to tune in full.

A race is a row, its runs are fine-tunes like any other: queued, cancelled, retried and taken over as these are. Nothing
else is remembered, so any process may take the next step, and two that do so take the same one: where a race stands
follows from its jobs, and the key of a run exists once.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Engine, Row, insert, select, update
from sqlalchemy.exc import IntegrityError

from finetune.curves import Curves, Prediction, predict
from finetune.gate import QuotaReached
from finetune.jobs import Jobs
from finetune.selection import Ending, Plan, Step, doubling_sizes, next_step
from finetune.spec import TuningSpec
from finetune.state import ORDINARY, Job, Terms
from index.bilingual import Bilingual
from index.errors import BadInput
from index.schema import selections
from index.store import utc_now

logger = logging.getLogger(__name__)

SelectionState = Literal["running", "ended", "cancelled"]

_SMALLEST_SHARE = 32
_FEWEST_ROWS = 16
_CONTINUED = 0.6
"""Share of a run that is left where it goes on from one of half its rows, before that one's rate fell."""


class SelectionSpec(BaseModel):
    """Which of these fine-tunes will be best once each has learned from all rows."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    candidates: tuple[TuningSpec, ...] = Field(min_length=2, max_length=32)
    """On the same rows, with the same split; they differ in their base, or in how it is tuned."""
    smallest: int | None = Field(default=None, ge=2)
    """Rows of the first round; None: a 32nd of all."""
    budget_s: float | None = Field(default=None, gt=0)
    """Device time of the whole race; None: no limit."""

    @property
    def target(self) -> int:
        """Rows that a full fine-tune learns from, about: near-duplicates and long rows go as well."""
        first = self.candidates[0]
        return max(2, round((first.limit or first.dataset.rows) * (1 - first.held_out_frac)))

    @property
    def sizes(self) -> tuple[int, ...]:
        """Rows of each round."""
        return doubling_sizes(self.smallest or max(_FEWEST_ROWS, self.target // _SMALLEST_SHARE), self.target)

    def require_possible(self) -> None:
        """BadInput when two candidates are the same, or there are too few rows for two rounds."""
        _refuse_the_impossible(self)

    @property
    def names(self) -> tuple[str, ...]:
        """What the candidates are called: by their base, and by what tells them apart."""
        bases = [spec.base_model for spec in self.candidates]
        ranks = {spec.lora_rank for spec in self.candidates}
        methods = {spec.method for spec in self.candidates}
        return tuple(
            base + (f" r={spec.lora_rank}" if len(ranks) > 1 else "") + (f" {spec.method}" if len(methods) > 1 else "")
            for base, spec in zip(bases, self.candidates, strict=True)
        )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One fine-tune of a race."""

    candidate: str
    size: int
    job: Job
    loss: float | None = None
    """On the held-out rows; None until it has succeeded."""
    train_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """A race as it stands."""

    id: str
    spec: SelectionSpec
    owner: str
    thread: str | None
    state: SelectionState
    runs: tuple[Run, ...]
    outcome: Mapping[str, Any] | None
    full: Job | None
    """The fine-tune on all rows that followed."""
    true_loss: float | None
    """Of that fine-tune."""

    @property
    def spent_s(self) -> float:
        """Device time of its runs."""
        return sum(run.job.ran_s for run in self.runs)

    @property
    def is_finished(self) -> bool:
        """Whether it starts no more runs."""
        return self.state != "running"

    def curves(self) -> Curves:
        """The losses so far, NaN where there is no run that succeeded."""
        sizes = sorted({run.size for run in self.runs if run.loss is not None})
        losses = np.full((len(self.spec.names), len(sizes)), np.nan)
        for run in self.runs:
            if run.loss is not None:
                losses[self.spec.names.index(run.candidate), sizes.index(run.size)] = run.loss
        return Curves(models=self.spec.names, sizes=tuple(sizes), losses=losses)


class Selections:
    """The table of races, and what moves them on."""

    def __init__(self, engine: Engine, jobs: Jobs) -> None:
        self._engine = engine
        self._jobs = jobs

    def start(
        self, spec: SelectionSpec, *, dedupe_key: str, owner: str, thread: str | None = None
    ) -> Selection:
        """Begin a race and queue its first runs, or return the one begun under this key.

        BadInput when two candidates are the same, or there are too few rows for two rounds.
        """
        spec.require_possible()
        values = {
            "dedupe_key": dedupe_key,
            "spec": spec.model_dump(mode="json"),
            "owner": owner,
            "thread": thread,
        }
        try:
            with self._engine.begin() as connection:
                row = insert(selections).values({**values, "state": "running", "created_at_utc": utc_now()})
                number = connection.execute(row.returning(selections.c.id)).scalar_one()
        except IntegrityError:
            query = select(selections.c.id).where(selections.c.dedupe_key == dedupe_key)
            with self._engine.connect() as connection:
                number = connection.execute(query).scalar_one()
        try:
            self.advance(str(number))
        except BadInput:
            self._end(str(number), "cancelled", None)
            self._stop_runs(str(number))
            raise
        return self.find(str(number))

    def is_known(self, dedupe_key: str) -> bool:
        """Whether a race was begun under this key."""
        query = select(selections.c.id).where(selections.c.dedupe_key == dedupe_key)
        with self._engine.connect() as connection:
            return connection.execute(query).first() is not None

    def find(self, selection_id: str) -> Selection:
        """The race of this number; BadInput when there is none."""
        query = select(selections).where(selections.c.id == _number(selection_id))
        with self._engine.connect() as connection:
            row = connection.execute(query).one_or_none()
        if row is None or not self._jobs.is_in_sight(row.thread):
            raise _unknown(selection_id)
        return self._selection(row)

    def newest(self, limit: int = 20) -> list[Selection]:
        """Races, the newest first."""
        query = select(selections).order_by(selections.c.id.desc()).limit(limit)
        with self._engine.connect() as connection:
            rows = connection.execute(query).all()
        return [self._selection(row) for row in rows if self._jobs.is_in_sight(row.thread)]

    def advance_all(self) -> None:
        """Take the next step of every race that has one."""
        query = select(selections.c.id).where(selections.c.state == "running")
        with self._engine.connect() as connection:
            numbers = list(connection.execute(query).scalars())
        for number in numbers:
            try:
                self.advance(str(number))
            except BadInput as error:  # such as a model that is gone: the race cannot go on
                logger.warning("race ended", extra={"selection": number, "why": error.message.en})
                self._end(str(number), "cancelled", {"reason": _both(error.message)})

    def advance(self, selection_id: str) -> None:
        """Queue the next round when the last one has ended, or end the race."""
        race = self.find(selection_id)
        if race.is_finished or any(not run.job.is_finished for run in race.runs):
            return
        step, prediction = _next(race)
        if step.size is None:
            self._end(race.id, "ended", _outcome(race, step, prediction))
            return
        try:
            for name in step.running:
                self._submit(race, name, step.size)
        except QuotaReached as reached:
            self._stop_runs(race.id)
            ended = replace(step, size=None, ending="quota used up")
            self._end(
                race.id, "ended", _outcome(race, ended, prediction) | {"reason": _both(reached.message)}
            )

    def _stop_runs(self, selection_id: str) -> None:
        for run in self.find(selection_id).runs:
            if not run.job.is_finished:
                self._jobs.cancel(run.job.id)

    def tune_in_full(self, selection_id: str) -> Job:
        """Queue the fine-tune of the winner on all rows, once; BadInput while the race runs or has no winner."""
        race = self.find(selection_id)
        winner = (race.outcome or {}).get("winner")
        if not isinstance(winner, str):
            raise _no_winner(race)
        done = next(
            (run.job for run in race.runs if (run.candidate, run.size) == (winner, race.spec.target)), None
        )
        return done or self._submit(race, winner, race.spec.target, key=f"selection:{race.id}:full")

    def cancel(self, selection_id: str) -> Selection:
        """End a race and its runs; what has ended stays as it is."""
        race = self.find(selection_id)
        if race.is_finished:
            return race
        self._end(race.id, "cancelled", None)
        self._stop_runs(selection_id)
        return self.find(selection_id)

    def _submit(self, race: Selection, name: str, size: int, key: str | None = None) -> Job:
        place = race.spec.names.index(name)
        before = [
            run for run in race.runs if run.candidate == name and run.size < size and run.loss is not None
        ]
        continues = max(before, key=lambda run: run.size).job.id if before else None
        spec = race.spec.candidates[place].model_copy(update={"learn_rows": size, "continues": continues})
        key = key or f"selection:{race.id}:{size}:{place}"
        return self._jobs.submit(
            spec,
            dedupe_key=key,
            owner=race.owner,
            thread=race.thread,
            terms=_terms(race, before=bool(before)),
        )

    def _end(self, selection_id: str, state: SelectionState, outcome: Mapping[str, Any] | None) -> None:
        still = (selections.c.id == _number(selection_id)) & (selections.c.state == "running")
        values = {"state": state, "outcome": outcome, "ended_at_utc": utc_now()}
        with self._engine.begin() as connection:
            connection.execute(update(selections).where(still).values(values))

    def _selection(self, row: Row[Any]) -> Selection:
        spec = SelectionSpec.model_validate(row.spec)
        jobs = self._jobs.under_keys(f"selection:{row.id}:")
        full = jobs.pop(f"selection:{row.id}:full", None)
        runs = tuple(self._run(spec, key, job) for key, job in jobs.items())
        winner = (row.outcome or {}).get("winner")
        tuned = full or next(
            (run.job for run in runs if (run.candidate, run.size) == (winner, spec.target)), None
        )
        return Selection(
            id=str(row.id),
            spec=spec,
            owner=row.owner,
            thread=row.thread,
            state=row.state,
            runs=runs,
            outcome=row.outcome,
            full=tuned,
            true_loss=self._loss_of(tuned)[0] if tuned else None,
        )

    def _run(self, spec: SelectionSpec, key: str, job: Job) -> Run:
        _, _, size, place = key.split(":")
        loss, train_s = self._loss_of(job)
        return Run(candidate=spec.names[int(place)], size=int(size), job=job, loss=loss, train_s=train_s)

    def _loss_of(self, job: Job) -> tuple[float | None, float]:
        if job.state != "succeeded":
            return None, 0.0
        result = self._jobs.result(job.id)
        return float(result["held_out_loss"]["value"]), float(result["train_s"])


def _next(race: Selection) -> tuple[Step, Prediction | None]:
    """The step after the last round, and the last prediction there was."""
    last = max((run.size for run in race.runs), default=0)
    running = _running(race, last)
    if not running:
        return Step(running=(), size=None, ending="one left", prediction=None), None
    following = next((size for size in race.spec.sizes if size > last), last)
    costs = {name: _seconds(race, name, following) / following for name in race.spec.names}
    budget = race.spec.budget_s or float("inf")
    plan = Plan(sizes=race.spec.sizes, cost_per_row=costs, budget=budget)
    step = next_step(race.curves(), plan, running=running, spent=race.spent_s)
    return step, step.prediction or _foreseen(race, running)


def _running(race: Selection, size: int) -> list[str]:
    """Who came through the last round: a run that failed or was cancelled takes its candidate out."""
    if not race.runs:
        return list(race.spec.names)
    return [run.candidate for run in race.runs if run.size == size and run.loss is not None]


def _foreseen(race: Selection, running: Sequence[str]) -> Prediction | None:
    """At the target: what the rounds before it said, so that it can be compared with what came of it."""
    curves = race.curves().up_to(race.spec.target - 1)
    if len(curves.sizes) < 2:
        return None
    return predict(curves, budget=race.spec.target - 1, target=race.spec.target, among=running)


def _seconds(race: Selection, name: str, size: int) -> float:
    """Device time that a run on so many rows would take, going on from the last one."""
    runs = [run for run in race.runs if run.candidate == name and run.loss is not None]
    if not runs:
        return 0.0
    first, last = (pick(runs, key=lambda run: run.size) for pick in (min, max))
    overhead_s = max(0.0, first.job.ran_s - first.train_s)
    share = _CONTINUED if size == 2 * last.size else 1.0
    return overhead_s + share * size * last.train_s / last.size


def full_cost_s(race: Selection) -> float:
    """Device time of tuning every candidate on all rows, from what its runs took."""
    found = 0.0
    for name in race.spec.names:
        runs = [run for run in race.runs if run.candidate == name and run.loss is not None]
        if runs:
            first, last = (pick(runs, key=lambda run: run.size) for pick in (min, max))
            overhead_s = max(0.0, first.job.ran_s - first.train_s)
            found += overhead_s + race.spec.target * last.train_s / last.size
    return found


def _outcome(race: Selection, step: Step, prediction: Prediction | None) -> dict[str, Any]:
    """What is kept of a race: never changed afterwards, so that it can be held against what came true."""
    ending: Ending | Literal["nobody left"] | None = step.ending if step.running else "nobody left"
    ranking = [
        {"model": one.model, "predicted_loss": one.predicted_loss, "interval95": list(one.interval95), "p_best": one.p_best}
        for one in (prediction.ranking if prediction else ())
    ]  # fmt: skip
    full_s = full_cost_s(race)
    return {
        "winner": step.running[0] if step.running else None,
        "ending": ending,
        "ranking": ranking,
        "largest_run": max((run.size for run in race.runs), default=0),
        "target": race.spec.target,
        "spent_s": race.spent_s,
        "full_cost_s": full_s,
        "share_of_full_cost": race.spent_s / full_s if full_s else None,
        "jobs": [run.job.id for run in race.runs],
    }


def _terms(race: Selection, *, before: bool) -> Terms:
    """No run takes more than is left of the race's budget, nor one of the first more than its share: quotas count a run
    that nobody can foretell as what it may take."""
    if race.spec.budget_s is None or race.is_finished:
        return ORDINARY
    left_s = race.spec.budget_s - race.spent_s
    share_s = left_s if before else left_s / len(race.spec.candidates)
    return Terms(max_hours=share_s / 3600) if share_s > 0 else ORDINARY


def _both(message: Bilingual) -> dict[str, str]:
    return {"en": message.en, "zh": message.zh}


def _number(selection_id: str) -> int:
    if not (selection_id.isascii() and selection_id.isdigit() and len(selection_id) <= 9):
        raise _unknown(selection_id)
    return int(selection_id)


def _refuse_the_impossible(spec: SelectionSpec) -> None:
    twice = next((name for name in spec.names if spec.names.count(name) > 1), None)
    if twice:
        raise BadInput(
            Bilingual(
                f"{twice} is named twice: there is nothing to choose between the two. Name different bases.",
                f"{twice} 出现了两次，没有可比较的。请给出不同的基座。",
            )
        )
    if len(spec.sizes) < 2:
        raise BadInput(
            Bilingual(
                f"About {spec.target} rows to learn from are too few for runs of growing size. "
                "Add rows, name a smaller first size, or tune all candidates in full.",
                f"可供学习的约 {spec.target} 行太少，无法分成由小到大的多次训练。请增加数据、减小首轮规模，或直接全部微调。",
            )
        )


def _unknown(given: str) -> BadInput:
    return BadInput(
        Bilingual(
            f"There is no selection {given!r}. `shortlist select-base list` shows the ones there are.",
            f"没有编号为 {given!r} 的选型。用 `shortlist select-base list` 查看现有的。",
        )
    )


def _no_winner(race: Selection) -> BadInput:
    return BadInput(
        Bilingual(
            f"Selection {race.id} has no winner to tune ({race.state}). See `shortlist select-base show {race.id}`.",
            f"选型 {race.id} 还没有可微调的胜者（{race.state}）。用 `shortlist select-base show {race.id}` 查看。",
        )
    )
