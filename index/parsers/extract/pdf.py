"""Turn a PDF into the text of its pages. What looks like a heading is not taken for one."""

from __future__ import annotations

import re
import unicodedata
from io import BytesIO

from pypdf import PageObject, PdfReader
from pypdf.errors import DependencyError

from index.bilingual import Bilingual
from index.errors import BadDocument
from index.parsers.extract import Found

_MAX_UNREADABLE_FRAC = 0.3
_NO_TITLE = re.compile(r"untitled|无标题|microsoft |.*\.(docx?|pptx?|xlsx?|indd|tex|dvi)$", re.IGNORECASE)
_SHAPES = re.compile("[\u2e80-\u2fdf\ufb00-\ufb06]")
"""Ligatures and Chinese radicals, which some programs write for the letters that they look like."""


def extract(data: bytes) -> Found:
    """Every page, also the empty ones, so that they can be counted."""
    reader = PdfReader(BytesIO(data))
    _open(reader)
    pages = tuple(map(_text, reader.pages))
    if not any(pages):
        raise BadDocument(_NO_TEXT)
    title = (reader.metadata.title or "" if reader.metadata else "").strip()
    return Found(texts=pages, title=None if _NO_TITLE.match(title) else title)


def _open(reader: PdfReader) -> None:
    """A file that only forbids printing opens with an empty password."""
    try:
        if not reader.is_encrypted or reader.decrypt(""):
            return
    except DependencyError:
        pass
    raise BadDocument(_ENCRYPTED)


def _text(page: PageObject) -> str:
    """The text of a page; nothing where its fonts do not say which characters they draw."""
    try:
        text = page.extract_text()
    except (MemoryError, RecursionError):
        raise
    except Exception:  # a page that cannot be read costs only itself
        return ""
    unreadable = sum(
        c == "\ufffd" or unicodedata.category(c) in ("Cc", "Co", "Cn") for c in text if c != "\n"
    )
    if unreadable > _MAX_UNREADABLE_FRAC * len(text):
        return ""
    return _SHAPES.sub(lambda match: unicodedata.normalize("NFKC", match[0]), text).strip()


_NO_TEXT = Bilingual(
    en="It holds no text that can be read: it may be a scan. Run OCR on it first.",
    zh="其中没有可读取的文字，可能是扫描件。请先做 OCR。",
)
_ENCRYPTED = Bilingual(
    en="It is encrypted. Save it without a password and add it again.",
    zh="文件已加密。请另存为不带密码的文件后重新添加。",
)
