"""Markdown with tables -> pieces of text, and table blocks where Slack takes them; else the rows as lines of text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from bot.render.slack import Block, split_markdown

MAX_ROWS, MAX_COLUMNS, MAX_CHARS = 100, 20, 9_000
"""Slack takes 100 rows, 20 columns and 10,000 characters, and one table in a message."""

_RULE = re.compile(r"^\|?\s*:?-{3,}")
_MARKUP = re.compile(r"\*\*|__|~~|`")
_LINK = re.compile(r"!?\[([^\]]+)\]\([^)\s]+\)")

Rows = Sequence[Sequence[str]]


def parts_of(text: str) -> Iterator[str | list[list[str]]]:
    """Paragraphs of Markdown as they come, a table among them as its rows, headings first."""
    for paragraph in re.split(r"\n\s*\n", text.strip()):
        lines = paragraph.split("\n")
        first = next((n for n, line in enumerate(lines[:-1]) if _is_table(line, lines[n + 1])), None)
        if first is None:
            yield paragraph
            continue
        last = next((n for n in range(first, len(lines)) if not lines[n].startswith("|")), len(lines))
        if before := "\n".join(lines[:first]).strip():
            yield before
        yield [_cells(line) for line in lines[first:last] if not _RULE.match(line)]
        if after := "\n".join(lines[last:]).strip():
            yield after


def table_block(rows: Rows, *, numbers: Sequence[int] = ()) -> Block | None:
    """A table as Slack draws it, the columns of `numbers` to the right; None where it is over Slack's limits."""
    width = max((len(row) for row in rows), default=0)
    length = sum(len(cell) for row in rows for cell in row)
    if not 1 <= len(rows) <= MAX_ROWS or not 1 <= width <= MAX_COLUMNS or length > MAX_CHARS:
        return None
    settings = [{"align": "right" if n in numbers else "left", "is_wrapped": True} for n in range(width)]
    cells = [[_cell(row[n] if n < len(row) else "") for n in range(width)] for row in rows]
    if not rows[0][0].strip():
        cells[0][0] = _cell("#")
    return {"type": "table", "column_settings": settings, "rows": cells}


def table_text(rows: Rows) -> str:
    """A table as a list, a line a row: each value after the name of its column."""
    head, *body = rows
    return "\n".join(f"- {_line(head, row)}" for row in body)


def fitting(text: str, limit: int) -> Iterator[str]:
    """Text in pieces of at most so many characters, cut between paragraphs, else between lines."""
    yield from split_markdown(text, limit)


def plain(cell: str) -> str:
    """A cell without Markdown: a table block shows its text as it stands."""
    return _MARKUP.sub("", _LINK.sub(r"\1", cell)).strip()


def _line(head: Sequence[str], row: Sequence[str]) -> str:
    name, *rest = [*row] if len(row) > 1 else [*row, ""]
    named = [f"{title} {value}" for title, value in zip(head[1:], rest, strict=False) if value.strip(" –")]
    lead = f"**{plain(name)}**" if name.strip() else ""
    return ": ".join(part for part in (lead, " · ".join(named)) if part)


def _is_table(line: str, following: str) -> bool:
    return line.startswith("|") and bool(_RULE.match(following))


def _cells(line: str) -> list[str]:
    inner = line.strip().removeprefix("|").removesuffix("|")
    return [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", inner)]


def _cell(text: str) -> dict[str, Any]:
    return {"type": "raw_text", "text": plain(text) or "–"}
