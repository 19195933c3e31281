"""Worded text and evidence -> the sentences that the evidence supports, and why each other one does not stand.

Pure, no network. Strict where a claim can be told from the evidence: numbers with their unit and their model, names,
licences, marks, comparisons. What is said in other words is kept as long as its words are those of the evidence.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from skills.grounding.evidence import LEANS, Clause, Evidence, Fact, clauses, mentions, models_in, subject_of
from skills.grounding.quantities import Quantity, is_same
from skills.grounding.relations import is_difference, is_ratio, wrong_comparison, wrong_ratio
from skills.grounding.sentences import cut
from skills.grounding.terms import (
    FORBIDDEN,
    HAN,
    LINK,
    MARK,
    NEGATION,
    ORDERS,
    REFUSAL,
    WEIGHTY,
    content,
    contradicts,
    gist,
    labels,
    licences,
)

if TYPE_CHECKING:
    from spellchecker import SpellChecker

Reason = Literal[
    "link or command", "order", "refusal", "citation", "model", "licence", "name", "number", "comparison", "claim",
    "opposite", "not in the evidence", "leans on a removed sentence",
]  # fmt: skip
_SUPPORT = {"en": 0.6, "zh": 0.4}
"""Share of what a sentence is about that must occur in the evidence."""
_IN_ONE = {"en": 0.34, "zh": 0.22}
"""Share that must occur in one place of it."""
_NEAR, _NEARER = 0.6, 0.75
_POINTS_BACK = re.compile(
    r"^\W*(?:this|that|these|those|such|so|hence|therefore|thus|the (?:former|latter|same))\b"
    r"|^\W*(?:这|那|此|因此|所以|前者|后者)",
    re.IGNORECASE | re.ASCII,
)
_TO_YOU = re.compile(r"\byou(?:r|rs)?\b|\basked\b|\bwant|你|您|要求", re.IGNORECASE | re.ASCII)
_COUNTED = re.compile(
    r"(?:\b(?:top|the|these|those|all|of)|前|这|那|上述|以上)\s*$", re.IGNORECASE | re.ASCII
)
_HARD_TO = re.compile(
    r"\b(?:hard|difficult|misleading|meaningless|unfair|avoid|only)\b|难|误导|没有意义|避免|只",
    re.IGNORECASE | re.ASCII,
)
_MEASURED = re.compile(r"\b(?:measured|tested|verified)\b|实测|测试过|验证过", re.IGNORECASE | re.ASCII)
_BOUND = re.compile(
    r"(?P<above>\b(?:over|above|more than|at least|exceeds?|no less than)|超过|至少|不少于|高于|多于)\s*(?:about\s*)?$"
    r"|(?P<below>\b(?:under|below|less than|at most|within|no more than)|不到|至多|不超过|低于|少于)\s*(?:about\s*)?$",
    re.IGNORECASE | re.ASCII,
)
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:[._+/-][A-Za-z0-9]+)*")
_LETTER = re.compile(
    r"(?<![A-Za-z0-9])[B-HJ-Z](?![A-Za-z0-9])|\bmodel A\b|\bA (?=predicts|uses|is|has)|(?<=for )A\b"
)
"""The A and B of an example."""
_NUMBERED_NAME = re.compile(r"(?<![A-Za-z0-9])[A-Z][A-Za-z-]*[A-Z][A-Za-z-]*\s\d[\d.]*\d(?![\d%])")
"""AIME 2025, RTX 4090."""
_GENERIC = frozenset(
    [
        "i",
        "a",
        "gpu",
        "gpus",
        "llm",
        "llms",
        "api",
        "apis",
        "gib",
        "gb",
        "mb",
        "token",
        "tokens",
        "vram",
        "kv",
        "ai",
        "ok",
        "usd",
        "bit",
        "bits",
        "b",
        "k",
        "m",
        "x",
        "vs",
        "eg",
        "ie",
        "e.g",
        "i.e",
        "top",
        "nf4",
        "h",
        "s",
        "licence",
        "license",
        "open-source",
        "self-hosted",
        "runner-up",
        "16-bit",
        "8-bit",
        "4-bit",
        "bf16",
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ]
)


@dataclass(frozen=True, slots=True)
class Checked:
    """One sentence, and why it was removed; None when it stands."""

    text: str
    reason: Reason | None = None


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
        return "".join(self.kept).strip()

    @property
    def share_kept(self) -> float:
        """Share of the sentences that stand."""
        return len(self.kept) / len(self.sentences) if self.sentences else 0.0


def check(text: str, evidence: Evidence) -> Report:
    """Check a whole text."""
    return Report(tuple(checked(iter([text]), evidence)))


def checked(chunks: Iterable[str], evidence: Evidence) -> Iterator[Checked]:
    """Check a stream, sentence by sentence, as soon as each is complete."""
    checker = _Checker(evidence)
    for sentence in cut(chunks):
        if sentence.strip():
            yield Checked(sentence, checker.reason(sentence))


_Test = Callable[[str, Sequence[Clause], Evidence], bool]


@dataclass
class _Checker:
    evidence: Evidence
    subject: frozenset[str] = frozenset()
    """The model that the last sentence was about."""
    was_removed: bool = False
    has_kept: bool = False
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
        reason = _reason(sentence, parts, self.evidence)
        self.was_removed = reason is not None
        named = models_in(sentence, self.evidence.names)
        self.has_named_another = self.has_named_another or bool(reason and not named <= self._first)
        if reason is None:
            self.has_kept = True
            self.subject = subject_of(parts) or self.subject
        return reason


def _reason(sentence: str, parts: Sequence[Clause], evidence: Evidence) -> Reason | None:
    tests: tuple[tuple[Reason, bool], ...] = (
        ("link or command", _has_link_or_command(sentence, evidence)),
        ("refusal", bool(REFUSAL.search(sentence))),
        ("order", _gives_orders(sentence, evidence)),
    )
    failed = next((reason for reason, fails in tests if fails), None)
    if failed:
        return failed
    later: tuple[tuple[Reason, _Test], ...] = (
        ("citation", _cites_wrongly),
        ("model", _names_unknown_model),
        ("licence", _names_wrong_licence),
        ("name", _names_unknown),
        ("number", _has_wrong_number),
        ("comparison", _compares_wrongly),
        ("claim", _claims_too_much),
        ("opposite", _says_the_opposite),
        ("not in the evidence", _is_elsewhere),
    )
    return next((reason for reason, fails in later if fails(sentence, parts, evidence)), None)


def _has_link_or_command(sentence: str, evidence: Evidence) -> bool:
    if any(match.group().lower() not in evidence.text for match in FORBIDDEN.finditer(sentence)):
        return True
    quoted = re.findall(r"`([^`]+)`", sentence)
    links = [match.group().lower().rstrip(".,") for match in LINK.finditer(sentence)]
    return any(text.lower() not in evidence.text for text in [*quoted, *links])


def _gives_orders(sentence: str, evidence: Evidence) -> bool:
    """An order stands only where the answer itself, not a quoted document, gives it in these words."""
    own = "\n".join(fact.sentence for fact in evidence.facts if not fact.marks).lower()
    return any(not re.search(rf"\b{re.escape(m.group().lower())}", own) for m in ORDERS.finditer(sentence))


def _cites_wrongly(sentence: str, _parts: Sequence[Clause], evidence: Evidence) -> bool:
    cited = {int(n) for n in MARK.findall(sentence)}
    if not cited <= evidence.marks or re.search(r"\[(?!\d{1,3}\])[^\]]*\d[^\]]*\]|【\d+", sentence):
        return True
    named = {key for _, _, key in mentions(MARK.sub("", sentence), evidence.names) if key[0] not in "~?"}
    for n in cited:
        about = {key for key in evidence.source_models[n] if key[0] not in "~?"}
        if named and about and named.isdisjoint(about):
            return True
    if not cited or not content(sentence):
        return False
    shares = [_share(content(sentence), content(evidence.source_texts[n])) for n in evidence.marks]
    own = max(_share(content(sentence), content(evidence.source_texts[n])) for n in cited)
    return not named and own < 0.5 * max(shares)


def _names_unknown_model(sentence: str, _parts: Sequence[Clause], evidence: Evidence) -> bool:
    for start, end, key in mentions(sentence, evidence.names):
        if key in evidence.models:
            continue
        said = sentence[start:end].lower()
        if key.startswith("~") and (key[1:].lower() in evidence.text) and key[1:].lower() in said:
            continue
        if key.startswith("?") and re.search(rf"(?<![\w-]){re.escape(said)}(?![\w-])", evidence.text):
            continue
        return True
    return False


def _names_wrong_licence(sentence: str, parts: Sequence[Clause], evidence: Evidence) -> bool:
    for part in parts:
        named = licences(part.text)
        if not named <= evidence.licences:
            return True
        if named and _TO_YOU.search(sentence) and not mentions(sentence, evidence.names):
            continue
        known = [evidence.licence_of[m] for m in part.models if m in evidence.licence_of]
        if named and known and not any(named & licence for licence in known):
            return True
    return False


def _names_unknown(sentence: str, _parts: Sequence[Clause], evidence: Evidence) -> bool:
    """A name in Latin letters, with a capital or a digit in it, that the evidence does not have."""
    plain = MARK.sub(" ", sentence)
    if any(match.group().lower() not in evidence.text for match in _NUMBERED_NAME.finditer(plain)):
        return True
    is_chinese = bool(HAN.search(plain))
    for match in _NAME.finditer(plain):
        word = match.group()
        is_initial = not re.search(r"[A-Za-z]", plain[: match.start()]) and not HAN.search(
            plain[: match.start()]
        )
        looks_like_a_name = bool(re.search(r"\d|[a-z][A-Z]|[A-Z]{2}", word)) or (
            word[0].isupper() and not is_initial
        )
        if not (looks_like_a_name or is_chinese or (is_initial and word[0].isupper())):
            continue
        if _is_known(word.lower(), evidence):
            continue
        if is_initial and not looks_like_a_name and not is_chinese and _is_english(word):
            continue
        return True
    return False


def _is_known(word: str, evidence: Evidence) -> bool:
    return (
        word in _GENERIC
        or word in evidence.tokens
        or word.removesuffix("s") in evidence.tokens
        or all(
            part in evidence.tokens or part in _GENERIC or part.isdigit()
            for part in re.split(r"[._+/-]", word)
        )
    )


def _is_english(word: str) -> bool:
    return word.lower() in _english()


@lru_cache(maxsize=1)
def _english() -> SpellChecker:
    from spellchecker import SpellChecker  # noqa: PLC0415 - 0.2 s, and only with a chat model

    return SpellChecker(language="en")


def _has_wrong_number(sentence: str, parts: Sequence[Clause], evidence: Evidence) -> bool:
    if any(_is_crossed(part, evidence) for part in parts):
        return True
    cited = frozenset(int(n) for n in MARK.findall(sentence))
    to_you = bool(_TO_YOU.search(sentence))
    usable = [f for f in evidence.facts if not f.is_asked or to_you]
    return any(
        not _is_supported(
            q, about, part, cited, usable, _benchmarks(part.text, evidence) or _benchmarks(sentence, evidence)
        )
        and not _is_a_count(q, part, sentence, evidence)
        and not is_difference(q, sentence, parts, evidence)
        and not (q.unit == "times" and is_ratio(q.shown, sentence, parts, evidence))
        for part in parts
        for q, about in part.numbers
    )


def _is_crossed(part: Clause, evidence: Evidence) -> bool:
    """Two numbers in one breath that the evidence gives to different things: 8,192 tokens here, 4.5 GiB there."""
    if part.models or evidence.recommendations:
        return False  # then each number is held by the model that it belongs to
    numbers = [q for q, _ in part.numbers if q.unit and not q.date]
    known = [
        [q for q, _ in fact.clause.numbers] for fact in evidence.facts if fact.marks and not fact.is_asked
    ]
    return any(_are_crossed(a, b, known) for a in numbers for b in numbers if a is not b and a.unit != b.unit)


def _are_crossed(a: Quantity, b: Quantity, known: Sequence[Sequence[Quantity]]) -> bool:
    with_a = [others for others in known if any(is_same(a, q) for q in others)]
    if any(is_same(b, q) for others in with_a for q in others):
        return False
    return any(q.unit == b.unit for others in with_a for q in others)


def _benchmarks(text: str, evidence: Evidence) -> set[str]:
    """The benchmarks that a claim names; the longest name where one is part of another."""
    named = {name for name in evidence.benchmarks if name in text.lower()}
    return {name for name in named if not any(name != other and name in other for other in named)}


def _is_supported(
    q: Quantity,
    about: frozenset[str],
    part: Clause,
    cited: frozenset[int],
    facts: Sequence[Fact],
    benchmarks: set[str],
) -> bool:
    bound = _BOUND.search(part.text[: q.start])
    said = labels(part.text)
    for fact in facts:
        if cited and fact.marks and not cited & fact.marks:
            continue
        if (
            benchmarks
            and q.unit in (None, "percent")
            and not any(name in fact.sentence.lower() for name in benchmarks)
        ):
            continue
        for known, of in fact.clause.numbers:
            if about and of and not about & of:
                continue
            if not (is_same(q, known) or (bound and _is_within(q, known, is_above=bool(bound["above"])))):
                continue
            if _is_labelled_alike(said, fact, known, q):
                return True
    return False


def _is_within(q: Quantity, known: Quantity, *, is_above: bool) -> bool:
    if q.date or known.date or q.unit != known.unit or not known.values[0]:
        return False
    ratio = q.values[0] / known.values[0]
    return 0.85 <= ratio <= 1 if is_above else 1 <= ratio <= 1.15


def _is_labelled_alike(said: dict[str, frozenset[str]], fact: Fact, known: Quantity, q: Quantity) -> bool:
    """The figure is of the kind that the claim says, and of the way of loading that it says."""
    has = labels(fact.clause.text)
    if known.unit == "bytes":
        has = {**has, "figure": has["figure"] | {"memory"}}
    if q.unit in ("tokens", "requests", "items"):
        said = {**said, "loading": frozenset()}
    return all(not said[kind] or not has[kind] or bool(said[kind] & has[kind]) for kind in said)


def _is_a_count(q: Quantity, part: Clause, sentence: str, evidence: Evidence) -> bool:
    """Two models, the top three."""
    if not q.is_count or q.date or q.unit not in (None, "models"):
        return False
    named = {key for _, _, key in mentions(sentence, evidence.names)}
    is_counted = q.unit == "models" or bool(_COUNTED.search(part.text[: q.start].rstrip() + " "))
    return is_counted and q.shown in (len(named), len(evidence.recommendations))


def _compares_wrongly(sentence: str, parts: Sequence[Clause], evidence: Evidence) -> bool:
    return wrong_comparison(sentence, parts, evidence) or wrong_ratio(sentence, parts, evidence)


def _claims_too_much(sentence: str, parts: Sequence[Clause], evidence: Evidence) -> bool:
    """Weighty words that nothing about these models says."""
    about = frozenset(model for part in parts for model in part.models)
    texts = [
        f.sentence.lower() for f in evidence.facts if not f.is_asked and _is_about(f.clause.models, about)
    ]
    for match in WEIGHTY.finditer(sentence):
        word = match.group().lower()
        stems = content(word)
        if not any(word in text or (stems and stems <= content(text)) for text in texts):
            return True
    is_measured = any(line.kind == "measured" for item in evidence.recommendations for line in item.evidence)
    says_measured = _MEASURED.search(sentence) and not NEGATION.search(sentence)
    return bool(says_measured and evidence.recommendations and not is_measured)


def _is_about(known: frozenset[str], about: frozenset[str]) -> bool:
    return not known or not about or bool(known & about)


def _says_the_opposite(sentence: str, parts: Sequence[Clause], evidence: Evidence) -> bool:
    """What the evidence says in nearly these words, it says with a not, or with the opposite word."""
    known = [f for f in evidence.facts if not f.is_asked]
    if any(_is_opposite(part.text, [f.clause.text for f in known], _agrees, _NEARER) for part in parts):
        return True
    documents = [f.sentence for f in known if f.marks]
    return _is_opposite(sentence, documents, lambda claim, text: not contradicts(claim, text), _NEAR)


def _is_opposite(claim: str, known: Sequence[str], agrees: Callable[[str, str], bool], near: float) -> bool:
    words = gist(claim)
    if len(words) < (1 if _LETTER.search(claim) else 2):
        return False
    scored = [(_share(words, gist(text)), text) for text in known]
    best = max((score for score, _ in scored), default=0.0)
    if best < near:
        return False
    return not any(agrees(claim, text) for score, text in scored if score >= 0.85 * best)


def _agrees(claim: str, known: str) -> bool:
    if contradicts(claim, known):
        return False
    letters, theirs = _letters(claim), _letters(known)
    if letters and theirs and letters.isdisjoint(theirs):
        return False
    is_negated = bool(NEGATION.search(claim))
    return is_negated == bool(NEGATION.search(known)) or bool(_HARD_TO.search(claim) and not is_negated)


def _letters(text: str) -> set[str]:
    return {found.strip()[-1] for found in _LETTER.findall(text)}


def _is_elsewhere(sentence: str, _parts: Sequence[Clause], evidence: Evidence) -> bool:
    """Too little of what the sentence is about occurs in the evidence."""
    words = content(MARK.sub("", sentence))
    language = "zh" if HAN.search(sentence) else "en"
    if not words:
        return False
    if _share(words, evidence.content) < _SUPPORT[language]:
        return True
    if len(words) < 4:
        return False
    return max(_share(words, content(f.sentence)) for f in evidence.facts) < _IN_ONE[language]


def _share(words: frozenset[str], of: frozenset[str]) -> float:
    return len(words & of) / len(words) if words else 0.0
