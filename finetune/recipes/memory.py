"""Turn a stretch of work into the most memory that it needed: GPU memory, or weights and growth on a CPU."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import re
from pathlib import Path
from typing import Any

import psutil
import torch

from finetune.device import GIB, Device, processors

_NO_MEMORY = ("can't allocate memory", "not enough memory")
"""What torch says when the machine gives it no more."""


def device_here() -> Device:
    """The device that models are loaded on, and how much of its memory is free now."""
    if not torch.cuda.is_available():
        return processors()
    return Device(
        name=torch.cuda.get_device_name(),
        free_gib=torch.cuda.mem_get_info()[0] / GIB,
        is_gpu=True,
        compute_capability=torch.cuda.get_device_capability(),
    )


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out, of a GPU or of the machine: the latter has no error class of its own."""
    if isinstance(error, torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _NO_MEMORY)


class MemoryMeter:
    """Measures what a loaded model needs from now on: loading and quantizing are over and do not count.

    On a CPU the weights may be pages of a file, resident or not as the system likes, so they are counted
    as tensors, and what the process grows by while it works is added.
    """

    def __init__(self, model: Any, device: torch.device) -> None:
        self._device = device
        self.weights_gib: float = model.get_memory_footprint() / GIB
        gc.collect()
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
        else:
            _give_back_and_forget_peak()
        self._base_bytes = psutil.Process().memory_info().rss

    def peak_gib(self) -> float:
        """The most that was needed so far."""
        if self._device.type == "cuda":
            return float(torch.cuda.max_memory_allocated(self._device)) / GIB
        grown_bytes: int = max(0, _peak_resident_bytes() - self._base_bytes)
        return self.weights_gib + grown_bytes / GIB

    @property
    def meaning(self) -> str:
        """What the figure is, for the reader of a result."""
        if self._device.type == "cuda":
            return "most GPU memory allocated after loading"
        return "weights as loaded, plus the most that the process grew by while working"


def _give_back_and_forget_peak() -> None:
    """Return freed memory to the system and reset its record of the peak; both exist on Linux only."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _peak_resident_bytes() -> int:
    with contextlib.suppress(OSError):
        found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
        if found:
            return int(found[1]) * 1024
    return psutil.Process().memory_info().rss
