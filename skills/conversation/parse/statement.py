"""One turn's text into what it states: fields of Requirements, models, ranks, data set, job. No thread, no skill."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from index.records import Quantization
from skills.conversation.models_named import Mention, ModelNames
from skills.conversation.parse.conflicts import Clash, clashes
from skills.conversation.parse.hardware import read_hardware
from skills.conversation.parse.limits import read_context, read_size
from skills.conversation.parse.money import read_money
from skills.conversation.parse.pace import read_pace
from skills.conversation.parse.pointers import (
    find_file,
    has_rank,
    named_sample,
    read_job,
    read_ranks,
    read_rows,
)
from skills.conversation.parse.quantities import Quantity, find_quantities
from skills.conversation.parse.reading import Reading
from skills.conversation.parse.scope import at_one_end, lifted_priorities, relaxed_amounts, relaxed_fields
from skills.conversation.parse.wishes import read_quantizations, read_wishes
from skills.conversation.request import Conflict

_NO_NAMES_INSIDE = ("not_a_model", "vendor", "alpha", "licence", "not_a_licence", "gpu", "model_noun")
_YARDSTICK_REACH = 2
_ALPHA_REACH = 3
_PRICES = frozenset({"max_usd_per_mtok", "budget_usd_per_month"})
"""A sum that is stated stands, whatever is said of money: "no budget for hardware, $200 for the API"."""
_NAMED = frozenset({"languages"})
"""What is named beside "any" is meant: "from any language into English"."""


@dataclass(frozen=True)
class Statement:
    """What a turn says by itself."""

    reading: Reading
    """Without the matches that lie inside model names."""
    fields: dict[str, Any]
    mentions: tuple[Mention, ...]
    """Models named and wanted, or asked about."""
    topics: tuple[Mention, ...]
    """The same without those named as a measure: "something like GPT-4"."""
    rejected: tuple[Mention, ...]
    """Models that they do not want."""
    ranks: tuple[str, ...]
    names_rank: bool
    dataset: str | None
    job_id: str | None
    task_is_hinted: bool
    """The task is what the words suggest, not what they name."""
    rows: int | None
    quantizations: tuple[Quantization, ...]
    relaxed: frozenset[str]
    lifted: frozenset[str]
    """Priorities that are none any more."""
    quantities: tuple[Quantity, ...]
    conflicts: tuple[Conflict, ...]

    @property
    def families(self) -> tuple[Mention, ...]:
        """Families named without saying which model."""
        return tuple(mention for mention in self.mentions if mention.family)

    @property
    def unknown_models(self) -> tuple[str, ...]:
        """Names that no catalogue model has."""
        return tuple(dict.fromkeys(mention.unknown for mention in self.mentions if mention.unknown))


def state(reading: Reading, names: ModelNames, shown: Sequence[str], recent: Sequence[str]) -> Statement:
    """Read everything that a turn states. `recent` are the models that the last turn was about."""
    named = names.find(reading.text.folded, list(_char_spans(reading, _NO_NAMES_INSIDE)))
    spans = {mention: reading.positions(mention.start, mention.end) for mention in named}
    file = find_file(reading)
    names_and_file = [*spans.values(), *([reading.positions(file[1], file[2])] if file else [])]
    reading = reading.with_names(names_and_file)
    quantities = find_quantities(reading, names_and_file)
    denied = relaxed_amounts(reading, quantities)
    relaxed = relaxed_fields(reading) | denied
    rejected = tuple(m for m in named if reading.is_negated(spans[m][0]))
    mentions = tuple(mention for mention in named if mention not in rejected)
    found = clashes(reading, quantities)
    fields = _fields(reading, quantities, relaxed - (_PRICES - denied), found)
    return Statement(
        reading=reading,
        fields=fields,
        mentions=mentions,
        topics=tuple(m for m in mentions if not _is_yardstick(reading, spans[m])),
        rejected=rejected,
        ranks=read_ranks(reading, shown, recent),
        names_rank=has_rank(reading),
        dataset=file[0] if file else named_sample(reading, is_certain=False),
        job_id=read_job(reading),
        task_is_hinted=not reading.stated("task") or _is_kind_of_model(fields),
        rows=read_rows(quantities),
        quantizations=read_quantizations(reading),
        relaxed=at_one_end(reading, relaxed),
        lifted=lifted_priorities(reading),
        quantities=quantities,
        conflicts=tuple(clash.conflict for clash in found),
    )


def _fields(
    reading: Reading, quantities: Sequence[Quantity], relaxed: frozenset[str], found: Sequence[Clash]
) -> dict[str, Any]:
    dropped = {clash.dropped.start for clash in found if clash.dropped is not None}
    quantities = [quantity for quantity in quantities if quantity.start not in dropped]
    money = read_money(reading, quantities)
    lengths = [quantity for quantity in quantities if quantity not in money.used]
    fields = {
        **read_wishes(reading),
        **read_hardware(reading, quantities),
        **read_context(reading, lengths),
        **read_size(reading, lengths),
        **read_pace(reading, quantities),
        **money.fields,
        **_alpha(reading, quantities),
    }
    if "tokens_per_month" in fields:
        fields.pop("requests_per_month", None)
    quantizations = read_quantizations(reading)
    if len(quantizations) == 1:
        fields["quantization"] = quantizations[0]
    if "reasoning" in relaxed and fields.get("task") == "reasoning":
        del fields["task"]
    for clash in found:
        fields |= clash.fields
    kept = {
        field for field in fields if field not in relaxed or field in _NAMED or field.startswith("excluded_")
    }
    return {field: value for field, value in fields.items() if field in kept}


def _is_kind_of_model(fields: dict[str, Any]) -> bool:
    """ "Reasoning models only" says how the model should work; what it is for, only if nothing else does."""
    return fields.get("task") == "reasoning" and fields.get("reasoning") is True


def _alpha(reading: Reading, quantities: Sequence[Quantity]) -> dict[str, float]:
    """ "alpha 500": what a full unit of quality is worth, by its name."""
    for match in reading.all("alpha"):
        for q in quantities:
            if q.unit is None and 0 <= q.start - match.end <= _ALPHA_REACH and not q.is_negated:
                return {"alpha": q.value}
    return {}


def ids_of(mentions: Sequence[Mention]) -> tuple[str, ...]:
    """Ids of the single models among mentions."""
    return tuple(dict.fromkeys(mention.id for mention in mentions if mention.id))


def _is_yardstick(reading: Reading, span: tuple[int, int]) -> bool:
    start, end = span
    for cue in reading.all("yardstick"):
        gap = (cue.end, start) if cue.value == "before" else (end, cue.start)
        if 0 <= gap[1] - gap[0] <= _YARDSTICK_REACH and reading.same_clause(*gap):
            return True
    return False


def _char_spans(reading: Reading, categories: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Where no model name may begin or end; the "m3" of "bge-m3" is no Mac."""
    for category in categories:
        for match in reading.all(category):
            start, end = reading.tokens[match.start].start, reading.tokens[match.end - 1].end
            if not _is_hyphenated(reading.text.folded, start):
                yield start, end


def _is_hyphenated(text: str, start: int) -> bool:
    return start >= 2 and text[start - 1] == "-" and text[start - 2].isalnum()
