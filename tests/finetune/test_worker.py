"""Jobs through a real worker process, real DBOS on SQLite and real child processes: who may die, and when."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from sqlalchemy import Engine, func, select, update

from finetune.executors.local import child_environment
from finetune.jobs import Jobs
from finetune.policy import Policy
from finetune.spec import Candidate, DatasetRef, EvaluationSpec
from finetune.state import ORDINARY, Job, JobEvent, Terms
from index.caller import Caller, calling
from index.schema import jobs as jobs_table
from index.schema import measurements
from index.store import open_store, sqlite_url

WORKER = (sys.executable, str(Path(__file__).with_name("tiny_worker.py")))
MODEL = "SmolLM2-135M-Instruct"


class Bench:
    """A home with its store, and jobs on it."""

    def __init__(self, home: Path, **settings: Any) -> None:
        self.home = home
        self.url = sqlite_url(home)
        self.engine: Engine = open_store(self.url)
        self.jobs = Jobs(self.engine, home=home, database_url=self.url, **settings)

    def submit(self, behaviour: str, terms: Terms = ORDINARY, *, model: str = MODEL) -> Job:
        key = uuid.uuid4().hex
        return self.jobs.submit(spec(behaviour, model), dedupe_key=key, owner="ana", terms=terms)

    def run(self, behaviour: str) -> Job:
        return self.finish(self.submit(behaviour))

    def finish(self, job: Job) -> Job:
        return self.jobs.wait(job.id, timeout_s=60)

    def stages(self, job: Job) -> list[str]:
        return [
            event.data["stage"] for event in self.jobs.events_after(0, job.id) if event.kind == "progress"
        ]

    def await_event(self, job: Job, stage: str, after: int = 0) -> JobEvent:
        """Wait until the recipe has said so, after a certain event."""
        found = []

        def look(event: JobEvent) -> None:
            if event.id > after and event.data.get("stage") == stage:
                found.append(event)
                raise StopIteration

        with pytest.raises(StopIteration):
            self.jobs.wait(job.id, timeout_s=60, on_event=look)
        return found[0]

    def published(self, job: Job) -> int:
        query = select(func.count()).select_from(measurements).where(measurements.c.job_id == job.id)
        with self.engine.connect() as connection:
            return int(connection.execute(query).scalar_one())

    def close(self) -> None:
        self.engine.dispose()
        for process in psutil.process_iter():
            try:
                if str(self.home) in " ".join(process.cmdline()):
                    process.kill()
            except psutil.Error:
                continue


def spec(behaviour: str, model: str = MODEL) -> EvaluationSpec:
    dataset = DatasetRef(name=behaviour, sha256="0" * 64, rows=12)
    return EvaluationSpec(candidates=(Candidate(model=model),), dataset=dataset)


def lives(process: psutil.Process) -> bool:
    """An orphan stays a zombie where process 1 does not ask for it."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """One home for the file, as a worker takes a second to start; its workers see secrets around them."""
    bench = Bench(tmp_path_factory.mktemp("home"), worker_command=WORKER)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLACK_BOT_TOKEN", "xoxb-secret")
        patch.setenv("OPENAI_API_KEY", "sk-secret")
        patch.setenv("GROQ_API_KEY", "gsk-secret")
        patch.setenv("HF_TOKEN", "hf-secret")
        yield bench
    bench.close()


def test_a_job_runs_to_its_result_which_is_published(bench: Bench) -> None:
    job = bench.run("behave")

    assert (job.state, job.attempts, job.reason) == ("succeeded", 1, None)
    assert bench.jobs.result(job.id)["candidates"][0]["metrics"]["accuracy"]["value"] == 0.75
    assert bench.published(job) == 1


def test_worker_logs_a_job_under_the_request_that_started_it(bench: Bench) -> None:
    with calling(Caller(person="U0ANA", surface="mention", request_id="feedbeef")):
        job = bench.submit("behave")
    bench.finish(job)

    log = (bench.home / "logs" / "worker.log").read_text("utf-8")
    assert f"job succeeded request=feedbeef job_id={job.id}" in log


def test_events_arrive_once_and_in_order(bench: Bench) -> None:
    job = bench.run("behave")

    told = [event.data.get("stage") or event.data["state"] for event in bench.jobs.events_after(0, job.id)]
    assert told == ["queued", "starting", "running", "reading", "scoring", "writing", "succeeded"]


def test_one_job_at_a_time_holds_the_device(bench: Bench) -> None:
    first, second = bench.submit("behave"), bench.submit("behave")

    first, second = bench.finish(first), bench.finish(second)

    assert str(second.started_at_utc) >= str(first.ended_at_utc)


def test_no_secret_reaches_the_recipe(bench: Bench) -> None:
    job = bench.run("tell_environment")

    names = bench.jobs.result(job.id)["environment"]["names"]
    assert "PATH" in names
    assert not {"SLACK_BOT_TOKEN", "OPENAI_API_KEY", "GROQ_API_KEY", "HF_TOKEN"} & set(names)


def test_a_recipe_gets_the_key_of_the_provider_that_it_asks_and_no_file_holds_it(bench: Bench) -> None:
    job = bench.finish(bench.submit("tell_environment", model="openai:gpt-4.1-mini"))

    names = bench.jobs.result(job.id)["environment"]["names"]
    assert "OPENAI_API_KEY" in names
    assert not {"SLACK_BOT_TOKEN", "GROQ_API_KEY", "HF_TOKEN"} & set(names)
    # A process of its own looks: closing the store's file here would drop SQLite's locks on it.
    search = ["grep", "--recursive", "--text", "-e", "sk-secret", "-e", "gsk-secret", str(bench.home)]
    found = subprocess.run(search, capture_output=True, check=False)
    assert (found.returncode, found.stdout) == (1, b"")


def test_a_recipe_that_refuses_is_quoted_in_both_languages(bench: Bench) -> None:
    job = bench.run("refuse")

    assert (job.state, job.attempts) == ("failed", 1)
    assert job.reason is not None
    assert job.reason.en == "The labels are all the same. Add another label."
    assert job.reason.zh == "标签全都相同，请增加其他标签。"
    assert bench.jobs.result(job.id) == {"job_id": job.id, "state": "failed", "reason": job.reason.en}


def test_a_recipe_that_crashes_fails_with_its_code_and_last_words(bench: Bench) -> None:
    job = bench.run("crash")

    assert (job.state, job.attempts) == ("failed", 1)
    assert "ended with code 1" in str(job.reason)
    assert "ValueError: the matrix has a hole" in str(job.reason)
    assert bench.jobs.log_tail(job.id, lines=1) == "ValueError: the matrix has a hole"


def test_half_a_result_is_a_failure_and_publishes_nothing(bench: Bench) -> None:
    job = bench.run("write_half_a_result")

    assert job.state == "failed"
    assert f"The result of job {job.id} cannot be read" in str(job.reason)
    assert bench.published(job) == 0


def test_a_killed_recipe_is_run_again_and_its_half_line_harms_nothing(bench: Bench) -> None:
    job = bench.submit("hold_at_first")
    os.kill(bench.await_event(job, "holding").data["pid"], signal.SIGKILL)

    job = bench.finish(job)

    assert (job.state, job.attempts) == ("succeeded", 2)
    assert bench.stages(job) == ["holding", "second attempt"]
    notes = [event.data for event in bench.jobs.events_after(0, job.id) if event.kind == "note"]
    assert [note["en"].startswith("Attempt 2 of 3 begins") for note in notes] == [True]
    assert "第 2 次尝试" in notes[0]["zh"]


def test_a_recipe_that_is_always_killed_fails_after_three_attempts(bench: Bench) -> None:
    job = bench.run("be_killed")

    assert (job.state, job.attempts) == ("failed", 3)
    assert "signal 9" in str(job.reason)


def test_cancel_ends_the_recipe_and_all_that_it_started(bench: Bench) -> None:
    job = bench.submit("found_a_family")
    family = [psutil.Process(pid) for pid in bench.await_event(job, "family").data["pids"]]

    asked = bench.jobs.cancel(job.id)
    job = bench.finish(job)

    assert asked.state == "cancelling"
    assert job.state == "cancelled"
    assert [lives(process) for process in family] == [False, False, False]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_next_worker_adopts_the_recipe_of_one_that_ended(bench: Bench, number: signal.Signals) -> None:
    job = bench.submit("work_until_the_gate_opens")
    begun = bench.await_event(job, "begun")
    worker = psutil.Process(begun.data["pid"]).parent()
    assert worker is not None
    worker.send_signal(number)
    worker.wait()
    last = bench.jobs.events_after(0, job.id)[-1]

    seen_by_the_next = bench.await_event(job, "at the gate", after=last.id)
    (bench.jobs.folder(job.id) / "gate").touch()
    job = bench.finish(job)

    assert (job.state, job.attempts) == ("succeeded", 1)
    assert seen_by_the_next.data["pid"] == begun.data["pid"]
    assert bench.stages(job).count("begun") == 1
    assert len(bench.stages(job)) == len(
        (bench.jobs.folder(job.id) / "events.jsonl").read_text().splitlines()
    )
    assert bench.published(job) == 1


def test_what_a_recipe_finished_while_no_worker_lived_is_published(bench: Bench) -> None:
    job = bench.submit("work_until_the_gate_opens")
    recipe = psutil.Process(bench.await_event(job, "begun").data["pid"])
    worker = recipe.parent()
    assert worker is not None
    worker.kill()
    worker.wait()
    (bench.jobs.folder(job.id) / "gate").touch()
    recipe.wait()

    job = bench.finish(job)

    assert (job.state, job.attempts) == ("succeeded", 1)
    assert bench.published(job) == 1


def test_a_second_worker_says_that_there_is_one_and_ends(bench: Bench) -> None:
    job = bench.submit("work_until_the_gate_opens")
    bench.await_event(job, "begun")

    second = subprocess.run(
        [*WORKER, "--home", str(bench.home), "--database-url", bench.url],
        env=child_environment(os.environ),
        capture_output=True,
        text=True,
        check=False,
    )
    (bench.jobs.folder(job.id) / "gate").touch()

    assert second.returncode == 0
    assert f"A worker already serves {bench.home}" in second.stderr
    assert bench.finish(job).attempts == 1


def test_a_job_outlives_its_submitter_and_an_idle_worker_ends(tmp_path: Path) -> None:
    """The submitter is killed right after it asked for a worker, and nobody else asks for one."""
    bench = Bench(tmp_path, worker_command=None)
    code = (
        "import os, sys; from pathlib import Path; from finetune.jobs import Jobs;"
        "from finetune.spec import EvaluationSpec; from index.store import open_store;"
        "home, url, spec, command = sys.argv[1:];"
        "jobs = Jobs(open_store(url), home=Path(home), database_url=url,"
        "            worker_command=eval(command), worker_idle_s=0.5);"
        "jobs.submit(EvaluationSpec.model_validate_json(spec), dedupe_key='k', owner='ana');"
        "jobs.ensure_worker(); os.kill(os.getpid(), 9)"
    )
    arguments = [str(tmp_path), bench.url, spec("found_a_family").model_dump_json(), repr(WORKER)]
    submitter = subprocess.run(
        [sys.executable, "-c", code, *arguments], env=child_environment(os.environ), check=False
    )
    job = bench.jobs.list()[0]
    family = bench.await_event(job, "family").data["pids"]
    worker = psutil.Process(family[0]).parent()

    bench.jobs.cancel(job.id)
    job = bench.finish(job)

    assert submitter.returncode == -signal.SIGKILL
    assert job.state == "cancelled"
    assert worker is not None
    worker.wait()
    bench.close()


def test_jobs_of_two_devices_run_at_the_same_time_and_see_one_each(tmp_path: Path) -> None:
    policy = Policy(devices="gpu0:24,gpu1:24")
    bench = Bench(tmp_path, worker_command=WORKER, worker_idle_s=0.5, policy=policy)
    jobs = [bench.submit("work_until_the_gate_opens") for _ in range(2)]
    pids = {bench.await_event(job, "begun").data["pid"] for job in jobs}
    visible = {psutil.Process(pid).environ()["CUDA_VISIBLE_DEVICES"] for pid in pids}
    taken = {use.name: use.job_id for use in bench.jobs.devices()}
    for job in jobs:
        (bench.jobs.folder(job.id) / "gate").touch()

    assert visible == {"0", "1"}
    assert set(taken.values()) == {job.id for job in jobs}
    assert {bench.finish(job).state for job in jobs} == {"succeeded"}
    bench.close()


def test_a_job_whose_time_is_up_is_ended_with_a_reason(bench: Bench) -> None:
    job = bench.submit("found_a_family", Terms(max_hours=0.5 / 3600))

    job = bench.finish(job)

    assert (job.state, job.attempts) == ("failed", 1)
    assert "the longest it may" in str(job.reason)
    assert job.ran_s >= 0.5


def test_time_on_the_device_is_counted(bench: Bench) -> None:
    job = bench.run("behave")

    assert job.ran_s > 0
    assert bench.jobs.spent()[0].owner == "ana"


def test_a_queued_row_that_somebody_broke_fails_in_words_and_the_next_job_runs(bench: Bench) -> None:
    blocking = bench.submit("work_until_the_gate_opens")
    bench.await_event(blocking, "begun")
    broken, healthy = bench.submit("behave"), bench.submit("behave")
    with bench.engine.begin() as connection:
        row = update(jobs_table).where(jobs_table.c.id == int(broken.id))
        connection.execute(row.values(spec={"kind": "evaluation"}))
    (bench.jobs.folder(blocking.id) / "gate").touch()

    assert bench.finish(healthy).state == "succeeded"
    with bench.engine.connect() as connection:
        row = select(jobs_table.c.state, jobs_table.c.reason).where(jobs_table.c.id == int(broken.id))
        state, reason = connection.execute(row).one()
    assert state == "failed"
    assert f"Job {broken.id} cannot be read" in reason["en"]


def test_a_state_that_there_is_not_ends_the_run_and_is_told(bench: Bench) -> None:
    job = bench.submit("found_a_family")
    family = [psutil.Process(pid) for pid in bench.await_event(job, "family").data["pids"]]
    row = jobs_table.c.id == int(job.id)
    with bench.engine.begin() as connection:
        connection.execute(update(jobs_table).where(row).values(state="asleep"))

    job = bench.finish(bench.submit("behave"))

    assert job.state == "succeeded", "the device is free again"
    assert [lives(process) for process in family] == [False, False, False]
    with bench.engine.connect() as connection:
        state, reason = connection.execute(select(jobs_table.c.state, jobs_table.c.reason).where(row)).one()
    assert (state, "its state is 'asleep'" in reason["en"]) == ("failed", True)


def test_the_url_of_the_store_is_not_on_the_workers_command_line(bench: Bench) -> None:
    job = bench.submit("work_until_the_gate_opens")
    worker = psutil.Process(bench.await_event(job, "begun").data["pid"]).parent()
    assert worker is not None
    exposed = json.dumps([worker.cmdline(), worker.environ()])
    (bench.jobs.folder(job.id) / "gate").touch()
    bench.finish(job)

    assert bench.url not in exposed
