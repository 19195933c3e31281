"""Models that may be ranked -> every way of running each: quantizations that fit, tuned adapters, hosted."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from index.bilingual import Bilingual
from index.footprint import RESERVED_GIB, serving
from index.prices import GpuFact, gpus
from index.records import QUANTIZATIONS, ModelFact, Quantization
from skills.conversation.request import Requirements
from skills.ranking.constraints import Excluded
from skills.ranking.cost import Hardware, hosted_cost, own_hardware_cost
from skills.ranking.criteria import Criteria
from skills.ranking.loss import LossModel
from skills.ranking.rank import Option

ANSWER_TOKENS = 200
"""Assumed length of an answer, where a time for the whole of it was stated."""


@dataclass(frozen=True)
class Context:
    """What turns a model into options: the request, its weights, and the hardware."""

    requirements: Requirements
    criteria: Criteria
    losses: LossModel
    gpu: GpuFact | None
    available_gib: float | None

    @cached_property
    def for_rent(self) -> list[tuple[GpuFact, float]]:
        """Accelerators that have a rate, with their memory in GiB."""
        return [
            (gpu, gpu.memory_gib) for gpu in gpus() if gpu.usd_per_hour and gpu.memory_gib and not gpu.is_cpu
        ]


def build(models: Iterable[ModelFact], context: Context) -> tuple[list[Option], list[Excluded]]:
    """All options within memory, speed and price, and the models that have none, each with its reason."""
    options: list[Option] = []
    excluded: list[Excluded] = []
    for model in models:
        found = list(_affordable(_options_of(model, context), context))
        options += found
        if not found:
            excluded.append(_why_none(model, context))
    return options, excluded


def _options_of(model: ModelFact, context: Context) -> Iterator[Option]:
    stated = context.requirements
    on_own_hardware = stated.max_memory_gib is not None or stated.gpus is not None
    if stated.hosting in {"api", "any"} or (stated.hosting is None and not on_own_hardware):
        yield from _hosted(model, context)
    if not model.open_weights or stated.hosting == "api":
        return
    for quantization in _quantizations(stated):
        for adapter in (None, *_adapters(model, quantization, context)):
            yield from _self_hosted(model, quantization, adapter, context)


def _quantizations(requirements: Requirements) -> tuple[Quantization, ...]:
    return (requirements.quantization,) if requirements.quantization else QUANTIZATIONS


def _adapters(model: ModelFact, quantization: Quantization, context: Context) -> list[str]:
    """Adapters of ours that were measured on top of this model, loaded this way."""
    rows = context.losses.measurements
    found = {
        r.adapter for r in rows if r.model_id == model.id and r.quantization == quantization and r.adapter
    }
    return sorted(found)


def _hosted(model: ModelFact, context: Context) -> Iterator[Option]:
    cost = hosted_cost(model)
    if cost is not None:
        yield Option(model=model, quantization=None, cost=cost, loss=context.losses.of(model.id, None))


def _self_hosted(
    model: ModelFact, quantization: Quantization, adapter: str | None, context: Context
) -> Iterator[Option]:
    tokens = context.criteria.context_tokens
    need = serving(model, quantization=quantization, context_tokens=tokens)
    if need is None or (context.available_gib is not None and not need.fits(context.available_gib)):
        return
    hardware = _hardware(need.total_gib, context)
    cost = own_hardware_cost(model, quantization, hardware) if hardware else None
    if cost is None:
        return
    yield Option(
        model=model,
        quantization=quantization,
        adapter=adapter,
        cost=cost,
        loss=context.losses.of(model.id, quantization, adapter),
        vram_gib=need.total_gib,
        tokens_per_s=cost.tokens_per_s,
    )


def _hardware(need_gib: float, context: Context) -> Hardware | None:
    """The accelerators that were named, else the cheapest for rent that are large enough."""
    wait = context.criteria.wait_usd_per_h
    named = context.requirements.gpus
    if context.gpu is not None and context.gpu.usd_per_hour is not None and named is not None:
        return Hardware(gpu=context.gpu, count=named.count, wait_usd_per_h=wait)
    enough = [
        gpu for gpu, memory_gib in context.for_rent if memory_gib >= (context.available_gib or need_gib)
    ]
    if enough:
        return Hardware(
            gpu=min(enough, key=lambda gpu: gpu.usd_per_hour or 0.0), count=1, wait_usd_per_h=wait
        )
    largest, memory_gib = max(context.for_rent, key=lambda pair: pair[1])
    return Hardware(gpu=largest, count=math.ceil(need_gib / memory_gib), wait_usd_per_h=wait)


def _affordable(options: Iterable[Option], context: Context) -> Iterator[Option]:
    for option in options:
        if _failure(option, context.requirements) is None:
            yield option


def _failure(option: Option, requirements: Requirements) -> tuple[str, Bilingual] | None:
    """The first limit that this way of running the model breaks, and how."""
    checks = (
        ("max_usd_per_mtok", _price_failure),
        ("budget_usd_per_month", _budget_failure),
        ("min_tokens_per_s", _pace_failure),
        ("max_latency_s", _latency_failure),
    )
    found = ((name, check(option, requirements)) for name, check in checks)
    return next(((name, reason) for name, reason in found if reason is not None), None)


def _price_failure(option: Option, requirements: Requirements) -> Bilingual | None:
    limit = requirements.max_usd_per_mtok
    if limit is None or option.cost.value <= limit:
        return None
    return Bilingual(
        f"price: ${option.cost.value:.2f} per million tokens, you allow ${limit:g}",
        f"价格：每百万 token {option.cost.value:.2f} 美元，上限为 {limit:g} 美元",
    )


def _budget_failure(option: Option, requirements: Requirements) -> Bilingual | None:
    budget, tokens = requirements.budget_usd_per_month, requirements.tokens_per_month
    if budget is None or tokens is None:
        return None
    monthly = option.cost.value * tokens / 1e6
    if monthly <= budget:
        return None
    return Bilingual(
        f"budget: ${monthly:,.0f} a month at your traffic, you allow ${budget:,.0f}",
        f"预算：按你的用量每月 {monthly:,.0f} 美元，上限为 {budget:,.0f} 美元",
    )


def _pace_failure(option: Option, requirements: Requirements) -> Bilingual | None:
    """Hosted models pass: nobody publishes their speed."""
    least, pace = requirements.min_tokens_per_s, option.tokens_per_s
    if least is None or pace is None or pace >= least:
        return None
    return Bilingual(
        f"speed: about {pace:.0f} tokens/s (estimate), you need {least:g}",
        f"速度：约 {pace:.0f} token/s（估算），需要 {least:g}",
    )


def _latency_failure(option: Option, requirements: Requirements) -> Bilingual | None:
    """Only what writing takes is counted: a model that is too slow at that is too slow in any case."""
    most, pace = requirements.max_latency_s, option.tokens_per_s
    if most is None or pace is None or ANSWER_TOKENS / pace <= most:
        return None
    return Bilingual(
        f"speed: about {ANSWER_TOKENS / pace:.1f} s for {ANSWER_TOKENS} tokens (estimate), you allow {most:g} s",
        f"速度：写 {ANSWER_TOKENS} 个 token 约需 {ANSWER_TOKENS / pace:.1f} 秒（估算），上限为 {most:g} 秒",
    )


def _why_none(model: ModelFact, context: Context) -> Excluded:
    failures = (_failure(option, context.requirements) for option in _options_of(model, context))
    failure = next((found for found in failures if found is not None), None)
    if failure is not None:
        return Excluded(model, *failure)
    if not model.open_weights or context.requirements.hosting == "api":
        reason = Bilingual("price: not known, so it cannot be weighed", "价格：未知，无法比较")
        return Excluded(model, "price", reason)
    return Excluded(model, "max_memory_gib", _memory_reason(model, context))


def _memory_reason(model: ModelFact, context: Context) -> Bilingual:
    smallest = _quantizations(context.requirements)[-1]
    need = serving(model, quantization=smallest, context_tokens=context.criteria.context_tokens)
    if need is None:
        return Bilingual(
            "memory: its size is not known, so it cannot be computed", "显存：参数规模未知，无法计算"
        )
    have = context.available_gib
    if have is None:
        return Bilingual("memory: no accelerator that I know holds it", "显存：已知的加速卡都放不下")
    return Bilingual(
        f"memory: {need.total_gib:.1f} GiB even in {smallest}, with {RESERVED_GIB} kept free; you have {have:g}",
        f"显存：{smallest} 也需要 {need.total_gib:.1f} GiB（另留 {RESERVED_GIB}），现有 {have:g} GiB",
    )
