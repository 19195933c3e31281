"""The face of the queue, without a worker: what is written, what is refused, what is told."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import update

from finetune.jobs import Jobs
from finetune.models import SMOLLM2
from finetune.policy import Policy
from finetune.queue import Queue
from finetune.spec import Candidate, DatasetRef, EvaluationSpec, TuningSpec
from finetune.state import TERMINAL, TRANSITIONS, Job, JobState, Terms
from index.bilingual import Bilingual
from index.errors import BadInput, JobFailed, Unavailable, UnknownJob, UnknownModel
from index.schema import jobs as jobs_table
from index.store import open_store, sqlite_url

MODEL = "SmolLM2-135M-Instruct"
DATASET = DatasetRef(name="tickets", sha256="0" * 64, rows=40, labels=("billing", "refund"))
REASON = Bilingual(en="It did not fit.", zh="放不下。")


def jobs_at(home: Path) -> Jobs:
    url = sqlite_url(home)
    return Jobs(open_store(url), home=home, database_url=url, worker_command=None)


def queue_at(home: Path) -> Queue:
    return Queue(open_store(sqlite_url(home)))


def evaluation(*models: str) -> EvaluationSpec:
    names = models or (MODEL,)
    return EvaluationSpec(candidates=tuple(Candidate(model=name) for name in names), dataset=DATASET)


def submit(jobs: Jobs, key: str = "key", owner: str = "ana") -> Job:
    return jobs.submit(evaluation(), dedupe_key=key, owner=owner)


def bring_to(home: Path, job: Job, *states: JobState) -> None:
    """Take the job through states, as the worker does."""
    queue = queue_at(home)
    for state in states:
        reason = REASON if state == "failed" else None
        assert queue.move(job.id, queue.job(job.id).state, state, reason)


def test_a_submitted_job_is_queued_with_all_that_was_asked(tmp_path: Path) -> None:
    spec = TuningSpec(base_model=MODEL, dataset=DATASET, method="qlora", max_steps=3)
    job = jobs_at(tmp_path).submit(spec, dedupe_key="key", owner="ana", thread="C1:2")

    assert (job.state, job.owner, job.thread, job.attempts) == ("queued", "ana", "C1:2", 0)
    assert job.spec == spec.model_copy(update={"base_model": SMOLLM2})


def test_submitting_twice_under_one_key_gives_one_job(tmp_path: Path) -> None:
    jobs = jobs_at(tmp_path)

    assert submit(jobs).id == submit(jobs).id
    assert len(jobs.list()) == 1
    assert len(jobs.events_after(0)) == 1


def test_submitting_at_once_from_many_threads_gives_one_job(tmp_path: Path) -> None:
    jobs = jobs_at(tmp_path)
    with ThreadPoolExecutor(8) as pool:
        ids = {job.id for job in pool.map(lambda _: submit(jobs), range(16))}

    assert ids == {"1"}
    assert len(jobs.list()) == 1


@pytest.mark.parametrize(
    "spec",
    [evaluation(MODEL, "acme/unknown-9b"), TuningSpec(base_model="acme/unknown-9b", dataset=DATASET)],
)
def test_an_unknown_model_is_refused_before_anything_is_written(
    tmp_path: Path, spec: EvaluationSpec | TuningSpec
) -> None:
    jobs = jobs_at(tmp_path)

    with pytest.raises(UnknownModel, match="acme/unknown-9b"):
        jobs.submit(spec, dedupe_key="key", owner="ana")

    assert jobs.list() == []


def test_a_hosted_model_is_not_looked_for_on_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("finetune.models.HfApi", lambda: pytest.fail("the hub was asked"))
    jobs, own = jobs_at(tmp_path), Candidate(model="openai:m", base_url="http://127.0.0.1:8000/v1")
    spec = EvaluationSpec(candidates=(Candidate(model="openai:m"), own), dataset=DATASET)

    assert jobs.submit(spec, dedupe_key="key", owner="ana").spec == spec
    with pytest.raises(BadInput, match="cannot be fine-tuned"):
        jobs.submit(TuningSpec(base_model="openai:m", dataset=DATASET), dedupe_key="2", owner="ana")
    with pytest.raises(UnknownModel, match="I know the providers openai"):
        jobs.submit(evaluation("opnai:m"), dedupe_key="3", owner="ana")


def test_only_at_ones_own_terminal_a_server_can_be_named(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path)
    jobs = Jobs(
        open_store(url), home=tmp_path, database_url=url, worker_command=None, datasets=tmp_path / "data"
    )
    spec = EvaluationSpec(
        candidates=(Candidate(model="openai:m", base_url="https://example.org/v1"),), dataset=DATASET
    )
    with pytest.raises(BadInput, match="our key would be sent"):
        jobs.submit(spec, dedupe_key="key", owner="ana")
    assert jobs.list() == []


@pytest.mark.parametrize("job_id", ["7", "", "seven", "-1", "²", "9" * 30])
def test_an_unknown_number_is_a_clear_word(tmp_path: Path, job_id: str) -> None:
    with pytest.raises(UnknownJob, match="There is no job"):
        jobs_at(tmp_path).status(job_id)


def test_jobs_are_listed_newest_first_and_by_owner_and_by_end(tmp_path: Path) -> None:
    jobs = jobs_at(tmp_path)
    submit(jobs, "a", "ana"), submit(jobs, "b", "bo"), submit(jobs, "c", "ana")
    jobs.cancel("3")

    assert [job.id for job in jobs.list()] == ["3", "2", "1"]
    assert [job.id for job in jobs.list(owner="ana")] == ["3", "1"]
    assert [job.id for job in jobs.list(unfinished_only=True)] == ["2", "1"]
    assert [job.id for job in jobs.list(limit=1)] == ["3"]


def test_cancelling_a_queued_job_ends_it_at_once(tmp_path: Path) -> None:
    jobs = jobs_at(tmp_path)
    job = jobs.cancel(submit(jobs).id)

    assert job.state == "cancelled"
    assert job.ended_at_utc is not None
    assert [event.data for event in jobs.events_after(0, job.id)] == [
        {"state": "queued"},
        {"state": "cancelled"},
    ]


def test_cancelling_a_running_job_twice_asks_once(tmp_path: Path) -> None:
    jobs = jobs_at(tmp_path)
    job = submit(jobs)
    bring_to(tmp_path, job, "starting", "running")

    assert [jobs.cancel(job.id).state, jobs.cancel(job.id).state] == ["cancelling", "cancelling"]
    states = [event.data["state"] for event in jobs.events_after(0, job.id)]
    assert states == ["queued", "starting", "running", "cancelling"]


@pytest.mark.parametrize(
    ("states", "english", "chinese"),
    [
        (("starting", "running", "succeeded"), "has succeeded", "已成功完成"),
        (("failed",), "has failed", "已失败"),
        (("cancelled",), "was cancelled", "已被取消"),
    ],
)
def test_cancelling_an_ended_job_says_how_it_ended(
    tmp_path: Path, states: tuple[JobState, ...], english: str, chinese: str
) -> None:
    jobs = jobs_at(tmp_path)
    job = submit(jobs)
    bring_to(tmp_path, job, *states)

    with pytest.raises(BadInput) as refusal:
        jobs.cancel(job.id)

    assert english in refusal.value.to("en")
    assert chinese in refusal.value.to("zh")


def test_retrying_a_failed_job_queues_a_new_one_with_the_same_spec(tmp_path: Path) -> None:
    jobs = jobs_at(tmp_path)
    job = submit(jobs)
    bring_to(tmp_path, job, "starting", "failed")

    again = jobs.retry(job.id, dedupe_key="again")

    assert (again.id, again.state, again.attempts) == ("2", "queued", 0)
    assert (again.spec, again.owner) == (job.spec, job.owner)
    assert jobs.retry(job.id, dedupe_key="again").id == again.id


@pytest.mark.parametrize("states", [(), ("starting", "running"), ("starting", "running", "succeeded")])
def test_only_what_failed_or_was_cancelled_is_retried(tmp_path: Path, states: tuple[JobState, ...]) -> None:
    jobs = jobs_at(tmp_path)
    job = submit(jobs)
    bring_to(tmp_path, job, *states)

    with pytest.raises(BadInput, match=f"Job {job.id} has"):
        jobs.retry(job.id, dedupe_key="again")

    assert len(jobs.list()) == 1


def test_events_are_told_after_a_cursor_for_one_job_or_for_all(tmp_path: Path) -> None:
    jobs = jobs_at(tmp_path)
    first, second = submit(jobs, "a"), submit(jobs, "b")
    jobs.cancel(first.id)

    everything = jobs.events_after(0)
    assert [event.job_id for event in everything] == [first.id, second.id, first.id]
    assert jobs.events_after(everything[0].id, first.id) == [everything[2]]
    assert jobs.events_after(everything[-1].id) == []
    assert jobs.events_after(0, limit=2) == everything[:2]


def test_the_result_of_a_failed_job_is_its_reason(tmp_path: Path) -> None:
    jobs = jobs_at(tmp_path)
    job = submit(jobs)
    assert jobs.result(job.id) == {"job_id": job.id, "state": "queued", "reason": None}
    bring_to(tmp_path, job, "failed")

    assert jobs.result(job.id) == {"job_id": job.id, "state": "failed", "reason": "It did not fit."}
    assert jobs.status(job.id).reason == REASON


def test_a_job_that_has_not_begun_has_an_empty_log(tmp_path: Path) -> None:
    jobs = jobs_at(tmp_path)

    assert jobs.log_tail(submit(jobs).id) == ""


def test_waiting_ends_with_the_time_that_was_allowed(tmp_path: Path) -> None:
    jobs = jobs_at(tmp_path)

    assert jobs.wait(submit(jobs).id, timeout_s=0).state == "queued"


def test_waiting_tells_every_event_of_an_ended_job(tmp_path: Path) -> None:
    jobs = jobs_at(tmp_path)
    job = submit(jobs)
    queue = queue_at(tmp_path)
    for number in range(700):
        queue.add_note(job.id, Bilingual(en=str(number), zh=str(number)))
    jobs.cancel(job.id)
    told: list[str] = []

    jobs.wait(job.id, on_event=lambda event: told.append(event.data.get("en", event.kind)))

    assert told == ["state", *map(str, range(700)), "state"]


def test_a_worker_that_cannot_start_is_told_to_who_waits(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path)
    broken = (sys.executable, "-c", "import sys; sys.exit('no such driver')")
    jobs = Jobs(open_store(url), home=tmp_path, database_url=url, worker_command=broken)
    job = submit(jobs)

    with pytest.raises(Unavailable, match="ended with code 1") as failure:
        jobs.wait(job.id)

    assert "worker.log" in failure.value.to("zh")
    assert "no such driver" in (tmp_path / "logs" / "worker.log").read_text()


@pytest.mark.parametrize("source", list(TRANSITIONS))
def test_an_illegal_move_is_a_bug_that_shows(tmp_path: Path, source: JobState) -> None:
    queue = queue_at(tmp_path)

    for target in TRANSITIONS.keys() - TRANSITIONS[source]:
        with pytest.raises(ValueError, match=f"may not move from {source} to {target}"):
            queue.move("1", source, target)


def test_a_move_from_a_state_that_was_left_changes_nothing(tmp_path: Path) -> None:
    jobs = jobs_at(tmp_path)
    job = submit(jobs)
    jobs.cancel(job.id)

    assert not queue_at(tmp_path).move(job.id, "queued", "starting")
    assert jobs.status(job.id).state == "cancelled"
    assert jobs.status(job.id).state in TERMINAL
    assert len(jobs.events_after(0)) == 2


@pytest.mark.parametrize("states", [(), ("starting",), ("starting", "running")])
def test_two_who_claim_the_same_attempt_do_not_both_get_it(
    tmp_path: Path, states: tuple[JobState, ...]
) -> None:
    jobs = jobs_at(tmp_path)
    bring_to(tmp_path, submit(jobs), *states)
    queue = queue_at(tmp_path)
    read_by_both = queue.job("1")

    assert [queue.claim(read_by_both), queue.claim(read_by_both)] == [True, False]
    assert jobs.status("1").attempts == len(states[:1]) + 1


def test_events_read_twice_are_stored_once(tmp_path: Path) -> None:
    jobs = jobs_at(tmp_path)
    job = submit(jobs)
    queue = queue_at(tmp_path)
    for _ in range(2):
        queue.append_events(job.id, [("progress", {"done": 1})], read_from=0, read_to=40)

    assert [event.kind for event in jobs.events_after(0)] == ["state", "progress"]
    assert queue.standing(job.id) == ("queued", 40)


def test_asking_about_jobs_loads_neither_dbos_nor_torch() -> None:
    code = "import sys, finetune.jobs; print({'dbos', 'torch', 'transformers'} & set(sys.modules))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert told.stdout.strip() == "set()"


def limited(home: Path, **policy: int) -> Jobs:
    url = sqlite_url(home)
    rules = Policy.model_validate(policy)
    return Jobs(open_store(url), home=home, database_url=url, worker_command=None, policy=rules)


def test_a_person_with_enough_jobs_waiting_is_refused_and_others_are_not(tmp_path: Path) -> None:
    jobs = limited(tmp_path, queued_per_person=2)
    submit(jobs, "a"), submit(jobs, "b")

    with pytest.raises(BadInput, match="ana has 2 jobs waiting already") as refusal:
        submit(jobs, "c")

    assert "上限" in refusal.value.to("zh")
    assert len(jobs.list()) == 2
    assert len(jobs.events_after(0)) == 2
    assert submit(jobs, "a").id == "1", "the same request once more is the same job, limit or not"
    assert submit(jobs, "d", "bo").owner == "bo"
    jobs.cancel("1")
    assert submit(jobs, "c").state == "queued"


def test_a_job_remembers_its_terms_and_what_it_needs(tmp_path: Path) -> None:
    jobs = jobs_at(tmp_path)
    terms = Terms(gpus=2, max_hours=1.5)
    job = jobs.submit(evaluation(), dedupe_key="key", owner="ana", terms=terms)

    assert (job.terms.gpus, job.terms.max_hours) == (2, 1.5)
    assert job.terms.memory_gib == pytest.approx(0.9, abs=0.3)


def test_any_job_can_be_repeated_the_same_or_changed(tmp_path: Path) -> None:
    jobs = jobs_at(tmp_path)
    job = submit(jobs)
    bring_to(tmp_path, job, "starting", "running", "succeeded")

    same = jobs.repeat(job.id, dedupe_key="same")
    changed = jobs.repeat(
        job.id, dedupe_key="changed", changes={"limit": 5, "full": True}, terms=Terms(gpus=2)
    )

    assert same.spec == job.spec
    assert changed.spec == job.spec.model_copy(update={"limit": 5, "full": True})
    assert changed.terms.gpus == 2


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"limit": 0}, "limit cannot be 0"),
        ({"limit": "many"}, "limit cannot be 'many'"),
        ({"colour": "red"}, "'colour' cannot be changed"),
        ({"dataset": "other"}, "'dataset' cannot be changed"),
    ],
)
def test_a_change_that_makes_no_sense_is_refused_and_nothing_is_queued(
    tmp_path: Path, changes: dict[str, object], said: str
) -> None:
    jobs = jobs_at(tmp_path)
    job = submit(jobs)
    bring_to(tmp_path, job, "failed")

    with pytest.raises(BadInput, match=said):
        jobs.retry(job.id, dedupe_key="again", changes=changes)

    assert len(jobs.list()) == 1


def test_only_a_waiting_job_takes_a_priority(tmp_path: Path) -> None:
    jobs = jobs_at(tmp_path)
    job = submit(jobs)

    assert jobs.prioritise(job.id, "high").priority == 1
    with pytest.raises(BadInput, match="no priority 'urgent'"):
        jobs.prioritise(job.id, "urgent")
    jobs.cancel(job.id)
    with pytest.raises(BadInput, match="does not wait"):
        jobs.prioritise(job.id, "low")


def edit(home: Path, **values: object) -> None:
    with open_store(sqlite_url(home)).begin() as connection:
        connection.execute(update(jobs_table).where(jobs_table.c.id == 1).values(**values))


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"state": "sleeping"}, "its state is 'sleeping'"),
        ({"spec": {"kind": "evaluation", "candidates": []}}, "candidates"),
        ({"spec": {"kind": "dance"}}, "dance"),
        ({"spec": ["no", "object"]}, "spec"),
    ],
)
def test_a_row_that_was_edited_by_hand_is_told_in_words_and_hides_no_other_job(
    tmp_path: Path, values: dict[str, object], said: str
) -> None:
    jobs = jobs_at(tmp_path)
    submit(jobs, "a"), submit(jobs, "b")
    edit(tmp_path, **values)

    with pytest.raises(JobFailed, match=f"Job 1 cannot be read from the store.*{said}"):
        jobs.status("1")

    assert [job.id for job in jobs.list()] == ["2"]
    assert [error.job_id for error in jobs.unreadable()] == ["1"]
    assert "无法从数据库读取" in jobs.unreadable()[0].to("zh")


def test_a_result_that_was_cut_in_half_is_told_in_words(tmp_path: Path) -> None:
    jobs = jobs_at(tmp_path)
    job = submit(jobs)
    bring_to(tmp_path, job, "starting", "running", "succeeded")
    jobs.folder(job.id).mkdir(parents=True)
    (jobs.folder(job.id) / "result.json").write_text('{"candidates": [{"mod')

    with pytest.raises(JobFailed, match="The result of job 1 cannot be read"):
        jobs.result(job.id)
