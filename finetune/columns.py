"""Turn records into rows: which column holds what, and what the rows ask for."""

from __future__ import annotations

import json
import re
import string
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from finetune.conversations import TURNS, Turn
from finetune.dataset_errors import (
    AnswerIsNoChoice,
    EmptyCells,
    NoColumn,
    NoConversation,
    OtherLabels,
    TooLongCells,
)
from finetune.spec import DatasetTask
from finetune.table_files import Record, plain
from index.errors import BadDataset

TEXT_COLUMNS = (
    "text", "ticket", "question", "input", "prompt", "content", "message", "body", "sentence", "utterance",
    "document", "dialogue", "article", "source",
    "文本", "内容", "问题", "工单", "消息", "输入", "正文", "句子", "原文",
)  # fmt: skip
LABEL_COLUMNS = (
    "label", "intent", "class", "answer", "target", "output", "completion",
    "answers", "reference", "references", "summary", "translation",
    "标签", "意图", "答案", "回答", "输出", "摘要", "译文", "参考答案",
    "category", "类别", "分类",
)  # fmt: skip
"""A category is the answer where there is no other, and otherwise a breakdown."""
_CLASS_COLUMNS = frozenset({"label", "intent", "category", "class", "标签", "意图", "类别", "分类"})
_LANGUAGE_COLUMNS = ("language", "lang", "语言")
_CATEGORY_COLUMNS = ("category", "subject", "topic", "类别", "分类", "学科")
_GROUP_COLUMNS = ("group", "conversation_id", "thread_id", "customer_id", "分组", "会话")
_CONTEXT_COLUMNS = ("context", "passage", "上下文", "段落", "材料")
_CHOICES_COLUMNS = ("choices", "options", "选项")
_LETTERS = string.ascii_uppercase[:8]

MAX_CLASSES_FRAC = 0.5
"""Labels that differ on more than every second row are no classes."""
MAX_CHARACTERS = 1_000_000
"""Of a text: beyond the context of any model."""
_SHORT_WORDS, _SHORT_CHARACTERS = 6, 15
_HAN = re.compile(r"[\u3400-\u9fff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One example."""

    id: str
    text: str
    """What the model is given; for language modelling, what it should find likely."""
    label: str
    """What it should say: a label, a choice, an answer, a reference, a JSON object; empty where nothing is right."""
    language: str | None = None
    category: str | None = None
    """For a breakdown."""
    choices: tuple[str, ...] = ()
    """Multiple choice: the answers to choose from; `label` is one of them."""
    references: tuple[str, ...] = ()
    """Further answers that are as good as `label`."""
    group: str | None = None
    """Rows of one group are not independent, such as turns of one conversation: their errors are clustered."""
    turns: tuple[Turn, ...] = ()
    """The whole conversation where the data holds one: `label` is its last turn, `text` what comes before."""


Reason = Literal["no text", "no answer", "no choice", "no conversation", "other label", "too long"]
"""Why a row cannot be used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What became of the records."""

    rows: list[Row]
    numbers: list[int]
    """Which records the rows come from, counted from 1."""
    left_out: dict[Reason, list[int]]
    """Numbers of the records that cannot be used."""
    repeated_ids: list[int]
    """Numbers of the records whose id an earlier one has; where there are any, the ids are not used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """The names of the columns that were recognised."""

    text: str
    label: str | None
    id: str | None = None
    language: str | None = None
    category: str | None = None
    group: str | None = None
    context: str | None = None
    choices: tuple[str, ...] = ()
    """One column with a list, or a column for each choice."""
    has_turns: bool = False
    """The rows are conversations, whose turns lie in a column of their own."""


def recognise(
    name: str,
    records: Sequence[Record],
    *,
    text_column: str | None,
    label_column: str | None,
    task: DatasetTask | None,
    has_turns: bool = False,
) -> Columns:
    """Find the columns by their names, whatever their case; NoColumn when the text or the answer is missing."""
    present = list(dict.fromkeys(str(column) for record in records for column in record))
    needs_label = task not in ("language-modelling", "chat")
    wanted = [name for name in LABEL_COLUMNS if task != "chat" or name not in _CLASS_COLUMNS]
    has_label = task != "language-modelling"
    label = _find(present, (label_column,) if label_column else wanted) if has_label else None
    choices = _choice_columns(present, label)
    others = [column for column in present if column != label and column not in choices]
    text = _find(others, (text_column,) if text_column else TEXT_COLUMNS)
    if text is None:
        raise NoColumn(name, role="text", present=present, named=text_column)
    if label is None and needs_label:
        raise NoColumn(name, role="label", present=present, named=label_column)
    rest = [column for column in others if column != text]
    return Columns(
        text=text,
        label=label,
        id=_find(others, ("id",)),
        language=_find(others, _LANGUAGE_COLUMNS),
        category=_find(rest, _CATEGORY_COLUMNS),
        group=_find(rest, _GROUP_COLUMNS),
        context=_find(rest, _CONTEXT_COLUMNS),
        choices=choices,
        has_turns=has_turns,
    )


def _choice_columns(present: Sequence[str], label: str | None) -> tuple[str, ...]:
    listed = _find([column for column in present if column != label], _CHOICES_COLUMNS)
    if listed is not None:
        return (listed,)
    lettered = [letter for letter in _LETTERS if letter in present]
    return tuple(lettered) if lettered[:2] == ["A", "B"] else ()


def _find(present: Iterable[str], wanted: Iterable[str]) -> str | None:
    """The first of the wanted columns that is there, whatever its case."""
    by_folded_name = {column.strip().casefold(): column for column in reversed(list(present))}
    return next((by_folded_name[w.casefold()] for w in wanted if w.casefold() in by_folded_name), None)


def rows_of(name: str, records: Sequence[Record], columns: Columns, labels: Sequence[str] = ()) -> Found:
    """Make a row of each record that can be used; refused are only data of which the most part cannot.

    `labels`: those there are, where the person names them.
    """
    ids = [_cell(record, columns.id) for record in records]
    first: dict[str, int] = {}
    for number, row_id in enumerate(ids, start=1):
        first.setdefault(row_id, number)
    repeated = [n for n, row_id in enumerate(ids, start=1) if row_id and first[row_id] < n]
    if repeated or "" in ids:
        ids = [str(number) for number in range(1, len(records) + 1)]
    first_index = _first_index(records, columns)
    rows = [_row(record, row_id, columns, first_index) for row_id, record in zip(ids, records, strict=True)]
    has_choices = any(row.choices for row in rows)
    left_out: dict[Reason, list[int]] = {}
    for number, row in enumerate(rows, start=1):
        reason = _why_not(row, columns, labels, has_choices=has_choices)
        if reason is not None:
            left_out.setdefault(reason, []).append(number)
    bad = {number for numbers in left_out.values() for number in numbers}
    if len(bad) > len(rows) / 2:
        commonest = max(left_out, key=lambda reason: len(left_out[reason]))
        raise _refusal(name, commonest, left_out[commonest], len(rows), columns)
    numbers = [number for number in range(1, len(rows) + 1) if number not in bad]
    return Found(
        rows=[rows[number - 1] for number in numbers],
        numbers=numbers,
        left_out=left_out,
        repeated_ids=repeated,
    )


def _why_not(row: Row, columns: Columns, labels: Sequence[str], *, has_choices: bool) -> Reason | None:
    if columns.has_turns and not row.turns:
        return "no conversation"
    if not row.text:
        return "no text"
    if columns.label is not None and not row.label:
        return "no answer"
    if len(row.text) + len(row.label) > MAX_CHARACTERS:
        return "too long"
    if has_choices and row.label not in row.choices:
        return "no choice"
    return "other label" if labels and row.label not in labels else None


def _refusal(name: str, reason: Reason, rows: Sequence[int], of: int, columns: Columns) -> BadDataset:
    answer = columns.label or ""
    if reason == "no choice":
        return AnswerIsNoChoice(name, column=answer, rows=rows, of=of)
    if reason == "no conversation":
        return NoConversation(name, rows=rows, of=of)
    if reason == "other label":
        return OtherLabels(name, rows=rows, of=of)
    if reason == "too long":
        return TooLongCells(name, rows=rows, of=of, limit=MAX_CHARACTERS)
    return EmptyCells(name, column=columns.text if reason == "no text" else answer, rows=rows, of=of)


def _row(record: Record, row_id: str, columns: Columns, first_index: int) -> Row:
    answers = _answers(record.get(columns.label)) if columns.label is not None else [""]
    choices = _choices(record, columns.choices)
    if choices:
        answers = [_chosen(answer, choices, first_index) for answer in answers]
    context = _cell(record, columns.context)
    text = _cell(record, columns.text)
    return Row(
        id=row_id,
        text=f"{context}\n\n{text}" if context and text else text,
        label=answers[0],
        language=_cell(record, columns.language) or None,
        category=_cell(record, columns.category) or None,
        choices=tuple(choices),
        references=tuple(answers[1:]),
        group=_cell(record, columns.group) or None,
        turns=record[TURNS] if columns.has_turns else (),
    )


def _answers(value: Any) -> list[str]:
    """Several right answers may stand in a list, or as SQuAD has them: {"text": [...]}."""
    if isinstance(value, dict) and isinstance(value.get("text"), list):
        value = value["text"]
    if isinstance(value, list) and value and all(isinstance(item, str) for item in value):
        return list(dict.fromkeys(item.strip() for item in value if item.strip())) or [""]
    return [plain(value)]


def _choices(record: Record, columns: Sequence[str]) -> list[str]:
    if len(columns) != 1:
        return [text for column in columns if (text := _cell(record, column))]
    value = record.get(columns[0])
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return []
    if isinstance(value, dict):
        value = value.get("text", list(value.values()))
    return [plain(item) for item in value] if isinstance(value, list) else []


def _first_index(records: Sequence[Record], columns: Columns) -> int:
    """0 or 1: with what number the choices begin, where answers are numbers."""
    if columns.label is None or not columns.choices:
        return 0
    numbers = [int(text) for record in records if (text := _cell(record, columns.label)).isdecimal()]
    most = max((len(_choices(record, columns.choices)) for record in records), default=0)
    return 1 if numbers and min(numbers) > 0 and max(numbers) == most else 0


def _chosen(answer: str, choices: Sequence[str], first_index: int) -> str:
    """The choice that an answer means: by its text, its letter or its number."""
    if answer in choices:
        return answer
    letter = answer.strip("().").upper()
    if len(letter) == 1 and letter in _LETTERS[: len(choices)]:
        return choices[_LETTERS.index(letter)]
    if answer.isdecimal() and 0 <= int(answer) - first_index < len(choices):
        return choices[int(answer) - first_index]
    return answer


def task_of(rows: Sequence[Row], columns: Columns) -> DatasetTask:
    """What the rows ask for, by their columns and by what the answers look like."""
    if columns.label is None:
        return "language-modelling"
    if any(row.choices for row in rows):
        return "multiple-choice"
    labels = [row.label for row in rows]
    if all(_is_object(label) for label in labels):
        return "extraction"
    is_named_class = columns.label.strip().casefold() in _CLASS_COLUMNS
    if is_named_class or len(set(labels)) <= MAX_CLASSES_FRAC * len(rows):
        return "classification"
    return "question-answering" if sum(map(_is_short, labels)) > len(rows) / 2 else "generation"


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def _is_short(text: str) -> bool:
    return len(text) <= _SHORT_CHARACTERS if _HAN.search(text) else len(text.split()) <= _SHORT_WORDS


def _cell(record: Record, column: str | None) -> str:
    return plain(record.get(column)) if column is not None else ""
