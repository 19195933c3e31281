"""`shortlist jobs` in one process: what is printed, what is JSON, how it exits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from typer.testing import CliRunner

import bot.terminal
from bot.serve import only_bot_of
from bot.settings import Settings, read_settings
from bot.subcommands.jobs import app
from finetune.jobs import Jobs
from finetune.leases import Leases
from index.errors import BadSetting
from index.store import open_store, sqlite_url
from tests.finetune.test_jobs import bring_to, evaluation
from tests.finetune.test_leases import GPUS


@pytest.fixture
def jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Jobs:
    """Jobs without a worker, which every command of the test opens."""
    url = sqlite_url(tmp_path)
    opened = Jobs(open_store(url), home=tmp_path, database_url=url, worker_command=None)
    monkeypatch.setattr(bot.terminal, "open_jobs", lambda: opened)
    return opened


def submit(jobs: Jobs, owner: str = "ana") -> str:
    key = f"{owner}{len(jobs.list())}"
    return jobs.submit(evaluation(), dedupe_key=key, owner=owner).id


def run(*arguments: str, code: int = 0) -> str:
    done = CliRunner().invoke(app, list(arguments))
    assert done.exit_code == code, done.output
    return done.output


def read(*arguments: str) -> dict[str, Any]:
    """The one JSON object on standard output."""
    done = CliRunner().invoke(app, [*arguments, "--json"])
    assert done.exit_code == 0, done.output
    value: dict[str, Any] = json.loads(done.stdout)
    return value


def test_the_list_shows_the_place_in_the_line_to_people_and_programs(jobs: Jobs) -> None:
    submit(jobs), submit(jobs)

    assert "number 2 in the line" in run("list")
    assert [job["outlook"]["position"] for job in read("list")["jobs"]] == [2, 1]


def test_the_list_is_of_one_person_or_of_all_that_goes_on_with_the_devices(
    jobs: Jobs, tmp_path: Path
) -> None:
    submit(jobs), submit(jobs, "bo")
    jobs.cancel("1")
    Leases(open_store(sqlite_url(tmp_path)), "w", home=tmp_path).enrol(GPUS)

    assert [job["owner"] for job in read("list", "--owner", "ana")["jobs"]] == ["ana"]
    everything = read("list", "--all")
    assert [job["job_id"] for job in everything["jobs"]] == ["2"]
    assert [use["name"] for use in everything["devices"]] == ["gpu0", "gpu1"]


@pytest.mark.usefixtures("jobs")
def test_devices_say_who_has_them(tmp_path: Path) -> None:
    assert "No worker is running" in run("devices")
    Leases(open_store(sqlite_url(tmp_path)), "w", home=tmp_path).enrol(GPUS)

    assert ": free" in run("devices")
    assert read("devices")["devices"][0]["job_id"] is None


def test_a_job_is_retried_and_repeated_with_changes(jobs: Jobs, tmp_path: Path) -> None:
    submit(jobs)
    bring_to(tmp_path, jobs.status("1"), "failed")

    retried = read("retry", "1", "--limit", "5", "--gpus", "2", "--max-hours", "3")
    repeated = read("repeat", "1", "--set", "full=true", "--set", "max-minutes=2.5")

    assert (retried["spec"]["limit"], retried["gpus"], retried["max_hours"]) == (5, 2, 3.0)
    assert (repeated["spec"]["full"], repeated["spec"]["max_minutes"]) == (True, 2.5)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("retry", "1"), "has not ended (it waits in the queue)"),
        (("repeat", "1", "--set", "limit"), "--set takes NAME=VALUE"),
        (("repeat", "1", "--set", "limit=many"), "limit cannot be 'many'"),
        (("repeat", "9"), "There is no job '9'"),
        (("priority", "1", "urgent"), "There is no priority 'urgent'"),
    ],
)
def test_what_cannot_be_done_is_one_sentence_and_queues_nothing(
    jobs: Jobs, arguments: tuple[str, ...], said: str
) -> None:
    submit(jobs)

    assert said in run(*arguments, code=2)
    assert len(jobs.list()) == 1


def test_following_a_job_that_failed_ends_with_its_reason_and_code_1(jobs: Jobs, tmp_path: Path) -> None:
    submit(jobs)
    bring_to(tmp_path, jobs.status("1"), "failed")

    told = run("watch", "1", code=1)

    assert "It did not fit." in told
    assert "Sorry" not in told


def test_a_priority_moves_a_job_in_the_line(jobs: Jobs) -> None:
    submit(jobs), submit(jobs)

    assert read("priority", "2", "high")["outlook"]["position"] == 1


def test_a_second_bot_of_a_home_is_refused_in_words(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    with (
        FileLock(tmp_path / "serve.lock"),
        pytest.raises(BadSetting, match=f"A bot already serves {tmp_path}"),
        only_bot_of(settings),
    ):
        raise AssertionError
    with only_bot_of(settings):
        pass


@pytest.mark.parametrize(
    ("name", "value"),
    [("DEVICES", "tpu:3"), ("MAX_HOURS", "-1"), ("QUEUED_PER_PERSON", "0"), ("KEEP_DAYS", "x")],
)
def test_a_setting_that_cannot_be_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"SHORTLIST_{name}", value)

    with pytest.raises(BadSetting, match=f"SHORTLIST_{name} cannot be used"):
        read_settings()


def test_the_list_says_whose_jobs_they_are_when_several_people_have_some(jobs: Jobs) -> None:
    submit(jobs)
    alone = run("list")
    submit(jobs, "bo")

    assert "· ana" not in alone
    assert run("list").count("· ana") == run("list").count("· bo") == 1


def test_one_job_says_who_asked_for_it_and_what_it_took(jobs: Jobs) -> None:
    submit(jobs)

    assert "Asked for by ana at 20" in run("show", "1")
    assert "not begun yet; 0 s of device time." in run("show", "1")


def test_a_log_with_nothing_in_it_is_said_to_be_empty(jobs: Jobs, tmp_path: Path) -> None:
    submit(jobs)
    before = run("logs", "1")
    bring_to(tmp_path, jobs.status("1"), "starting", "running", "succeeded")

    assert "Job 1 has not begun" in before
    assert "The log of job 1 is empty" in run("logs", "1")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"candidates": [{"mod', "result.json was cut off or edited"),
        (None, "there is no"),
        ("[]", "not a JSON object"),
    ],
)
def test_a_result_that_cannot_be_read_is_a_sentence_that_helps(
    jobs: Jobs, tmp_path: Path, content: str | None, said: str
) -> None:
    submit(jobs)
    bring_to(tmp_path, jobs.status("1"), "starting", "running", "succeeded")
    if content is not None:
        jobs.folder("1").mkdir(parents=True)
        (jobs.folder("1") / "result.json").write_text(content)

    told = run("show", "1", code=1)

    assert said in told
    assert "`shortlist jobs repeat 1`" in told
