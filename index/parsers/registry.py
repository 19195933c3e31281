"""Which parser reads a file, by the ending of its name. Add a kind: one module, and one line here."""

from __future__ import annotations

from collections.abc import Callable

from index.markdown import markdown_sections
from index.parsers.delimited import comma_separated, tab_separated
from index.parsers.encoding import decoded
from index.parsers.extracted import docx, html, pdf
from index.parsers.json_data import json_document, json_lines
from index.parsers.notebook import notebook
from index.parsers.parsed import Parsed
from index.parsers.plain import text


def markdown(data: bytes, stem: str) -> Parsed:
    """Markdown under its headings."""
    return markdown_sections(decoded(data), stem)


PARSERS: dict[str, Callable[[bytes, str], Parsed]] = {
    ".md": markdown,
    ".markdown": markdown,
    ".txt": text,
    ".text": text,
    ".html": html,
    ".htm": html,
    ".pdf": pdf,
    ".docx": docx,
    ".csv": comma_separated,
    ".tsv": tab_separated,
    ".jsonl": json_lines,
    ".ndjson": json_lines,
    ".json": json_document,
    ".ipynb": notebook,
}
"""From a file's ending to what turns its bytes, and the stem of its name, into a document."""
