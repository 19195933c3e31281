"""How an evaluation is to be done, in the words of whoever asks for it."""

from __future__ import annotations

from typing import Any

import pytest

from skills.conversation.parse.composed import read_message
from skills.conversation.parse.evaluation import read_evaluation, read_limit


@pytest.mark.parametrize(
    ("text", "wish"),
    [
        ("evaluate both on tickets, all rows, by macro F1, 3-shot", {"full": True, "metric": "f1_macro", "examples": 3}),
        ("evaluate it on tickets in full precision, int8 and nf4", {}),
        ("evaluate it on tickets --full --metric recall_macro --examples 4",
         {"full": True, "metric": "recall_macro", "examples": 4}),
        ("evaluate it on a.jsonl as extraction, show 2 examples first", {"data_task": "extraction", "examples": 2}),
        ("evaluate it on a.jsonl by ROUGE-L as a generation task", {"metric": "rougeL", "data_task": "generation"}),
        ('evaluate it, instruction: "Only the label"', {"instruction": "Only the label"}),
        ("评测它，数据 tickets，全量，按召回率，4个示例，指令：“只回答标签”",
         {"full": True, "metric": "recall_macro", "examples": 4, "instruction": "只回答标签"}),
        ("evaluate it on tickets max $5", {"max_usd": 5}),
        ("evaluate it on tickets for at most 5 dollars", {"max_usd": 5}),
        ("evaluate it on tickets, 64 rows, spend no more than $2.50", {"max_usd": 2.5}),
        ("evaluate it on tickets --max-usd 0.5", {"max_usd": 0.5}),
        ("evaluate it on tickets, it costs $3 per million tokens", {}),
        ("在 tickets 上评测它，最多花 5 美元", {"max_usd": 5}),
        ("在 tickets 上评测它，费用不超过 2 美元", {"max_usd": 2}),
        ("全精度评测它，按分类任务", {"data_task": "classification"}),
    ],
)  # fmt: skip
def test_words_say_how_it_is_to_be_done(text: str, wish: dict[str, Any]) -> None:
    assert read_evaluation(read_message(text), text).model_dump(exclude_none=True) == wish


def test_limit_may_be_typed_as_at_a_terminal() -> None:
    assert read_limit(read_message("evaluate it on tickets --limit 50")) == 50
    assert read_limit(read_message("evaluate it on tickets, 50 rows")) is None
