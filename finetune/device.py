"""Turn this machine into the device that a model would run on, without torch: its first GPU, or its processors."""

from __future__ import annotations

import platform
from dataclasses import dataclass

import psutil

GIB = 1024**3


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """Where models run, and how much of its memory is free now."""

    name: str
    free_gib: float
    is_gpu: bool = False
    compute_capability: tuple[int, int] | None = None
    """NVIDIA's number for what a GPU can do: 8.9 and more has FP8. None for a GPU that was not asked."""
    is_here: bool = True
    """False for one of another machine, where jobs run."""


def this_device() -> Device:
    """The first GPU that NVML tells of, else the processors and their memory."""
    return _first_gpu() or processors()


def processors() -> Device:
    """The machine without its GPUs."""
    return Device(name=f"CPU ({platform.machine()})", free_gib=psutil.virtual_memory().available / GIB)


def _first_gpu() -> Device | None:
    try:
        import pynvml  # noqa: PLC0415 - of the extra `gpu`, on few machines

        pynvml.nvmlInit()
    except Exception:  # not installed, no driver, no GPU: NVML has an exception for each
        return None
    handle = pynvml.nvmlDeviceGetHandleByIndex(0)
    major, minor = pynvml.nvmlDeviceGetCudaComputeCapability(handle)
    return Device(
        name=pynvml.nvmlDeviceGetName(handle),
        free_gib=pynvml.nvmlDeviceGetMemoryInfo(handle).free / GIB,
        is_gpu=True,
        compute_capability=(major, minor),
    )
