"""A question about models, and what is found of one fact of one model: the values that the fact modules share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from index.bilingual import Bilingual, Language
from skills.conversation.parse.statement import Statement
from skills.conversation.request import Request
from skills.desk import Desk

_YES_NO = {True: Bilingual("Yes: ", "是："), False: Bilingual("No: ", "否：")}
_LOWER = ("the ", "to ", "in ")
"""Sentences that do not begin with the name of a model, which keeps its case."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question about models: what it asks for, and the values that it names."""

    request: Request
    statement: Statement
    desk: Desk
    fields: tuple[str, ...]
    benchmarks: tuple[str, ...]

    @property
    def language(self) -> Language:
        """The language of the answer."""
        return self.request.language

    def stated(self, field: str) -> Any:
        """A value that the question names: a licence, languages, a length."""
        return self.statement.fields.get(field)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What is known of one field of one model."""

    says: Bilingual
    marks: str = ""
    verdict: bool | None = None
    """Whether the value that the question names is the right one."""

    def sentence(self, language: Language) -> str:
        """The sentence, with yes or no in front where that was asked, and its sources."""
        says = self.says.to(language)
        lead = "" if self.verdict is None else _YES_NO[self.verdict].to(language)
        text = f"{says[0].upper()}{says[1:]}" if not lead and says.startswith(_LOWER) else says
        end = "。" if language == "zh" else "."
        return f"{lead}{text} {self.marks}".rstrip() + end
