"""Worded text and evidence -> the sentences that the evidence supports, and why each other one does not stand.

Pure, no network. A sentence stands when nothing in it is wrong (numbers with their unit and their model, names, licences,
marks, comparisons) and when all of it was shown to be right: it nearly quotes a source, or follows from the figures of the
ranking. Any other gives way to the sentence of the answer that it paraphrases, so that nothing true is lost with it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from skills.grounding.claims import (
    claims_too_much,
    gives_orders,
    has_link_or_command,
    is_elsewhere,
    says_the_opposite,
)
from skills.grounding.derived import follows
from skills.grounding.evidence import LEANS, Clause, Evidence, clauses, models_in, subject_of
from skills.grounding.figures import has_wrong_number
from skills.grounding.names import cites_wrongly, names_unknown, names_unknown_model, names_wrong_licence
from skills.grounding.quotes import closest, quoted_by
from skills.grounding.relations import compares_wrongly
from skills.grounding.sentences import cut
from skills.grounding.tallies import tally
from skills.grounding.terms import REFUSAL

Reason = Literal[
    "link or command", "order", "refusal", "citation", "model", "licence", "name", "number", "comparison", "claim",
    "opposite", "not in the evidence", "leans on a removed sentence", "in other words",
]  # fmt: skip
_NOTHING_INSTEAD: frozenset[Reason | None] = frozenset({None, "link or command", "order", "refusal"})
_POINTS_BACK = re.compile(
    r"^\W*(?:this|that|these|those|such|so|hence|therefore|thus|the (?:former|latter|same))\b"
    r"|^\W*(?:这|那|此|因此|所以|前者|后者)",
    re.IGNORECASE | re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Checked:
    """One sentence, and why it was removed; None when it stands."""

    text: str
    reason: Reason | None = None
    instead: str | None = None
    """The sentence of the answer without the model that takes its place."""

    @property
    def posted(self) -> str | None:
        """What may be shown of it."""
        return self.text if self.reason is None else self.instead


@dataclass(frozen=True, slots=True)
class Report:
    """A whole text after the check."""

    sentences: tuple[Checked, ...]

    @property
    def kept(self) -> tuple[str, ...]:
        """The sentences that stand."""
        return tuple(item.text for item in self.sentences if item.reason is None)

    @property
    def removed(self) -> tuple[Checked, ...]:
        """The sentences that do not, each with its reason."""
        return tuple(item for item in self.sentences if item.reason is not None)

    @property
    def text(self) -> str:
        """What may be posted."""
        return "".join(item.posted for item in self.sentences if item.posted).strip()

    @property
    def share_posted(self) -> float:
        """Share of the sentences that stand or give way to one of the answer."""
        posted = sum(item.posted is not None for item in self.sentences)
        return posted / len(self.sentences) if self.sentences else 0.0


def check(text: str, evidence: Evidence) -> Report:
    """Check a whole text."""
    return Report(tuple(checked(iter([text]), evidence)))


def checked(chunks: Iterable[str], evidence: Evidence) -> Iterator[Checked]:
    """Check a stream, sentence by sentence, as soon as each is complete."""
    checker = _Checker(evidence)
    posted: set[str] = set()
    for sentence in filter(str.strip, cut(chunks)):
        reason = checker.reason(sentence)
        instead = None if reason in _NOTHING_INSTEAD else closest(sentence, evidence)
        if instead in posted:
            instead = None
        posted.add(instead or sentence.strip())
        yield Checked(sentence, reason, instead and instead + sentence[len(sentence.rstrip()) :])


_Test = Callable[[str, Sequence[Clause], Evidence], bool]


@dataclass
class _Checker:
    evidence: Evidence
    subject: frozenset[str] = frozenset()
    """The model that the last sentence was about."""
    was_removed: bool = False
    has_kept: bool = False
    quoted: frozenset[str] = frozenset()
    """The sentences of the evidence that the last sentence quotes."""
    has_named_another: bool = False
    """A removed sentence named a model that is not the first of the ranking."""

    @property
    def _first(self) -> frozenset[str]:
        """The model that a text begins to speak of without naming it: the first of the ranking."""
        return frozenset(item.model for item in self.evidence.recommendations if item.rank == 1)

    def reason(self, sentence: str) -> Reason | None:
        """Why the sentence cannot be posted; remembers what the next one may lean on."""
        is_of_a_ranking = bool(self.evidence.recommendations)
        has_antecedent = self.has_kept and (bool(self.subject) or not is_of_a_ranking)
        has_antecedent = has_antecedent or (is_of_a_ranking and not self.has_named_another)
        leans = bool(LEANS.search(sentence)) and not has_antecedent
        if self.was_removed and (leans or _POINTS_BACK.search(sentence)):
            return "leans on a removed sentence"
        parts = clauses(sentence, self.evidence.names, self.subject or self._first)
        quoted = quoted_by(sentence, self.evidence)
        if LEANS.search(sentence) and not quoted & self.quoted:
            quoted = frozenset()
        self.quoted = quoted
        reason = _reason(sentence, parts, self.evidence, is_quoted=bool(quoted))
        self.was_removed = reason is not None
        named = models_in(sentence, self.evidence.names)
        self.has_named_another = self.has_named_another or bool(reason and not named <= self._first)
        if reason is None:
            self.has_kept = True
            self.subject = subject_of(parts) or self.subject
        return reason


def _reason(sentence: str, parts: Sequence[Clause], evidence: Evidence, *, is_quoted: bool) -> Reason | None:
    tests: tuple[tuple[Reason, bool], ...] = (
        ("link or command", has_link_or_command(sentence, evidence)),
        ("refusal", bool(REFUSAL.search(sentence))),
        ("order", gives_orders(sentence, evidence)),
    )
    failed = next((reason for reason, fails in tests if fails), None)
    if failed:
        return failed
    counts = tally(sentence, evidence)
    if counts is False:
        return "number"
    later: tuple[tuple[Reason, _Test], ...] = (
        ("citation", cites_wrongly),
        ("model", names_unknown_model),
        ("licence", names_wrong_licence),
        ("name", names_unknown),
        ("number", has_wrong_number),
        ("comparison", compares_wrongly),
        ("claim", claims_too_much),
        ("opposite", says_the_opposite),
        ("not in the evidence", is_elsewhere),
    )
    if counts:
        return next((reason for reason, fails in later[:4] if fails(sentence, parts, evidence)), None)
    wrong = next((reason for reason, fails in later if fails(sentence, parts, evidence)), None)
    if wrong or is_quoted or follows(sentence, parts, evidence):
        return wrong
    return "in other words"
