"""Turn a Jupyter notebook into sections: its Markdown is text, its code is quoted, its outputs are left out."""

from __future__ import annotations

import json
from collections.abc import Iterator

from index.bilingual import Bilingual
from index.errors import BadDocument
from index.markdown import converted_sections
from index.parsers.encoding import decoded
from index.parsers.json_data import NESTED_TOO_DEEPLY
from index.parsers.parsed import Parsed, Place, Section, fenced, printable


def notebook(data: bytes, stem: str) -> Parsed:
    """Cells under their headings; without any heading, the number of a cell says where it is."""
    contents = _contents(data)
    language = _language(contents)
    cells = {n: _markdown(cell, language) for n, cell in enumerate(_cells(contents), start=1)}
    whole = converted_sections("\n\n".join(cells.values()), stem)
    if any(section.headings for section in whole.sections):
        return whole
    numbered = ((Place(unit="cell", first=n, last=n), text) for n, text in cells.items())
    return Parsed(title=whole.title, sections=tuple(Section(text=t, place=p) for p, t in numbered))


def _contents(data: bytes) -> dict[str, object]:
    try:
        contents = json.loads(decoded(data))
    except RecursionError as error:
        raise BadDocument(NESTED_TOO_DEEPLY) from error
    except ValueError as error:
        raise BadDocument(_NOT_A_NOTEBOOK) from error
    if not isinstance(contents, dict) or not {"cells", "worksheets"} & contents.keys():
        raise BadDocument(_NOT_A_NOTEBOOK)
    return contents


def _cells(contents: dict[str, object]) -> Iterator[dict[str, object]]:
    """The cells in order; before version 4 they were kept in worksheets."""
    holders = [contents, *_objects(contents.get("worksheets"))]
    return (cell for holder in holders for cell in _objects(holder.get("cells")))


def _objects(value: object) -> list[dict[str, object]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _language(contents: dict[str, object]) -> str:
    metadata = contents.get("metadata")
    about = metadata.get("language_info") if isinstance(metadata, dict) else None
    name = about.get("name") if isinstance(about, dict) else None
    return name if isinstance(name, str) and name.isidentifier() else ""


def _markdown(cell: dict[str, object], language: str) -> str:
    source = cell.get("source", cell.get("input", ""))
    text = "".join(map(str, source)) if isinstance(source, list) else str(source)
    text = printable(text.replace("\r\n", "\n"))
    match cell.get("cell_type"):
        case "markdown":
            return text
        case "code" if text.strip():
            return fenced(text, language)
        case "heading":  # before version 4
            level = cell.get("level")
            return f"{'#' * (level if isinstance(level, int) and 0 < level < 7 else 1)} {text}"
    return ""


_NOT_A_NOTEBOOK = Bilingual(
    en="It is not a Jupyter notebook in spite of its name. Save it again from Jupyter.",
    zh="虽然扩展名是 .ipynb，但它不是 Jupyter notebook。请在 Jupyter 中重新保存。",
)
