"""Turn a text into the tokens that overlaps are counted on: words of letters and digits, single Chinese characters."""

from __future__ import annotations

import re
import unicodedata

_HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_KANA = "\u3040-\u30ff"
_TOKEN = re.compile(rf"[{_HAN}{_KANA}]|[^\W_{_HAN}{_KANA}]+")
_CHARACTER = re.compile(f"[{_HAN}]")
_CHINESE_FROM = 0.3


def tokens(text: str) -> list[str]:
    """Lower-case tokens; full-width letters count as ordinary ones, punctuation does not count."""
    return _TOKEN.findall(unicodedata.normalize("NFKC", text).lower())


def is_chinese(texts: list[str]) -> bool:
    """True when a good part of the letters are Chinese characters."""
    joined = "".join(texts)
    letters = sum(character.isalnum() for character in joined)
    return letters > 0 and len(_CHARACTER.findall(joined)) / letters >= _CHINESE_FROM
