"""A CSV of losses, a row per model and a column per size of the training set -> curves, and remarks on the file.

Columns are named by the number of rows learned from. The first other column names the models; 0 (before tuning), the number
of parameters, families and the like may be there and are not used. An empty cell is a run that is missing.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from finetune.curves import Curves
from index.bilingual import Bilingual
from index.errors import BadInput
from skills.outcome_tables import bad

_MISSING = frozenset({"", "-", "–", "na", "n/a", "nan", "null", "none", "inf", "-inf", "+inf", "缺失"})
_NUMBER = re.compile(r"\d{1,3}(?:[,_ ]\d{3})+|\d+(?:\.0+)?")
_MAX_BYTES = 20 * 1024**2


@dataclass(frozen=True, slots=True)
class CurveTable:
    """The curves of a file."""

    curves: Curves
    remarks: tuple[Bilingual, ...]
    """What was odd about the file and how it was taken."""


def read_curves(path: Path) -> CurveTable:
    """Return the curves of the file. BadInput names the cell that cannot be used."""
    header, *body = _rows(path)
    places = _size_places(header, path)
    name_place = next((place for place in range(len(header)) if place not in places), None)
    if name_place is None:
        raise bad(path, "no column names the models", "没有模型名称列")
    if not body:
        raise bad(path, "it has no row below the header", "表头下面没有任何行")
    for number, row in enumerate(body, start=2):
        if len(row) > len(header):
            raise bad(path, f"row {number} has more cells than the header", f"第 {number} 行的单元格比表头多")
    used = sorted((place for place, size in places.items() if size > 0), key=places.__getitem__)
    models = _names([_cell(row, name_place) for row in body], path)
    losses = [[_loss(_cell(row, place), model, places[place], path) for place in used]
              for row, model in zip(body, models, strict=True)]  # fmt: skip
    curves = Curves(models=models, sizes=tuple(places[place] for place in used), losses=np.array(losses))
    return CurveTable(curves, _remarks(curves, in_order=used == sorted(used)))


def _rows(path: Path) -> list[list[str]]:
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise bad(path, "it is larger than 20 MB", "文件超过 20 MB")
        text = path.read_text(encoding="utf-8-sig")
        delimiter = max(",;\t", key=text.split("\n", 1)[0].count)
        read = csv.reader(io.StringIO(text), delimiter=delimiter)
        rows = [row for cells in read if any(row := [cell.strip() for cell in cells])]
    except OSError as error:
        raise _unreadable(path, error) from None
    except UnicodeDecodeError:
        raise bad(path, "it is not UTF-8 text", "不是 UTF-8 文本") from None
    except csv.Error as error:
        raise bad(path, f"it is no table ({error})", f"不是表格（{error}）") from None
    if not rows:
        raise bad(path, "it is empty", "文件为空")
    return rows


def _size_places(header: Sequence[str], path: Path) -> dict[int, int]:
    """Column -> rows learned from."""
    places = {
        place: int(float(re.sub(r"[,_ ]", "", cell)))
        for place, cell in enumerate(header)
        if _NUMBER.fullmatch(cell)
    }
    if not any(places.values()):
        raise bad(
            path,
            "no column is named by a number of training rows, as in `model,200,400,800`",
            "没有以训练行数命名的列（如 `model,200,400,800`）",
        )
    sizes = list(places.values())
    for size in sizes:
        if sizes.count(size) > 1:
            raise bad(path, f"two columns are named {size}", f"有两列都叫 {size}")
    return places


def _names(names: Sequence[str], path: Path) -> tuple[str, ...]:
    for number, name in enumerate(names, start=2):
        if not name:
            raise bad(path, f"row {number} names no model", f"第 {number} 行没有模型名称")
        if names.count(name) > 1:
            raise bad(path, f"{name} has more than one row", f"{name} 有多行")
    return tuple(names)


def _cell(row: Sequence[str], place: int) -> str:
    return row[place] if place < len(row) else ""


def _loss(cell: str, model: str, size: int, path: Path) -> float:
    if cell.casefold() in _MISSING:
        return math.nan
    try:
        loss = float(cell)
    except ValueError:
        raise bad(
            path,
            f"the loss of {model} at {size} is {cell!r}, which is no number",
            f"{model} 在 {size} 处的损失 {cell!r} 不是数字",
        ) from None
    if loss <= 0:
        raise bad(
            path,
            f"the loss of {model} at {size} is {cell}; a loss to predict must be above 0",
            f"{model} 在 {size} 处的损失为 {cell}；可预测的损失必须大于 0",
        )
    return loss


def _remarks(curves: Curves, *, in_order: bool) -> tuple[Bilingual, ...]:
    remarks = []
    if not in_order:
        remarks.append(
            Bilingual("The sizes were out of order; I sorted them.", "各规模的列没有按顺序排列，我已排序。")
        )
    missing = int(np.isnan(curves.losses).sum())
    if missing:
        remarks.append(
            Bilingual(
                f"{missing} cells are empty or no finite number; I take these runs as missing.",
                f"{missing} 个单元格为空或不是有限数字，按缺失的训练处理。",
            )
        )
    return tuple(remarks)


def _unreadable(path: Path, error: OSError) -> BadInput:
    return BadInput(
        Bilingual(
            f"I cannot read {path}: {error.strerror}. Name a CSV file of losses.",
            f"无法读取 {path}：{error.strerror}。请给出一个损失 CSV 文件。",
        )
    )
