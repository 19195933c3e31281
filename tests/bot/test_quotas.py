"""Quotas and approval: counted from the rows of jobs, asked when a job is started."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import update

from bot.access import Access, NotAllowed, RulesFile
from bot.grants import Grants
from bot.guard import ApproverMustStart, Guard
from bot.roles import Quota
from finetune.gate import OpenGate
from finetune.jobs import Jobs
from finetune.spec import Candidate, EvaluationSpec
from finetune.state import Job, Terms
from index import schema
from index.audit import Trail
from index.caller import Caller, calling
from index.store import open_store, sqlite_url
from tests.slack_bot import DATASET, evaluation

THIS_MONTH = datetime.now(UTC).strftime("%Y-%m-15T12:00:00.000+00:00")
LONG_AGO = "2020-01-15T12:00:00.000+00:00"
ANA = Caller(person="U0ANA", surface="form", channel="C0ML")
HOSTED = EvaluationSpec(
    candidates=(Candidate(model="openai:gpt-4.1"), Candidate(model="openai:gpt-4o")), dataset=DATASET
)


class House:
    """Jobs behind a guard, with the access file that a test writes."""

    def __init__(self, home: Path, rules: str) -> None:
        path = home / "access.yaml"
        path.write_text(rules, encoding="utf-8")
        self.engine = open_store(sqlite_url(home))
        self.jobs = Jobs(self.engine, home=home, database_url=sqlite_url(home), worker_command=None)
        self.trail, self.grants = Trail(self.engine), Grants(self.engine)
        self.access = Access(
            runners=frozenset({"*"}),
            file=RulesFile(path),
            grants=self.grants,
            trail=self.trail,
            members=lambda _group: frozenset({"U0ANA", "U0BEN"}),
        )
        self.jobs.gate = Guard(self.access, self.jobs, self.trail)
        self._n = 0

    def launch(
        self,
        spec: EvaluationSpec | None = None,
        caller: Caller = ANA,
        *,
        owner: str | None = None,
        **terms: float,
    ) -> Job:
        self._n += 1
        with calling(caller):
            return self.jobs.submit(
                spec or evaluation(),
                dedupe_key=f"k{self._n}",
                owner=owner or caller.person,
                thread=f"T0:{caller.channel}:1.1",
                terms=Terms(**terms),  # type: ignore[arg-type]
            )

    def used(
        self, minutes: float, *, usd: float | None = None, at: str = THIS_MONTH, by: Caller = ANA
    ) -> None:
        """A job that ended long before the others, and used so much."""
        gate, self.jobs.gate = self.jobs.gate, OpenGate()
        job = self.launch(caller=by)
        self.jobs.gate = gate
        values = {"state": "failed", "ran_s": minutes * 60, "spent_usd": usd, "created_at_utc": at}
        with self.engine.begin() as connection:
            connection.execute(update(schema.jobs).where(schema.jobs.c.id == int(job.id)).values(values))


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Callable[[str], House]]:
    opened: list[House] = []

    def build(rules: str) -> House:
        opened.append(House(tmp_path, rules))
        return opened[-1]

    yield build
    for one in opened:
        one.engine.dispose()


def test_person_may_use_what_is_left_of_their_month(house: Callable[[str], House]) -> None:
    ours = house("quotas: {person: {gpu_minutes: 100}}")
    ours.used(90)
    ours.used(1000, at=LONG_AGO)

    job = ours.launch(max_hours=5 / 60)

    assert job.state == "queued"


def test_used_up_quota_is_refused_with_figures_and_whom_to_ask(house: Callable[[str], House]) -> None:
    ours = house("quotas: {person: {gpu_minutes: 100}}\nroles: {administrator: [U0MIRA]}")
    ours.used(101)

    with pytest.raises(NotAllowed) as refusal:
        ours.launch()

    assert "101 GPU min of 100 GPU min" in refusal.value.to("en")
    assert "<@U0MIRA>" in refusal.value.to("en")
    assert "本月的配额已用完" in refusal.value.to("zh")
    assert (ours.trail.newest()[0].decision, ours.trail.newest()[0].reason) == ("denied", "quota")


def test_job_that_needs_more_than_is_left_is_refused(house: Callable[[str], House]) -> None:
    ours = house("quotas: {person: {gpu_minutes: 100}}")
    ours.used(80)

    with pytest.raises(NotAllowed, match=r"80 GPU min of 100 GPU min .* needs about 30 GPU min"):
        ours.launch(max_hours=0.5)


def test_job_is_ended_where_the_quota_ends_whatever_was_expected(house: Callable[[str], House]) -> None:
    ours = house("quotas: {person: {gpu_minutes: 100}}")
    ours.used(40)

    assert ours.launch(gpus=2).terms.max_hours == pytest.approx(0.5)


def test_jobs_that_run_count_as_what_they_may_take(house: Callable[[str], House]) -> None:
    ours = house("quotas: {person: {gpu_minutes: 100}}")
    ours.launch(max_hours=1.0)

    with pytest.raises(NotAllowed):
        ours.launch(max_hours=1.0)


def test_quota_of_one_person_is_not_that_of_another(house: Callable[[str], House]) -> None:
    ours = house("quotas: {person: {gpu_minutes: 100}, people: {U0BEN: {gpu_minutes: 500}}}")
    ben = Caller(person="U0BEN", surface="form", channel="C0ML")
    ours.used(200)
    ours.used(200, by=ben)

    assert ours.launch(caller=ben).owner == "U0BEN"
    with pytest.raises(NotAllowed):
        ours.launch()


@pytest.mark.parametrize("team", ["S0LEADS", "C0ML"])
def test_team_shares_its_quota(house: Callable[[str], House], team: str) -> None:
    ours = house(f"quotas: {{teams: {{{team}: {{gpu_minutes: 100}}}}}}")
    ours.used(101, by=Caller(person="U0BEN", surface="form", channel="C0ML"))

    with pytest.raises(NotAllowed):
        ours.launch()
    outsider = Caller(person="U0EVE", surface="form", channel="C0OTHER")
    assert ours.launch(caller=outsider).owner == "U0EVE"


def test_everybody_together_has_a_quota(house: Callable[[str], House]) -> None:
    ours = house("quotas: {everybody: {usd: 10}}\nusd_per_gpu_hour: 6")
    ours.used(101, by=Caller(person="U0BEN", surface="form", channel="C0OTHER"))

    with pytest.raises(NotAllowed, match=r"\$10.10 of \$10.00"):
        ours.launch()


def test_dollars_count_hosted_models_and_cap_what_a_job_may_spend(house: Callable[[str], House]) -> None:
    ours = house("quotas: {person: {usd: 10}}")
    ours.used(600, usd=7.5)

    allowed = ours.launch(HOSTED)

    assert isinstance(allowed.spec, EvaluationSpec)
    assert allowed.spec.max_usd == pytest.approx(2.5)


def test_quota_set_while_it_runs_goes_before_the_file(house: Callable[[str], House]) -> None:
    ours = house("quotas: {person: {gpu_minutes: 100}}")
    ours.used(101)
    ours.grants.limit("U0ANA", Quota(gpu_minutes=200), by="os:root")
    assert ours.launch().state == "queued"

    ours.grants.limit("U0ANA", Quota(gpu_minutes=0), by="os:root")
    with pytest.raises(NotAllowed):
        ours.launch()


def test_job_above_the_limit_needs_an_approver(house: Callable[[str], House]) -> None:
    ours = house("approval: {gpu_minutes: 60}\nroles: {approver: [U0MIRA]}")
    mira = Caller(person="U0MIRA", surface="button", channel="C0ML")

    with pytest.raises(ApproverMustStart) as refusal:
        ours.launch(max_hours=2)
    assert "120 GPU min" in refusal.value.to("en")
    assert "60 GPU min" in refusal.value.to("zh")
    assert "<@U0MIRA>" in refusal.value.to("zh")
    assert ours.jobs.list() == []

    assert ours.launch(max_hours=0.9).state == "queued"
    assert ours.launch(caller=mira, owner="U0ANA", max_hours=2).owner == "U0ANA"


def test_job_of_unknown_cost_needs_an_approver_or_a_limit(house: Callable[[str], House]) -> None:
    ours = house("approval: {gpu_minutes: 60}")

    with pytest.raises(ApproverMustStart, match="--max-hours"):
        ours.launch()


def test_cost_is_expected_by_what_such_jobs_took_here(house: Callable[[str], House]) -> None:
    ours = house("approval: {gpu_minutes: 60}")
    with ours.engine.begin() as connection:
        for number in range(3):
            spec = evaluation().model_dump(mode="json")
            row = {
                "dedupe_key": f"past{number}", "kind": "evaluation", "spec": spec, "owner": "U0BEN",
                "state": "succeeded", "attempts": 1, "ran_s": 600.0, "created_at_utc": LONG_AGO,
            }  # fmt: skip
            connection.execute(schema.jobs.insert().values(row))

    assert ours.jobs.expected_cost(evaluation()).gpu_minutes == pytest.approx(10)
    assert ours.launch().state == "queued"
