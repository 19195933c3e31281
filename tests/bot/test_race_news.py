"""News of a race of bases in its Slack thread: once a round, and once at the end, with the picture."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy import update

from bot.access import Access
from bot.app import build_desk
from bot.race_news import RaceNews
from bot.settings import Settings
from bot.slack import surface_of
from finetune.spec import TuningSpec
from index.schema import jobs as jobs_table
from skills.desk import Desk
from tests.slack_bot import running_bot, shown
from tests.slack_server import SlackServer

ASK = "Which base should we fine-tune on tickets: SmolLM2-135M-Instruct or Qwen2.5-0.5B-Instruct?"


@pytest.fixture
def slack() -> SlackServer:
    return SlackServer()


def _end_round(desk: Desk) -> None:
    """End the runs that wait, as a worker does; the small one learns better."""
    for run in desk.selections.find("1").runs:
        if not run.job.is_finished:
            assert isinstance(run.job.spec, TuningSpec)
            loss = (4 if "Smol" in run.candidate else 9) * run.size**-0.3 + 0.2
            folder = desk.jobs.folder(run.job.id)
            folder.mkdir(parents=True)
            result = {"held_out_loss": {"value": loss}, "train_s": run.size / 10}
            (folder / "result.json").write_text(json.dumps(result))
            with desk.engine.begin() as connection:
                row = update(jobs_table).where(jobs_table.c.id == int(run.job.id))
                connection.execute(row.values(state="succeeded", ran_s=run.size / 10 + 1))
    desk.selections.advance_all()


def test_a_thread_is_told_each_round_once_and_the_end_with_a_button(
    tmp_path: Path, slack: SlackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("finetune.jobs._with_known_models", lambda spec, *_, **__: spec)
    desk = build_desk(Settings(home=tmp_path, _env_file=None))
    monkeypatch.setattr(desk.jobs, "ensure_worker", lambda: None)
    news = RaceNews(desk.engine, desk.selections)
    with running_bot(surface_of(desk, Access(frozenset({"*"}))), slack) as bot:
        bot.ana.mention(ASK)
        begun = len(bot.posts())
        news.tick(bot.app.client)
        assert len(bot.posts()) == begun
        _end_round(desk)
        news.tick(bot.app.client)
        news.tick(bot.app.client)
        first_round = bot.posts()[begun:]
        while not desk.selections.find("1").is_finished:
            _end_round(desk)
        news.tick(bot.app.client)
        RaceNews(desk.engine, desk.selections).tick(bot.app.client)
        (end,) = bot.posts()[begun + len(first_round) :]
    assert len(first_round) == 1
    assert "Selection 1" in shown(first_round[0])
    assert "is the base to fine-tune" in shown(end)
    assert "Tune it in full" in json.dumps(end)
    assert first_round[0]["thread_ts"] == end["thread_ts"]
