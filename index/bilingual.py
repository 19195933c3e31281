"""A sentence for a person, in English and in Chinese: neither can be forgotten.

Errors are raised far below the place that knows the reader's language, so they carry both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Language = Literal["en", "zh"]


@dataclass(frozen=True, slots=True)
class Bilingual:
    """One message in both languages that Shortlist speaks."""

    en: str
    zh: str

    def to(self, language: Language) -> str:
        """Return the wording for `language`."""
        return self.zh if language == "zh" else self.en

    def __str__(self) -> str:
        return self.en
