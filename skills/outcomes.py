"""Files with what candidates scored item by item -> scores that can be paired.

Three kinds are read: the items.jsonl of our evaluations, the samples_*.jsonl that lm-evaluation-harness
writes with --log_samples, and tables (outcome_tables.py).
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finetune.comparison import ItemScore, Measure, measure_of, metric_of_rows
from finetune.spec import METRIC_NAMES
from index.bilingual import Bilingual
from index.errors import BadInput
from index.sealing import NoDataKey, opened_line
from skills.outcome_tables import bad, read_scores

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
_LOWER_IS_BETTER = frozenset(
    {"bits_per_byte", "perplexity", "word_perplexity", "byte_perplexity", "loss", "ter", "wer", "cer"}
    | {"mse", "mae", "brier_score"}
)
_KEPT = ("group", "label", "references", "prediction", "log_likelihood", "tokens", "utf8_bytes")
_PERCENT_FROM = 10
"""Scores up to 100 are percents where one is higher than a mark from 1 to 10 could be."""
_MAX_BYTES = 500 * 1024**2


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcomes:
    """Scores of candidates by item."""

    metric: str
    """What single items are scored by."""
    by_candidate: Mapping[str, Mapping[str, float]]
    """Candidate -> item -> score."""
    higher_is_better: bool = True
    answers: Mapping[str, Sequence[ItemScore]] | None = None
    """Of our own evaluations: the answers, so that a metric of all rows can be compared."""
    measure: Measure | None = None
    """Of our own evaluations: the metric that decides."""

    @property
    def groups(self) -> dict[str, str | None]:
        """Item -> its group, where rows are known to come in groups."""
        return {item.row: item.group for of_one in (self.answers or {}).values() for item in of_one}

    @property
    def scale(self) -> tuple[float, float]:
        """What is 0 and what is 1: as they are for shares, percents, else the lowest and the highest score."""
        scores = [score for items in self.by_candidate.values() for score in items.values()]
        low, high = min(scores), max(scores)
        if low >= 0 and (high <= 1 or _PERCENT_FROM < high <= 100):
            return (0.0, 1.0) if high <= 1 else (0.0, 100.0)
        return low, high


def read_outcomes(path: Path, *, metric: str | None = None) -> Outcomes:
    """Return the scores in a folder or file of one of the kinds; BadInput says what is wrong with it.

    `metric`: which one of a harness log; None takes the usual one.
    """
    files = _files(path)
    if files and files[0].name.startswith("samples_"):
        return _harness_samples(files, metric)
    if path.suffix.casefold() in {".csv", ".tsv"}:
        return read_table(path)
    return _own_items(path, metric)


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
        raise bad(files[0], "it is empty", "文件为空")
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
    return Outcomes(metric=chosen, by_candidate=found, higher_is_better=chosen not in _LOWER_IS_BETTER)


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


def _own_items(path: Path, metric: str | None) -> Outcomes:
    folder = path if path.is_dir() else path.parent
    found: dict[str, list[ItemScore]] = {}
    try:
        judged = _verdicts(folder / "verdicts.jsonl")
        for line in _json_lines(folder / "items.jsonl"):
            told = {**line, **judged.get((line["candidate"], line["row"]), {})}
            found.setdefault(line["candidate"], []).append(_own_item(told))
    except NoDataKey:
        raise
    except (BadInput, KeyError, TypeError, ValueError):
        raise BadInput(
            Bilingual(
                f"{path} is not a finished evaluation: it needs an items.jsonl beside its result.json. "
                "Give the number of a job, its folder, or samples_*.jsonl of lm-evaluation-harness.",
                f"{path} 不是已完成的评测：result.json 旁应有 items.jsonl。请给出任务编号、其目录，"
                "或 lm-evaluation-harness 的 samples_*.jsonl。",
            )
        ) from None
    measure = measure_of(_own_metric(folder, metric))
    return Outcomes(
        metric=metric_of_rows(measure.name),
        by_candidate={
            name: {item.row: measure.of_item(item) for item in items} for name, items in found.items()
        },
        answers=found,
        measure=measure,
    )


def _own_item(line: Mapping[str, Any]) -> ItemScore:
    """An answer as our evaluations keep it; those of before scores were kept are right or wrong."""
    given = {name: line[name] for name in _KEPT if line.get(name) is not None}
    return ItemScore(row=str(line["row"]), score=float(line.get("score", line["correct"])), **given)


def _verdicts(file: Path) -> dict[tuple[str, str], dict[str, float]]:
    """What a judge said of the answers of a chat, if there was one: candidate and row -> score."""
    lines = _json_lines(file) if file.is_file() else ()
    return {(line["candidate"], line["row"]): {"score": line["score"]} for line in lines}


def _own_metric(folder: Path, metric: str | None) -> str:
    """The metric that is asked for, else the one that decided."""
    try:
        result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
        decided, task = result.get("metric", "accuracy"), result["dataset"].get("task", "classification")
    except (OSError, ValueError, KeyError, AttributeError):
        decided, task = "accuracy", "classification"
    known = METRIC_NAMES.get(task, ("accuracy",))
    if metric is not None and metric not in known:
        raise BadInput(
            Bilingual(
                f"{folder.name} was not scored by {metric!r}. It has: {', '.join(known)}.",
                f"{folder.name} 没有 {metric!r} 指标。现有：{'、'.join(known)}。",
            )
        )
    return metric or str(decided)


def read_table(path: Path) -> Outcomes:
    """Read a CSV or TSV of scores."""
    return Outcomes(metric="score", by_candidate=read_scores(_text(path), path))


def _number(value: Any, file: Path) -> float:
    if not isinstance(value, (int, float)) or not math.isfinite(value):
        raise bad(file, f"{value!r} is not a score", f"{value!r} 不是分数")
    return float(value)


def _json_lines(file: Path) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(_text(file).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            value = json.loads(opened_line(line.encode()) or "{}")
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            raise bad(file, f"line {number} is not a JSON object", f"第 {number} 行不是 JSON 对象")
        yield value


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise bad(path, "it is larger than 500 MiB", "文件超过 500 MiB")
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise bad(path, "it is not UTF-8 text", "不是 UTF-8 文本") from None
    except OSError as error:
        raise BadInput(
            Bilingual(
                f"{path} cannot be read: {error.strerror}. Check the path.",
                f"无法读取 {path}：{error.strerror}。请检查路径。",
            )
        ) from None
