"""Every message and view of asking, from the shortest to more than fits, against three judges of what Slack takes:
our own limits, slack_sdk's validation and slackblocks, which somebody else wrote."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import date
from typing import Any

import pytest
from slack_sdk.models.blocks import Block
from slackblocks import Block as JudgedBlock

from bot import ask_wording
from bot.render.answers import answer_messages, details_messages
from bot.render.asking import ask_form, defaults_form, reason_form
from bot.render.home import CatalogueAge, HomeContent, home_view
from bot.render.slack import escaped, text_message
from bot.render.tables import parts_of, table_block, table_text
from finetune.state import Job
from index.bilingual import Bilingual, Language
from skills.conversation.answer import Action, Answer, Citation, Recommendation
from skills.conversation.defaults import Defaults
from skills.conversation.request import Currency, Gpus, Requirements
from tests.slack_bot import evaluation
from tests.slack_limits import message_problems, view_problems

NASTY = "<!channel> <@U0BEN> & <b> | `x` *y* [z](https://example.org/a b)"
LANGUAGES: tuple[Language, ...] = ("en", "zh")


def table(rows: int, columns: int = 4, cell: str = "x") -> str:
    head = f"|{'| '.join(f' c{n} ' for n in range(columns))}|\n|{' --- |' * columns}"
    return "\n".join([head, *(f"|{f' {cell} |' * columns}" for _ in range(rows))])


def recommendation(rank: int, *, model: str = "Qwen/Qwen3-8B", kind: str = "published") -> Recommendation:
    line = {"benchmark": "b", "score": 1.0, "kind": kind, "source": "https://example.org", "date": None}
    return Recommendation.model_validate(
        {
            "rank": rank, "model": model, "quantization": "nf4", "score": 0.1,
            "cost": {"value": 0.1, "unit": "USD per million tokens", "basis": "…"},
            "loss": {"value": 0.2, "se": 0.1}, "p_best": 0.6, "vram_gib": 7.25, "licence": "apache-2.0",
            "context_tokens": 8192, "params_b": 8.0, "reasons": (), "evidence": (line,),
        }
    )  # fmt: skip


def citations(count: int, source: str = "https://example.org/m") -> tuple[Citation, ...]:
    return tuple(
        Citation(n=n, title=f"Qwen3-8B: {NASTY}", source=source, locator="Bits", quote="…")
        for n in range(1, count + 1)
    )


ACTIONS = tuple(
    Action.model_validate({"id": name, "label": name.capitalize() * 12, "value": {"say": NASTY}})
    for name in (
        "evaluate",
        "finetune",
        "explain",
        "cheaper",
        "faster",
        "better",
        "less_memory",
        "compare",
        "ask",
    )
)
TEXTS = {
    "short": "**Qwen3-8B** fits.",
    "nothing": "",
    "nasty": NASTY,
    "long": "\n\n".join("word " * 300 for _ in range(30)),
    "one paragraph": "x" * 40_000,
    "ranking": f"**Qwen3-8B** fits.\n\n{table(5)}\n\nEvidence.\n\nAssumed.\n\nLeft out.\n\nWhat would change it.",
    "long ranking": f"{'Because. ' * 900}\n\n{table(5)}\n\n{'Evidence. ' * 900}\n\n{'Assumed. ' * 900}\n\nLeft out.",
    "wide table": table(3, columns=25),
    "tall table": table(140),
    "heavy table": table(40, cell="c" * 200),
    "two tables": f"One.\n\n{table(3)}\n\nTwo.\n\n{table(3)}\n\nThree.",
    "list": "\n".join(f"- item {n}: {NASTY}" for n in range(500)),
}


def answers(language: Language) -> Iterator[Answer]:
    for skill in (
        "recommend",
        "answer",
        "explain",
        "compare",
        "clarify",
        "decline",
        "help",
        "jobs",
        "evaluate",
    ):
        for text in TEXTS.values():
            for more in _variants(skill):
                values = {"skill": skill, "language": language, "requirements": Requirements(), **more}
                yield Answer.model_validate({"thread": "T1:C1:1.0", "text": text, **values})


def _variants(skill: str) -> Iterator[dict[str, Any]]:
    yield {}
    ranked = tuple(recommendation(n, model=f"org/{'m' * 60}") for n in range(1, 6))
    yield {
        "exchange": 7, "actions": ACTIONS, "citations": citations(12),
        "currency": Currency(code="CNY", per_usd=7.1),
        "recommendations": ranked if skill in {"recommend", "compare", "explain"} else (),
    }  # fmt: skip
    yield {"exchange": 7, "citations": citations(23, source=f"https://example.org/{'p' * 400}")}


def messages(language: Language) -> Iterator[dict[str, Any]]:
    for answer in answers(language):
        for message in (*answer_messages(answer, heading=escaped(NASTY)), *details_messages(answer)):
            yield message.arguments()
    for name, sentence in vars(ask_wording).items():
        if name.isupper() and isinstance(sentence, Bilingual):
            yield text_message(sentence.to(language)).arguments()


def views(language: Language) -> Iterator[dict[str, Any]]:
    origin = {"channel": "C" * 11, "thread_ts": "1790000000.000001"}
    yield ask_form("", origin, language)
    yield ask_form(NASTY * 200, origin, language)
    yield reason_form({"exchange": 10**9}, language)
    yield defaults_form(Defaults(), {"team": "T1"}, language)
    yield defaults_form(full_defaults(), {"team": "T1"}, language)
    yield home_view(home(jobs=0, questions=0, data_sets=0), language)
    yield home_view(home(jobs=40, questions=8, data_sets=300), language)


def full_defaults() -> Defaults:
    return Defaults(
        gpus=Gpus(name="RTX 4090", count=2, memory_gib=24),
        licences=("commercial", "MIT", "Some-Licence-1.0"),
        languages=("zh", "sw"),
        alpha=2.5,
        currency=Currency(code="CNY", per_usd=7.1),
    )


def home(*, jobs: int, questions: int, data_sets: int) -> HomeContent:
    job = Job(id="42", spec=evaluation(), owner="U0ANA", thread=None, state="running")
    return HomeContent(
        jobs=[job] * jobs,
        outlooks={},
        questions=[(NASTY * 50, "C0TEAM")] * questions,
        defaults=NASTY * 10,
        may_change=True,
        data_sets=[f"{NASTY}-{n}.csv" for n in range(data_sets)],
        catalogue=CatalogueAge(updated=date(2026, 1, 1), models=650, figures=13_689, days=200),
    )


def judge(block: dict[str, Any]) -> None:
    """Ask slackblocks; of what it cannot read yet (inputs), the other two judges remain."""
    with suppress(NotImplementedError):
        JudgedBlock.from_dict(block)


def visible(value: Any) -> Iterator[str]:
    """All texts that somebody reads, without what a person has typed into a field."""
    if isinstance(value, dict):
        yield from (text for key in ("text",) if isinstance(text := value.get(key), str))
        value = [item for key, item in value.items() if key not in {"initial_value", "value"}]
    for item in value if isinstance(value, list) else []:
        yield from visible(item)


@pytest.mark.parametrize("language", LANGUAGES)
def test_slack_takes_every_message(language: Language) -> None:
    count = 0
    for arguments in messages(language):
        assert message_problems(arguments) == []
        assert arguments["text"]
        for block in arguments["blocks"]:
            Block.parse(block).validate_json()
            judge(block)
        count += 1

    assert count > 400


@pytest.mark.parametrize("language", LANGUAGES)
def test_slack_takes_every_view(language: Language) -> None:
    for view in views(language):
        assert view_problems(view) == []
        for block in view["blocks"]:
            Block.parse(block).validate_json()
            judge(block)


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_message_or_view_notifies_anybody(language: Language) -> None:
    said = [text for one in (*messages(language), *views(language)) for text in visible(one)]

    assert len(said) > 1_000
    assert not [text for text in said if "<!channel>" in text or "<@U0BEN>" in text]


def test_every_number_of_a_ranking_says_what_it_rests_on() -> None:
    kinds = ("measured", "published", "self-reported", "estimated")
    ranked = tuple(recommendation(n, kind=kind) for n, kind in enumerate(kinds, start=1))
    answer = Answer(
        thread="t", skill="recommend", language="en", requirements=Requirements(), text="x",
        recommendations=ranked,
    )  # fmt: skip

    (message,) = answer_messages(answer)

    (drawn,) = [block for block in message.blocks if block["type"] == "table"]
    assert [row[3]["text"] for row in drawn["rows"][1:]] == [
        "0.80 ± 0.20, measured here",
        "0.80 ± 0.20, published",
        "0.80 ± 0.20, vendor-reported",
        "0.80 ± 0.20, estimated",
    ]


def test_costs_are_shown_in_the_currency_of_the_team() -> None:
    answer = Answer(
        thread="t", skill="recommend", language="zh", requirements=Requirements(), text="x",
        recommendations=(recommendation(1),), currency=Currency(code="CNY", per_usd=7.1),
    )  # fmt: skip

    assert "CNY 0.71" in str(answer_messages(answer)[0].blocks)


def test_short_form_of_a_ranking_leaves_the_rest_to_a_button() -> None:
    answer = Answer(
        thread="t", skill="recommend", language="en", requirements=Requirements(), text=TEXTS["ranking"],
        recommendations=(recommendation(1),), exchange=3,
    )  # fmt: skip

    (message,) = answer_messages(answer)
    (details,) = details_messages(answer)

    assert "What would change it" not in str(message.blocks)
    assert "shortlist_details" in str(message.blocks)
    assert details.blocks[0]["text"] == "What would change it."


@pytest.mark.parametrize("name", ["wide table", "tall table", "heavy table"])
def test_table_over_a_limit_is_told_as_text_and_nothing_is_lost(name: str) -> None:
    answer = Answer(thread="t", skill="answer", language="en", requirements=Requirements(), text=TEXTS[name])

    blocks = [block for message in answer_messages(answer) for block in message.blocks]

    assert {block["type"] for block in blocks} == {"markdown"}
    rows = TEXTS[name].count("\n") - 1
    assert sum(block["text"].count("- **") for block in blocks) == rows


def test_table_becomes_a_table_whose_cells_are_plain() -> None:
    (rows,) = parts_of("| | model |\n| --- | --- |\n| 1 | **[Qwen](https://example.org)** a\\|b |")

    block = table_block(rows)  # type: ignore[arg-type]

    assert block is not None
    assert [[cell["text"] for cell in row] for row in block["rows"]] == [["#", "model"], ["1", "Qwen a|b"]]


def test_row_as_text_names_its_values() -> None:
    assert (
        table_text([["model", "memory", "cost"], ["Qwen3-8B", "7 GiB", "–"]])
        == "- **Qwen3-8B**: memory 7 GiB"
    )
