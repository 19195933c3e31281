"""One conversation over HTTP at a Slack that nobody here wrote: mention, follow-up, command, form, button, file.

The skills, the store, the worker and the model are real. `make slack-check` installs the emulator and runs this.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from slack_sdk import WebClient

from bot.access import Access
from bot.app import build_desk
from bot.settings import Settings
from bot.slack import CardPoller, Credentials, build_bolt_app, serve_http, surface_of
from tests import slack_emulator as emulator
from tests.slack_emulator import Payload, Person
from tests.slack_person import chosen

pytestmark = pytest.mark.skipif(
    not emulator.is_installed(), reason="no Slack emulator here: `make slack-check` installs it (needs npm)"
)

ROWS = "text,label\n" + "".join(
    f"Where is my {thing}?,shipping\nI want my money for the {thing} back.,refund\n"
    for thing in ("book", "lamp", "chair", "phone", "coat", "desk")
)
PATIENCE_S = 180


@dataclass
class Talk:
    """Ana, and the bot that she talks to."""

    ana: Person
    views: dict[str, Payload]
    """Every view as the emulator keeps it, which it shows to nobody: noted when the bot opens or changes one."""

    def form_with(self, words: str) -> Payload | None:
        """The form that says this."""
        return next((view for view in self.views.values() if words in str(view["blocks"])), None)

    def with_button(self, view: Payload) -> Payload | None:
        """The view once it has a button to submit it: a busy machine may take longer than Slack waits."""
        now = next((v for v in self.views.values() if v["id"] == view["id"]), view)
        return now if now.get("submit") else None

    def wait_for(self, find: Callable[[], Payload | None]) -> Payload:
        """What is looked for, as soon as it is there."""
        began = time.monotonic()
        while time.monotonic() - began < PATIENCE_S:
            if (found := find()) is not None:
                return found
            time.sleep(0.2)
        raise AssertionError(f"did not come: {self.ana.messages()}")

    def reply(self, thread_ts: str, *, after: int) -> Payload:
        """The next message of the bot in a thread that has `after` messages."""
        return self.wait_for(
            lambda: next(
                (
                    m
                    for m in self.ana.messages(thread_ts)[after:]
                    if m.get("user") == emulator.BOT_USER and m.get("blocks")
                ),
                None,
            )
        )


def noted_views(monkeypatch: pytest.MonkeyPatch) -> dict[str, Payload]:
    """What the emulator answers to every view that is opened or changed, by id."""
    views: dict[str, Payload] = {}

    def noting(call: Callable[..., Any]) -> Callable[..., Any]:
        def call_and_note(client: WebClient, **arguments: Any) -> Any:
            answer = call(client, **arguments)
            views[answer["view"]["id"]] = answer["view"]
            return answer

        return call_and_note

    for name in ("views_open", "views_update"):
        monkeypatch.setattr(WebClient, name, noting(getattr(WebClient, name)))
    return views


@pytest.fixture
def talk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Talk]:
    views = noted_views(monkeypatch)
    home = tmp_path / "home"
    desk = build_desk(Settings(home=home), datasets=home / "data")
    surface = surface_of(desk, Access(frozenset({"*"})))
    with emulator.emulated_slack(tmp_path) as url:
        credentials = Credentials(
            bot_token=emulator.BOT_TOKEN, signing_secret=emulator.SIGNING_SECRET, api_url=url
        )
        app = build_bolt_app(credentials, surface)
        poller = CardPoller(surface.cards, app.client, interval_s=1.0)
        with serve_http(app, port=0) as server:
            poller.start()
            yield Talk(Person(url, server.port), views)
            poller.stop()
        app.listener_runner.listener_executor.shutdown()


def test_conversation_from_a_question_to_a_result_with_its_files(talk: Talk) -> None:
    ana = talk.ana

    question = ana.say(
        f"<@{emulator.BOT_USER}> which open model for classification on 24 GB?", kind="app_mention"
    )
    answer = talk.reply(question["ts"], after=1)
    ana.say("and on 16 GB?", thread_ts=question["ts"])
    follow_up = talk.reply(question["ts"], after=3)

    ana.upload("mine.csv", ROWS.encode())
    ana.command("/evaluate", "SmolLM2-135M-Instruct")
    view = talk.wait_for(lambda: talk.form_with("mine.csv"))
    menu = next(block["element"] for block in view["blocks"] if block["block_id"] == "dataset")
    files = {o["text"]["text"]: o["value"] for group in menu["option_groups"] for o in group["options"]}
    verdict = ana.submit(view, dataset=chosen(files["mine.csv"]), limit="10")
    assert verdict.get("response_action") == "push", verdict
    pushed = verdict["view"]
    ana.submit(talk.wait_for(lambda: talk.with_button(pushed)))

    card = talk.wait_for(lambda: with_action(ana.messages(), "shortlist_logs"))
    ana.press(card, "shortlist_logs")
    result = talk.wait_for(lambda: with_action(ana.messages(card["ts"]), "shortlist_finetune"))
    shared = talk.wait_for(lambda: next((m for m in ana.messages(card["ts"]) if m.get("files")), None))

    assert "Qwen" in str(answer["blocks"]) or "8B" in str(answer["blocks"])
    assert "16" in str(follow_up["blocks"])
    assert "mine.csv" in str(result["blocks"])
    assert {file["name"] for file in shared["files"]} >= {"job-1-report.png", "job-1-report.html"}


def with_action(messages: list[Payload], action_id: str) -> Payload | None:
    """The message that has this button."""
    return next((m for m in messages if f"'{action_id}'" in str(m.get("blocks"))), None)
