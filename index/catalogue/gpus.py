"""Turn gpus.yaml into accelerators, and an accelerator's name as people write it into one of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from index.bilingual import Bilingual
from index.records import Source

_FILE = Path(__file__).parent / "gpus.yaml"
_VENDOR_WORDS = re.compile(
    r"nvidia|geforce|tesla|quadro|amd|radeon|instinct|apple|intel|ascend|英伟达|显卡|加速卡|\bgpus?\b"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuFact:
    """One accelerator: what its maker says, and what renting one is assumed to cost."""

    name: str
    aliases: tuple[str, ...] = ()
    memory_gib: float | None = None
    """As it is named; None where it comes in many sizes (Apple)."""
    usable_gib: float | None = None
    """As the driver reports it, where error correction takes a share."""
    bandwidth_gb_s: float
    bf16_tflops: float | None = None
    """Dense, 32-bit accumulation; fp16 where the chip has no bf16."""
    usd_per_hour: float | None = None
    """An assumption, see `rate_basis`; None where it is not commonly rented."""
    rate_basis: Bilingual | None = None
    is_cpu: bool = False
    """No accelerator at all, but what there is when a team has none."""
    source: Source

    @property
    def available_gib(self) -> float | None:
        """Memory that a program can really have."""
        return self.usable_gib if self.usable_gib is not None else self.memory_gib


_own: tuple[GpuFact, ...] = ()


def use_gpus(own: tuple[GpuFact, ...]) -> None:
    """Put these accelerators before the file's, in the whole process; none undoes it."""
    global _own  # noqa: PLW0603 - one process serves one home, and every reckoning must use its rates
    _own = own
    gpus.cache_clear()
    _by_key.cache_clear()


@cache
def gpus() -> tuple[GpuFact, ...]:
    """Every accelerator known: the team's own, then the others in the order of the file."""
    named = {gpu.name for gpu in _own}
    return (*_own, *(gpu for gpu in shipped_gpus() if gpu.name not in named))


@cache
def shipped_gpus() -> tuple[GpuFact, ...]:
    """The accelerators of the file."""
    data = yaml.safe_load(_FILE.read_text(encoding="utf-8"))
    bases = {name: Bilingual(**wording) for name, wording in data["rate_bases"].items()}
    return tuple(_gpu(entry, bases) for entry in data["gpus"])


def find_gpu(name: str) -> GpuFact | None:
    """The accelerator that `name` stands for, or None; case, spaces and the maker's name do not matter."""
    return _by_key().get(_key(name))


def _gpu(entry: dict[str, Any], bases: Mapping[str, Bilingual]) -> GpuFact:
    values = dict(entry)
    rate = values.pop("rate", None)
    values["aliases"] = tuple(values["aliases"])
    values["source"] = Source(name=f"specification of {values['name']}", url=values["source"])
    return GpuFact(**values, rate_basis=bases[rate] if rate else None)


@cache
def _by_key() -> Mapping[str, GpuFact]:
    """Every spelling of every accelerator; the first to claim a spelling keeps it."""
    known: dict[str, GpuFact] = {}
    for gpu in gpus():
        for spelling in (gpu.name, *gpu.aliases):
            known.setdefault(_key(spelling), gpu)
    for gpu in gpus():
        for spelling in (gpu.name, *gpu.aliases) if gpu.memory_gib else ():
            for unit in ("gb", "g"):
                known.setdefault(_key(f"{spelling} {gpu.memory_gib:g}{unit}"), gpu)
    return MappingProxyType(known)


def _key(name: str) -> str:
    text = _VENDOR_WORDS.sub(" ", name.casefold())
    return re.sub(r"[\W_]+", "", text)
