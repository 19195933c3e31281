"""What every reader returns: rows taken, and rows refused with where and why."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from index.bilingual import Bilingual
from index.catalogue.benchmark_names import find_benchmark, nearest_benchmarks
from index.catalogue.catalogue import Catalogue
from index.catalogue.layers import Facts, Figure, Page
from index.catalogue.soundness import EXCLUDED_SOURCES, is_past_date, on_scale
from index.errors import BadInput

LARGEST_FILE_BYTES = 100_000_000


@dataclass(frozen=True, slots=True)
class Refused:
    """One row that was not taken."""

    where: str
    """A file and line, or the entry's own name."""
    why: Bilingual


@dataclass(slots=True)
class Taken:
    """What one import found, while it is being read."""

    catalogue: Catalogue
    source: Page
    """What the figures are cited by, unless a row names its own page."""
    models: list[Facts] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)

    def refuse(self, where: str, en: str, zh: str) -> None:
        """Leave a row out and say why."""
        self.refused.append(Refused(where, Bilingual(en, zh)))

    def model_id(self, where: str, name: str) -> str | None:
        """The catalogue id that a name stands for; refuses the row when there is none."""
        model = self.catalogue.find(name) if name else None
        if model is not None:
            return model.id
        nearest = self.catalogue.nearest(name)
        self.refuse(
            where,
            f"unknown model {name!r}" + (f" (nearest: {', '.join(nearest)})" if nearest else "") + "; "
            "add it to team.yaml first",
            f"未知的模型 {name!r}"
            + (f"（最接近：{'、'.join(nearest)}）" if nearest else "")
            + "；请先写入 team.yaml",
        )
        return None

    def take(self, where: str, row: Row) -> None:
        """Take a figure when its model, benchmark, score and date are sound."""
        model_id = self.model_id(where, row.model)
        benchmark = find_benchmark(row.benchmark, self.catalogue.benchmarks)
        today = datetime.now(UTC).date().isoformat()
        page = row.source or self.source
        if model_id is None:
            return
        if benchmark is None:
            nearest = nearest_benchmarks(row.benchmark, self.catalogue.benchmarks)
            hint = (
                (f" (nearest: {', '.join(nearest)})", f"（最接近：{'、'.join(nearest)}）")
                if nearest
                else ("", "")
            )
            self.refuse(
                where,
                f"unknown benchmark {row.benchmark!r}{hint[0]}",
                f"未知的基准 {row.benchmark!r}{hint[1]}",
            )
        elif not math.isfinite(row.score) or not on_scale(benchmark, row.score):
            low, high = benchmark.scale_min, benchmark.scale_max
            self.refuse(
                where,
                f"score {row.score:g} is off the scale of {benchmark.name} ({_bound(low)} to {_bound(high)})",
                f"分数 {row.score:g} 超出 {benchmark.name} 的范围（{_bound(low)} 到 {_bound(high)}）",
            )
        elif row.date is not None and not is_past_date(row.date, today):
            self.refuse(
                where, f"date {row.date!r} is no date up to today", f"日期 {row.date!r} 无效或晚于今天"
            )
        elif EXCLUDED_SOURCES.search(f"{benchmark.name} {page.name} {page.url}"):
            self.refuse(
                where,
                "its publisher does not let figures be carried over",
                "该来源不允许转载其数据",
            )
        else:
            self._add(where, row, model_id, benchmark.name, page)

    def _add(self, where: str, row: Row, model_id: str, benchmark: str, page: Page) -> None:
        figure = Figure(
            model=model_id,
            benchmark=benchmark,
            score=round(row.score, 6),
            kind=row.kind,
            setting=row.setting,
            date=row.date,
            source=page,
        )
        same = next((old for old in self.figures if _key(old) == _key(figure)), None)
        if same is None:
            self.figures.append(figure)
        else:
            self.refuse(
                where,
                f"a second figure of {model_id} on {benchmark} in the same setting",
                f"{model_id} 在 {benchmark} 上的同一设置已有一条数据",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One score as a file states it, on the catalogue's scale."""

    model: str
    benchmark: str
    score: float
    kind: Literal["published", "self-reported"] = "published"
    setting: str | None = None
    date: str | None = None
    source: Page | None = None


def read_json(path: Path) -> Any:
    """The JSON in a file, or clear words about what is wrong with it."""
    try:
        if path.stat().st_size > LARGEST_FILE_BYTES:
            raise unreadable(path, "it is larger than 100 MB", "文件超过 100 MB")
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise unreadable(path, "it cannot be read as UTF-8 text", "无法按 UTF-8 文本读取") from error
    except json.JSONDecodeError as error:
        raise unreadable(
            path, f"line {error.lineno} is not valid JSON", f"第 {error.lineno} 行不是有效的 JSON"
        ) from error
    except (RecursionError, ValueError) as error:
        raise unreadable(
            path, "it is nested too deeply, or has a number without end", "嵌套过深，或含有过长的数字"
        ) from error


def unreadable(path: Path, en: str, zh: str) -> BadInput:
    """The error for a file that is not what it was said to be."""
    return BadInput(
        Bilingual(
            f"{path.name} cannot be imported: {en}. docs/catalogue.md shows what each kind looks like.",
            f"无法导入 {path.name}：{zh}。docs/catalogue.md 说明了各类文件的格式。",
        )
    )


def number(value: object) -> float | None:
    """A finite number, and nothing else that JSON may hold."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:  # a whole number that no float holds
        return None


def mapping(value: object) -> Mapping[str, Any]:
    """A JSON object, or an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def _key(figure: Figure) -> tuple[str, str, str | None, Page]:
    return figure.model, figure.benchmark, figure.setting, figure.source


def _bound(limit: float | None) -> str:
    return "…" if limit is None else f"{limit:g}"
