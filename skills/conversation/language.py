"""Text -> the language to answer in."""

from __future__ import annotations

from index.bilingual import Language
from skills.conversation.parse.text import read


def language_of(text: str) -> Language:
    """The language that the person should be answered in: Chinese when its characters prevail, else English."""
    return read(text).language
