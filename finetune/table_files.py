"""Turn a file as people have it, or a folder of them, into records: dictionaries of named values.

JSON Lines, JSON, CSV and TSV in any usual encoding, gzipped or not, Parquet, and Excel workbooks. Knows nothing
about labels: it only refuses what is not a table of named columns. Nothing is unpacked beyond the limit.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from finetune.dataset_errors import (
    BrokenFile,
    BrokenJson,
    BrokenTable,
    CannotBeRead,
    NoRows,
    NoSuchFile,
    NotAList,
    NotAnObject,
    SameColumnTwice,
    TooLarge,
    TooManyColumns,
    TooManyRows,
    UnknownFileKind,
)
from finetune.encodings import UTF8, decoded
from index.errors import ShortlistError

MAX_BYTES = 200 * 1024**2
"""Of a file, and of what it unpacks to."""
MAX_ROWS = 1_000_000
MAX_COLUMNS = 2_000
"""Different names in all rows: what looks for the columns that matter looks at each of them."""

Record = dict[str, Any]

csv.field_size_limit(MAX_BYTES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """What was read."""

    name: str
    records: list[Record]
    encodings: tuple[str, ...] = ()
    """Other than UTF-8."""
    files: int = 1
    ignored: tuple[str, ...] = ()
    """Files of a folder that are no data."""


def read_file(path: Path) -> Table:
    """Return the rows of a file as records, or raise BadDataset with the place that is wrong."""
    kind = kind_of(path)
    if kind not in KINDS:
        raise UnknownFileKind(path.name, KINDS)
    content = read_bytes(path)
    if path.suffix.casefold() == _GZIP:
        content = _unpacked(content, path.name)
    if kind in _TEXT:
        text, encoding = decoded(content, path.name)
        found = _TEXT[kind](text, path.name)
    else:
        encoding, found = UTF8, _BINARY[kind](content, path.name)
    records = list(islice(_of_few_columns(found, path.name), MAX_ROWS + 1))
    if not records:
        raise NoRows(path.name)
    if len(records) > MAX_ROWS:
        raise TooManyRows(path.name, limit=MAX_ROWS)
    return Table(name=path.name, records=records, encodings=() if encoding == UTF8 else (encoding,))


def kind_of(path: Path) -> str:
    """The ending that says how the file is read: `.jsonl` for `a.jsonl.gz`."""
    suffix = path.suffix.casefold()
    return Path(path.stem).suffix.casefold() if suffix == _GZIP else suffix


def read_bytes(path: Path) -> bytes:
    """All bytes of the file, unless they are too many."""
    try:
        if not path.is_file():
            raise NoSuchFile(path)
        size_bytes = path.stat().st_size
        if size_bytes > MAX_BYTES:
            raise TooLarge(path.name, size_bytes=size_bytes, limit_bytes=MAX_BYTES)
        return path.read_bytes()
    except OSError as error:
        raise CannotBeRead(path, error.strerror or type(error).__name__) from error


def plain(value: Any) -> str:
    """A value as text: "" for none, JSON for what is no text by itself."""
    if value is None or value != value:  # noqa: PLR0124 - NaN is how a table of numbers leaves a cell empty
        return ""
    text = value.strip() if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    # Half of a surrogate pair is no text: it can be neither stored nor shown.
    return text.encode("utf-8", "replace").decode("utf-8")


def _of_few_columns(records: Iterable[Record], name: str) -> Iterator[Record]:
    names: set[str] = set()
    for record in records:
        names.update(record)
        _require_few(len(names), name)
        yield record


def _require_few(columns: int, name: str) -> None:
    if columns > MAX_COLUMNS:
        raise TooManyColumns(name, limit=MAX_COLUMNS)


def _unpacked(content: bytes, name: str) -> bytes:
    try:
        with gzip.open(io.BytesIO(content)) as file:
            unpacked = file.read(MAX_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise BrokenFile(name, kind="gzip") from error
    _require_room(len(unpacked), name)
    return unpacked


def _require_room(unpacked_bytes: int, name: str) -> None:
    if unpacked_bytes > MAX_BYTES:
        raise TooLarge(name, size_bytes=None, limit_bytes=MAX_BYTES)


def _read_json(text: str, name: str) -> Iterator[Record]:
    """What is called .json may be an object a line."""
    return _listed(text, name) if _is_one_value(text) else _one_a_line(text, name)


def _read_json_lines(text: str, name: str) -> Iterator[Record]:
    """What is called .jsonl may be one list."""
    is_list = text.lstrip().startswith("[") and _is_one_value(text)
    return _listed(text, name) if is_list else _one_a_line(text, name)


def _is_one_value(text: str) -> bool:
    """False when the first line is complete by itself and others follow."""
    first, _, rest = text.strip().partition("\n")
    try:
        json.loads(first)
    except (RecursionError, ValueError):
        return True
    return not rest


def _listed(text: str, name: str) -> Iterator[Record]:
    """The objects of a list, or of the one list in an object."""
    values = _parse_json(text, name, first_line=1) if text.strip() else []
    if isinstance(values, dict):
        lists = [value for value in values.values() if isinstance(value, list) and value]
        values = lists[0] if len(lists) == 1 else values
    if not isinstance(values, list):
        raise NotAList(name)
    for number, value in enumerate(values, start=1):
        yield _as_record(value, name, number)


def _one_a_line(text: str, name: str) -> Iterator[Record]:
    # Not splitlines(): U+2028 and its like may stand inside a JSON string.
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield _as_record(_parse_json(line, name, first_line=number), name, number)


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
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=header.count), strict=True)
    try:
        yield from _named_cells(lines, name)
    except (csv.Error, ValueError) as error:
        raise BrokenTable(name, line=lines.line_num) from error


def _named_cells(rows: Iterable[Sequence[Any]], name: str) -> Iterator[Record]:
    """Each row under the names of the first; ValueError for one that is shorter or longer."""
    columns: list[str] = []
    for cells in rows:
        if all(cell is None or not str(cell).strip() for cell in cells):
            continue
        if columns:
            yield dict(zip(columns, cells, strict=True))
        else:
            _require_few(len(cells), name)
            columns = ["" if cell is None else str(cell).strip() for cell in cells]
            _refuse_doubles(columns, name)


def _refuse_doubles(columns: Sequence[str], name: str) -> None:
    twice = next((column for column, times in Counter(columns).items() if column and times > 1), None)
    if twice is not None:
        raise SameColumnTwice(name, column=twice)


def _read_parquet(content: bytes, name: str) -> Iterator[Record]:
    import pyarrow as pa  # noqa: PLC0415 - takes a while, for files of this kind only
    from pyarrow import parquet  # noqa: PLC0415

    try:
        file = parquet.ParquetFile(pa.BufferReader(content))
        groups = [file.metadata.row_group(i) for i in range(file.metadata.num_row_groups)]
        _require_room(sum(group.total_byte_size for group in groups), name)
        columns = [field.name for field in file.schema_arrow if not pa.types.is_binary(field.type)]
        largest = max((group.total_byte_size for group in groups), default=0)
        unpacked_bytes = 0
        # One long value that is named by every row is small in the file: few rows at a time keep it so.
        for batch in file.iter_batches(max(4, min(1024, MAX_BYTES // (largest + 1))), columns=columns):
            unpacked_bytes += batch.nbytes
            _require_room(unpacked_bytes, name)
            yield from batch.to_pylist()
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:  # the last by names of columns
        raise BrokenFile(name, kind="Parquet") from error


def _read_workbook(content: bytes, name: str) -> Iterator[Record]:
    """The first sheet, with what formulas came to when it was saved."""
    from openpyxl import load_workbook  # noqa: PLC0415 - for files of this kind only

    try:
        with ZipFile(io.BytesIO(content)) as parts:
            _require_room(sum(part.file_size for part in parts.infolist()), name)
        sheet = load_workbook(io.BytesIO(content), read_only=True, data_only=True).worksheets[0]
        sheet.reset_dimensions()  # what the file says of its size may be wrong
        yield from _named_cells(_even(sheet.iter_rows(values_only=True), name), name)
    except (ShortlistError, MemoryError):
        raise
    except Exception as error:  # a damaged file makes zipfile, expat and openpyxl raise whatever they like
        raise BrokenFile(name, kind="Excel") from error


def _even(rows: Iterable[Sequence[Any]], name: str) -> Iterator[list[Any]]:
    """Rows as wide as the first that is not empty: a sheet leaves out empty cells at the end."""
    width = 0
    for number, row in enumerate(rows, start=1):
        cells = list(row)
        while cells and cells[-1] is None:
            cells.pop()
        _require_few(len(cells), name)
        width = width or len(cells)
        if len(cells) > width:
            raise BrokenTable(name, line=number)
        yield cells + [None] * (width - len(cells))


_GZIP = ".gz"

_TEXT: dict[str, Callable[[str, str], Iterator[Record]]] = {
    ".jsonl": _read_json_lines,
    ".ndjson": _read_json_lines,
    ".json": _read_json,
    ".csv": _read_delimited,
    ".tsv": _read_delimited,
}
_BINARY: dict[str, Callable[[bytes, str], Iterator[Record]]] = {
    ".parquet": _read_parquet,
    ".xlsx": _read_workbook,
}
KINDS = (*_TEXT, *_BINARY)
