"""Turn what the other process found in PDF, DOCX and HTML into sections."""

from __future__ import annotations

from index.bilingual import Bilingual
from index.markdown import converted_sections
from index.parsers.child import CHILD
from index.parsers.parsed import Parsed, Place, Section


def html(data: bytes, stem: str) -> Parsed:
    """A web page under its headings."""
    page = CHILD.read("html", data)
    return converted_sections(page.texts[0], stem, title=page.title, url=page.url)


def docx(data: bytes, stem: str) -> Parsed:
    """A Word document under its headings."""
    return converted_sections(CHILD.read("docx", data).texts[0], stem)


def pdf(data: bytes, stem: str) -> Parsed:
    """One section a page."""
    found = CHILD.read("pdf", data)
    places = (Place(unit="page", first=n, last=n) for n in range(1, len(found.texts) + 1))
    sections = tuple(Section(text=t, place=p) for t, p in zip(found.texts, places, strict=True) if t)
    n_empty = len(found.texts) - len(sections)
    note = _pages_without_text(n_empty, len(found.texts)) if n_empty else None
    return Parsed(title=found.title or stem, sections=sections, note=note)


def _pages_without_text(n_empty: int, n_pages: int) -> Bilingual:
    return Bilingual(
        en=f"{n_empty} of its {n_pages} pages hold no text that can be read: they may be scans, or pictures only.",
        zh=f"共 {n_pages} 页，其中 {n_empty} 页没有可读取的文字，可能是扫描件或图片。",
    )
