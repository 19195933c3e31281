"""Which limits a turn takes back: "forget the licence", "显存不限", "any language is fine"."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from skills.conversation.parse.lexicon import words
from skills.conversation.parse.phrases import Match
from skills.conversation.parse.quantities import Quantity
from skills.conversation.parse.reading import Reading

FIELDS_OF: dict[str, tuple[str, ...]] = {
    "licences": ("licences", "excluded_licences"),
    "hardware": ("max_memory_gib", "gpus"),
    "context": ("min_context_tokens",),
    "size": ("min_params_b", "max_params_b"),
    "money": ("max_usd_per_mtok", "budget_usd_per_month"),
    "traffic": ("tokens_per_month", "requests_per_month", "peak_requests_per_min"),
    "peak": ("peak_requests_per_min",),
    "first_token": ("max_first_token_s",),
    "token_speed": ("min_tokens_per_s",),
    "vendors": ("vendors", "excluded_vendors"),
    "languages": ("languages",),
    "hosting": ("hosting",),
    "quantization": ("quantization",),
    "modalities": ("modalities",),
    "finetune": ("finetune",),
    "priority": ("priority", "max_latency_s", "max_first_token_s", "min_tokens_per_s"),
    "candidates": ("candidates", "vendors", "excluded_vendors"),
    "task": ("task",),
    "reasoning": ("reasoning",),
    "origins": ("origins", "excluded_origins"),
    "architecture": ("architecture",),
    "pace": ("max_latency_s", "max_first_token_s", "min_tokens_per_s"),
    "quality": (),
}
_PRIORITIES_OF = {"pace": "speed", "quality": "quality", "money": "cost"}
"""What is prized by those to whom it does matter."""
_KIND_OF_UNIT = {
    "gib": "hardware",
    "gpu": "hardware",
    "token": "context",
    "char": "context",
    "page": "context",
    "second": "pace",
    "ms": "pace",
}
_KIND_OF_TRAIT = {
    "origin": "origins",
    "nationality": "origins",
    "demonym": "origins",
    "vendor": "vendors",
    "licence": "licences",
    "thinking": "reasoning",
    "modality": "modalities",
    "hosting": "hosting",
    "priority": "priority",
}
_KIND_OF_MUST = _KIND_OF_TRAIT | {
    "task": "task",
    "language": "languages",
    "quantization": "quantization",
    "gpu": "hardware",
    "finetune": "finetune",
    "architecture": "architecture",
}
_REACH = 6
_NEAR = 3
_CLOSE = 1
_TOWARDS = frozenset({"到", "至", "成", "to", "为"})
"""放宽到 24G: a new limit, not none."""
_ADJECTIVES = frozenset({"any", "whatever", "任 意", "任 何"})
_TRAITS = frozenset(
    {"finetune", "hosting", "quantization", "modalities", "priority", "task", "reasoning", "architecture"}
    | {"pace", "quality"}
)
"""Fields whose words also say what is wanted: "any open-source model", "no fine-tuning" relax nothing."""


def relaxed_fields(reading: Reading) -> frozenset[str]:
    """Fields of Requirements that the turn says do not matter any more."""
    relaxed = {field for kind in _relaxed_kinds(reading) for field in FIELDS_OF[kind]}
    languages = reading.stated("language")
    if languages and all(is_forgotten(reading, match) for match in languages):
        relaxed.add("languages")
    return frozenset(relaxed)


def at_one_end(reading: Reading, relaxed: frozenset[str]) -> frozenset[str]:
    """ "Ignore the minimum size", "7B 的下限去掉": the other end stays."""
    ends = {match.value for match in reading.all("limit_end")}
    other = {"min": "max_params_b", "max": "min_params_b"}
    return relaxed - {other[end] for end in ends} if len(ends) == 1 else relaxed


def lifted_priorities(reading: Reading) -> frozenset[str]:
    """Priorities that are none any more, because what they prize does not matter: "速度无所谓"."""
    return frozenset(_PRIORITIES_OF[kind] for kind in _relaxed_kinds(reading) if kind in _PRIORITIES_OF)


def _relaxed_kinds(reading: Reading) -> set[str]:
    named = [match for match in reading.all("field_word") if _is_relaxed(reading, match)]
    others = (_not_needed(reading), _musts_dropped(reading), _let_out(reading), reading.values("set_free"))
    return {match.value for match in named}.union(*others)


def is_forgotten(reading: Reading, match: Match) -> bool:
    """ "Forget about English": named in order to be taken back."""
    before = reading.before(match.start, "relax", 1)
    return before is not None and reading.tokens[before.start].text in words("text", "forgetting")


def relaxed_amounts(reading: Reading, quantities: Sequence[Quantity]) -> frozenset[str]:
    """Fields of "without the 24 GB limit": an amount denied, as a limit."""
    denied = [q for q in quantities if _is_limit_at(reading, q) and _is_lifted(reading, q)]
    kinds = {_KIND_OF_UNIT.get(str(q.unit), "size" if q.scale in ("b", "亿") else "") for q in denied}
    return frozenset(field for kind in kinds if kind for field in FIELDS_OF[kind])


def _is_limit_at(reading: Reading, amount: Quantity) -> bool:
    named = reading.after(amount.end, "limit_word", 2) or reading.after(amount.end, "limit_end", 2)
    return named is not None or reading.tokens[amount.end - 1].text in ("限", "limit", "floor", "minimum")


def _is_lifted(reading: Reading, amount: Quantity) -> bool:
    """ "Without the 24 GB limit", "scrap the 8B cap", "8B 的上限去掉"."""
    return amount.is_negated or reading.near(amount.start, amount.end, "relax", _REACH) is not None


def _not_needed(reading: Reading) -> Iterator[str]:
    """ "It doesn't have to be European": a trait that was asked for and is a must no more."""
    for cue in reading.all("need_not"):
        for category, kind in _KIND_OF_TRAIT.items():
            if reading.after(cue.end, category, _REACH) is not None:
                yield kind


def _let_out(reading: Reading) -> Iterator[str]:
    """ "It may leave our network after all", "数据出去也没事": wherever it is hosted."""
    if any(_may_leave(reading, match) for match in (*reading.all("leaves"), *reading.all("leak"))):
        yield "hosting"


def _may_leave(reading: Reading, leaving: Match) -> bool:
    if reading.before(leaving.start, "negation", _REACH) is not None:
        return False
    if leaving.category == "leaves" and reading.before(leaving.start, "guarded", _REACH) is None:
        return False
    _, end = reading.clause(leaving.start, leaving.end)
    following = reading.tokens[leaving.end : min(leaving.end + _REACH, end)]
    is_fine = any(token.text in words("text", "allowances") for token in following)
    return is_fine or reading.before(leaving.start, "may", 1) is not None


def _musts_dropped(reading: Reading) -> Iterator[str]:
    """ "Drop the reasoning requirement", "Apache 的要求去掉": a trait called a limit, and taken back."""
    for limit in reading.all("limit_word"):
        for category, kind in _KIND_OF_MUST.items():
            trait = reading.before(limit.start, category, _CLOSE)
            if trait is not None and reading.near(trait.start, limit.end, "relax", _NEAR) is not None:
                yield "reasoning" if (category, trait.value) == ("task", "reasoning") else kind


def _is_relaxed(reading: Reading, word: Match) -> bool:
    before = reading.before(word.start, "relax", _REACH)
    after = reading.after(word.end, "relax", _REACH)
    if _is_afterthought(reading, word):
        return True
    return any(relax is not None and _governs(reading, relax, word) for relax in (before, after))


def _is_afterthought(reading: Reading, word: Match) -> bool:
    """ "Dense or MoE, I no longer care": a clause of its own that takes back the one before it."""
    start, end = reading.clause(word.start, word.end)
    if any(token.is_number for token in reading.tokens[start:end]):
        return False
    for relax in reading.all("relax"):
        is_next = end < relax.start <= end + _NEAR and reading.same_clause(end + 1, relax.start)
        _, last = reading.clause(relax.start, relax.end)
        if is_next and last - relax.end <= _CLOSE and not _is_plain(reading, relax):
            return not reading.is_negated(relax.start)
    return False


def _is_plain(reading: Reading, relax: Match) -> bool:
    """A plain "no", or "any": they reach one word only."""
    is_negation = any(match.start == relax.start for match in reading.all("negation"))
    return is_negation or reading.gap(relax.start, relax.end) in _ADJECTIVES


def _is_limit(reading: Reading, word: Match) -> bool:
    """ "The latency limit", "速度要求": what is taken back, not what is wanted."""
    last = reading.tokens[word.end - 1].text
    is_inside = any(last == said.split()[-1] for said in words("text", "limits"))
    return is_inside or reading.after(word.end, "limit_word", 0) is not None


def _governs(reading: Reading, relax: Match, word: Match) -> bool:
    """A plain "no" or "without" reaches one word only, and says nothing about what should be done ("no tuning")."""
    if any(token.text in _TOWARDS for token in reading.tokens[relax.end : relax.end + 2]):
        return False
    if _is_plain(reading, relax):
        is_trait = word.value in _TRAITS and not _is_limit(reading, word)
        is_after = reading.at(relax.start, "negation_after") is not None and _is_limit(reading, word)
        limit = reading.after(word.end, "limit_word", 0)
        end = limit.end if limit is not None else word.end
        gap = relax.start - end if is_after else word.start - relax.end
        return 0 <= gap <= _CLOSE and not is_trait
    start, end = min(relax.end, word.end), max(relax.start, word.start)
    others = {m.value for m in reading.all("field_word") if start <= m.start < end} - {word.value}
    is_list = " and " in f" {reading.gap(start, end)} " or "和" in reading.gap(start, end)
    is_near = end - start <= _NEAR and not others
    return not reading.is_negated(relax.start) and (is_near or is_list)
