"""One message read once: its text, its tokens, the phrases found in them, and the questions parsers ask."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from index.bilingual import Language
from skills.conversation.parse.lexicon import words
from skills.conversation.parse.phrases import Match, phrasebook
from skills.conversation.parse.spelling import mend
from skills.conversation.parse.text import Text, Token, read

_NEGATION_REACH = 5
"""Tokens that a "not" governs, unless its clause ends before."""
_DENIAL_REACH = 8
_LABELS = (
    "field_word",
    "limit_word",
    "ceiling",
    "latency_word",
    "first_token",
    "context_word",
    "budget_word",
    "memory_word",
    "gpu_word",
    "licence_word",
)
"""What a form calls its fields."""
_PARTICLES = frozenset({"了", "的", "啊", "吧", "哈", "哦"})
_DENIABLE = (
    "name",
    "vendor",
    "origin",
    "model_noun",
    "gpu",
    "language",
    "licence",
    "task",
    "hosting",
    "quantization",
    "modality",
    "priority",
)


@dataclass(frozen=True)
class Reading:
    """A message with everything the lexicons know about it."""

    text: Text
    tokens: tuple[Token, ...]
    matches: tuple[Match, ...]

    @property
    def language(self) -> Language:
        """Language of the turn."""
        return self.text.language

    @cached_property
    def _by_category(self) -> dict[str, list[Match]]:
        grouped: dict[str, list[Match]] = {}
        for match in self.matches:
            grouped.setdefault(match.category, []).append(match)
        return grouped

    @cached_property
    def _clause_ends(self) -> frozenset[int]:
        ends = words("text", "clause_ends")
        return frozenset(
            i for i, token in enumerate(self.tokens) if token.text in ends and not self._is_after_label(i)
        )

    def _is_after_label(self, position: int) -> bool:
        """The colon of "Latency: 2 s" joins what it stands between."""
        if self.tokens[position].text != ":":
            return False
        labels = (match for category in _LABELS for match in self._by_category.get(category, ()))
        return any(match.end == position for match in labels)

    def all(self, category: str, value: str | None = None) -> list[Match]:
        """Matches of a category, in order."""
        found = self._by_category.get(category, [])
        return found if value is None else [match for match in found if match.value == value]

    def has(self, category: str, value: str | None = None) -> bool:
        """True when the category occurs at all."""
        return bool(self.all(category, value))

    def has_any(self, *categories: str) -> bool:
        """True when one of the categories occurs."""
        return any(category in self._by_category for category in categories)

    def stated(self, category: str) -> list[Match]:
        """Matches that are not negated."""
        return [match for match in self.all(category) if not self.is_negated(match.start)]

    def values(self, category: str) -> tuple[str, ...]:
        """Distinct values that are not negated, in order of mention."""
        return tuple(dict.fromkeys(match.value for match in self.stated(category)))

    def denied(self, category: str) -> tuple[str, ...]:
        """Distinct values that are negated."""
        matches = [match for match in self.all(category) if self.is_negated(match.start)]
        return tuple(dict.fromkeys(match.value for match in sorted(matches, key=lambda match: match.start)))

    def is_negated(self, position: int) -> bool:
        """True when a negation governs the token at `position`: one before it, or a bare one after it."""
        if any(match.covers(position) for match in self.all("given_up")):
            return True
        return any(
            negation.end <= position
            and self._distance(negation.end, position) <= self._reach(negation)
            and self.same_clause(negation.end, position)
            and not self._scope_ends(negation.end, position)
            and not self._is_past_besides(negation, position)
            for negation in self._negations
        ) or any(
            position < denial.start
            and self._distance(position, denial.start) <= _DENIAL_REACH
            and self.same_clause(position, denial.start)
            for denial in self._denials
        )

    def _is_past_besides(self, negation: Match, position: int) -> bool:
        """除了阿里以外的国产模型: what 以外 closes is denied, and no more."""
        closes = self.gap(negation.end, position)
        return "以 外" in closes or "之 外" in closes

    def _reach(self, negation: Match) -> int:
        """非国产: a prefix denies what it stands before and no more."""
        return 0 if self.gap(negation.start, negation.end) in ("非", "non") else _NEGATION_REACH

    def _distance(self, start: int, end: int) -> float:
        """Tokens between two positions; a Chinese character is half a word."""
        if end - start > 2 * _NEGATION_REACH:
            return float(end - start)
        return sum(0.75 if token.is_han else 1.0 for token in self.tokens[start:end])

    @cached_property
    def _denials(self) -> list[Match]:
        """Negations that come after what they deny and end its clause: "the Llama licence is out"."""
        found = self.all("negation_after")
        return [match for match in found if match.value == "always" or self._ends_clause(match.end)]

    def _ends_clause(self, position: int) -> bool:
        while position < len(self.tokens) and self.tokens[position].text in _PARTICLES:
            position += 1
        return position == len(self.tokens) or position in self._clause_ends or self._turns(position)

    def _turns(self, position: int) -> bool:
        return self.tokens[position].text in ("for", "because", "here")

    @cached_property
    def _negations(self) -> list[Match]:
        """Without the "not" of "why not", however far it reaches."""
        others = [*self.all("why"), *self.all("not_a_negation")]
        return [m for m in self.all("negation") if not any(other.covers(m.start) for other in others)]

    def _scope_ends(self, start: int, position: int) -> bool:
        """True when something was denied before `position` already, and a preposition opens what is not."""
        ends = words("text", "scope_ends")
        turns = [i for i in range(start + 1, position) if self.tokens[i].text in ends]
        return any(start <= m.start < i for i in turns for c in _DENIABLE for m in self.all(c))

    def same_clause(self, start: int, end: int) -> bool:
        """True when no clause ends in [start, end)."""
        return not any(position in self._clause_ends for position in range(start, end))

    def clause(self, start: int, end: int) -> tuple[int, int]:
        """The clause that holds [start, end)."""
        while start > 0 and self.same_clause(start - 1, start):
            start -= 1
        while end < len(self.tokens) and self.same_clause(end, end + 1):
            end += 1
        return start, end

    def gap(self, start: int, end: int) -> str:
        """The text between two positions, joined by spaces."""
        return " ".join(token.text for token in self.tokens[start:end])

    def before(self, position: int, category: str, reach: int) -> Match | None:
        """The nearest match of a category that ends at most `reach` tokens before `position`, same clause."""
        near = [
            match
            for match in self.all(category)
            if 0 <= position - match.end <= reach and self.same_clause(match.end, position)
        ]
        return max(near, key=lambda match: (match.end, match.start), default=None)

    def after(self, position: int, category: str, reach: int) -> Match | None:
        """The nearest match of a category that starts at most `reach` tokens after `position`, same clause."""
        near = [
            match
            for match in self.all(category)
            if 0 <= match.start - position <= reach and self.same_clause(position, match.start)
        ]
        return min(near, key=lambda match: (match.start, -match.end), default=None)

    def near(self, start: int, end: int, category: str, reach: int) -> Match | None:
        """The nearest match of a category on either side of [start, end)."""
        return self.before(start, category, reach) or self.after(end, category, reach)

    def at(self, position: int, category: str) -> Match | None:
        """The match of a category that starts exactly here."""
        return next((match for match in self.all(category) if match.start == position), None)

    def with_names(self, spans: Iterable[tuple[int, int]]) -> Reading:
        """The same reading, with names at these token spans in place of the matches that touch them."""
        spans = list(spans)
        gone = {position for start, end in spans for position in range(start, end)}
        kept = [m for m in self.matches if gone.isdisjoint(range(m.start, m.end))]
        names = [Match("name", "name", start, end) for start, end in spans]
        return Reading(self.text, self.tokens, tuple(kept + names))

    def positions(self, start_char: int, end_char: int) -> tuple[int, int]:
        """The token span of a character span."""
        inside = [i for i, t in enumerate(self.tokens) if t.start < end_char and t.end > start_char]
        return (inside[0], inside[-1] + 1) if inside else (0, 0)


def read_turn(raw: str) -> Reading:
    """Normalise, mend and look up one message."""
    text = read(raw)
    book = phrasebook()
    tokens = mend(text.tokens, book.knows)
    return Reading(text, tokens, tuple(book.find(tokens)))
