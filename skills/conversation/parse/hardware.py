"""Read what the asker runs on: "two A100 80G", "16GB 显存", "M2 Mac 32GB" -> GPUs and total memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from skills.conversation.parse.lexicon import load, words
from skills.conversation.parse.phrases import Match
from skills.conversation.parse.quantities import Quantity
from skills.conversation.parse.reading import Reading
from skills.conversation.parse.units import GIB_PER_UNIT
from skills.conversation.request import Gpus

_A_FEW = 2
_MOST_DEVICES = 4096
USUAL_GIB = frozenset({12, 16, 24, 32, 40, 48, 64, 80, 96, 128, 141, 192})
_OWNER_REACH = 8
_FREE_REACH = 5


@dataclass(frozen=True, slots=True)
class _Device:
    name: str
    count: int
    memory_gib: float | None


@dataclass(frozen=True, slots=True)
class _Scene:
    """All that the hardware words of one turn are judged by."""

    reading: Reading
    quantities: Sequence[Quantity]
    memories: Sequence[Quantity]
    """Sizes of devices; what is said to be free of one is none."""


def read_hardware(reading: Reading, quantities: Sequence[Quantity]) -> dict[str, Any]:
    """`gpus` and `max_memory_gib`, as far as they are stated."""
    quantities = [replace(q, unit="gib") if _is_size_of_device(reading, q) else q for q in quantities]
    memories = [q for q in quantities if _is_usable_memory(reading, q)]
    free = [q for q in memories if _is_free(reading, q)] if reading.stated("gpu") else []
    sizes = [q for q in memories if q not in free]
    scene = _Scene(reading, quantities, _video_memory_first(reading, sizes))
    devices = [_device(scene, match) for match in _device_matches(scene)]
    if not devices:
        return _of_memory(replace(scene, memories=_video_memory_first(reading, memories)))
    fields = _of_devices(scene, devices)
    limits = [*([fields["max_memory_gib"]] if "max_memory_gib" in fields else []), *map(_gib, free)]
    return {**fields, "max_memory_gib": min(limits)} if free else fields


def sizes_of(accelerator: str) -> tuple[float, ...]:
    """The memory sizes, in GiB, that an accelerator of the lexicon is sold with."""
    return tuple(float(size) for size in _accelerators().get(accelerator, {}).get("sizes_gib") or ())


def _is_free(reading: Reading, memory: Quantity) -> bool:
    """ "Only 20 GB of it are free", "空闲 20G": as much as may be used of a device that has more."""
    return reading.near(memory.start, memory.end, "free_memory", _FREE_REACH) is not None


def _device_matches(scene: _Scene) -> list[Match]:
    """Named devices; "laptop", "CPU" and "Mac" only where nothing says more."""
    found = [
        match for match in scene.reading.stated("gpu") if _is_meant(scene, match) and _is_theirs(scene, match)
    ]
    named = [match for match in found if not _fact(match.value, "is_generic") and not _goes_on(match, found)]
    has_gpu_words = _speaks_of_gpus(scene, found) or _kinds_of_memory(scene) & {"vram"}
    generic = [match for match in found if match.value != "CPU" or not has_gpu_words]
    return list({match.value: match for match in reversed(named or generic[:1])}.values())[::-1]


def _goes_on(match: Match, found: Sequence[Match]) -> bool:
    """The 寒武纪 MLU370 of "寒武纪 MLU370-X8"."""
    return any(o.value == match.value and o.covers(match.end - 1) and o.end > match.end for o in found)


def _speaks_of_gpus(scene: _Scene, found: Sequence[Match]) -> bool:
    """True for "a GPU" anywhere but in "no GPU", in whatever words."""
    inside = {position for match in found for position in range(match.start, match.end)}
    return any(match.start not in inside for match in scene.reading.all("gpu_word"))


def _is_meant(scene: _Scene, match: Match) -> bool:
    """False for "M2" without a Mac or a memory size near, and for "4090 rows"."""
    unit = scene.reading.at(match.end, "unit")
    is_plural = scene.reading.gap(match.end, match.end + 1) == "s"
    if (
        not is_plural
        and scene.reading.tokens[match.end - 1].is_number
        and unit
        and unit.value not in ("gpu", "gib", "machine")
    ):
        return False
    if not _fact(match.value, "needs_context") or match.end - match.start > 2:
        return True
    return bool(scene.memories) or any(m.value == "Apple silicon" for m in scene.reading.all("gpu"))


def _is_theirs(scene: _Scene, match: Match) -> bool:
    """False for what a competitor has."""
    return scene.reading.before(match.start, "others", _OWNER_REACH) is None


def _lost(scene: _Scene) -> int:
    """How many they have no more: "two 4090s but I sold one", "卖掉一张"."""
    for verb in scene.reading.all("lost"):
        for quantity in scene.quantities:
            if _is_count(quantity) and 0 <= quantity.start - verb.end <= 1:
                return int(quantity.value)
    return 0


def _device(scene: _Scene, match: Match) -> _Device:
    memory = _memory_of(scene, match)
    count = _count_before(scene, match.start)
    if count is None and memory and memory.end <= match.start:
        count = _count_before(scene, memory.start)
    if count is None:
        count = _count_after(scene, match.end)
    if count is None and memory is not None and memory.start >= match.end:
        count = _count_after(scene, memory.end)
    in_all = _count_in_all(scene)
    if in_all is None and count is None and len(_of_them(scene)) == 1:
        count = _of_them(scene)[0]
    count = in_all if in_all is not None or count is None else max(count - _lost(scene), 1)
    known = _fact(match.value, "memory_gib")
    memory_gib = _gib(memory) if memory else known
    if memory and _is_total(scene, memory):
        memory_gib = _gib(memory) / (count or 1)
    return _Device(match.value, count or 1, memory_gib)


def _of_them(scene: _Scene) -> list[int]:
    """The 4 of "I have H200s: four of them"."""
    counted = (q for q in scene.quantities if q.unit == "gpu" and _is_count(q))
    return [
        int(q.value)
        for q in counted
        if scene.reading.gap(q.end - 2, q.end) in ("of them", "of those", "of these")
    ]


def _memory_of(scene: _Scene, match: Match) -> Quantity | None:
    """The memory size that stands by a device; for a Mac or a laptop, any in the turn."""
    for memory in scene.memories:
        if _linked(scene, match.end, memory.start) or _linked(scene, memory.end, match.start):
            return memory
    each = next((m for m in scene.memories if scene.reading.before(m.start, "each", 1)), None)
    each = each or next((m for m in scene.memories if _is_total(scene, m)), None)
    sizes = _fact(match.value, "sizes_gib") or ()
    named = {m.value for m in scene.reading.all("gpu") if not _fact(m.value, "is_generic")}
    if len(named) == 1:
        each = each or next((m for m in scene.memories if _gib(m) in sizes), None)
    is_open = bool(scene.memories) and _fact(match.value, "memory_gib") is None
    return each or (scene.memories[0] if is_open else None)


def _of_devices(scene: _Scene, devices: Sequence[_Device]) -> dict[str, Any]:
    totals = [d.count * d.memory_gib for d in devices if d.memory_gib is not None]
    if len(devices) > 1:
        is_choice = any(
            scene.reading.gap(m.start, m.end) in ("or", "或", "还是")
            for m in scene.reading.all("compare_weak")
        )
        return {"max_memory_gib": min(totals) if is_choice else sum(totals)} if totals else {}
    device = devices[0]
    gpus = Gpus(name=device.name, count=device.count, memory_gib=device.memory_gib)
    return {"gpus": gpus, **({"max_memory_gib": totals[0]} if totals else {})}


def _of_memory(scene: _Scene) -> dict[str, Any]:
    """Memory or a number of cards, where no device is named."""
    counts = (q for q in scene.quantities if q.unit == "gpu" and _is_count(q))
    count = next((int(q.value) for q in counts if not _counts_what_was_said(scene, q)), None)
    if not scene.memories:
        return {} if count is None else {"gpus": Gpus(count=count)}
    if unequal := _unequal_cards(scene):
        return {"max_memory_gib": unequal}
    memory = min(scene.memories, key=_gib)
    beside = _count_before(scene, memory.start)
    count = beside if beside is not None else count
    if count is None and not _is_of_card(scene, memory):
        return {"max_memory_gib": _gib(memory)}
    each = _gib(memory) / (count or 1) if _is_total(scene, memory) else _gib(memory)
    return {"gpus": Gpus(count=count or 1, memory_gib=each), "max_memory_gib": each * (count or 1)}


def _unequal_cards(scene: _Scene) -> float:
    """ "One 24GB and one 16GB card", "一张24G一张16G": memory in all, where every size is counted; else 0."""
    counts = [_count_before(scene, memory.start) for memory in scene.memories]
    if len(counts) < _A_FEW or None in counts or not scene.reading.has_any("gpu_word", "unit"):
        return 0.0
    return sum(_gib(memory) * (count or 0) for memory, count in zip(scene.memories, counts, strict=True))


def _counts_what_was_said(scene: _Scene, quantity: Quantity) -> bool:
    """ "One of those cheap models": what follows says what is counted."""
    following = scene.reading.tokens[quantity.end : quantity.end + 1]
    is_of = scene.reading.gap(quantity.end - 2, quantity.end).startswith("of ")
    return is_of and any(token.is_word for token in following) and not scene.reading.has("gpu_word")


def _is_of_card(scene: _Scene, memory: Quantity) -> bool:
    """True for "24 GB GPU" and "24G 显卡"."""
    return scene.reading.near(memory.start, memory.end, "gpu_word", 2) is not None


def _count_before(scene: _Scene, position: int) -> int | None:
    """The number of devices before a device or its memory: "2x", "two", "两张"."""
    for quantity in reversed(scene.quantities):
        if _is_count(quantity) and quantity.end <= position and _linked(scene, quantity.end, position):
            return int(quantity.value) * _machines(scene, quantity.start)
    return None


def _count_in_all(scene: _Scene) -> int | None:
    """ "昇腾 910B，一共 16 张", "so two now": the number stands apart, with a word for the whole."""
    for quantity in reversed(scene.quantities):
        if _is_count(quantity) and is_tally(scene.reading, quantity):
            return int(quantity.value)
    return None


def is_tally(reading: Reading, quantity: Quantity) -> bool:
    """A number of cards said to be all that there are."""
    if quantity.unit == "gpu" and reading.before(quantity.start, "total", 0):
        return True
    behind = reading.after(quantity.end, "total", 0) or reading.after(quantity.end, "tally", 0)
    ahead = reading.before(quantity.start, "tally", 0)
    follows = reading.tokens[quantity.end : quantity.end + 1]
    ends = not follows or follows[0].text in words("text", "clause_ends")
    is_ahead = ahead is not None and (quantity.unit == "gpu" or ends)
    return is_ahead or (behind is not None and not _is_after_memory(reading, quantity))


def _is_after_memory(reading: Reading, quantity: Quantity) -> bool:
    """The 2 of "4090 2 in total" counts; a number that a memory size follows belongs to it."""
    return reading.after(quantity.end, "memory_word", 1) is not None


def _machines(scene: _Scene, position: int) -> int:
    """The 2 of "2 nodes of 8xH100" and "两台 8 卡 A100"."""
    for quantity in scene.quantities:
        if quantity.unit == "machine" and quantity.end <= position and _linked(scene, quantity.end, position):
            return max(int(quantity.value), 1)
    return 1


def _count_after(scene: _Scene, position: int) -> int | None:
    """The number of devices after one: "A100 x2", "4090 两张"."""
    for quantity in scene.quantities:
        if _is_count(quantity) and quantity.start >= position and _linked(scene, position, quantity.start):
            has_mark = scene.reading.gap(position, quantity.start).endswith(("x", "×", "*", "乘"))
            return int(quantity.value) if has_mark or quantity.unit == "gpu" else None
    return None


def _is_count(quantity: Quantity) -> bool:
    is_plain = quantity.unit in (None, "gpu") and quantity.scale is None and not quantity.is_negated
    return is_plain and float(quantity.value).is_integer() and 1 <= quantity.value <= _MOST_DEVICES


def _linked(scene: _Scene, start: int, end: int) -> bool:
    between = scene.reading.tokens[start:end]
    return start <= end <= start + 4 and all(
        token.text in words("text", "hardware_links") for token in between
    )


def _is_size_of_device(reading: Reading, quantity: Quantity) -> bool:
    """ "A100 80", "V100-32": a usual memory size right behind the name, without its unit."""
    device = next((m for m in reading.all("gpu") if 0 <= quantity.start - m.end <= 1), None)
    if device is None or quantity.unit is not None or quantity.scale is not None:
        return False
    known, gap = _fact(device.value, "memory_gib"), reading.gap(device.end, quantity.start)
    return gap in ("", "-") and quantity.value in USUAL_GIB and known is not None and quantity.value >= known


def _is_usable_memory(reading: Reading, quantity: Quantity) -> bool:
    is_memory = quantity.unit in GIB_PER_UNIT and not quantity.is_negated and quantity.value > 0
    return is_memory and _kind_of_memory(reading, quantity) not in ("disk", "data")


def _video_memory_first(reading: Reading, memories: Sequence[Quantity]) -> list[Quantity]:
    """System memory counts only where no other is stated."""
    video = [memory for memory in memories if _kind_of_memory(reading, memory) != "ram"]
    return video or list(memories)


def _kind_of_memory(reading: Reading, quantity: Quantity) -> str:
    """vram, ram, disk or data, by the word beside it; Chinese often puts that word first."""
    first = next((m for m in reading.all("memory_word") if m.value != "data"), None)
    word_first = (
        first is not None and first.start < quantity.start and first.end <= _first_memory(reading, quantity)
    )
    before = reading.before(quantity.start, "memory_word", 2)
    after = reading.after(quantity.end, "memory_word", 1)
    chosen = (before or after) if word_first else (after or before)
    return chosen.value if chosen else ""


def _first_memory(reading: Reading, quantity: Quantity) -> int:
    units = [match.start for match in reading.all("unit") if match.value in GIB_PER_UNIT]
    return min([quantity.start + 1, *units])


def _kinds_of_memory(scene: _Scene) -> set[str]:
    return {_kind_of_memory(scene.reading, memory) for memory in scene.memories}


def _is_total(scene: _Scene, memory: Quantity) -> bool:
    return scene.reading.near(memory.start, memory.end, "total", 3) is not None


def _gib(memory: Quantity) -> float:
    return memory.value * GIB_PER_UNIT[memory.unit or "gib"]


def _fact(name: str, key: str) -> Any:
    return _accelerators()[name].get(key)


@lru_cache
def _accelerators() -> dict[str, dict[str, Any]]:
    return {accelerator["name"]: accelerator for accelerator in load("accelerators")["accelerators"]}
