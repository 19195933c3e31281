"""Races of base models over jobs. Jobs are ended here as a worker ends them: a state in the store, a result in a folder."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Engine, update

from bot.worker import rounds_within_quotas
from finetune.jobs import Jobs
from finetune.selections import Selection, Selections, SelectionSpec
from finetune.spec import DatasetRef, TuningSpec
from finetune.state import Job
from index.errors import BadInput
from index.schema import jobs as jobs_table
from index.store import open_store, sqlite_url
from skills.base_selection.report import selection_markdown
from tests.finetune import tiny_models as tiny

Loss = Callable[[int], float]
EARLY: Loss = lambda rows: 12 / (12 + rows**0.3) + 1.0  # noqa: E731
LATE: Loss = lambda rows: 60 / (12 + rows**0.5) + 0.3  # noqa: E731
POOR: Loss = lambda rows: 30 / (10 + rows**0.3) + 2.6  # noqa: E731


class House:
    """A store, its jobs and races, and a hand that ends jobs."""

    def __init__(self, folder: Path, losses: dict[str, Loss]) -> None:
        self.engine: Engine = open_store(sqlite_url(folder))
        self.jobs = Jobs(self.engine, home=folder, database_url="", worker_command=None)
        self.races = Selections(self.engine, self.jobs)
        self.losses = {
            str(tiny.saved(folder / name, tiny.bare_encoder())): loss for name, loss in losses.items()
        }
        self.rows = DatasetRef(name="tickets", sha256="0" * 64, rows=8000, labels=("a", "b"))

    def spec(self, **changes: object) -> SelectionSpec:
        candidates = tuple(TuningSpec(base_model=base, dataset=self.rows) for base in self.losses)
        return SelectionSpec.model_validate({"candidates": candidates, "smallest": 100, **changes})

    def start(self, **changes: object) -> Selection:
        return self.races.start(self.spec(**changes), dedupe_key="k", owner="ana", thread="t")

    def finish(self, job: Job, state: str = "succeeded") -> None:
        assert isinstance(job.spec, TuningSpec)
        rows = job.spec.learn_rows or 0
        result = {"held_out_loss": {"value": self.losses[job.spec.base_model](rows)}, "train_s": rows / 10}
        folder = self.jobs.folder(job.id)
        folder.mkdir(parents=True)
        (folder / "result.json").write_text(json.dumps(result))
        with self.engine.begin() as connection:
            row = update(jobs_table).where(jobs_table.c.id == int(job.id))
            connection.execute(row.values(state=state, ran_s=rows / 10 + 5))

    def waiting(self, race: Selection) -> list[Job]:
        return [run.job for run in self.races.find(race.id).runs if not run.job.is_finished]

    def run_to_the_end(self, race: Selection) -> Selection:
        while not (race := self.races.find(race.id)).is_finished:
            for job in self.waiting(race):
                self.finish(job)
            self.races.advance_all()
        return race

    def name(self, short: str) -> str:
        return next(name for name in self.losses if name.endswith(short))


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path, {"early": EARLY, "late": LATE, "poor": POOR})


def test_a_race_begins_with_an_ordinary_job_for_each_base(house: House) -> None:
    race = house.start()
    assert race.spec.sizes == (100, 200, 400, 800, 1600, 3200, 6400)
    assert [run.size for run in race.runs] == [100, 100, 100]
    assert {job.owner for job in house.jobs.list()} == {"ana"}
    assert {job.state for job in house.jobs.list()} == {"queued"}


def test_asking_twice_under_one_key_is_one_race(house: House) -> None:
    assert house.start().id == house.start().id
    assert len(house.jobs.list()) == 3


def test_a_round_begins_when_the_last_run_has_ended_and_only_once(house: House) -> None:
    race = house.start()
    first, *others = house.waiting(race)
    house.finish(first)
    house.races.advance_all()
    assert len(house.jobs.list()) == 3
    for job in others:
        house.finish(job)
    for _ in range(3):  # as many workers, or one that was killed in between
        house.races.advance_all()
    assert sorted(run.size for run in house.races.find(race.id).runs) == [100] * 3 + [200] * 3


def test_a_larger_run_goes_on_from_the_smaller_one(house: House) -> None:
    race = house.start()
    smaller = {job.spec.base_model: job.id for job in house.waiting(race)}  # type: ignore[union-attr]
    for job in house.waiting(race):
        house.finish(job)
    house.races.advance_all()
    for job in house.waiting(race):
        assert isinstance(job.spec, TuningSpec)
        assert job.spec.continues == smaller[job.spec.base_model]


def test_the_race_finds_the_base_that_is_best_in_full_for_part_of_the_cost(house: House) -> None:
    race = house.run_to_the_end(house.start())
    assert race.outcome is not None
    best = min(house.losses, key=lambda name: house.losses[name](6400))
    assert race.outcome["winner"] == best == house.name("late")
    assert race.outcome["share_of_full_cost"] < 0.8
    assert max(run.size for run in race.runs if run.candidate == house.name("poor")) < 6400


def test_the_true_loss_stands_beside_the_prediction_once_the_winner_is_tuned_in_full(house: House) -> None:
    race = house.run_to_the_end(house.start(budget_s=500))
    assert race.true_loss is None
    job = house.races.tune_in_full(race.id)
    assert house.races.tune_in_full(race.id).id == job.id
    house.finish(job)
    told = house.races.find(race.id)
    assert told.outcome == race.outcome
    assert told.full is not None
    assert told.full.id == job.id
    assert told.true_loss == pytest.approx(house.losses[str(race.outcome and race.outcome["winner"])](6400))


def test_the_budget_ends_a_race_before_it_is_exceeded(house: House) -> None:
    race = house.run_to_the_end(house.start(budget_s=180))
    assert race.outcome is not None
    assert race.outcome["ending"] == "budget spent"
    assert race.spent_s <= 180
    assert race.outcome["winner"] == race.outcome["ranking"][0]["model"]


def test_a_run_that_failed_or_was_cancelled_takes_its_base_out(house: House) -> None:
    race = house.start()
    for job in house.waiting(race):
        is_late = job.spec.base_model == house.name("late")  # type: ignore[union-attr]
        house.finish(job, "failed" if is_late else "succeeded")
    ended = house.run_to_the_end(race)
    assert max(run.size for run in ended.runs if run.candidate == house.name("late")) == 100
    assert ended.outcome is not None
    assert ended.outcome["winner"] == house.name("early")


def test_a_race_without_anybody_left_has_no_winner_to_tune(house: House) -> None:
    race = house.start()
    for job in house.waiting(race):
        house.finish(job, "failed")
    house.races.advance_all()
    assert (house.races.find(race.id).outcome or {})["ending"] == "nobody left"
    with pytest.raises(BadInput, match="no winner"):
        house.races.tune_in_full(race.id)


def test_cancelling_a_race_cancels_its_runs_and_starts_no_more(house: House) -> None:
    race = house.races.cancel(house.start().id)
    house.races.advance_all()
    assert race.state == "cancelled"
    assert {job.state for job in house.jobs.list()} == {"cancelled"}
    assert house.races.cancel(race.id).state == "cancelled"


def test_one_base_may_race_at_several_ranks(house: House) -> None:
    base = house.name("late")
    candidates = [TuningSpec(base_model=base, dataset=house.rows, lora_rank=rank) for rank in (4, 16)]
    spec = SelectionSpec(candidates=tuple(candidates))
    assert spec.names == (f"{base} r=4", f"{base} r=16")
    assert len(house.races.start(spec, dedupe_key="k", owner="ana").runs) == 2


@pytest.mark.parametrize(
    ("changes", "said"), [({"smallest": 6400}, "too few"), ({"twice": True}, "named twice")]
)
def test_what_cannot_be_raced_is_said(house: House, changes: dict[str, object], said: str) -> None:
    if changes.pop("twice", False):
        one = house.spec().candidates[0]
        changes = {"candidates": (one, one)}
    with pytest.raises(BadInput, match=said):
        house.start(**changes)


@pytest.mark.parametrize("given", ["9", "x", ""])
def test_an_unknown_race_is_said(house: House, given: str) -> None:
    with pytest.raises(BadInput, match="There is no selection"):
        house.races.find(given)


def with_quota(house: House, tmp_path: Path, gpu_minutes: float) -> None:
    """The worker's gate, with a file that gives everybody so much a month."""
    rules = tmp_path / "access.yaml"
    rules.write_text(f"quotas: {{person: {{gpu_minutes: {gpu_minutes}}}}}")
    house.jobs.gate = rounds_within_quotas(rules)(house.engine, house.jobs)


def test_quota_of_the_person_ends_a_race_before_a_round_with_what_is_known(
    house: House, tmp_path: Path
) -> None:
    race = house.start()
    for job in house.waiting(race):
        house.finish(job)
    with_quota(house, tmp_path, gpu_minutes=1.9)
    race = house.run_to_the_end(race)
    outcome = race.outcome or {}
    spent = sum(run.job.ran_s for run in race.runs) / 60

    assert race.state == "ended"
    assert outcome["ending"] == "quota used up"
    assert outcome["winner"] in race.spec.names
    assert spent < 2.5
    assert max(run.size for run in race.runs) < race.spec.target
    told = [selection_markdown(race, language) for language in ("en", "zh")]
    assert "a quota ended the race" in told[0]
    assert "quota for ana" in told[0]
    assert "The next round was not started." in told[0]
    assert "本月的配额" in told[1]


def test_race_within_the_quota_goes_on_to_its_own_end(house: House, tmp_path: Path) -> None:
    race = house.start()
    for job in house.waiting(race):
        house.finish(job)
    with_quota(house, tmp_path, gpu_minutes=10_000)
    race = house.run_to_the_end(race)
    assert (race.outcome or {})["ending"] != "quota used up"


def test_no_run_of_a_round_that_the_quota_cannot_complete_goes_on(house: House, tmp_path: Path) -> None:
    race = house.start()
    for job in house.waiting(race):
        house.finish(job)
    with_quota(house, tmp_path, gpu_minutes=1)
    house.races.advance_all()
    race = house.races.find(race.id)
    assert race.state == "ended"
    assert house.waiting(race) == []
    assert (race.outcome or {})["winner"] in race.spec.names
