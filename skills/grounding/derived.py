"""Worded sentence about ranked models -> whether all of it follows from their figures.

The other checks look for what is wrong; this one asks that nothing is left over. What was shown to be right is blanked:
names, numbers, comparisons, ranks, "all three". What remains may only be words that figures are spoken of with.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from skills.conversation.answer import Recommendation
from skills.grounding.evidence import Clause, Evidence, mentions
from skills.grounding.quantities import Quantity, is_same, quantities
from skills.grounding.relations import true_comparisons
from skills.grounding.terms import LINK, MARK, SPOKEN_OF_FIGURES, content, labels, licences, without_licences

Span = tuple[int, int]

_CLAIMS = re.compile(
    r"\b(?:more|most|less|least|fewer|fewest|better|best|worse|worst|higher|highest|lower|lowest|larger|largest|smaller|smallest"
    r"|bigger|biggest|faster|fastest|slower|slowest|cheaper|cheapest|longer|longest|shorter|shortest|greater|greatest|stronger"
    r"|weaker|tighter|wider|closer|closest|ahead|behind|above|below|over|under(?! (?:the |an? )?(?-i:[A-Z]))|beats?|leads?"
    r"|leading|trails?|wins?|winner|tops?|both|all|none|neither|nothing|only|every|same|equal\w*|identical|half|twice|double|first|second"
    r"|third|runner|last|saves?|leaves?|left|spare|because|since|so|therefore|thus|despite|although|always|never|not|no|cannot"
    r"|without|clearly|far|much|slightly|close|closely|small|large|high|low|good|safe|quick\w*|estimate\w*"
    r"|reasons?|why|due|owing|thanks|results?|causes?|if|unless|when|can|may|might|should|must)\b"
    r"|n't\b|[更最比较省高低超优劣领落先第首次都均仅只不没无未各同倍半因所略远明显]|(?<!相)差",
    re.IGNORECASE | re.ASCII,
)
"""Words that claim something: each must have been shown."""
_RANKS = (
    (re.compile(r"\b(?:ranked |comes? |place[sd]? )?first\b|\bnumber one\b|第一名?|首选", re.IGNORECASE), 1),
    (
        re.compile(
            r"\b(?:ranked |comes? |place[sd]? )?second\b|\brunner[- ]up\b|第二名?|次选|其次", re.IGNORECASE
        ),
        2,
    ),
    (re.compile(r"\b(?:ranked |comes? |place[sd]? )?third\b|第三名?", re.IGNORECASE), 3),
)
_BEST = re.compile(
    r"\b(?:likely (?:to be )?)?(?:the )?(?:best|winner|better)\b|(?:最优|最佳|最好)(?:选择)?", re.IGNORECASE
)
_ALL = re.compile(
    r"\b(?:all (?:three|of (?:them|the models))|both(?: of them)?|all|the same|same|identical|equal(?:ly)?|each)\b"
    r"|(?:三个|两个|三者|两者)(?:模型)?|都是?|均为?|相同|一样|同样",
    re.IGNORECASE,
)
_NAME_WITH_DIGITS = re.compile(r"\b(?=\w*\d)(?=\w*[a-z])[\w.-]+", re.IGNORECASE | re.ASCII)
_BOUND = re.compile(
    r"(?:more than|over|under|at least|less than|no more than|up to|at most|超过|不到|不超过|至少|高达)\s*$",
    re.IGNORECASE,
)


def follows(sentence: str, parts: Sequence[Clause], evidence: Evidence) -> bool:
    """Whether the sentence says only what the figures of the ranking say."""
    by_id = {item.model: item for item in evidence.recommendations}
    about = frozenset(key for part in parts for key in part.models)
    if not about or not about <= by_id.keys():
        return False
    plain = _blanked(
        MARK.sub(_spaces, LINK.sub(_spaces, sentence)).replace("*", " "), _names(sentence, evidence)
    )
    claims = [*true_comparisons(sentence, parts, evidence), *_true_ranks(sentence, parts, by_id)]
    claims += [*_true_chances(plain), *_true_of_all(plain, parts, evidence)]
    numbers = quantities(without_licences(plain))
    if not claims and not numbers and not licences(plain):
        return False
    rest = without_licences(_blanked(plain, [*claims, *(_with_bound(plain, q) for q in numbers)]))
    said = _facts_of(numbers, licences(plain), about, evidence)
    named = {match.group().lower() for match in _NAME_WITH_DIGITS.finditer(rest)}
    return (
        not _CLAIMS.search(rest)
        and content(rest) <= SPOKEN_OF_FIGURES.union(*map(content, said))
        and all(name in "\n".join(said).lower() for name in named)
    )


def _facts_of(
    numbers: Sequence[Quantity], named: frozenset[str], about: frozenset[str], evidence: Evidence
) -> list[str]:
    """What gives these numbers and licences to these models, and what was asked."""
    own = [f for f in evidence.facts if not f.is_asked and f.clause.models & about]
    given = [
        f
        for f in own
        if named & licences(f.clause.text) or any(is_same(n, q) for n in numbers for q, _ in f.clause.numbers)
    ]
    return [f.sentence for f in (*given, *(f for f in evidence.facts if f.is_asked))]


def _names(sentence: str, evidence: Evidence) -> list[Span]:
    return [(start, end) for start, end, _ in mentions(sentence, evidence.names)]


def _true_ranks(sentence: str, parts: Sequence[Clause], by_id: dict[str, Recommendation]) -> Iterator[Span]:
    """Where the sentence says a rank, and each model that the clause is about has it."""
    for pattern, rank in _RANKS:
        for match in pattern.finditer(sentence):
            clause = next((part for part in parts if match.group() in part.text), None)
            if (
                clause
                and clause.models
                and all(by_id[key].rank == rank for key in clause.models if key in by_id)
            ):
                yield match.span()


def _true_chances(plain: str) -> Iterator[Span]:
    """The "best" of a chance of being the best: the percentage beside it was looked up."""
    if "chance" in labels(plain)["figure"] and any(q.unit == "percent" for q in quantities(plain)):
        yield from (match.span() for match in _BEST.finditer(plain))


def _true_of_all(plain: str, parts: Sequence[Clause], evidence: Evidence) -> Iterator[Span]:
    """Where something is said of all, and each licence and number of the sentence is that of all."""
    named = frozenset(key for part in parts for key in part.models)
    items = [r for r in evidence.recommendations if len(named) < 2 or r.model in named]
    said, numbers = licences(plain), quantities(without_licences(plain))
    hard = [q for q in numbers if not q.is_count]
    if not said and not hard:
        return
    if all(_has(item, said, hard, plain, evidence) for item in items):
        yield from (match.span() for match in _ALL.finditer(plain))


def _has(
    item: Recommendation, said: frozenset[str], numbers: Iterable[Quantity], plain: str, evidence: Evidence
) -> bool:
    if said and said != licences(item.licence or ""):
        return False
    wanted = labels(plain)["figure"]
    own = [
        q
        for f in evidence.facts
        if f.is_computed and item.model in f.clause.models and labels(f.clause.text)["figure"] & wanted
        for q, _ in f.clause.numbers
    ]
    return all(any(is_same(number, q) for q in own) for number in numbers)


def _with_bound(plain: str, q: Quantity) -> Span:
    """The number, and the "more than" before it: how far it may be off was checked with it."""
    bound = _BOUND.search(plain[: q.start])
    return (bound.start() if bound else q.start, q.end)


def _spaces(match: re.Match[str]) -> str:
    return " " * len(match.group())


def _blanked(text: str, spans: Iterable[Span]) -> str:
    for start, end in spans:
        text = text[:start] + " " * (end - start) + text[end:]
    return text
