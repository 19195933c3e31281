"""Turn a JSON Lines, JSON, CSV or TSV file into records, each with the line or row it came from.

Knows nothing about labels: it only refuses what is not a table of named columns in UTF-8.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from finetune.errors import (
    BrokenJson,
    BrokenTable,
    NoRows,
    NoSuchFile,
    NotAList,
    NotAnObject,
    NotUtf8,
    TooLarge,
    UnknownFileKind,
)

MAX_BYTES = 200 * 1024**2

Record = dict[str, Any]

csv.field_size_limit(MAX_BYTES)


def read_records(path: Path) -> list[Record]:
    """Return the rows of the file as records, or raise BadDataset with the place that is wrong."""
    reader = _READERS.get(path.suffix.casefold())
    if reader is None:
        raise UnknownFileKind(path.name, _READERS)
    records = list(reader(_read_text(path), path.name))
    if not records:
        raise NoRows(path.name)
    return records


def _read_text(path: Path) -> str:
    if not path.is_file():
        raise NoSuchFile(path)
    size_bytes = path.stat().st_size
    if size_bytes > MAX_BYTES:
        raise TooLarge(path.name, size_bytes=size_bytes, limit_bytes=MAX_BYTES)
    content = path.read_bytes()
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # The codec counts from behind the byte-order mark.
        offset = error.start + (3 if content.startswith(codecs.BOM_UTF8) else 0)
        raise NotUtf8(path.name, offset=offset) from error


def _read_json_lines(text: str, name: str) -> Iterator[Record]:
    # Not splitlines(): U+2028 and its like may stand inside a JSON string.
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield _as_record(_parse_json(line, name, first_line=number), name, number)


def _read_json(text: str, name: str) -> Iterator[Record]:
    values = _parse_json(text, name, first_line=1) if text.strip() else []
    if not isinstance(values, list):
        raise NotAList(name)
    for number, value in enumerate(values, start=1):
        yield _as_record(value, name, number)


def _parse_json(text: str, name: str, *, first_line: int) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise BrokenJson(name, line=first_line + error.lineno - 1) from error
    except (RecursionError, ValueError) as error:  # nested too deep, or a number of thousands of digits
        raise BrokenJson(name, line=first_line) from error


def _as_record(value: Any, name: str, number: int) -> Record:
    if not isinstance(value, dict):
        raise NotAnObject(name, row=number)
    return value


def _read_delimited(text: str, name: str) -> Iterator[Record]:
    # Excel writes semicolons where the comma is the decimal mark, so the header decides.
    header = text.split("\n", 1)[0]
    cells_by_line = csv.reader(
        io.StringIO(text, newline=""), delimiter=max(",;\t", key=header.count), strict=True
    )
    columns: list[str] = []
    try:
        for cells in cells_by_line:
            if not columns:
                columns = [cell.strip() for cell in cells]
            elif any(cell.strip() for cell in cells):
                yield dict(zip(columns, cells, strict=True))
    except (csv.Error, ValueError) as error:
        raise BrokenTable(name, line=cells_by_line.line_num) from error


_READERS: dict[str, Callable[[str, str], Iterator[Record]]] = {
    ".jsonl": _read_json_lines,
    ".ndjson": _read_json_lines,
    ".json": _read_json,
    ".csv": _read_delimited,
    ".tsv": _read_delimited,
}
