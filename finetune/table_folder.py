"""Turn a folder into one table: data files of the same columns, or a sub-folder of text files for each label.

Links are not followed: what lies outside the folder was not named.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from finetune import table_files
from finetune.dataset_errors import CannotBeRead, NoDataInFolder, OtherColumns, TooLarge, TooManyRows
from finetune.encodings import UTF8, decoded
from finetune.table_files import KINDS, Record, Table, kind_of, read_bytes, read_file

_TEXT_ENDINGS = frozenset({".txt", ".md", ""})
_NAMED_IGNORED = 5


def read_table(path: Path) -> Table:
    """The rows of a file or a folder; BadDataset when it is no table."""
    try:
        return read_folder(path) if path.is_dir() else read_file(path)
    except OSError as error:
        raise CannotBeRead(path, error.strerror or type(error).__name__) from error


def read_folder(folder: Path) -> Table:
    """The rows of all data files, the files in the order of their names, or of the texts under each label."""
    files = _visible(folder, Path.is_file)
    data = [file for file in files if kind_of(file) in KINDS]
    texts = [] if data else _labelled_texts(folder)
    _require_room(folder, data or texts)
    if data:
        table = _joined(folder, [read_file(file) for file in data])
    elif texts:
        table = _of_texts(folder, texts)
    else:
        raise NoDataInFolder(folder.name, KINDS)
    ignored = [file.name for file in files if file not in data]
    return Table(
        name=folder.name,
        records=table.records,
        encodings=table.encodings,
        files=table.files,
        ignored=tuple(ignored[:_NAMED_IGNORED]),
    )


def _visible(folder: Path, is_wanted: Callable[[Path], bool]) -> list[Path]:
    return sorted(
        entry
        for entry in folder.iterdir()
        if is_wanted(entry) and not entry.is_symlink() and not entry.name.startswith(".")
    )


def _labelled_texts(folder: Path) -> list[Path]:
    labels = _visible(folder, Path.is_dir)
    return [
        file
        for label in labels
        for file in _visible(label, Path.is_file)
        if file.suffix.casefold() in _TEXT_ENDINGS
    ]


def _require_room(folder: Path, files: Iterable[Path]) -> None:
    size_bytes = sum(file.stat().st_size for file in files)
    if size_bytes > table_files.MAX_BYTES:
        raise TooLarge(folder.name, size_bytes=size_bytes, limit_bytes=table_files.MAX_BYTES)


def _joined(folder: Path, tables: Sequence[Table]) -> Table:
    first = tables[0]
    for table in tables[1:]:
        if _columns(table) != _columns(first):
            raise OtherColumns(
                folder.name,
                file=table.name,
                columns=sorted(_columns(table)),
                first=first.name,
                of_first=sorted(_columns(first)),
            )
    return _together(folder, [record for table in tables for record in table.records], tables)


def _columns(table: Table) -> set[str]:
    return {str(column) for record in table.records for column in record}


def _of_texts(folder: Path, files: Sequence[Path]) -> Table:
    tables = []
    for file in files:
        text, encoding = decoded(read_bytes(file), file.name)
        record: Record = {"id": f"{file.parent.name}/{file.name}", "text": text, "label": file.parent.name}
        encodings = () if encoding == UTF8 else (encoding,)
        tables.append(Table(name=file.name, records=[record], encodings=encodings))
    return _together(folder, [table.records[0] for table in tables], tables)


def _together(folder: Path, records: list[Record], tables: Sequence[Table]) -> Table:
    if len(records) > table_files.MAX_ROWS:
        raise TooManyRows(folder.name, limit=table_files.MAX_ROWS)
    encodings = dict.fromkeys(name for table in tables for name in table.encodings)
    return Table(name=folder.name, records=records, encodings=tuple(encodings), files=len(tables))
