"""Requirements -> the memory there is, and the accelerator that was named."""

from __future__ import annotations

from index.prices import GpuFact, find_gpu
from skills.conversation.request import Requirements


def named_gpu(requirements: Requirements) -> GpuFact | None:
    """The accelerator that was named, when we know it; of several sizes the one that was said."""
    stated = requirements.gpus
    if stated is None or stated.name is None:
        return None
    sized = find_gpu(f"{stated.name} {stated.memory_gib:g}gb") if stated.memory_gib else None
    return sized or find_gpu(stated.name)


def available_memory_gib(requirements: Requirements) -> float | None:
    """Accelerator memory in all, as stated or as the named accelerators have it; None when not stated."""
    if requirements.max_memory_gib is not None:
        return requirements.max_memory_gib
    stated, known = requirements.gpus, named_gpu(requirements)
    if stated is None:
        return None
    each = stated.memory_gib or (known.available_gib if known else None)
    return None if each is None else each * stated.count
