"""What is deleted of old jobs, and what stays."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from finetune.retention import Cleaner, clean
from index.store import open_store, sqlite_url
from tests.finetune.test_jobs import bring_to, jobs_at, submit

KEPT = {
    "spec.json",
    "spec.yaml",
    "result.json",
    "report.html",
    "report.png",
    "answers.csv",
    "items.jsonl",
    "adapter",
}
HELPED = {"events.jsonl", "log.txt", "context.json", "checkpoint.pt", "candidates"}


def fill(folder: Path) -> None:
    folder.mkdir(parents=True)
    for name in KEPT | HELPED:
        path = folder / name
        if "." in name:
            path.write_text("x" * 10)
        else:
            path.mkdir()
            (path / "part").write_text("x" * 10)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if not path.name.startswith(".")}


def test_results_stay_and_what_helped_to_run_goes(tmp_path: Path) -> None:
    fill(tmp_path / "1")

    assert clean(tmp_path / "1") == 10 * len(HELPED)
    assert names(tmp_path / "1") == KEPT
    assert clean(tmp_path / "1") == 0


def test_what_the_result_names_stays_whatever_it_is_called(tmp_path: Path) -> None:
    folder = tmp_path / "1"
    fill(folder)
    (folder / "cards").mkdir()
    (folder / "cards" / "model.md").write_text("x")
    result = {
        "model_card": str(folder / "cards" / "model.md"),
        "csv": [str(folder / "checkpoint.pt")],
        "seed": 1,
    }
    (folder / "result.json").write_text(json.dumps(result))

    clean(folder)

    assert names(folder) == KEPT | {"cards", "checkpoint.pt"}


def test_only_jobs_that_ended_long_ago_are_cleaned_and_each_once(tmp_path: Path) -> None:
    jobs = jobs_at(tmp_path)
    ended, running = submit(jobs, "a"), submit(jobs, "b")
    bring_to(tmp_path, ended, "starting", "running", "succeeded")
    bring_to(tmp_path, running, "starting", "running")
    for job in (ended, running):
        fill(jobs.folder(job.id))
    cleaner = Cleaner(open_store(sqlite_url(tmp_path)), tmp_path, keep_days=30)
    today, later = datetime.now(UTC), datetime.now(UTC) + timedelta(days=31)

    assert cleaner.due(today) == []
    assert cleaner.due(later) == [jobs.folder(ended.id)]
    clean(jobs.folder(ended.id))
    assert cleaner.due(later) == []
    assert names(jobs.folder(running.id)) == KEPT | HELPED


def test_without_a_policy_nothing_is_deleted(tmp_path: Path) -> None:
    jobs = jobs_at(tmp_path)
    ended = submit(jobs)
    bring_to(tmp_path, ended, "failed")
    fill(jobs.folder(ended.id))

    Cleaner(open_store(sqlite_url(tmp_path)), tmp_path, keep_days=None).clean_sometimes()

    assert names(jobs.folder(ended.id)) == KEPT | HELPED
