# ruff: noqa: E501 - tables of words read better on one line
"""Claims that compare: more, cheaper, best, twice. Each must follow from the figures of the models that it names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import permutations

from skills.conversation.answer import Recommendation
from skills.grounding.evidence import Clause, Evidence, mentions, subject_of
from skills.grounding.quantities import Quantity
from skills.grounding.terms import labels

_ASPECTS: tuple[tuple[str, str, int], ...] = (
    (r"\bcheap(?:er|est)\b|\b(?:lower|lowest|less) (?:cost|price)|\bcosts less\b|\bless expensive\b|最?便宜|成本[^，。；]{0,24}?[更最]低|成本低", "cost", -1),
    (r"\b(?:more|most) expensive\b|\bcosts (?:more|most)\b|\bdear(?:er|est)\b|\bcostlier\b|\b(?:higher|highest) (?:cost|price)|[更最]贵|成本[^，。；]{0,24}?[更最]高|成本高", "cost", 1),
    (r"\b(?:less|least|lower|lowest) (?:\w+ )?(?:memory|vram)|\bsmall(?:er|est) (?:memory|footprint)|(?:显存|内存)\S{0,4}[更最]?[少小低省]|[更最]省显存|[更最]少\S{0,2}显存", "vram", -1),
    (r"\b(?:more|most|higher|highest|larger|largest|bigger|biggest) (?:\w+ )?(?:memory|vram|footprint)\b|(?:显存|内存)\S{0,4}[更最]?[多大高]|[更最]多\S{0,2}显存", "vram", 1),
    (r"\b(?:better|higher|highest|best) (?:\w+ )?(?:quality|score)|\bscores? (?:higher|highest|better|best)\b|质量[^，。；]{0,24}?[更最][高好]|质量[^，。；]{0,24}?高于|质量比[^，。；]{0,24}?高|得分[更最]?高", "quality", 1),
    (r"\b(?:worse|lower|lowest|worst) (?:\w+ )?(?:quality|score)|\bscores? (?:lower|lowest|worse|worst)\b|质量[^，。；]{0,24}?[更最][低差]|质量[^，。；]{0,24}?低于|质量比[^，。；]{0,24}?低|得分[更最]?低", "quality", -1),
    (r"\bfast(?:er|est)\b|\bquick(?:er|est)\b|(?:速度)?[更最]快", "speed", 1),
    (r"\bslow(?:er|est)\b|(?:速度)?[更最]慢", "speed", -1),
    (r"\b(?:longer|longest|larger|largest|bigger) context|上下文[更最]?长", "context", 1),
    (r"\b(?:shorter|shortest|smaller|smallest) context|上下文[更最]?短", "context", -1),
    (r"\b(?:larger|largest|bigger|biggest)\b(?! (?:context|memory|vram|footprint|\w+ footprint))|[更最]大", "size", 1),
    (r"\b(?:smaller|smallest)\b(?! (?:context|memory|footprint))|[更最]小", "size", -1),
    (r"\b(?:more|most) parameters|参数[^，。]{0,24}?[更最]?多", "params", 1),
    (r"\b(?:fewer|fewest) parameters|参数[^，。]{0,24}?[更最]?少", "params", -1),
    (r"\b(?:more|most) likely\b|概率[更最]?[高大]", "chance", 1),
    (r"\b(?:less|least) likely\b|概率[更最]?[低小]", "chance", -1),
)  # fmt: skip
_COMPILED = [
    (re.compile(pattern, re.IGNORECASE | re.ASCII), aspect, sign) for pattern, aspect, sign in _ASPECTS
]
_FIRST = re.compile(
    r"\b(?:best|the better|first (?:place|choice|in)|ranks? (?:first|highest)|is first|comes? first|top (?:pick|choice|model|option)|winner|wins|leads|picks?|suggestion is|recommend(?:ed)?|pick is|go with|choose|number one|no\. 1)\b"
    r"|最好|最优(?!概率|的?概率)|首选|第一(?![个步次点])|排第一|推荐|胜出|领先|最合适|更适合|最适合|建议选",
    re.IGNORECASE | re.ASCII,
)
_NOT_FIRST = re.compile(
    r"\b(?:second|third|runner|next|behind|alternative|also|probability|likely|chance|after|if)\b|第[二三四五]|其次|次选|概率|可能|如果|备选",
    re.IGNORECASE | re.ASCII,
)
_BETTER = re.compile(
    r"\b(?:better|beats?|outperforms?|ahead of|superior|surpass\w*|stronger)\b|优于|胜过|强于|好于|超过|更好|更强",
    re.IGNORECASE | re.ASCII,
)
_WORSE = re.compile(
    r"\b(?:worse|behind|inferior|weaker|trails)\b|不如|劣于|弱于|落后", re.IGNORECASE | re.ASCII
)
_RATIO = re.compile(
    r"\b(?P<half>half)\b(?! (?:an?|precision)\b)|(?P<twice>\b(?:twice|double[sd]?)\b)|(?P<triple>\b(?:triple[sd]?|thrice)\b)"
    r"|(?P<quarter>\b(?:a|one) quarter\b|四分之一)|(?P<third>\b(?:a|one) third\b|三分之一)|(?P<zhhalf>一半|半数|减半)|(?P<zhtwice>翻倍|加倍)",
    re.IGNORECASE | re.ASCII,
)
_RATIOS = {
    "half": 0.5,
    "zhhalf": 0.5,
    "twice": 2.0,
    "zhtwice": 2.0,
    "triple": 3.0,
    "quarter": 0.25,
    "third": 1 / 3,
}
_SUPERLATIVE = re.compile(
    r"\b(?:lowest|highest|(?<!at )(?:most|least)|largest|biggest|smallest|longest|shortest|fastest|slowest|strongest|weakest)\b"
    r"|最[高低多少大小长短快慢强弱差]",
    re.IGNORECASE | re.ASCII,
)
_DOES_NOT_FIT = re.compile(
    r"\b(?:not|cannot|nothing|none|neither|no (?:model|option)s?)\b[^.]{0,24}\b(?:fit|fits|run|runs|meets?)\b|n't (?:fit|run|meet)"
    r"|放不[进下]|装不[进下]|跑不了|跑不动|无法(?:运行|部署|满足)",
    re.IGNORECASE | re.ASCII,
)
_DIFFERENCE = re.compile(
    r"\b(?:less|more|fewer|ahead|behind|difference|differ|apart|gap|higher|lower|saves?|extra|points?)\b|差|少|多|高出|低|省|相差",
    re.IGNORECASE | re.ASCII,
)
_OF_BOTH = re.compile(r"\b(?:the two|both|they)\b|两者|二者|两个模型", re.IGNORECASE | re.ASCII)
_COMPARATIVE = re.compile(
    r"\b(?:more|less) (?!than|room|memory|tokens|parameters|likely|expensive)\w+|更(?!新|合|好|强|高|低|大|小|长|短|适合|推荐)[\u4e00-\u9fff]",
    re.IGNORECASE | re.ASCII,
)
_CLOSE = 0.06
_SIZES = ("params", "vram")
"""What "larger" may mean: it is true for sure when it is of both."""


def compares_wrongly(sentence: str, parts: Sequence[Clause], evidence: Evidence) -> bool:
    """More, less, twice, the most: otherwise than the figures say."""
    return wrong_comparison(sentence, parts, evidence) or wrong_ratio(sentence, parts, evidence)


def wrong_comparison(sentence: str, parts: Sequence[Clause], evidence: Evidence) -> bool:
    """Whether the sentence compares models otherwise than their figures do."""
    by_id = {item.model: item for item in reversed(evidence.recommendations)}
    named = [
        (start, end, key) for start, end, key in mentions(sentence, evidence.names) if not key.startswith("?")
    ]
    if not by_id:
        return False
    if _DOES_NOT_FIT.search(sentence) and not _DOES_NOT_FIT.search(evidence.text):
        return True
    if _compares_something_else(sentence, evidence):
        return True
    subject = next(iter(parts[0].models), None) if parts else None
    if _SUPERLATIVE.search(sentence) and not any(p.search(sentence) for p, _, _ in _COMPILED):
        return not all(m.group().lower() in evidence.text for m in _SUPERLATIVE.finditer(sentence))
    return (
        _wrong_aspect(sentence, named, subject, by_id)
        or _wrong_first(parts, evidence.recommendations)
        or _wrong_better(sentence, named, by_id)
    )


def true_comparisons(sentence: str, parts: Sequence[Clause], evidence: Evidence) -> Iterator[tuple[int, int]]:
    """Where the sentence compares ranked models and their figures say so too."""
    by_id = {item.model: item for item in reversed(evidence.recommendations)}
    named = [item for item in mentions(sentence, evidence.names) if not item[2].startswith("?")]
    subject = next(iter(parts[0].models), None) if parts else None
    for pattern, aspect, sign in _COMPILED:
        for match in pattern.finditer(sentence):
            one, others = _compared(match, named, subject, sentence)
            is_most = _is_superlative(match.group())
            meant = _SIZES if aspect == "size" else (aspect,)
            if one and all(_is_more(one, others, a, sign, by_id, is_most=is_most) for a in meant):
                yield match.span()
    first = min(evidence.recommendations, key=lambda item: item.rank).model
    for match in _FIRST.finditer(sentence):
        clause = next((part for part in parts if match.group() in part.text), None)
        if clause and clause.models == {first} and not _NOT_FIRST.search(clause.text):
            yield match.span()


def _compares_something_else(sentence: str, evidence: Evidence) -> bool:
    """More of what no figure is of: more natural, 幻觉更多."""
    known = [
        m.span()
        for p in (*(p for p, _, _ in _COMPILED), _FIRST, _BETTER, _WORSE)
        for m in p.finditer(sentence)
    ]
    return any(
        not any(start < m.end() and m.start() < end for start, end in known)
        and m.group().lower() not in evidence.text
        for m in _COMPARATIVE.finditer(sentence)
    )


def _wrong_aspect(
    sentence: str,
    named: Sequence[tuple[int, int, str]],
    subject: str | None,
    by_id: dict[str, Recommendation],
) -> bool:
    for pattern, aspect, sign in _COMPILED:
        for match in pattern.finditer(sentence):
            one, others = _compared(match, named, subject, sentence)
            if one is None:
                continue
            if not _is_more(one, others, aspect, sign, by_id, is_most=_is_superlative(match.group())):
                return True
    return False


def _compared(
    match: re.Match[str], named: Sequence[tuple[int, int, str]], subject: str | None, sentence: str
) -> tuple[str | None, list[str]]:
    before = [key for _, end, key in named if end <= match.start()]
    after = [key for start, _, key in named if start >= match.end()]
    is_bi = "比" in sentence[: match.start()] and len(before) >= 2
    one = (before[-2] if is_bi else before[-1]) if before else (subject or (after[0] if after else None))
    others = [key for key in dict.fromkeys([*before, *after]) if key != one]
    return one, others


def _is_superlative(words: str) -> bool:
    return bool(re.search(r"est\b|\b(?:most|least|best|worst)\b|最", words, re.IGNORECASE | re.ASCII))


def _is_more(
    one: str,
    others: Iterable[str],
    aspect: str,
    sign: int,
    by_id: dict[str, Recommendation],
    *,
    is_most: bool,
) -> bool:
    """Whether `one` is ahead of the others; of all that are shown for a superlative or when none is named."""
    rivals = [key for key in by_id if key != one] if is_most else [key for key in others if key != one]
    if not rivals:
        rivals = [key for key in by_id if key != one]
        is_most = False
    if one not in by_id or any(key not in by_id for key in rivals):
        return False
    own = _values(by_id[one], aspect)
    compared = [_values(by_id[key], aspect) for key in rivals]
    if not own or not all(compared):
        return False
    ahead = [any(sign * (a - b) > 0 for a, b in zip(own, theirs, strict=False)) for theirs in compared]
    level = [any(a == b for a, b in zip(own, theirs, strict=False)) for theirs in compared]
    if is_most:
        return any(ahead) and all(a or b for a, b in zip(ahead, level, strict=True))
    return all(ahead) if others else any(ahead)


def _values(item: Recommendation, aspect: str) -> list[float]:
    known: dict[str, list[float | None]] = {
        "cost": [item.cost.value],
        "vram": [item.vram_gib],
        "quality": [1 - item.loss.value],
        "speed": [item.tokens_per_s],
        "context": [item.context_tokens],
        "size": [item.params_b, item.vram_gib],
        "params": [item.params_b],
        "chance": [item.p_best],
    }
    return [float(value) for value in known[aspect] if value is not None]


def _wrong_first(parts: Sequence[Clause], shown: Sequence[Recommendation]) -> bool:
    """Another than the first of the ranking is called the best."""
    first = min(shown, key=lambda item: item.rank).model
    return any(
        _FIRST.search(part.text)
        and not _NOT_FIRST.search(part.text)
        and part.models
        and first not in part.models
        for part in parts
    )


def _wrong_better(
    sentence: str, named: Sequence[tuple[int, int, str]], by_id: dict[str, Recommendation]
) -> bool:
    for pattern, sign in ((_BETTER, 1), (_WORSE, -1)):
        for match in pattern.finditer(sentence):
            before = [key for _, end, key in named if end <= match.start()]
            after = [key for start, _, key in named if start >= match.end()]
            if "比" in sentence[: match.start()] and len(before) >= 2 and not after:
                before, after = before[:-1], before[-1:]
            if not before or not after:
                continue
            one, other = before[-1], after[0]
            if one not in by_id or other not in by_id or sign * (by_id[other].rank - by_id[one].rank) < 0:
                return True
    return False


def wrong_ratio(sentence: str, parts: Sequence[Clause], evidence: Evidence) -> bool:
    """Twice, half, a third: neither said by the evidence nor a ratio of two of its figures about these models."""
    for match in _RATIO.finditer(sentence):
        wanted = _RATIOS[str(match.lastgroup)]
        if any(_RATIOS[str(m.lastgroup)] == wanted for m in _RATIO.finditer(evidence.text)):
            continue
        if not is_ratio(wanted, sentence, parts, evidence):
            return True
    return False


def is_ratio(wanted: float, sentence: str, parts: Sequence[Clause], evidence: Evidence) -> bool:
    """Whether two figures of the kind that the sentence means, of its first model and another, stand in this ratio."""
    models, named = _about(parts), mentions(sentence, evidence.names)
    first = frozenset({named[0][2]}) if len(named) > 1 else subject_of(parts)
    meant = labels(sentence)["figure"] or (
        {"speed"} if re.search(r"fast|slow|快|慢", sentence) else frozenset()
    )
    if len(models) < 2:
        return False
    pairs = permutations(_figures(models, evidence, frozenset(meant)), 2)
    return any(
        of_a == first != of_b
        and a.unit == b.unit
        and (a.unit or meant)
        and b.values[0]
        and abs(a.values[0] / b.values[0] / wanted - 1) < _CLOSE
        for (a, of_a), (b, of_b) in pairs
    )


def is_difference(claim: Quantity, sentence: str, parts: Sequence[Clause], evidence: Evidence) -> bool:
    """Whether the number is the difference of two figures of one kind, of two models that the sentence names."""
    models = _about(parts) | subject_of(parts)
    if len(evidence.recommendations) == 2 and _OF_BOTH.search(sentence):
        models = frozenset(item.model for item in evidence.recommendations)
    if not claim.unit and "quality" not in labels(sentence)["figure"]:
        return False
    if len(models) < 2 or not _DIFFERENCE.search(sentence):
        return False
    scale = claim.values[0] / claim.shown if claim.shown else 1.0
    return any(
        of_a != of_b
        and a.unit == b.unit == claim.unit
        and abs(a.values[0] - b.values[0] - claim.values[0]) <= 0.5000001 * claim.step * scale
        for (a, of_a), (b, of_b) in permutations(_figures(models, evidence, labels(sentence)["figure"]), 2)
    )


def _about(parts: Sequence[Clause]) -> frozenset[str]:
    return frozenset(model for part in parts for model in part.models)


def _figures(
    models: frozenset[str], evidence: Evidence, meant: frozenset[str]
) -> list[tuple[Quantity, frozenset[str]]]:
    return [
        (q, about)
        for fact in evidence.facts
        if fact.is_computed and (not meant or meant & labels(fact.clause.text)["figure"])
        for q, about in fact.clause.numbers
        if about and about <= models
    ]
