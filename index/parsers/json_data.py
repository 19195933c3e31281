"""Turn JSON and JSON lines into rows of named values; what is not made of objects is read as text.

Numbers stay as they are written: 1.10 is not 1.1.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TypeGuard

from index.bilingual import Bilingual
from index.errors import BadDocument
from index.parsers.encoding import decoded
from index.parsers.parsed import Parsed, Section
from index.parsers.plain import parsed_text
from index.parsers.rows import row_section, table


def json_lines(data: bytes, stem: str) -> Parsed:
    """One value on each line; a row is numbered by its line."""
    lines = enumerate(decoded(data).split("\n"), start=1)
    return table(stem, (_row(n, _value_of(line, n)) for n, line in lines if line.strip()))


def json_document(data: bytes, stem: str) -> Parsed:
    """An array of objects is a table; the name of each table or object inside an object is a heading."""
    text = decoded(data)
    try:
        value = json.loads(text, parse_int=str, parse_float=str)
        if isinstance(value, dict):
            return table(stem, _sections(value))
        if _is_table(value):
            return table(stem, (_row(n, row) for n, row in enumerate(value, start=1)))
    except RecursionError as error:
        raise BadDocument(NESTED_TOO_DEEPLY) from error
    except ValueError:  # settings files with comments are common
        pass
    return parsed_text(text, stem)


def _value_of(line: str, number: int) -> object:
    try:
        return json.loads(line, parse_int=str, parse_float=str)
    except RecursionError as error:
        raise BadDocument(NESTED_TOO_DEEPLY) from error
    except ValueError as error:
        raise BadDocument(_not_json(number)) from error


def _sections(whole: dict[str, object]) -> Iterator[Section]:
    """First the plain values, then what has a name of its own."""
    parts = {key: value for key, value in whole.items() if isinstance(value, dict) or _is_table(value)}
    yield _row(1, {key: value for key, value in whole.items() if key not in parts})
    for key, part in parts.items():
        if _is_table(part):
            yield from (_row(n, row, key) for n, row in enumerate(part, start=1))
        else:
            yield _row(None, part, key)


def _is_table(value: object) -> TypeGuard[list[object]]:
    return isinstance(value, list) and bool(value) and all(isinstance(row, dict) for row in value)


def _row(number: int | None, value: object, headings: str = "") -> Section:
    try:
        return row_section(number, _fields(value, ""), headings)
    except RecursionError as error:
        raise BadDocument(NESTED_TOO_DEEPLY) from error


def _fields(value: object, name: str) -> Iterator[tuple[str, str]]:
    """The values with the path that leads to each: `price.usd`, `tags`. Null says nothing."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _fields(inner, f"{name}.{key}" if name else key)
    elif isinstance(value, list):
        if any(isinstance(inner, (dict, list)) for inner in value):
            yield from _fields({str(n): inner for n, inner in enumerate(value, start=1)}, name)
        else:
            yield name or "value", ", ".join(_written(inner) for inner in value if inner is not None)
    elif value is not None:
        yield name or "value", _written(value)


def _written(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


NESTED_TOO_DEEPLY = Bilingual(
    en="It is nested too deeply to be read. Export the part that matters as text.",
    zh="嵌套过深，无法读取。请把需要的部分导出为文本。",
)


def _not_json(line: int) -> Bilingual:
    return Bilingual(
        en=f"Line {line} is not JSON. Each line must hold one value; correct it and add it again.",
        zh=f"第 {line} 行不是合法的 JSON。每行应为一个 JSON 值，请修改后重新添加。",
    )
