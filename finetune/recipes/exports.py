"""A finished evaluation -> the files that people take away: page, picture, tables, spec.

Tables open in spreadsheets, where a cell that begins like a formula is run: such cells get an apostrophe in front.
"""

from __future__ import annotations

import csv
import io
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from finetune.atomic import write_bytes, write_text
from finetune.columns import Row
from finetune.recipes import report_words as words
from finetune.recipes.charts import Words, png
from finetune.recipes.finished import Finished, per_1000
from finetune.recipes.repeat import spec_yaml
from finetune.recipes.report import (
    axes,
    headline,
    is_lower_better,
    leading_figure,
    metric_name,
    points,
    render_report,
)
from index.sealing import is_sealing

_TEXT_CHARS = 500
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""Excel in Chinese and Japanese takes the full-width signs for the others."""
_MEASURED = (
    "tokens_per_s", "latency_p50_s", "latency_p95_s", "first_token_p50_s", "peak_memory_gib", "weights_gib",
    "load_time_s", "usd", "input_usd_per_mtok", "output_usd_per_mtok", "joules_per_row", "rows_too_long",
    "answers_cut_off", "answers_failed", "answers_refused", "items_cached", "revision",
)  # fmt: skip


def write_exports(folder: Path, finished: Finished) -> dict[str, Any]:
    """Write all files, and return what the result says of them."""
    spec = folder / "spec.yaml"
    told: dict[str, Any] = {
        "report": str(folder / "report.html"),
        "chart": str(folder / "report.png"),
        "csv": [str(folder / "answers.csv"), str(folder / "candidates.csv")],
        "repeat": f"shortlist evaluate {shlex.quote(str(spec))}",
    }
    finished = replace(finished, result={**finished.result, **told})
    write_text(spec, spec_yaml(finished.spec))
    write_text(folder / "answers.csv", answers_csv(finished))
    write_text(folder / "candidates.csv", candidates_csv(finished))
    picture = summary_picture(finished)
    if picture is None:
        told["chart"] = None
    else:
        write_bytes(folder / "report.png", picture)
    write_text(folder / "report.html", render_report(finished))
    return told


def summary_picture(finished: Finished) -> bytes | None:
    """Quality against cost as a PNG with English words; None where nothing of the cost is known."""
    name, axis = next(iter(axes(finished).items()))
    shown = points(finished, axis)
    rows = finished.leader["items_seen"]
    if not shown:
        return None
    around = Words(
        title=headline(finished).en,
        subtitle=f"{finished.result['leader']}: {leading_figure(finished).en}, {rows:,} rows",
        x_label=words.CHARTS[name].en.rstrip(" →") + " (left is better)",
        y_label=f"{metric_name(finished).en}, with 95% interval",
    )
    return png(shown, around, is_lower_better=is_lower_better(finished))


def answers_csv(finished: Finished) -> str:
    """A row per row of data: its text, the right answer, and of each candidate what it said and how that scored."""
    names = list(finished.answers)
    by_name = {name: {answer.row: answer for answer in finished.answers[name]} for name in names}
    heads = ["row", "text", "label", "category"]
    heads += [f"{name}: {part}" for name in names for part in ("prediction", "correct", "score")]
    lines = []
    for row in finished.rows:
        if not any(row.id in answers for answers in by_name.values()):
            continue  # the race was over before it came to it
        given = [by_name[name].get(row.id) for name in names]
        said = [
            part
            for answer in given
            for part in ((answer.prediction, int(answer.correct), answer.score) if answer else ("", "", ""))
        ]
        lines.append([row.id, *_told(row, finished), row.category or "", *said])
    return _csv(heads, lines)


def _told(row: Row, finished: Finished) -> tuple[str, str]:
    """Text and right answer; where rows are sealed, neither: the table is for people to open as it lies there."""
    if not is_sealing():
        return _short(row.text), row.label
    return "", row.label if finished.spec.dataset.task == "classification" else ""


def candidates_csv(finished: Finished) -> str:
    """A row per candidate: metrics with their intervals, and what it took."""
    names = list(dict.fromkeys(name for row in finished.measured for name in row["metrics"]))
    heads = ["candidate", "model", "quantization", "adapter", "stopped", "reason", "items_seen"]
    heads += [part for name in names for part in (name, f"{name}_low95", f"{name}_high95")]
    heads += [*_MEASURED, "usd_per_1000_answers", "seconds_per_1000_answers"]
    lines = []
    for row in finished.candidates:
        figures = [row["metrics"].get(name, {"value": None, "ci95": (None, None)}) for name in names]
        lines.append(
            [
                *(
                    row.get(name)
                    for name in ("label", "model", "quantization", "adapter", "stopped", "reason")
                ),
                row["items_seen"],
                *(part for figure in figures for part in (figure["value"], *figure["ci95"])),
                *(row.get(name) for name in _MEASURED),
                per_1000(row, "usd"),
                finished.seconds_per_1000(row),
            ]
        )
    return _csv(heads, lines)


def _csv(heads: Sequence[str], lines: Iterable[Sequence[object]]) -> str:
    """CSV with a byte order mark, without which spreadsheets take UTF-8 for something else."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerows([_cell(value) for value in line] for line in (heads, *lines))
    return "\ufeff" + file.getvalue()


def _cell(value: object) -> object:
    """A value that a spreadsheet takes as it is. Numbers may be negative; text may not begin like a formula."""
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return value


def _short(text: str) -> str:
    return text if len(text) <= _TEXT_CHARS else text[: _TEXT_CHARS - 1].rstrip() + "…"
