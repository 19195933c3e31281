"""A CSV or TSV of scores -> candidate -> item -> score, whichever way round it is written.

A row per model and a column per item, or a row per item and a column per model, or a row per answer (model, item, score).
The corner cell tells; where it does not, models are the fewer. A cell may be a number, a percentage, a yes or no, or empty.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from index.bilingual import Bilingual
from index.errors import BadInput

_MODELS = frozenset({"model", "models", "candidate", "name", "system", "模型", "候选", "名称"})
_ITEMS = frozenset(
    {"item", "items", "id", "item_id", "question", "question_id", "example", "sample", "doc_id", "row"}
    | {"题目", "题号", "样本"}
)
_SCORES = frozenset({"score", "correct", "value", "outcome", "accuracy", "得分", "分数", "正确"})
_MISSING = frozenset({"", "nan", "na", "n/a", "#n/a", "null", "none", "-", "–", "?", "缺失"})
_YES_OR_NO = {
    **dict.fromkeys(("true", "yes", "correct", "right", "pass", "passed", "✓", "✔", "是", "对", "正确"), 1.0),
    **dict.fromkeys(
        ("false", "no", "incorrect", "wrong", "fail", "failed", "✗", "✘", "否", "错", "错误"), 0.0
    ),
}
_NO_SCORE = math.nan

Scores = dict[str, dict[str, float]]


@dataclass(frozen=True, slots=True)
class _Grid:
    """The cells of a file without what names them."""

    columns: list[str]
    """Names of the columns; empty where nothing names them."""
    corner: str
    names: list[str]
    """Names of the rows; empty where nothing names them."""
    cells: list[list[str]]
    numbers: list[int]
    """Of the rows in the file."""
    first_column: int


def read_scores(text: str, path: Path) -> Scores:
    """Return the scores; missing ones are left out. BadInput names the place that cannot be read."""
    rows, has_decimal_comma = _rows(text, path)
    if not rows:
        raise bad(path, "it has no rows", "没有任何行")
    header = _header(rows)
    body = rows[1:] if header else rows
    if not body:
        raise bad(path, "it has no rows", "没有任何行")
    if header and (places := _places_of_long_form(header)):
        return _from_long_form(body, places, path, has_decimal_comma)
    grid = _grid(header, body, path)
    values = [
        [_score(cell, number, column, path, has_decimal_comma) for column, cell in enumerate(line, grid.first_column)]
        for number, line in zip(grid.numbers, grid.cells, strict=True)
    ]  # fmt: skip
    return _named(grid, values, path)


def _rows(text: str, path: Path) -> tuple[list[tuple[int, list[str]]], bool]:
    first_line = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=first_line.count)
    try:
        read = list(csv.reader(io.StringIO(text), delimiter=delimiter))
    except csv.Error as error:
        raise bad(path, f"it is no table ({error})", f"不是表格（{error}）") from None
    rows = [
        (number, stripped)
        for number, cells in enumerate(read, start=1)
        if any(stripped := [cell.strip() for cell in cells])
    ]
    return rows, delimiter == ";"


def _header(rows: Sequence[tuple[int, list[str]]]) -> list[str]:
    """The first row where it names columns; one that lacks the corner gets an empty one."""
    cells = rows[0][1]
    known = cells[0].casefold() in _MODELS | _ITEMS | {""}
    if not known and (len(cells) < 2 or any(_is_score(cell) for cell in cells[1:])):
        return []
    is_one_short = len(rows) > 1 and len(rows[1][1]) == len(cells) + 1
    return ["", *cells] if is_one_short else cells


def _places_of_long_form(header: Sequence[str]) -> tuple[int, int, int] | None:
    folded = [cell.casefold() for cell in header]
    found = [
        next((i for i, cell in enumerate(folded) if cell in of), None) for of in (_MODELS, _ITEMS, _SCORES)
    ]
    model, item, score = found
    return None if model is None or item is None or score is None else (model, item, score)


def _from_long_form(
    body: Sequence[tuple[int, list[str]]], places: tuple[int, int, int], path: Path, has_decimal_comma: bool
) -> Scores:
    found: Scores = {}
    for number, cells in body:
        if len(cells) <= max(places):
            raise bad(path, f"row {number} has {len(cells)} cells", f"第 {number} 行只有 {len(cells)} 格")
        model, item, cell = (cells[place] for place in places)
        of_model = found.setdefault(model, {})
        if item in of_model:
            what = f"row {number} scores {model!r} on {item!r} again"
            raise bad(path, what, f"第 {number} 行重复给出 {model!r} 在 {item!r} 上的分数")
        score = _score(cell, number, places[2] + 1, path, has_decimal_comma)
        if not math.isnan(score):
            of_model[item] = score
    return found


def _grid(header: list[str], body: Sequence[tuple[int, list[str]]], path: Path) -> _Grid:
    width = len(header or body[0][1])
    for number, cells in body:
        if len(cells) != width or width < 2:
            raise bad(
                path,
                f"row {number} has {len(cells) - 1} scores and the first row {width - 1}",
                f"第 {number} 行有 {len(cells) - 1} 个分数，而首行有 {width - 1} 个",
            )
    numbers, lines = [number for number, _ in body], [cells for _, cells in body]
    corner = header[0].casefold() if header else ""
    is_named = (bool(header) and corner in _MODELS | _ITEMS | {""}) or not _are_scores(
        [line[0] for line in lines]
    )
    if not is_named:
        return _Grid(header, "", [], lines, numbers, 1)
    names = [line[0] for line in lines]
    if len(set(names)) < len(names):
        at = next(i for i, name in enumerate(names) if name in names[:i])
        what = f"row {numbers[at]} names {names[at]!r} again"
        raise bad(path, what, f"第 {numbers[at]} 行重复出现 {names[at]!r}")
    return _Grid(header[1:], corner, names, [line[1:] for line in lines], numbers, 2)


def _are_scores(first_column: Sequence[str]) -> bool:
    """Whether a first column without a heading holds scores, and not names such as 1, 2, 3."""
    if not all(_is_score(cell) for cell in first_column):
        return False
    count = len(first_column)
    return list(first_column) not in ([str(i) for i in range(count)], [str(i + 1) for i in range(count)])


def _named(grid: _Grid, values: list[list[float]], path: Path) -> Scores:
    """Give rows and columns their names, with the models outside."""
    rows = grid.names or [str(i + 1) for i in range(len(values))]
    columns = grid.columns or [str(i + 1) for i in range(len(values[0]))]
    if len(set(columns)) < len(columns):
        columns = [f"{name} #{i + 1}" if columns.count(name) > 1 else name for i, name in enumerate(columns)]
    if _are_items(grid, len(rows), len(columns)):
        rows, columns, values = columns, rows, [list(column) for column in zip(*values, strict=True)]
    found = {
        name: {item: score for item, score in zip(columns, line, strict=True) if not math.isnan(score)}
        for name, line in zip(rows, values, strict=True)
    }
    for name, items in found.items():
        if not items:
            raise bad(path, f"{name!r} has no score at all", f"{name!r} 没有任何分数")
    return found


def _are_items(grid: _Grid, n_rows: int, n_columns: int) -> bool:
    """Whether the rows are items; without headings for the columns they are models as long as they have names."""
    if grid.corner in _ITEMS:
        return True
    if grid.corner in _MODELS or (grid.names and not grid.columns):
        return False
    return n_rows > n_columns


def _is_score(cell: str) -> bool:
    folded = cell.casefold()
    if folded in _MISSING or folded in _YES_OR_NO:
        return True
    try:
        return math.isfinite(float(folded.removesuffix("%").rstrip().replace(",", ".")))
    except ValueError:
        return False


def _score(cell: str, row: int, column: int, path: Path, has_decimal_comma: bool) -> float:
    """A number, a percentage as a share, 1 or 0 for a yes or no, or nan for a missing one."""
    folded = cell.casefold()
    if folded in _MISSING:
        return _NO_SCORE
    if folded in _YES_OR_NO:
        return _YES_OR_NO[folded]
    try:
        number = folded.removesuffix("%").rstrip()
        value = float(number.replace(",", ".") if has_decimal_comma else number)
    except ValueError:
        value = math.inf
    if not math.isfinite(value):
        raise bad(
            path,
            f"row {row}, column {column} holds {cell!r} and not a number",
            f"第 {row} 行第 {column} 列是 {cell!r}，不是数字",
        )
    return value / 100 if folded.endswith("%") else value


def n_incomplete(scores: Mapping[str, Mapping[str, float]]) -> int:
    """Items that some candidates have a score for, and not all."""
    sets = [set(items) for items in scores.values()]
    return len(set.union(*sets)) - len(set.intersection(*sets)) if sets else 0


def bad(path: Path, what: str, what_zh: str) -> BadInput:
    """That a file cannot be used, and why."""
    return BadInput(
        Bilingual(
            f"{path.name} cannot be used: {what}. Mend it and try again.",
            f"无法使用 {path.name}：{what_zh}。请修正后重试。",
        )
    )
