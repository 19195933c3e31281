"""Chat messages, ShareGPT, Alpaca and prompts with completions as rows, their turns kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from finetune.columns import Row
from finetune.conversations import Turn
from finetune.data import load, register
from tests.finetune.datasets import described, refusal, written

ANSWERS = [f"It is the {n}th answer, and it is longer than a few words." for n in range(12)]
SYSTEM = {"role": "system", "content": "Be kind."}


def said(role: str, content: Any) -> dict[str, Any]:
    return {"role": role, "content": content}


def jsonl(path: Path, records: list[dict[str, Any]]) -> Path:
    return written(path, "\n".join(map(json.dumps, records)))


def rows(folder: Path, records: list[dict[str, Any]]) -> list[Row]:
    dataset = register(jsonl(folder / "a.jsonl", records), home=folder)
    assert dataset.task == "generation"
    return load(dataset.sha256, home=folder)


SHAPES: dict[str, list[dict[str, Any]]] = {
    "messages": [
        {"messages": [SYSTEM, said("user", f"Q{n}?"), said("assistant", a)]} for n, a in enumerate(ANSWERS)
    ],
    "parts": [
        {"messages": [SYSTEM, said("user", [{"type": "text", "text": f"Q{n}?"}]), said("assistant", a)]}
        for n, a in enumerate(ANSWERS)
    ],
    "in a string": [
        {"messages": json.dumps([SYSTEM, said("user", f"Q{n}?"), said("assistant", a)])}
        for n, a in enumerate(ANSWERS)
    ],
    "sharegpt": [
        {
            "system": "Be kind.",
            "conversations": [{"from": "human", "value": f"Q{n}?"}, {"from": "gpt", "value": a}],
        }
        for n, a in enumerate(ANSWERS)
    ],
    "alpaca": [
        {"system": "Be kind.", "instruction": f"Q{n}?", "input": "", "output": a}
        for n, a in enumerate(ANSWERS)
    ],
    "both sides listed": [
        {"prompt": [SYSTEM, said("user", f"Q{n}?")], "completion": [said("assistant", a)]}
        for n, a in enumerate(ANSWERS)
    ],
}


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_gives_the_question_the_answer_and_the_turns(tmp_path: Path, shape: str) -> None:
    row = rows(tmp_path, SHAPES[shape])[3]
    assert (row.text, row.label) == ("Be kind.\n\nQ3?", ANSWERS[3])
    assert row.turns == (
        Turn(role="system", content="Be kind."),
        Turn(role="user", content="Q3?"),
        Turn(role="assistant", content=ANSWERS[3]),
    )


def test_earlier_turns_are_the_context_and_the_last_answer_is_asked_for(tmp_path: Path) -> None:
    turns = [said("user", "Hi"), said("assistant", "Hello."), said("user", "And?")]
    records = [
        {"id": f"c{n}", "messages": [*turns, said("assistant", a), said("user", "ok")]}
        for n, a in enumerate(ANSWERS)
    ]
    row = rows(tmp_path, records)[0]
    assert row.text == "User: Hi\nAssistant: Hello.\nUser: And?"
    assert (row.id, row.label, len(row.turns)) == ("c0", ANSWERS[0], 4)


def test_alpaca_puts_its_input_below_the_instruction(tmp_path: Path) -> None:
    records = [{"instruction": "Answer.", "input": f"Q{n}?", "output": a} for n, a in enumerate(ANSWERS)]
    assert rows(tmp_path, records)[1].text == "Answer.\n\nQ1?"


def test_a_column_beside_the_conversation_is_not_taken_for_the_answer(tmp_path: Path) -> None:
    records = [{"category": "a" if n % 2 else "b", **record} for n, record in enumerate(SHAPES["messages"])]
    assert [row.category for row in rows(tmp_path, records)[:2]] == ["b", "a"]


def test_plain_prompts_and_completions_are_columns(tmp_path: Path) -> None:
    row = rows(tmp_path, [{"prompt": f"Q{n}?", "completion": a} for n, a in enumerate(ANSWERS)])[2]
    assert (row.text, row.label, row.turns) == ("Q2?", ANSWERS[2], ())


@pytest.mark.parametrize(
    "bad",
    [
        [],
        "not a list",
        [said("user", "Hi")],
        [said("assistant", "Hi")],
        [said("user", "Hi"), said("tool", "42"), said("assistant", "42")],
        [said("user", [{"type": "image_url"}]), said("assistant", "a cat")],
        [said("user", "Hi"), said("assistant", None)],
        [{"role": "user"}, {"content": "?"}],
    ],
)
def test_a_conversation_that_cannot_be_learnt_from_is_left_out_with_its_row(tmp_path: Path, bad: Any) -> None:
    records = [*SHAPES["messages"], {"messages": bad}]
    report = described(jsonl(tmp_path / "a.jsonl", records), tmp_path)
    assert report.left_out["no conversation"].first == (13,)
    mostly = [*SHAPES["messages"][:5], *[{"messages": bad}] * 7]
    assert "7 of 12" in refusal(jsonl(tmp_path / "b.jsonl", mostly), tmp_path / "home").message.en


def test_a_text_in_a_column_of_that_name_is_a_text(tmp_path: Path) -> None:
    records = [
        {"conversation": f"A: Q{n}? B: yes.", "text": f"Q{n}", "summary": a} for n, a in enumerate(ANSWERS)
    ]
    assert rows(tmp_path, records)[0].turns == ()


def test_conversations_may_be_judged_as_chats(tmp_path: Path) -> None:
    dataset = register(jsonl(tmp_path / "a.jsonl", SHAPES["messages"]), home=tmp_path, task="chat")
    assert load(dataset.sha256, home=tmp_path)[0].label == ANSWERS[0]
    assert (
        "裁判模型"
        in described(tmp_path / "a.jsonl", tmp_path).model_copy(update={"task": "chat"}).lines()[0].zh
    )


def test_two_shapes_in_one_file_are_refused_with_the_rows(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "a.jsonl", [*SHAPES["messages"], *SHAPES["alpaca"][:2]])
    message = refusal(path, tmp_path).message.en
    assert "most rows are messages, but 2 of 14 (row 13, 14) are not" in message
