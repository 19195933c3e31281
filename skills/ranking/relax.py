"""Exclusions -> what giving up one constraint would bring: how many models, the best of them, the nearest miss.

Only models whose single obstacle is that constraint count, so that what is promised is what one gets.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from index.bilingual import Bilingual
from index.footprint import FORMATS, RESERVED_GIB, serving
from index.records import QUANTIZATIONS, ModelFact
from skills.conversation.request import Requirements
from skills.ranking import options
from skills.ranking.constraints import Excluded, breaks
from skills.ranking.options import Context
from skills.ranking.rank import Option, rank

_LOOKED_AT = 40
"""Of the models behind one constraint, so many of the most able are weighed."""
_NOT_LIMITS = frozenset({"candidates", "rejected", "price"})
"""Reasons that are no limit of the asker's, or that cannot be relaxed."""
_MEMORY = ("max_memory_gib", "gpus")


@dataclass(frozen=True, slots=True, kw_only=True)
class Relaxation:
    """What dropping one constraint would bring."""

    constraint: str
    count: int
    """Models for which it is the only obstacle."""
    best: Option
    """The one of them that would score best."""
    saves: float
    """How much smaller its cost + alpha * loss is than the first's now; negative when it would not be first."""


@dataclass(frozen=True, slots=True)
class Miss:
    """The model that a constraint left out most narrowly."""

    model: ModelFact
    constraint: str
    remedy: Bilingual
    """What would let it in."""


def relaxations(excluded: Iterable[Excluded], context: Context, first: Option | None) -> list[Relaxation]:
    """What each constraint costs the asker, the dearest first."""
    alpha = context.criteria.alpha_usd_per_mtok
    now = first.score(alpha) if first else math.inf
    found = []
    for constraint, models in _by_only_obstacle(excluded, context).items():
        usable, _ = options.build(_most_able(models, context), without(context, constraint))
        if usable:
            best = rank(usable, alpha)[0].option
            saves = now - best.score(alpha)
            count = len(models) if len(models) > _LOOKED_AT else len({option.model.id for option in usable})
            found.append(Relaxation(constraint=constraint, count=count, best=best, saves=saves))
    return sorted(found, key=lambda item: (item.best.score(alpha), item.constraint))


def without(context: Context, constraint: str) -> Context:
    """The same request without one limit."""
    stated = context.requirements
    if constraint not in _MEMORY:
        dropped = {constraint: "any" if constraint == "hosting" else None}
        return replace(context, requirements=stated.model_copy(update=dropped))
    kept = stated.hosting or ("self" if _has_hardware(stated) else None)
    dropped = {"max_memory_gib": None, "gpus": None, "hosting": kept}
    return replace(context, requirements=stated.model_copy(update=dropped), gpu=None, available_gib=None)


def nearest_misses(excluded: Iterable[Excluded], context: Context) -> list[Miss]:
    """For each limit with a number, the model that missed it by the least; the most excluding limit first."""
    groups: dict[str, list[ModelFact]] = defaultdict(list)
    for item in excluded:
        groups[item.constraint].append(item.model)
    found = []
    for constraint, models in sorted(groups.items(), key=lambda group: -len(group[1])):
        gap = _GAPS.get(constraint)
        misses = [(gap(model, context), model) for model in models] if gap else []
        near = [(found_gap, model) for found_gap, model in misses if found_gap is not None]
        if near:
            (_, remedy), model = min(near, key=lambda pair: (pair[0][0], pair[1].id))
            found.append(Miss(model, constraint, remedy))
    return found


def _by_only_obstacle(excluded: Iterable[Excluded], context: Context) -> dict[str, list[ModelFact]]:
    groups: dict[str, list[ModelFact]] = defaultdict(list)
    for item in excluded:
        if item.constraint in _NOT_LIMITS:
            continue
        others = breaks(item.model, context.requirements)
        if set(others) <= {item.constraint}:
            groups[item.constraint].append(item.model)
    return groups


def _most_able(models: list[ModelFact], context: Context) -> list[ModelFact]:
    if len(models) <= _LOOKED_AT:
        return models
    losses = context.losses

    def ability(model: ModelFact) -> float:
        return losses.abilities.of(model.id, losses.weights).value

    return sorted(models, key=ability, reverse=True)[:_LOOKED_AT]


def _has_hardware(requirements: Requirements) -> bool:
    return requirements.max_memory_gib is not None or requirements.gpus is not None


Gap = tuple[float, Bilingual]
"""How far off, as a share of the limit, and what would let the model in."""


def _memory_gap(model: ModelFact, context: Context) -> Gap | None:
    have, stated = context.available_gib, context.requirements.quantization
    if have is None:
        return None
    tokens = context.criteria.context_tokens
    needs = {
        name: need
        for name in QUANTIZATIONS
        if (need := serving(model, quantization=name, context_tokens=tokens))
    }
    if not needs:
        return None
    fitting = next((name for name, need in needs.items() if need.fits(have)), None)
    if stated and fitting:
        bits = FORMATS[fitting].bits / FORMATS[stated].bits
        return 1 - bits, Bilingual(f"would fit with {fitting}", f"用 {fitting} 可以放下")
    least = min(need.total_gib for name, need in needs.items() if stated in {None, name}) + RESERVED_GIB
    return least / have - 1, Bilingual(
        f"fits with {math.ceil(least)} GiB", f"{math.ceil(least)} GiB 可以放下"
    )


def _context_gap(model: ModelFact, context: Context) -> Gap | None:
    need, have = context.requirements.min_context_tokens, model.max_context_tokens
    if not need or not have:
        return None
    return need / have - 1, Bilingual(f"takes {have:,} tokens", f"上下文为 {have:,} token")


def _size_gap(model: ModelFact, context: Context) -> Gap | None:
    size = model.params_b
    limit = context.requirements.max_params_b or context.requirements.min_params_b
    if not size or not limit:
        return None
    return abs(math.log(size / limit)), Bilingual(f"has {size:.3g}B", f"参数 {size:.3g}B")


def _price_gap(model: ModelFact, context: Context) -> Gap | None:
    limit = context.requirements.max_usd_per_mtok
    cost = _least(model, "max_usd_per_mtok", context, lambda option: option.cost.value)
    if cost is None or limit is None:
        return None
    return cost - limit, Bilingual(f"costs ${cost:.3g}", f"价格 {cost:.3g} 美元")


def _budget_gap(model: ModelFact, context: Context) -> Gap | None:
    tokens = context.requirements.tokens_per_month
    cost = _least(model, "budget_usd_per_month", context, lambda option: option.cost.value)
    if cost is None or tokens is None:
        return None
    monthly = cost * tokens / 1e6
    return monthly, Bilingual(f"takes ${monthly:,.0f} a month", f"每月 {monthly:,.0f} 美元")


def _pace_gap(model: ModelFact, context: Context) -> Gap | None:
    pace = _least(model, "min_tokens_per_s", context, lambda option: -(option.tokens_per_s or 0.0))
    if not pace:
        return None
    return pace, Bilingual(f"about {-pace:.0f} tokens/s", f"约 {-pace:.0f} token/s")


def _least(
    model: ModelFact, constraint: str, context: Context, amount: Callable[[Option], float]
) -> float | None:
    usable, _ = options.build([model], without(context, constraint))
    return min((amount(option) for option in usable), default=None)


_GAPS: dict[str, Callable[[ModelFact, Context], Gap | None]] = {
    "max_memory_gib": _memory_gap,
    "min_context_tokens": _context_gap,
    "max_params_b": _size_gap,
    "min_params_b": _size_gap,
    "max_usd_per_mtok": _price_gap,
    "budget_usd_per_month": _budget_gap,
    "min_tokens_per_s": _pace_gap,
}
