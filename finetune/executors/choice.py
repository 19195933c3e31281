"""The rules of the house -> where recipes run, and the devices that there are to lease."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from finetune.devices import OTHERS_SAY, Device, discover
from finetune.executors.base import Executor, Recipe
from finetune.executors.local import LocalExecutor
from finetune.executors.ray import RayExecutor
from finetune.executors.ray_cluster import Cluster, Kind, RayCluster, RayMissing
from finetune.policy import Policy
from index.bilingual import Bilingual
from index.errors import BadSetting


class NothingShared(BadSetting):
    """A cluster, and no folder that both sides see."""

    def __init__(self) -> None:
        super().__init__(
            Bilingual(
                en="RAY_ADDRESS is set, so jobs run on other machines, and SHORTLIST_SHARED is not. Set it to a "
                "folder that this machine and every node of the cluster see under the same path.",
                zh="已设置 RAY_ADDRESS（任务将在其他机器上运行），但未设置 SHORTLIST_SHARED。"
                "请把它设为本机和集群所有节点都能以相同路径访问的目录。",
            )
        )


@dataclass(frozen=True, slots=True)
class Place:
    """Where recipes run."""

    executor: Executor
    devices: Callable[[], tuple[Device, ...]]
    """Looks at what there is now; Unavailable while the place is away."""
    threads: int | None = None
    """Processor cores for one run; None where nobody here can tell."""


def require(policy: Policy) -> None:
    """See that what the rules ask for can be used here, before anything is started."""
    if policy.ray_address is None:
        return
    if importlib.util.find_spec("ray") is None:
        raise RayMissing
    if policy.shared is None:
        raise NothingShared


def choose(
    policy: Policy,
    environment: Mapping[str, str],
    recipes: Mapping[Recipe, Sequence[str]],
    *,
    keys: Mapping[str, str],
) -> Place:
    """The cluster, where one is named; else this machine. `keys` of providers are for runs here: nodes have theirs."""
    require(policy)
    if policy.ray_address is None:
        devices = discover(policy.devices, environment)
        local = LocalExecutor(
            environment=environment, recipes=recipes, keys=keys, memory_gib=policy.memory_gib
        )
        return Place(local, lambda: devices, threads=max(1, _cores() // len(devices)))
    cluster = RayCluster(policy.ray_address)
    kind: Kind = "cpu" if policy.devices.startswith("cpu") else "gpu"
    executor = RayExecutor(cluster, kind=kind, recipes=recipes, python=policy.ray_python or sys.executable)
    return Place(executor, lambda: _places(cluster, kind, policy))


def _cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _places(cluster: Cluster, kind: Kind, policy: Policy) -> tuple[Device, ...]:
    """One device a GPU of the nodes that live. Ray decides which it is, so they are counted, not named."""
    total = int(cluster.load(kind).total)
    return tuple(
        Device(
            key=f"{policy.ray_address}/{kind}{number}",
            name=f"ray-{kind}{number}",
            kind=kind,
            memory_gib=policy.ray_gpu_gib,
            visible=OTHERS_SAY,
        )
        for number in range(total)
    )
