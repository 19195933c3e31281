"""Our own CSV form -> figures: one score a line, each with who published it."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path
from typing import Literal

from index.catalogue.layers import Page
from index.catalogue.readers.base import LARGEST_FILE_BYTES, Row, Taken, unreadable

NEEDED = ("model", "benchmark", "score")
OPTIONAL = ("kind", "setting", "date", "source_name", "source_url", "licence")
_KINDS: dict[str, Literal["published", "self-reported"]] = {
    "": "published",
    "published": "published",
    "self-reported": "self-reported",
}


def read(path: Path, taken: Taken) -> None:
    """Take the lines that are sound."""
    try:
        if path.stat().st_size > LARGEST_FILE_BYTES:
            raise unreadable(path, "it is larger than 100 MB", "文件超过 100 MB")
        lines = csv.reader(io.StringIO(path.read_text(encoding="utf-8-sig"), newline=""), strict=True)
        header = [name.strip() for name in next(lines, [])]
        _check_header(path, header)
        for cells in lines:
            if any(cell.strip() for cell in cells):
                _take(taken, f"{path.name} line {lines.line_num}", header, cells)
    except (OSError, UnicodeDecodeError) as error:
        raise unreadable(path, "it cannot be read as UTF-8 text", "无法按 UTF-8 文本读取") from error
    except csv.Error as error:
        raise unreadable(
            path, f"line {lines.line_num} is not valid CSV", f"第 {lines.line_num} 行不是有效的 CSV"
        ) from error


def _check_header(path: Path, header: list[str]) -> None:
    missing = [name for name in NEEDED if name not in header]
    strange = [name for name in header if name not in (*NEEDED, *OPTIONAL)]
    if missing:
        raise unreadable(path, f"line 1 lacks the column {missing[0]!r}", f"第 1 行缺少列 {missing[0]!r}")
    if strange or len(set(header)) < len(header):
        name = strange[0] if strange else next(name for name in header if header.count(name) > 1)
        raise unreadable(
            path, f"line 1 has an unknown or double column {name!r}", f"第 1 行有未知或重复的列 {name!r}"
        )


def _take(taken: Taken, where: str, header: list[str], cells: list[str]) -> None:
    if len(cells) != len(header):
        taken.refuse(
            where,
            f"it has {len(cells)} cells, the first line has {len(header)}",
            f"该行有 {len(cells)} 列，首行有 {len(header)} 列",
        )
        return
    row = {name: cell.strip() for name, cell in zip(header, cells, strict=True)}
    try:
        score = float(row["score"])
    except ValueError:
        taken.refuse(where, f"score {row['score']!r} is no number", f"score {row['score']!r} 不是数字")
        return
    if row.get("kind", "") not in _KINDS:
        taken.refuse(
            where,
            f"kind {row['kind']!r} is neither published nor self-reported",
            f"kind {row['kind']!r} 既不是 published 也不是 self-reported",
        )
        return
    link = row.get("source_url", "")
    if link and not re.match(r"https?://[^/\s]+", link):
        taken.refuse(where, f"source_url {link!r} is no http link", f"source_url {link!r} 不是 http 链接")
        return
    page = Page(
        name=row.get("source_name") or taken.source.name, url=link, licence=row.get("licence") or None
    )
    taken.take(
        where,
        Row(
            model=row["model"],
            benchmark=row["benchmark"],
            score=score,
            kind=_KINDS[row.get("kind", "")],
            setting=row.get("setting") or None,
            date=row.get("date") or None,
            source=page if link else None,
        ),
    )
