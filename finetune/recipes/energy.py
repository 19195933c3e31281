"""Turn a stretch of work into the joules that the device counted meanwhile, where it counts them.

NVML counts what a whole GPU takes, RAPL what the processors take, other programs included; neither knows who
took it. RAPL's files are often readable for the superuser only: then nothing is known, as on other machines.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import torch

_POWERCAP = Path("/sys/class/powercap")


class EnergyMeter:
    """Adds up the joules of all stretches; None where the device does not tell."""

    def __init__(self, device: torch.device, *, powercap: Path = _POWERCAP) -> None:
        self._counters = _of_gpu(device) if device.type == "cuda" else _of_processors(powercap)
        self.joules: float | None = None
        self._rows = 0

    @property
    def joules_per_row(self) -> float | None:
        """What a row took; None where nobody counted."""
        return self.joules / self._rows if self.joules is not None and self._rows else None

    @contextlib.contextmanager
    def counting(self, rows: int) -> Iterator[None]:
        """Count while the block answers so many rows."""
        self._rows += rows
        before = [counter() for counter, _ in self._counters]
        yield
        spent = 0.0
        for (counter, wraps_at), earlier in zip(self._counters, before, strict=True):
            now = counter()
            spent += now - earlier if now >= earlier else now - earlier + wraps_at
        if self._counters:
            self.joules = (self.joules or 0.0) + spent


_Counter = tuple[Callable[[], float], float]
"""Joules so far, and where the count begins again at zero."""


def _of_gpu(device: torch.device) -> list[_Counter]:
    try:
        import pynvml  # noqa: PLC0415 - of the extra `gpu`

        pynvml.nvmlInit()
        uuid = f"GPU-{torch.cuda.get_device_properties(device).uuid}"
        handle = pynvml.nvmlDeviceGetHandleByUUID(uuid)
        pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)
    except Exception:  # not installed, no driver, a GPU that does not count: NVML has an exception for each
        return []
    return [(lambda: pynvml.nvmlDeviceGetTotalEnergyConsumption(handle) / 1000, 0.0)]


def _of_processors(powercap: Path) -> list[_Counter]:
    """One counter for each processor package; its parts are folders below it."""
    counters: list[_Counter] = []
    for package in sorted(powercap.glob("intel-rapl:?")):
        with contextlib.suppress(OSError, ValueError):
            _read_j(package / "energy_uj")
            wraps_at = _read_j(package / "max_energy_range_uj")
            counters.append((lambda file=package / "energy_uj": _read_j(file), wraps_at))  # type: ignore[misc]
    return counters


def _read_j(file: Path) -> float:
    return int(file.read_text()) / 1e6
