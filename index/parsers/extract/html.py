"""Turn a web page into Markdown: what a reader sees of its text, and no more. Nothing is fetched or run."""

from __future__ import annotations

import re

from bs4 import BeautifulSoup, Tag
from bs4.dammit import EncodingDetector
from markdownify import MarkdownConverter

from index.parsers.encoding import decoded
from index.parsers.extract import Found
from index.parsers.parsed import fenced

_NOT_TEXT = (
    "script, style, noscript, template, iframe, object, svg, canvas, audio, video, head, "
    "button, input, select, textarea, dialog"
)
_AROUND = (
    "nav, [role=navigation], [role=banner], [role=search], [role=contentinfo], body > footer, body > aside"
)
_HIDDEN = "[hidden], [aria-hidden=true], .headerlink, .anchor"
_INVISIBLE = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
_WEB_LINK = re.compile(r"(https?://|mailto:)", re.IGNORECASE)
_MARKUP = re.compile(r"^(\s*)(#{1,6}\s|```|~~~)", re.MULTILINE)
_CHINESE_ENCODINGS = ("gb2312", "gbk", "gb_2312-80", "x-gbk")


def extract(data: bytes) -> Found:
    """The main text under its headings, the title, and the address that the page gives for itself."""
    soup = BeautifulSoup(_text(data), "lxml")
    address = soup.find("link", rel="canonical", href=True)
    return Found(
        title=soup.title.get_text() if soup.title else None,
        url=str(address["href"]) if isinstance(address, Tag) else None,
        texts=(_markdown(soup),),
    )


def markdown_of(html: str) -> str:
    """The Markdown of a piece of HTML that is known to be text."""
    return _markdown(BeautifulSoup(html, "lxml"))


def _text(data: bytes) -> str:
    """By the encoding that the page declares, when that is true; else like any other text."""
    declared = EncodingDetector.find_declared_encoding(data, is_html=True, search_entire_document=False)
    if declared and not data.startswith((b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf")):
        try:
            return data.decode("gb18030" if declared in _CHINESE_ENCODINGS else declared)
        except (LookupError, UnicodeError):
            pass
    return decoded(data)


def _markdown(soup: BeautifulSoup) -> str:
    _drop_what_is_not_text(soup)
    _simplify(soup)
    main = soup.select_one("main, [role=main]")
    text = _Converter().convert_soup(main) if main else ""
    text = text if text.strip() else _Converter().convert_soup(soup)
    return str(text).strip()


def _drop_what_is_not_text(soup: BeautifulSoup) -> None:
    for tag in soup.select(f"{_NOT_TEXT}, {_AROUND}, {_HIDDEN}"):
        tag.decompose()
    for tag in soup.find_all(style=_INVISIBLE):
        tag.decompose()


def _simplify(soup: BeautifulSoup) -> None:
    """Pictures become what they are said to show, links that lead nowhere their text, headings plain."""
    for image in soup.find_all("img"):
        image.replace_with(str(image.get("alt") or ""))
    for link in soup.find_all("a"):
        if not _WEB_LINK.match(str(link.get("href") or "")):
            link.unwrap()
    for heading in soup.find_all(re.compile("^h[1-6]$")):
        heading.string = " ".join(heading.get_text().split())


class _Converter(MarkdownConverter):
    """Text stays as it is: only what would be taken for a heading or a block of code is escaped."""

    class Options:
        heading_style = "atx"
        bullets = "-"

    def escape(self, text: str, parent_tags: set[str]) -> str:  # noqa: ARG002 - as the base class has it
        """The text of one node outside code."""
        return _MARKUP.sub(r"\1\\\2", text or "")

    def convert_pre(self, el: Tag, text: str, parent_tags: set[str]) -> str:  # noqa: ARG002 - likewise
        """A block of code."""
        return f"\n\n{fenced(text.strip(chr(10)))}\n\n" if text.strip() else ""
