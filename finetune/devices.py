"""A setting, or the driver of this machine -> the devices that jobs may lease. Loads no torch.

A device is leased whole, by one job at a time: sharing a GPU makes both jobs' figures worthless.
"""

from __future__ import annotations

import re
import socket
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import psutil

from index.bilingual import Bilingual
from index.errors import BadSetting

OTHERS_SAY = "*"
"""The place where the job runs hands out its GPUs itself."""
_GIB = 2**30
_GPU = re.compile(r"(?P<name>gpu(?P<index>\d{1,3})):(?P<gib>\d+(\.\d+)?)")
_CPU = re.compile(r"cpu(:(?P<gib>\d+(\.\d+)?))?")
_DRIVER_WAIT_S = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A GPU, or the one slot of a machine without any."""

    key: str
    """The same for everybody who sees this device, and for no other device."""
    name: str
    kind: Literal["gpu", "cpu"]
    memory_gib: float
    visible: str = ""
    """What CUDA_VISIBLE_DEVICES has to say; empty hides every GPU, OTHERS_SAY leaves it as it is."""


def host_name() -> str:
    """The machine, as the store knows it."""
    return socket.gethostname()


def process_space() -> str:
    """The processes that can be seen from here: two containers on one machine may not see each other's."""
    try:
        return f"{host_name()} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return host_name()


def discover(setting: str, environment: Mapping[str, str]) -> tuple[Device, ...]:
    """The devices of this machine; `auto` asks the driver and takes the CPU where there is no GPU."""
    if setting.strip().casefold() != "auto":
        return _stated(setting)
    return _visible(_by_library() or _by_command(), environment.get("CUDA_VISIBLE_DEVICES")) or (_cpu(None),)


def _stated(setting: str) -> tuple[Device, ...]:
    parts = [part.strip().casefold() for part in setting.split(",")]
    if len(parts) == 1 and (cpu := _CPU.fullmatch(parts[0])):
        return (_cpu(cpu["gib"]),)
    found = [match for part in parts if (match := _GPU.fullmatch(part))]
    if len(found) < len(parts) or len({match["name"] for match in found}) < len(found):
        raise _unknown_devices(setting)
    return tuple(
        Device(
            key=f"{host_name()}/{match['name']}",
            name=match["name"],
            kind="gpu",
            memory_gib=float(match["gib"]),
            visible=match["index"],
        )
        for match in found
    )


def _cpu(gib: str | None) -> Device:
    memory_gib = float(gib) if gib else psutil.virtual_memory().total / _GIB
    return Device(key=f"{host_name()}/cpu", name="cpu", kind="cpu", memory_gib=memory_gib)


def _by_library() -> tuple[Device, ...]:
    """Ask NVIDIA's library, where the `gpu` extra is installed and there is a driver."""
    try:
        import pynvml  # noqa: PLC0415 - an extra
    except ImportError:
        return ()
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return ()
    try:
        handles = [pynvml.nvmlDeviceGetHandleByIndex(i) for i in range(pynvml.nvmlDeviceGetCount())]
        return tuple(
            _gpu(
                i, str(pynvml.nvmlDeviceGetUUID(handle)), pynvml.nvmlDeviceGetMemoryInfo(handle).total / _GIB
            )
            for i, handle in enumerate(handles)
        )
    except pynvml.NVMLError:
        return ()
    finally:
        pynvml.nvmlShutdown()


def _by_command() -> tuple[Device, ...]:
    command = ["nvidia-smi", "--query-gpu=index,uuid,memory.total", "--format=csv,noheader,nounits"]
    try:
        told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=_DRIVER_WAIT_S)
    except (OSError, subprocess.SubprocessError):
        return ()
    return read_listing(told.stdout)


def read_listing(text: str) -> tuple[Device, ...]:
    """Read lines of `index, uuid, MiB`; a line that says otherwise is no device."""
    found = []
    for line in text.splitlines():
        parts = [part.strip() for part in line.split(",")]
        if len(parts) == 3 and parts[0].isdigit() and parts[2].isdigit():
            found.append(_gpu(int(parts[0]), parts[1], int(parts[2]) / 1024))
    return tuple(found)


def _gpu(index: int, uuid: str, memory_gib: float) -> Device:
    return Device(key=uuid, name=f"gpu{index}", kind="gpu", memory_gib=memory_gib, visible=uuid)


def _visible(devices: tuple[Device, ...], allowed: str | None) -> tuple[Device, ...]:
    """Those that the worker itself was allowed to see, by number or identifier."""
    if allowed is None:
        return devices
    names = [part.strip() for part in allowed.split(",") if part.strip()]
    return tuple(device for device in devices if any(_is_meant(device, name) for name in names))


def _is_meant(device: Device, name: str) -> bool:
    return device.name == f"gpu{name}" or (name.startswith("GPU-") and device.key.startswith(name))


def as_json(device: Device) -> dict[str, Any]:
    """The device as its worker lists it in the store."""
    return {"key": device.key, "name": device.name, "kind": device.kind, "memory_gib": device.memory_gib}


def _unknown_devices(setting: str) -> BadSetting:
    return BadSetting(
        Bilingual(
            en=f"SHORTLIST_DEVICES cannot be {setting!r}. Write auto, cpu, cpu:16 or, for GPUs with their GiB, "
            "gpu0:24,gpu1:24.",
            zh=f"SHORTLIST_DEVICES 不能为 {setting!r}。可写 auto、cpu、cpu:16，或写出各 GPU 及其显存（GiB）："
            "gpu0:24,gpu1:24。",
        )
    )
