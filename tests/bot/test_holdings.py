"""What is held on a person: all of it is told, all of it is deleted, and nothing of anybody else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy import insert, select

from bot.access import Access, NotAllowed
from bot.grants import Grants
from bot.holdings import HELD, Holdings
from bot.roles import Role
from finetune.jobs import Jobs
from finetune.queue import Queue
from finetune.spec import Candidate, DatasetRef, EvaluationSpec
from finetune.state import FORGOTTEN
from index import schema
from index.audit import Trail
from index.store import open_store, sqlite_url
from skills.conversation.request import Turn
from skills.conversation.threads import Threads
from tests.slack_bot import MODEL, ScriptedReply

NAMES_NOBODY = (
    *("subject", "bot_user_id", "user_token", "user_scopes", "user_refresh_token", "user_token_expires_at"),
)
"""The bot's own id, and what Slack gives for an installation that we ask no person's rights for."""
NAMES_A_PERSON = ("person", "owner", "user", "subject", "_by", "asker", "author", "approver", "pressed")
SECRET = "Ana's patients: Zhang San"


class House:
    """A store in which Ana and Ben asked, launched and measured."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.engine = open_store(sqlite_url(home))
        self.jobs = Jobs(self.engine, home=home, database_url=sqlite_url(home), worker_command=None)
        self.threads, self.trail, self.grants = Threads(self.engine), Trail(self.engine), Grants(self.engine)
        access = Access(admins=frozenset({"U0ADM"}), grants=self.grants, trail=self.trail)
        self.holdings = Holdings(self.engine, self.jobs, self.threads, access, self.trail)
        self.ana_data = self.data("ana.csv", SECRET)
        self.shared_data = self.data("shared.csv", "shared row")
        for person in ("U0ANA", "U0BEN"):
            ScriptedReply(self.threads)(Turn(text=f"{SECRET} said {person}", thread="t", person=person))
        self.ana_job = self.finished("U0ANA", self.ana_data)
        self.ana_shared_job = self.finished("U0ANA", self.shared_data)
        self.ben_job = self.finished("U0BEN", self.shared_data)
        self.grants.give("U0ANA", Role.RUNNER, by="U0ADM")
        self.grants.give("U0BEN", Role.RUNNER, by="U0ANA")

    def data(self, name: str, word: str) -> DatasetRef:
        path = self.home / name
        rows = [
            f"{word} {number} is {'good' if number % 2 else 'bad'},{'yes' if number % 2 else 'no'}"
            for number in range(12)
        ]
        path.write_text("\n".join(["text,label", *rows]), encoding="utf-8")
        return self.jobs.register_dataset(str(path))

    def finished(self, owner: str, dataset: DatasetRef) -> str:
        spec = EvaluationSpec(candidates=(Candidate(model=MODEL),), dataset=dataset, instruction=SECRET)
        queue = Queue(self.engine)
        job = queue.insert_or_get(spec, dedupe_key=f"{owner}{dataset.name}", owner=owner, thread="t")
        for before, after in (("queued", "starting"), ("starting", "running"), ("running", "succeeded")):
            assert queue.move(job.id, before, after)  # type: ignore[arg-type]
        folder = self.jobs.folder(job.id)
        folder.mkdir(parents=True)
        (folder / "result.json").write_text("{}", encoding="utf-8")
        (folder / "items.jsonl").write_text(SECRET, encoding="utf-8")
        row = {
            "job_id": job.id, "model_id": MODEL, "adapter": "", "quantization": "none", "task": "classification",
            "metric": "accuracy", "value": 0.5, "n_items": 12, "dataset_name": dataset.name,
            "dataset_sha256": dataset.sha256, "device": "cpu", "environment": {}, "created_at_utc": "",
        }  # fmt: skip
        with self.engine.begin() as connection:
            connection.execute(insert(schema.measurements).values(row))
        return job.id

    def everything(self) -> str:
        """All that the store and the files hold, the audit trail left out."""
        found = []
        with self.engine.connect() as connection:
            for name, table in schema.metadata.tables.items():
                if name != "audit":
                    found += [
                        json.dumps(dict(row), default=str)
                        for row in connection.execute(select(table)).mappings()
                    ]
        files = [
            path for folder in ("jobs", "datasets", "answers") for path in (self.home / folder).rglob("*")
        ]
        found += [path.read_text("utf-8") for path in files if path.is_file()]
        return "\n".join(found)


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def test_every_column_that_names_a_person_has_its_rule() -> None:
    columns = {
        f"{table.name}.{column.name}"
        for table in schema.metadata.tables.values()
        for column in table.columns
        if any(part in column.name for part in NAMES_A_PERSON) and column.name not in NAMES_NOBODY
    }
    columns |= {"grants.subject", "quotas.subject"}
    assert columns == set(HELD)


def test_export_has_everything_and_nothing_of_others(house: House) -> None:
    held = house.holdings.export("U0ANA", by="U0ANA")

    assert [turn["text"] for turn in held["turns"]] == [f"{SECRET} said U0ANA"]
    assert [str(job["id"]) for job in held["jobs"]] == [house.ana_job, house.ana_shared_job]
    assert [len(dataset["rows"]) for dataset in held["datasets"]] == [12]
    assert SECRET in held["datasets"][0]["rows"][0]["text"]
    assert held["grants"][0]["role"] == "runner"
    assert "said U0BEN" not in json.dumps(held)
    assert json.loads(json.dumps(held, ensure_ascii=False))["person"] == "U0ANA"


def test_forgetting_deletes_everything_of_the_person(house: House) -> None:
    done = house.holdings.forget("U0ANA", by="U0ANA")

    assert (done.turns, done.jobs, done.still_running) == (1, 2, 0)
    left = house.everything()
    assert "U0ANA" not in left
    assert "ana.csv" not in left
    assert f"{SECRET} said U0ANA" not in left
    assert not list((house.home / "datasets").glob(f"{house.ana_data.sha256}*"))
    assert not (house.home / "jobs" / house.ana_job).exists()


def test_forgetting_one_person_leaves_the_others_as_they_were(house: House) -> None:
    before = house.holdings.export("U0BEN", by="U0ADM")

    house.holdings.forget("U0ANA", by="U0ANA")

    after = house.holdings.export("U0BEN", by="U0ADM")
    assert after["turns"] == before["turns"]
    assert after["jobs"] == before["jobs"]
    assert (house.home / "jobs" / house.ben_job / "items.jsonl").exists()
    assert list((house.home / "datasets").glob(f"{house.shared_data.sha256}*"))


def test_figures_and_device_time_stay_under_nobodys_name(house: House) -> None:
    house.holdings.forget("U0ANA", by="U0ANA")

    job = house.jobs.status(house.ana_job)
    assert job.owner.startswith(FORGOTTEN)
    assert job.spec.instruction is None
    assert house.jobs.result(job.id)["state"] == "succeeded"
    with house.engine.connect() as connection:
        values = connection.execute(select(schema.measurements.c.value)).scalars().all()
    assert values == [0.5, 0.5, 0.5]


def test_jobs_that_wait_are_stopped_first(house: House) -> None:
    spec = EvaluationSpec(candidates=(Candidate(model=MODEL),), dataset=house.ana_data)
    waiting = house.jobs.submit(spec, dedupe_key="waits", owner="U0ANA")

    done = house.holdings.forget("U0ANA", by="U0ANA")

    assert done.still_running == 0
    assert house.jobs.status(waiting.id).state == "cancelled"
    assert house.jobs.status(waiting.id).owner.startswith(FORGOTTEN)


def test_job_that_does_not_end_in_time_is_told_and_forgotten_the_next_time(house: House) -> None:
    spec = EvaluationSpec(candidates=(Candidate(model=MODEL),), dataset=house.ana_data)
    job = house.jobs.submit(spec, dedupe_key="runs", owner="U0ANA")
    queue = Queue(house.engine)
    queue.move(job.id, "queued", "starting")
    queue.move(job.id, "starting", "running")

    assert house.holdings.forget("U0ANA", by="U0ANA", timeout_s=0).still_running == 1
    assert house.jobs.status(job.id).state == "cancelling"
    assert house.jobs.status(job.id).owner == "U0ANA"

    queue.move(job.id, "cancelling", "cancelled")
    assert house.holdings.forget("U0ANA", by="U0ANA").jobs == 1
    assert "U0ANA" not in house.everything()


def test_audit_keeps_the_fact_and_not_the_content(house: House) -> None:
    house.holdings.forget("U0ANA", by="U0ANA")

    rows = house.trail.newest()
    assert (rows[0].action, rows[0].subject, rows[0].decision) == ("forget", "person U0ANA", "allowed")
    assert house.trail.verify().is_whole
    assert SECRET not in repr(rows)


@pytest.mark.parametrize("what", ["export", "forget"])
def test_only_an_administrator_sees_or_deletes_what_is_held_on_others(house: House, what: str) -> None:
    before = house.everything()

    with pytest.raises(NotAllowed):
        getattr(house.holdings, what)("U0ANA", by="U0BEN")

    assert house.everything() == before
    assert house.trail.newest()[0].decision == "denied"
    getattr(house.holdings, what)("U0ANA", by="U0ADM")
