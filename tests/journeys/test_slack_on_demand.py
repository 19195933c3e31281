"""Under an answer: more of it on demand, the same message ranked anew, thumbs; and what a team takes for granted.

The real skills answer; each test asks a real home.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from bot.access import Access
from bot.slack import _reply
from bot.surface import Surface
from index.schema import feedback
from skills.chat_model import ChatFailed
from skills.conversation.defaults import Defaults
from skills.conversation.request import Currency, Gpus
from tests.journeys.test_slack_skills import real_surface
from tests.slack_bot import RunningBot, evaluation, open_surface, running_bot, shown
from tests.slack_person import Person
from tests.slack_server import Payload, SlackServer

QUESTION = "Which open model for code on a single 24 GB GPU? Apache or MIT only."


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Surface:
    """One real desk for all tests of this file: opening it takes seconds. Threads are told apart by their time."""
    return real_surface(tmp_path_factory.mktemp("home"))


_DAYS = itertools.count(1)


@pytest.fixture(autouse=True)
def _another_day(slack: SlackServer) -> None:
    """The tests share a store, in which a message is known by its time."""
    slack.workspace.pass_time(next(_DAYS) * 86_400)


def again(surface: Surface) -> Surface:
    """The same desk, with a pool of its own: a bot closes its pool when it ends."""
    fields = {name: getattr(surface, name) for name in Surface.__slots__ if name != "lines"}
    return Surface(**{**fields, "questions_per_minute": 1_000})


def ask(bot: RunningBot, text: str = QUESTION, channel: str = "C0TEAM") -> Payload:
    before = len(bot.posts())
    bot.ana.mention(text, channel=channel)
    return bot.posts()[before]


def rows_of(message: Payload) -> list[list[str]]:
    (table,) = [block for block in message["blocks"] if block["type"] == "table"]
    return [[cell["text"] for cell in row] for row in table["rows"]]


def small_print(message: Payload) -> str:
    return "\n".join(
        element["text"]
        for block in message["blocks"]
        if block["type"] == "context"
        for element in block["elements"]
    )


def buttons_of(message: Payload) -> list[str]:
    return [
        element["action_id"].removeprefix("shortlist_")
        for block in message["blocks"]
        if block["type"] == "actions"
        for element in block["elements"]
    ]


def test_answer_is_short_first_with_the_rest_on_demand(real: Surface, slack: SlackServer) -> None:
    with running_bot(again(real), slack) as bot:
        answer = ask(bot)
        for button in ("explain", "compare", "excluded", "details", "chart"):
            bot.ana.press(answer, f"shortlist_{button}")
        told = bot.posts()[1:]

    assert answer["text"].startswith("Qwen3.8-27B, nf4 (4-bit): the best fit")
    assert len(rows_of(answer)) == 6
    assert "You asked for: code" in small_print(answer)
    assert "<https://huggingface.co/" in small_print(answer)
    assert buttons_of(answer) == [
        "evaluate", "finetune", "explain", "compare", "excluded", "chart", "details",
        "cheaper", "better", "faster", "less_memory",
    ]  # fmt: skip
    why, compared, left_out, details = told
    assert "cost + alpha × loss" in shown(why)
    assert len(rows_of(compared)) == 3
    assert "Left out" in shown(left_out)
    assert "What would change it" in shown(details)
    (upload,) = slack.calls("files.completeUploadExternal")
    assert upload["thread_ts"] == answer["thread_ts"]
    (picture,) = slack.workspace.files.values()
    assert b"PNG" in picture


def test_wishes_rank_the_same_message_anew_and_add_up(real: Surface, slack: SlackServer) -> None:
    with running_bot(again(real), slack) as bot:
        answer = ask(bot)
        first = rows_of(answer)[1]
        bot.ana.press(answer, "shortlist_less_memory")
        bot.settle()
        smaller = rows_of(answer)[1]
        bot.ana.press(answer, "shortlist_cheaper")
        posts = bot.posts()

    assert posts == [answer]
    assert float(first[2].split()[0]) > 16 >= float(smaller[2].split()[0])
    assert "16 GiB" in small_print(answer)
    assert "low cost first" in small_print(answer)
    assert [line for line in small_print(answer).split("\n") if line.startswith("↻")] == [
        "↻ name of U0ANA: Less memory",
        "↻ name of U0ANA: Cheaper",
    ]


def test_button_means_the_answer_above_it_whatever_was_said_since(real: Surface, slack: SlackServer) -> None:
    with running_bot(again(real), slack) as bot:
        answer = ask(bot)
        old = json.loads(json.dumps(answer))
        bot.ana.say("what about translation, on 8 GB, any licence?", thread_ts=answer["thread_ts"])
        bot.posts()
        bot.ana.press(old, "shortlist_cheaper")
        bot.settle()

    assert "You asked for: code, 1 × GPU 24 GiB, licence Apache-2.0 or MIT" in small_print(answer)


def test_button_under_a_forgotten_answer_is_explained_and_changes_nothing(
    real: Surface, slack: SlackServer
) -> None:
    with running_bot(again(real), slack) as bot:
        answer = ask(bot)
        stale = json.loads(json.dumps(answer).replace('\\"exchange\\": ', '\\"exchange\\": 99'))
        for button in ("cheaper", "explain", "details", "chart"):
            bot.ana.press(stale, f"shortlist_{button}")
        told = bot.told()
        posts = bot.posts()

    assert len(posts) == 1
    assert slack.calls("chat.update") == []
    assert [payload["text"][:22] for payload in told] == ["That answer is too old"] * 4


def test_button_of_another_thread_shows_nothing_of_it(real: Surface, slack: SlackServer) -> None:
    """A forged exchange number opens no answer that was given elsewhere."""
    with running_bot(again(real), slack) as bot:
        secret = ask(bot, channel="G0SECRET")
        here = {**ask(bot), "blocks": secret["blocks"]}
        bot.ana.press(here, "shortlist_details")
        (told,) = bot.told()

    assert "too old for this button" in told["text"]


def test_message_that_was_deleted_cannot_be_ranked_anew(real: Surface, slack: SlackServer) -> None:
    with running_bot(again(real), slack) as bot:
        answer = ask(bot)
        slack.workspace.delete(answer)
        bot.ana.press(answer, "shortlist_cheaper")
        (told,) = bot.told()

    assert "The message of that answer is gone" in told["text"]


def test_thumbs_are_kept_with_a_reason_if_there_is_one(tmp_path: Path, slack: SlackServer) -> None:
    with running_bot(open_surface(tmp_path), slack) as bot:
        bot.ana.mention("哪个模型好？")
        (answer,) = bot.posts()
        ben = Person(slack, bot.port, id="U0BEN")
        thumb(bot.ana, answer, "positive")
        thumb(ben, answer, "negative")
        bot.settle()
        (view,) = slack.workspace.views.values()
        ben.submit(view, reason="It ignored our licence.")
        bot.settle()
        with bot.surface.engine.connect() as connection:
            votes = connection.execute(
                select(feedback.c.person, feedback.c.vote, feedback.c.reason).order_by(feedback.c.person)
            ).all()
        (thanks,) = bot.told()

    assert [tuple(vote) for vote in votes] == [("U0ANA", 1, None), ("U0BEN", -1, "It ignored our licence.")]
    assert thanks["text"] == "谢谢，已记录。"
    assert view["title"]["text"] == "哪里不好？"


def thumb(person: Person, message: Payload, which: str) -> None:
    """Press one of the two thumbs: Slack sends the value of that one."""
    (block,) = [block for block in message["blocks"] if block["type"] == "context_actions"]
    (element,) = block["elements"]
    value = element[f"{which}_button"]["value"]
    pressed = {**message, "blocks": [{"elements": [{**element, "value": value}]}]}
    person.press(pressed, element["action_id"])


def test_defaults_of_a_channel_are_assumed_said_and_cleared(real: Surface, slack: SlackServer) -> None:
    with running_bot(again(real), slack) as bot:
        bot.ana.command(
            "/shortlist", "defaults one 24 GB GPU, Apache or MIT only, Chinese, CNY at 7.1", channel="C0DEF"
        )
        assumed = ask(bot, "which model for code?", channel="C0DEF")
        bot.ana.say("any licence is fine", channel="C0DEF", thread_ts=assumed["thread_ts"])
        bot.posts()
        bot.ana.say("with at least 32k context", channel="C0DEF", thread_ts=assumed["thread_ts"])
        waived = bot.posts()[-1]
        stated = ask(bot, "which model for code on an 80 GB GPU?", channel="C0DEF")
        elsewhere = ask(bot, "which model for code?", channel="C0ELSE")
        bot.ana.command("/shortlist", "defaults clear", channel="C0DEF")
        bot.ana.command("/shortlist", "defaults", channel="C0DEF")
        after = ask(bot, "which model for code?", channel="C0DEF")
        changed, cleared, now = bot.told()

    assert "name of U0ANA* changed this channel's defaults" in changed["text"]
    assert changed["response_type"] == "in_channel"
    held = "text in Chinese, 1 × GPU 24 GiB, licence Apache-2.0 or MIT"
    assert f"You asked for: code. I assumed: your defaults ({held}); 7.1 CNY for 1 USD" in small_print(
        assumed
    )
    assert "CNY 0." in rows_of(assumed)[1][4]
    assert "licence" not in small_print(waived).split("I assumed")[1].split(");")[0]
    assert "1 × GPU 80 GiB" in small_print(stated).split("I assumed")[0]
    assert "24 GiB" not in small_print(stated)
    assert "your defaults" not in small_print(elsewhere)
    assert "cleared this channel's defaults" in cleared["text"]
    assert now["text"].startswith("*Where a question does not say otherwise, I assume here:* nothing")
    assert "your defaults" not in small_print(after)


def test_name_of_a_gpu_is_no_currency(real: Surface, slack: SlackServer) -> None:
    with running_bot(again(real), slack) as bot:
        bot.ana.command("/shortlist", "defaults two RTX 4090, alpha 0.5, EUR 0.92", channel="C0RTX")
        bot.told()
        held = bot.surface.defaults.of("T0TEAM:C0RTX")

    assert held.gpus is not None
    assert (held.gpus.name, held.gpus.count, held.alpha) == ("RTX 4090", 2, 0.5)
    assert held.currency == Currency(code="EUR", per_usd=0.92)


@pytest.mark.parametrize("words", ["defaults hello there", "defaults 我们喜欢蓝色"])
def test_words_that_are_no_default_change_nothing(real: Surface, slack: SlackServer, words: str) -> None:
    with running_bot(again(real), slack) as bot:
        bot.ana.command("/shortlist", words, channel="C0NONE")
        (told,) = bot.told()
        held = bot.surface.defaults.of("T0TEAM:C0NONE")

    assert "Nothing was changed" in told["text"] or "没有做任何改动" in told["text"]
    assert held.is_empty


def test_home_shows_what_is_ones_own_and_changes_what_the_team_assumes(
    real: Surface, slack: SlackServer
) -> None:
    opened: Payload = {"type": "app_home_opened", "user": "U0ANA", "channel": "D0ANA", "tab": "home"}
    surface = replace(again(real), access=Access(admins=frozenset({"U0ANA"})))
    with running_bot(surface, slack) as bot:
        ask(bot, "which model for code on our home tab?")
        bot.ana.deliver(opened)
        bot.settle()
        first = slack.calls("views.publish")[-1]["view"]
        press_in_home(bot.ana, first, "shortlist_change_defaults")
        bot.settle()
        form = list(slack.workspace.views.values())[-1]
        wrong = bot.ana.submit(form, gpu_count="many", currency="yuan", rate="7.1")
        verdict = bot.ana.submit(form, gpu_count="2", gpu_memory="24", currency="cny", rate="7.1", alpha="2")
        bot.settle()
        second = slack.calls("views.publish")[-1]["view"]
        answer = ask(bot, "which model for code?", channel="C0HOME")
        bot.surface.defaults.save("T0TEAM", Defaults(), person="U0ANA")

    home = str(first)
    assert "which model for code on our home tab?" in home
    assert "`tickets`" in home
    assert "Catalogue of 2026-" in home
    assert list(wrong["errors"]) == ["gpu_count", "currency"]
    assert verdict == {}
    assert "2 × GPU 24 GiB, alpha 2, costs in CNY (7.1 for 1 USD)" in str(second)
    assert "your defaults (2 × GPU 24 GiB, alpha 2)" in small_print(answer)


def test_only_administrators_change_the_defaults_of_the_team_once_there_are_some(
    tmp_path: Path, slack: SlackServer
) -> None:
    surface = replace(open_surface(tmp_path), access=Access(admins=frozenset({"U0BEN"})))
    opened: Payload = {"type": "app_home_opened", "channel": "D", "tab": "home"}
    with running_bot(surface, slack) as bot:
        for person in ("U0ANA", "U0BEN"):
            bot.ana.deliver({**opened, "user": person}, event_id=person)
            bot.settle()
        anas, bens = (call["view"] for call in slack.calls("views.publish"))
        press_in_home(Person(slack, bot.port, id="U0BEN"), bens, "shortlist_change_defaults")
        bot.settle()
        (form,) = slack.workspace.views.values()
        verdict = bot.ana.submit(form, gpu_memory="24")

    assert "shortlist_change_defaults" not in str(anas)
    assert "Only administrators" in str(verdict["errors"])
    assert surface.defaults.of("T0TEAM") == Defaults()


def test_known_gpu_needs_no_memory_and_an_unknown_one_does(tmp_path: Path, slack: SlackServer) -> None:
    opened: Payload = {"type": "app_home_opened", "user": "U0ANA", "channel": "D", "tab": "home"}
    surface = replace(open_surface(tmp_path), access=Access(admins=frozenset({"U0ANA"})))
    with running_bot(surface, slack) as bot:
        bot.ana.deliver(opened)
        bot.settle()
        press_in_home(bot.ana, slack.calls("views.publish")[0]["view"], "shortlist_change_defaults")
        bot.settle()
        (form,) = slack.workspace.views.values()
        unknown = bot.ana.submit(form, gpu_name="Turbo 9000")
        known = bot.ana.submit(form, gpu_name="RTX 4090")
        saved = surface.defaults.of("T0TEAM")

    assert "Turbo 9000" in unknown["errors"]["gpu_name"]
    assert known == {}
    assert saved.gpus == Gpus(name="RTX 4090")


class SpokenSource:
    """A chat model that says back, word by word, the first sentence that it is given to word."""

    def stream(self, _system: str, prompt: str) -> Iterator[str]:
        found = re.search(r"Perplexity cannot be compared[^.]*\.", prompt)
        assert found is not None
        yield from re.findall(r"\S+\s*", f"{found[0]} [1]")

    def values(self, *_: Any) -> Any:
        raise ChatFailed("not asked")


def test_words_of_a_chat_model_stream_as_they_are_checked(
    real: Surface, slack: SlackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = real.desk
    assert desk is not None
    monkeypatch.setattr(desk, "chat_model", SpokenSource())
    surface = replace(again(real), reply=partial(_reply, desk=desk, access=Access(frozenset({"*"}))))
    with running_bot(surface, slack) as bot:
        answer = ask(bot, "Why can't I compare perplexity across models?")

    (started,) = slack.calls("chat.startStream")
    assert started["markdown_text"].startswith("Perplexity cannot be compared between models")
    assert answer["blocks"][0]["text"] == started["markdown_text"].strip()
    assert "Sources: [1]" in small_print(answer)
    assert slack.calls("chat.postMessage") == []


def test_job_is_stopped_on_the_home_tab(tmp_path: Path, slack: SlackServer) -> None:
    surface = open_surface(tmp_path)
    surface.jobs.submit(evaluation(), dedupe_key="a", owner="U0ANA")
    surface.jobs.submit(evaluation(), dedupe_key="b", owner="U0BEN")
    opened: Payload = {"type": "app_home_opened", "user": "U0ANA", "channel": "D0ANA", "tab": "home"}
    with running_bot(surface, slack) as bot:
        bot.ana.deliver(opened)
        bot.settle()
        press_in_home(bot.ana, slack.calls("views.publish")[0]["view"], "shortlist_cancel")
        (told,) = bot.posts()
        after = slack.calls("views.publish")[1]["view"]
        state = surface.jobs.status("1").state

    assert (told["channel"], told["text"]) == ("D0ANA", "Stopping job 1.")
    assert "shortlist_cancel" not in str(after)
    assert state == "cancelled"


def press_in_home(person: Person, view: Payload, action_id: str) -> None:
    """Press a button of the Home tab, which is in no channel."""
    (action,) = [
        block["accessory"]
        for block in view["blocks"]
        if block.get("accessory", {}).get("action_id") == action_id
    ]
    person.interact(
        type="block_actions",
        actions=[{**action, "block_id": "b", "action_ts": "1.0"}],
        container={"type": "view", "view_id": "V1"},
        view={**view, "id": "V1"},
        response_url="",
    )
