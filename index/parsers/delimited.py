"""Turn CSV and TSV into rows of named values."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from io import StringIO
from itertools import chain

from index.bilingual import Bilingual
from index.errors import BadDocument
from index.parsers.encoding import decoded
from index.parsers.parsed import Parsed
from index.parsers.rows import Fields, row_section, table

_DELIMITERS = ",;\t|"
_SAMPLE_CHARACTERS = 4_096
_MAX_CELL_CHARACTERS = 100_000
"""Less than the module's own limit, which other code of this process may have changed."""


def comma_separated(data: bytes, stem: str) -> Parsed:
    """CSV, whichever delimiter it uses."""
    text = decoded(data)
    return _table(text, _delimiter(text), stem)


def tab_separated(data: bytes, stem: str) -> Parsed:
    """TSV."""
    return _table(decoded(data), "\t", stem)


def _table(text: str, delimiter: str, stem: str) -> Parsed:
    rows = _numbered_rows(text, delimiter)
    number, first = next(rows, (1, []))
    if any(map(_is_number, first)):
        return table(stem, (row_section(n, _named([], row)) for n, row in chain([(number, first)], rows)))
    return table(stem, (row_section(n, _named(first, row)) for n, row in rows))


def _numbered_rows(text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """The rows that hold something, numbered as a spreadsheet would."""
    reader = csv.reader(StringIO(text, newline=""), delimiter=delimiter)
    try:
        for n, row in enumerate(reader, start=1):
            if any(len(cell) > _MAX_CELL_CHARACTERS for cell in row):
                raise BadDocument(_not_a_table(reader.line_num))
            if any(map(str.strip, row)):
                yield n, row
    except csv.Error as error:
        raise BadDocument(_not_a_table(reader.line_num)) from error


def _delimiter(text: str) -> str:
    """What the sniffer finds. Its guess at quotes is not taken: an apostrophe misleads it."""
    try:
        return csv.Sniffer().sniff(text[:_SAMPLE_CHARACTERS], _DELIMITERS).delimiter
    except csv.Error:
        first_line = text.lstrip().split("\n", 1)[0]
        return max(_DELIMITERS, key=first_line.count)


def _is_number(cell: str) -> bool:
    """True for what is no name of a column."""
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _named(header: list[str], row: list[str]) -> Fields:
    for n, value in enumerate(row):
        name = header[n].strip() if n < len(header) else ""
        yield name or f"column {n + 1}", value


def _not_a_table(line: int) -> Bilingual:
    return Bilingual(
        en=f"Line {line} cannot be read as a row: a quotation mark may be missing. Correct it and add it again.",
        zh=f"第 {line} 行无法解析为一行数据，可能缺少引号。请修改后重新添加。",
    )
