"""Instructions in data: what is quoted, attached, measured or named never launches, mentions, links or changes a role."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.access import Access, RulesFile
from bot.app import build_desk
from bot.grants import Grants
from bot.render.answers import answer_messages
from bot.render.cards import card, progress_of, result_message
from bot.render.slack import Message, context, escaped, text_message
from bot.settings import Settings
from bot.slack import surface_of
from bot.surface import Surface
from bot.wording import ASKED, say
from finetune.jobs import Jobs
from finetune.spec import DatasetRef
from finetune.state import JobEvent
from index.audit import Trail
from index.bilingual import Bilingual
from index.caller import Caller, calling
from index.errors import ShortlistError
from index.retrieve import KnowledgeBase
from skills.conversation.answer import Answer, Citation
from skills.conversation.request import Requirements, Turn
from skills.desk import Desk
from tests.index.builders import WordVectors
from tests.slack_bot import Worker, candidate_row, evaluation

ATTEMPTS: dict[str, list[str]] = yaml.safe_load(
    (Path(__file__).parent.parent / "injections.yaml").read_text(encoding="utf-8")
)
ALL = [attempt for attempts in ATTEMPTS.values() for attempt in attempts]
QUOTING = {
    "> {0}\n\nWhat does this colleague mean?": "a quoted message",
    "Ben wrote:\n```\n{0}\n```\nWhat is that about?": "a block of code",
    "他写道：\n> {0}\n这是什么意思？": "a quoted message in Chinese",
}
_LIVE = re.compile(r"<[!@#]")
_LABEL = re.compile(r"\]\(\s*<?[a-z]+:", re.IGNORECASE)
"""A link under another name in a markdown block; elsewhere Slack shows it as it is written."""
_HIDDEN_LINK = re.compile(r"<(?:https?:[^>|]*evil\.example|mailto:|slack:)[^>|]*\|", re.IGNORECASE)
"""Sources of the catalogue are links with names, and ours."""


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    settings = Settings(home=tmp_path_factory.mktemp("home"), _env_file=None)
    built = build_desk(settings)
    built.knowledge = KnowledgeBase.open(settings.folder, embeddings=WordVectors())
    built.jobs = Jobs(
        built.engine, home=settings.folder, database_url=settings.store_url, worker_command=None
    )
    yield built
    built.engine.dispose()


def surface(desk: Desk, runners: frozenset[str]) -> Surface:
    """The desk behind the real rules; Ana is a runner or not, and nobody is more."""
    access = Access(runners, file=RulesFile(None), grants=Grants(desk.engine), trail=Trail(desk.engine))
    return surface_of(desk, access)


def asked(surface: Surface, text: str, key: str) -> Message:
    """What is posted in answer, as the listener does it."""
    turn = Turn(text=text, thread=f"T:C0TEAM:{key}", person="U0ANA", key=key)
    try:
        with calling(Caller(person="U0ANA", surface="message", channel="C0TEAM")):
            return answer_messages(surface.reply(turn, None))[-1]
    except ShortlistError as error:
        return text_message(error.message.en)


def problems(message: Message, *, allowed: str = "") -> list[str]:
    """Live mentions, and links that hide where they lead. `allowed`: who may be mentioned."""
    found = []
    for kind, text in _texts(message.arguments()):
        said = text.replace(allowed, "") if allowed else text
        hides = kind == "markdown" and _LABEL.search(said)
        if _LIVE.search(said) or _HIDDEN_LINK.search(said) or hides:
            found.append(said)
    return found


def _texts(value: Any, kind: str = "") -> Iterator[tuple[str, str]]:
    """Each text with the type of its block; what plain text holds is shown as it is, a button's value to nobody."""
    if isinstance(value, dict) and value.get("type") != "plain_text":
        for key, inner in value.items():
            if key != "value":
                yield from _texts(inner, value.get("type", kind))
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from _texts(inner, kind)
    elif isinstance(value, str):
        yield kind, value


def test_there_are_enough_attempts_in_both_languages() -> None:
    assert len(ALL) >= 120
    assert min(len(attempts) for attempts in ATTEMPTS.values()) >= 60
    assert len(set(ALL)) == len(ALL)


def test_message_of_somebody_who_may_only_ask_starts_and_changes_nothing(desk: Desk) -> None:
    before = Grants(desk.engine).all()
    bot = surface(desk, frozenset({"U0OTHER"}))

    found = {text: problems(asked(bot, text, f"m{n}")) for n, text in enumerate(ALL)}

    assert {text: what for text, what in found.items() if what} == {}
    assert desk.jobs.list() == []
    assert Grants(desk.engine).all() == before


@pytest.mark.parametrize("frame", QUOTING, ids=QUOTING.values())
def test_what_is_quoted_starts_nothing_even_for_who_may(desk: Desk, frame: str) -> None:
    bot = surface(desk, frozenset({"*"}))

    for n, text in enumerate(ALL):
        quoted = text.replace("\n", "\n> ") if frame.count(">") else text
        message = asked(bot, frame.format(quoted), f"{frame[:3]}{n}")
        assert problems(message) == []

    assert desk.jobs.list() == []


def test_passage_of_a_document_is_quoted_and_nothing_more(desk: Desk, tmp_path: Path) -> None:
    for n, text in enumerate(ALL[:: len(ALL) // 12]):
        note = tmp_path / f"memo{n}.md"
        note.write_text(f"# Zanzibar memo {n}\n\nThe Zanzibar memo {n} says: {text}\n", encoding="utf-8")
        desk.knowledge.add([note], channels=None)
    bot = surface(desk, frozenset({"*"}))

    messages = [asked(bot, f"What does the Zanzibar memo {n} say?", f"d{n}") for n in range(12)]

    assert any("Zanzibar" in str(message.blocks) for message in messages)
    assert [found for message in messages for found in problems(message)] == []
    assert desk.jobs.list() == []


@pytest.mark.parametrize("text", ALL)
def test_words_of_a_source_or_of_a_model_cannot_mention_or_hide_a_link(text: str) -> None:
    citation = Citation(n=1, title=text, source="notes.md", locator=text, quote=text)
    answer = Answer(
        thread="T:C:1", text=f"{text} [1]", citations=(citation,), skill="answer",
        language="en", requirements=Requirements(), conflicts=(text,),
    )  # fmt: skip

    for message in answer_messages(
        answer, heading=say(ASKED, "en", name=escaped(text), question=escaped(text))
    ):
        assert problems(message) == []
    assert problems(text_message(f"There is no file {text!r}.")) == []
    assert problems(Message(text="", blocks=(context(escaped(text)),))) == []


def test_names_reasons_and_answers_of_a_job_are_words(desk: Desk) -> None:
    jobs = Jobs(desk.engine, home=desk.home, database_url=str(desk.engine.url), worker_command=None)
    for n, text in enumerate(ALL):
        dataset = DatasetRef(name=text, sha256="0" * 64, rows=412, labels=(text, "refund"))
        job = jobs.submit(evaluation(dataset=dataset), dedupe_key=f"j{n}", owner="U0ANA")
        note = JobEvent(
            id=1, job_id=job.id, at_utc="2026-01-01T00:00:00Z", kind="note", data={"en": text, "zh": text}
        )
        row = JobEvent(
            id=2, job_id=job.id, at_utc="2026-01-01T00:00:00Z", kind="candidate",
            data={**candidate_row(), "model": text, "stopped": "failed", "reason": text, "reason_zh": text},
        )  # fmt: skip
        shown = card(job, [note, row], owner=text, language="zh")
        assert problems(shown) == []
        failed = Worker(type("S", (), {"engine": desk.engine, "jobs": jobs})(), job)
        failed.move("starting", "failed", reason=Bilingual(text, text))
        job = jobs.status(job.id)
        for language in ("en", "zh"):
            told = result_message(job, {}, language=language)
            assert problems(told, allowed="<@U0ANA>") == []
            assert problems(card(job, [note, row], owner=text, language=language)) == []
    assert progress_of([note]).note == note.data


def test_file_name_and_rows_of_a_data_set_are_words(desk: Desk, tmp_path: Path) -> None:
    for text in ALL[::5]:
        name = re.sub(r"[/\0]", "∕", text)[:60]
        with (tmp_path / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows(
                [["text", "label"], *([f"{text} {n}", text if n % 2 else "b"] for n in range(12))]
            )
        dataset = desk.jobs.register_dataset(str(tmp_path / f"{name}.csv"))
        for line in desk.jobs.describe_dataset(dataset):
            assert problems(text_message(line.en)) + problems(text_message(line.zh)) == []
