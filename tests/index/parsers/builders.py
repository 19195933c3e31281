"""Documents made in the test: no binary file has to be trusted, or kept."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Sequence
from xml.sax.saxutils import escape

from pypdf import PdfReader, PdfWriter

_WORD = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_STYLES = {"Title": "Title", "1": "heading 1", "2": "heading 2", "10": "标题 1"}
"""As Word writes them: the ids differ from language to language, the names do not."""


def pdf(*pages: str, title: str = "") -> bytes:
    """A page for each text; the font says which character each code means."""
    codes = sorted({ord(character) for page in pages for character in page if character != "\n"})
    ranges = "\n".join(f"<{code:04X}> <{code:04X}>" for code in codes)
    codespace = "1 begincodespacerange <0000> <FFFF> endcodespacerange"
    cmap = f"begincmap\n{codespace}\n{len(codes)} beginbfchar\n{ranges}\nendbfchar\nendcmap"
    first = 7
    kids = " ".join(f"{first + 2 * n} 0 R" for n in range(len(pages)))
    objects = [
        "<</Type/Catalog/Pages 2 0 R>>",
        f"<</Type/Pages/Count {len(pages)}/Kids[{kids}]>>",
        "<</Type/Font/Subtype/Type0/BaseFont/F/Encoding/Identity-H/DescendantFonts[5 0 R]/ToUnicode 4 0 R>>",
        _stream(cmap),
        "<</Type/Font/Subtype/CIDFontType2/BaseFont/F/CIDSystemInfo"
        "<</Registry(Adobe)/Ordering(Identity)/Supplement 0>>>>",
        f"<</Title<FEFF{title.encode('utf-16-be').hex()}>>>",
    ]
    for n, page in enumerate(pages):
        objects.append(
            "<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Resources<</Font<</F 3 0 R>>>>"
            f"/Contents {first + 2 * n + 1} 0 R>>"
        )
        lines = "\n".join(f"<{line.encode('utf-16-be').hex()}> Tj T*" for line in page.split("\n"))
        objects.append(_stream(f"BT /F 12 Tf 14 TL 50 800 Td\n{lines}\nET" if page else ""))
    return _pdf_file(objects)


def _stream(text: str) -> str:
    return f"<</Length {len(text)}>>stream\n{text}\nendstream"


def _pdf_file(objects: Sequence[str]) -> bytes:
    out = b"%PDF-1.7\n"
    offsets = []
    for n, body in enumerate(objects, start=1):
        offsets.append(len(out))
        out += f"{n} 0 obj\n{body}\nendobj\n".encode()
    table = "".join(f"{offset:010} 00000 n \n" for offset in offsets)
    size = len(objects) + 1
    trailer = f"trailer<</Size {size}/Root 1 0 R/Info 6 0 R>>\nstartxref\n{len(out)}\n%%EOF"
    return out + f"xref\n0 {size}\n0000000000 65535 f \n{table}{trailer}".encode()


def encrypted(document: bytes, password: str) -> bytes:
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(document)))
    writer.encrypt(password, owner_password="owner", algorithm="RC4-128")
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def docx(*paragraphs: str | tuple[str, str], body: str = "", before: str = "") -> bytes:
    """Paragraphs, as text or as (style, text); or the XML of a body, and what comes before the document."""
    content = body or "".join(
        _paragraph(*p) if isinstance(p, tuple) else _paragraph("", p) for p in paragraphs
    )
    styles = "".join(
        f'<w:style w:type="paragraph" w:styleId="{key}"><w:name w:val="{name}"/></w:style>'
        for key, name in _STYLES.items()
    )
    return zipped(
        {
            "_rels/.rels": _relationship("officeDocument", "word/document.xml"),
            "word/_rels/document.xml.rels": _relationship("styles", "styles.xml"),
            "word/document.xml": f"{before}<w:document {_WORD}><w:body>{content}</w:body></w:document>",
            "word/styles.xml": f"<w:styles {_WORD}>{styles}</w:styles>",
        }
    )


def _paragraph(style: str, text: str) -> str:
    return f'<w:p><w:pPr><w:pStyle w:val="{style}"/></w:pPr><w:r><w:t>{escape(text)}</w:t></w:r></w:p>'


def _relationship(kind: str, target: str) -> str:
    return (
        f'<Relationships xmlns="{_PACKAGE}/relationships">'
        f'<Relationship Id="r1" Type="{_OFFICE}/{kind}" Target="{target}"/></Relationships>'
    )


def zipped(parts: dict[str, str | bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return out.getvalue()


def ipynb(*cells: tuple[str, str], language: str = "python") -> bytes:
    """Cells as (type, source); code cells have an output that nobody wants to find."""
    made = [
        {"cell_type": kind, "source": source.splitlines(keepends=True), "outputs": [{"text": "OUTPUT"}]}
        for kind, source in cells
    ]
    return json.dumps(
        {"nbformat": 4, "metadata": {"language_info": {"name": language}}, "cells": made}
    ).encode()
