"""A race of bases with nothing pretended but their size: tiny models of real architectures, real jobs in real processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.finetune import tiny_models as tiny
from tests.finetune.test_tuning import learnable_rows


def shortlist(home: Path, *arguments: str, expect: int = 0) -> Any:
    done = subprocess.run(
        [sys.executable, "-m", "bot", *arguments, "--json"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "SHORTLIST_HOME": str(home)},
    )
    assert done.returncode == expect, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def base(tmp_path: Path) -> str:
    return str(tiny.saved(tmp_path / "encoder", tiny.bare_encoder()))


def test_small_runs_lead_to_a_base_and_what_came_true_stands_beside_the_prediction(
    tmp_path: Path, base: str
) -> None:
    home, rows = tmp_path / "home", tmp_path / "rows.jsonl"
    rows.write_text("\n".join(json.dumps(row) for row in learnable_rows(60)))
    race = shortlist(
        home, "select-base", "start", "--model", base, "--lora-rank", "2", "--lora-rank", "16", "--dataset", str(rows),
        "--smallest", "12", "--batch-size", "4", "--learning-rate", "0.005", "--wait",
    )  # fmt: skip
    runs, outcome = race["runs"], race["outcome"]
    assert race["state"] == "ended"
    assert {run["state"] for run in runs} == {"succeeded"}
    assert [run["rows"] for run in runs] == [12, 12, 24, 24, 48, 48]
    assert outcome["ending"] == "target reached"
    assert outcome["winner"] == min(runs[-2:], key=lambda run: run["loss"])["model"]
    assert {one["model"] for one in outcome["ranking"]} == set(race["candidates"])
    assert Path(race["picture"]).read_bytes().startswith(b"\x89PNG")

    number = {(run["model"], run["rows"]): run["job_id"] for run in runs}
    for run in runs:
        spec = json.loads((home / "jobs" / run["job_id"] / "spec.json").read_text())
        assert spec["continues"] == number.get((run["model"], run["rows"] // 2))
    told = shortlist(home, "select-base", "show", race["selection_id"])
    assert told["true_loss"] == min(run["loss"] for run in runs[-2:])
    assert told["outcome"] == outcome


def test_a_race_of_one_is_refused_before_anything_is_queued(tmp_path: Path, base: str) -> None:
    error = shortlist(
        tmp_path / "home", "select-base", "start", "--model", base, "--dataset", "tickets", expect=2
    )
    assert "two or more" in error["error"]
    assert shortlist(tmp_path / "home", "jobs", "list")["jobs"] == []
