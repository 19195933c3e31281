"""A model and accelerators -> what fits: the largest batch, how many cards, the cheapest for rent."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from index.catalogue.gpus import GpuFact, gpus
from index.footprint import RESERVED_GIB, Footprint, serving
from index.records import ModelFact

SHARD_GIB = 0.5
"""What a card keeps for talking to the others, where a model is spread over several: an assumption."""
MOST_CARDS = 8
"""Cards of one machine; beyond them the network decides, which nothing here knows."""
_LARGEST_BATCH = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Cards:
    """Accelerators that hold a model."""

    gpu: GpuFact
    count: int
    usd_per_hour: float


def cards_needed(need: Footprint, memory_gib: float) -> int | None:
    """The fewest cards of `memory_gib` each that hold it: 1, 2, 4 or 8, as shards are even; None beyond."""
    for count in (1, 2, 4, MOST_CARDS):
        shard = need.total_gib / count + (SHARD_GIB if count > 1 else 0.0)
        if shard + RESERVED_GIB <= memory_gib:
            return count
    return None


def largest_batch(
    model: ModelFact,
    quantization: str,
    memory_gib: float,
    *,
    context_tokens: int = 8192,
    kv_bits: Literal[16, 8] = 16,
) -> int | None:
    """The most requests of `context_tokens` each that fit at once; None when not even one does."""
    one, two = (
        serving(model, quantization=quantization, context_tokens=context_tokens, batch=batch, kv_bits=kv_bits)
        for batch in (1, 2)
    )
    if one is None or two is None or not one.fits(memory_gib):
        return None
    each = two.total_gib - one.total_gib
    room = memory_gib - RESERVED_GIB - one.total_gib
    return _LARGEST_BATCH if each <= 0 else min(_LARGEST_BATCH, 1 + math.floor(room / each + 1e-9))


def cheapest_cards(need: Footprint) -> Cards | None:
    """The accelerators of the table that hold it for the least rent; None when none does or no rate is known."""
    found = []
    for gpu in gpus():
        if gpu.is_cpu or gpu.usd_per_hour is None or gpu.available_gib is None:
            continue
        count = cards_needed(need, gpu.available_gib)
        if count is not None:
            found.append(Cards(gpu=gpu, count=count, usd_per_hour=count * gpu.usd_per_hour))
    return min(found, key=lambda cards: (cards.usd_per_hour, cards.count, cards.gpu.name), default=None)
