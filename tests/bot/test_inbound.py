from __future__ import annotations

import pytest

from bot.inbound import (
    Place,
    addresses_somebody_else,
    is_from_a_person,
    mentions,
    message_key,
    place_of_message,
    plain_text,
    turn_of_message,
)


def event(text: str = "hello", **more: str) -> dict[str, str]:
    return {"user": "U0ANA", "text": text, "ts": "2.0", **more}


def test_message_in_a_channel_starts_a_thread_of_its_own() -> None:
    place = place_of_message("T1", "C1", event())

    assert place.thread_ts == "2.0"
    assert place.thread == "T1:C1:2.0"


def test_reply_in_a_thread_belongs_to_the_root_not_to_itself() -> None:
    assert place_of_message("T1", "C1", event(thread_ts="1.0")).thread == "T1:C1:1.0"


def test_direct_message_without_a_thread_belongs_to_the_whole_conversation() -> None:
    place = place_of_message("T1", "D1", event())

    assert place.thread_ts is None
    assert place.thread == "T1:D1"


def test_key_is_the_same_for_a_mention_and_its_twin() -> None:
    place = place_of_message("T1", "C1", event(thread_ts="1.0"))

    assert message_key(place, "2.0") == "T1:C1:2.0"


def test_turn_carries_text_thread_person_and_key() -> None:
    place = Place(team="T1", channel="C1", thread_ts="1.0")

    turn = turn_of_message(place, event("<@U0BOT> which model?"), "U0BOT")

    assert (turn.text, turn.thread, turn.person, turn.key) == (
        "which model?",
        "T1:C1:1.0",
        "U0ANA",
        "T1:C1:2.0",
    )


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("<@U0BOT> hi", "hi"),
        ("<@U0BOT|shortlist> hi", "hi"),
        ("hi <@U0BOT>, there", "hi , there"),
        ("ask <@U0BEN|ben>", "ask @ben"),
        ("ask <@U0BEN>", "ask @U0BEN"),
        ("in <#C1|general>", "in #general"),
        ("<!here> look", "@here look"),
        ("<!subteam^S1|@ml-team> look", "@ml-team look"),
        ("R&amp;D with &lt;10 GB", "R&D with <10 GB"),
        ("&amp;lt; stays", "&lt; stays"),
        ("on <http://tickets.csv|tickets.csv>", "on tickets.csv"),
        ("<https://huggingface.co/Qwen/Qwen3-8B>", "https://huggingface.co/Qwen/Qwen3-8B"),
        ("<https://example.org/a|our data>", "our data https://example.org/a"),
        ("<mailto:ana@example.org|ana@example.org>", "ana@example.org"),
        ("用 <@U0BOT> 评测", "用 评测"),
    ],
)
def test_markup_becomes_what_the_person_typed(markup: str, text: str) -> None:
    assert plain_text(markup, "U0BOT") == text


@pytest.mark.parametrize("subtype", ["message_changed", "message_deleted", "channel_join", "bot_message"])
def test_notice_is_not_from_a_person(subtype: str) -> None:
    assert not is_from_a_person(event(subtype=subtype))


def test_bot_is_not_a_person() -> None:
    assert not is_from_a_person(event(bot_id="B1"))


@pytest.mark.parametrize("more", [{}, {"subtype": "file_share"}, {"subtype": "thread_broadcast"}])
def test_message_with_a_file_or_shown_in_the_channel_is_from_a_person(more: dict[str, str]) -> None:
    assert is_from_a_person(event(**more))


def test_mention_is_found_with_and_without_its_label() -> None:
    assert mentions(event("hi <@U0BOT>"), "U0BOT")
    assert mentions(event("hi <@U0BOT|shortlist>"), "U0BOT")
    assert not mentions(event("hi <@U0BOT2>"), "U0BOT")


def test_message_that_begins_with_a_name_is_for_somebody_else() -> None:
    assert addresses_somebody_else(event(" <@U0BEN> what do you think?"))
    assert not addresses_somebody_else(event("ask <@U0BEN>"))
