"""Files with what candidates scored item by item -> scores that can be paired.

Three kinds are read: the items.jsonl of our evaluations, the samples_*.jsonl that lm-evaluation-harness
writes with --log_samples, and a table with a row per model and a column per item.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from index.bilingual import Bilingual
from index.errors import BadInput

_HEADER_CELLS = ("", "model", "candidate", "name", "模型", "候选")
_PREFERRED_METRICS = (
    "acc",
    "exact_match",
    "acc_norm",
    "f1",
    "em",
    "pass@1",
    "chrf",
    "bleu",
    "rouge1",
    "rougeL",
)
_MAX_BYTES = 500 * 1024**2


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcomes:
    """Scores of candidates by item; higher is better."""

    metric: str
    by_candidate: Mapping[str, Mapping[str, float]]
    """Candidate -> item -> score."""


def read_outcomes(path: Path, *, metric: str | None = None) -> Outcomes:
    """Return the scores in a folder or file of one of the kinds; BadInput says what is wrong with it.

    `metric`: which one of a harness log; None takes the usual one.
    """
    files = _files(path)
    if files and files[0].name.startswith("samples_"):
        return _harness_samples(files, metric)
    if path.suffix.casefold() in {".csv", ".tsv"}:
        return read_table(path)
    return _own_items(path)


def _files(path: Path) -> list[Path]:
    """The newest harness log of each task under the path, or nothing."""
    if path.is_file():
        return [path] if path.name.startswith("samples_") else []
    newest: dict[tuple[Path, str], Path] = {}
    for file in sorted(path.rglob("samples_*.jsonl")):
        newest[file.parent, _task_of(file)] = file
    return list(newest.values())


def _task_of(file: Path) -> str:
    """`samples_arc_easy_2026-11-23T10-00-00.0.jsonl` -> `arc_easy`."""
    name = file.stem.removeprefix("samples_")
    task, _, stamp = name.rpartition("_")
    return task if task and stamp[:4].isdigit() else name


def _harness_samples(files: Sequence[Path], metric: str | None) -> Outcomes:
    lines = [(file, line) for file in files for line in _json_lines(file)]
    if not lines:
        raise _bad(files[0], "it is empty", "文件为空")
    chosen = metric or _usual_metric(files[0], lines[0][1])
    found: dict[str, dict[str, float]] = {}
    for file, line in lines:
        if chosen not in line:
            if metric is not None:
                raise _no_metric(file, metric, line)
            continue
        # Several filters score one answer: the first that is logged counts.
        item = f"{_task_of(file)}/{line.get('doc_id')}/{line.get('doc_hash', '')}"
        found.setdefault(_harness_model(file), {}).setdefault(item, _number(line[chosen], file))
    return Outcomes(metric=chosen, by_candidate=found)


def _harness_model(file: Path) -> str:
    """The harness names the folder after the model, with `__` for a slash."""
    return file.parent.name.replace("__", "/") or file.stem


def _usual_metric(file: Path, line: Mapping[str, Any]) -> str:
    named = [name for name in line.get("metrics", ()) if name in line]
    for name in map(str, (*_PREFERRED_METRICS, *named)):
        if isinstance(line.get(name), (int, float)):
            return name
    raise _no_metric(file, "acc", line)


def _no_metric(file: Path, metric: str, line: Mapping[str, Any]) -> BadInput:
    there = ", ".join(name for name, value in line.items() if isinstance(value, float)) or "none"
    return BadInput(
        Bilingual(
            f"{file.name} has no score {metric!r} per item. It has: {there}. Name one with --metric.",
            f"{file.name} 中没有逐项的 {metric!r}。现有：{there}。请用 --metric 指定。",
        )
    )


def _own_items(path: Path) -> Outcomes:
    file = (path if path.is_dir() else path.parent) / "items.jsonl"
    found: dict[str, dict[str, float]] = {}
    try:
        for item in _json_lines(file):
            found.setdefault(item["candidate"], {})[str(item["row"])] = float(item["correct"])
    except (BadInput, KeyError, TypeError, ValueError):
        raise BadInput(
            Bilingual(
                f"{path} is not a finished evaluation: it needs an items.jsonl beside its result.json. "
                "Give the number of a job, its folder, or samples_*.jsonl of lm-evaluation-harness.",
                f"{path} 不是已完成的评测：result.json 旁应有 items.jsonl。请给出任务编号、其目录，"
                "或 lm-evaluation-harness 的 samples_*.jsonl。",
            )
        ) from None
    return Outcomes(metric="accuracy", by_candidate=found)


def read_table(path: Path) -> Outcomes:
    """Read a CSV or TSV with a row per model: its name, then its score on each item.

    The first row may name the columns.
    """
    text = _text(path)
    first_line = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=first_line.count)
    rows = [
        (number, [cell.strip() for cell in cells])
        for number, cells in enumerate(csv.reader(io.StringIO(text), delimiter=delimiter), start=1)
        if any(cell.strip() for cell in cells)
    ]
    if rows and _is_header(rows[0][1]):
        header, rows = rows[0][1], rows[1:]
    else:
        header = []
    if not rows:
        raise _bad(path, "it has no rows", "没有任何行")
    found: dict[str, dict[str, float]] = {}
    width = len(header or rows[0][1])
    for number, (name, *cells) in rows:
        if name in found:
            raise _bad(path, f"row {number} names {name!r} again", f"第 {number} 行重复出现 {name!r}")
        if len(cells) + 1 != width or width < 2:
            raise _bad(
                path,
                f"row {number} has {len(cells)} scores and the first row {width - 1}",
                f"第 {number} 行有 {len(cells)} 个分数，而首行有 {width - 1} 个",
            )
        found[name] = dict(zip(map(str, range(1, width)), _scores(cells, number, path), strict=True))
    return Outcomes(metric="score", by_candidate=found)


def _is_header(cells: Sequence[str]) -> bool:
    if cells[0].casefold() in _HEADER_CELLS:
        return True
    return len(cells) > 1 and not any(_is_number(cell) for cell in cells[1:])


def _scores(cells: Iterable[str], row: int, path: Path) -> Iterator[float]:
    for column, cell in enumerate(cells, start=2):
        value = {"true": "1", "false": "0"}.get(cell.casefold(), cell)
        if not _is_number(value):
            raise _bad(
                path,
                f"row {row}, column {column} holds {cell!r} and not a number",
                f"第 {row} 行第 {column} 列是 {cell!r}，不是数字",
            )
        yield float(value)


def _is_number(cell: str) -> bool:
    try:
        return math.isfinite(float(cell))
    except ValueError:
        return False


def _number(value: Any, file: Path) -> float:
    if not isinstance(value, (int, float)) or not math.isfinite(value):
        raise _bad(file, f"{value!r} is not a score", f"{value!r} 不是分数")
    return float(value)


def _json_lines(file: Path) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(_text(file).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            raise _bad(file, f"line {number} is not a JSON object", f"第 {number} 行不是 JSON 对象")
        yield value


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise _bad(path, "it is larger than 500 MiB", "文件超过 500 MiB")
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise _bad(path, "it is not UTF-8 text", "不是 UTF-8 文本") from None
    except OSError as error:
        raise BadInput(
            Bilingual(
                f"{path} cannot be read: {error.strerror}. Check the path.",
                f"无法读取 {path}：{error.strerror}。请检查路径。",
            )
        ) from None


def _bad(path: Path, what: str, what_zh: str) -> BadInput:
    return BadInput(
        Bilingual(
            f"{path.name} cannot be used: {what}. Mend it and try again.",
            f"无法使用 {path.name}：{what_zh}。请修正后重试。",
        )
    )
