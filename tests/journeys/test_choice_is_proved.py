"""The main job with nothing pretended: a real model, real jobs in real processes, and advice that changes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bot.access import Access
from bot.app import build_desk
from bot.settings import Settings
from bot.slack import surface_of
from tests.slack_bot import running_bot, shown
from tests.slack_server import SlackServer

SMOL = "HuggingFaceTB/SmolLM2-135M-Instruct"
COMPARE = "Compare SmolLM2-135M-Instruct with Qwen2.5-0.5B-Instruct for ticket classification"
WHICH = "Which model should classify our support tickets? Self-hosted, under 0.5B parameters."


def shortlist(home: Path, *arguments: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "bot", *arguments, "--json"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "SHORTLIST_HOME": str(home)},
    )
    assert done.returncode == 0, done.stderr
    value: dict[str, Any] = json.loads(done.stdout)
    return value


@pytest.mark.usefixtures("home_with_model")
def test_what_was_measured_from_a_message_is_named_in_the_next_answer(
    tmp_path: Path, slack: SlackServer
) -> None:
    desk = build_desk(Settings(home=tmp_path, _env_file=None))
    with running_bot(surface_of(desk, Access(frozenset({"*"}))), slack) as bot:
        bot.ana.mention(COMPARE)
        (before,) = bot.posts()
        bot.ana.mention(f"evaluate {SMOL} on tickets in full precision and int8, 16 rows")
        card = bot.posts()[2]
        job = desk.jobs.wait("1")
        bot.surface.cards.tick(bot.app.client)
        result = bot.posts()[3]
        bot.ana.mention(COMPARE)
        after = bot.posts()[4]

    compared = shortlist(tmp_path, "compare", job.id)
    assert job.state == "succeeded"
    assert compared["rows"] == 16
    assert len(compared["comparisons"]) == 1
    assert "Evaluation #1" in shown(card)
    assert "Measured here on tickets (job 1)" in shown(result)
    assert "measured here" not in shown(before).replace("measured here 0", "")
    assert "tickets · 16-bit" in shown(after) or "tickets · int8" in shown(after)
    assert "measured here, " in shown(after)


@pytest.mark.usefixtures("home_with_model")
def test_a_tuned_model_beats_its_base_beyond_the_interval_and_wins_the_next_recommendation(
    tmp_path: Path,
) -> None:
    result = shortlist(
        tmp_path, "finetune", "--model", "smollm2", "--dataset", "tickets", "--limit", "224",
        "--held-out-limit", "48", "--wait",
    )  # fmt: skip
    assert result["state"] == "succeeded"
    assert result["comparison"]["ci95"][0] > 0
    assert result["after"]["accuracy"]["value"] > result["before"]["accuracy"]["value"]
    assert result["merge_check"]["passed"]
    assert Path(result["adapter"], "adapter_model.safetensors").is_file()

    first = shortlist(tmp_path, "ask", WHICH)["recommendations"][0]
    assert (first["model"], first["adapter"]) == (SMOL, f"job-{result['job_id']}")
    assert first["evidence"][0]["kind"] == "measured"
    assert first["evidence"][0]["source"] == f"job {result['job_id']}"
    assert first["evidence"][0]["score"] == pytest.approx(result["after"]["accuracy"]["value"], abs=1e-3)
