"""The rules of the house -> where recipes run, and the devices that there are to lease."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from finetune.device import Device as DeviceOfJobs
from finetune.device import processors, this_device
from finetune.devices import OTHERS_SAY, Device, discover
from finetune.executors.base import Executor, Recipe
from finetune.executors.local import LocalExecutor
from finetune.executors.ray import RayExecutor
from finetune.executors.ray_cluster import Cluster, ClusterAway, Kind, RayCluster, RayMissing
from finetune.policy import Policy
from index.bilingual import Bilingual
from index.errors import BadSetting

_ALONE_FRAC = 0.7
"""Of a lease: what a dead worker left behind has ended when others begin it anew."""


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
    others_take_over: bool = False,
) -> Place:
    """The cluster, where one is named; else this machine. `keys` of providers are for runs here: nodes have theirs.

    `others_take_over`: workers of other machines may take the jobs of ours, when it is dead.
    """
    require(policy)
    if policy.ray_address is None:
        devices = discover(policy.devices, environment)
        local = LocalExecutor(
            environment=environment,
            recipes=recipes,
            keys=keys,
            memory_gib=policy.memory_gib,
            alone_s=policy.lease_s * _ALONE_FRAC if others_take_over else None,
        )
        return Place(local, lambda: devices, threads=max(1, _cores() // len(devices)))
    cluster, kind = cluster_of(policy)
    executor = RayExecutor(cluster, kind=kind, recipes=recipes, python=policy.ray_python or sys.executable)
    return Place(executor, lambda: _places(cluster, kind, policy))


def cluster_of(policy: Policy) -> tuple[Cluster, Kind]:
    """The cluster that the rules name, and what one place of it is; BadSetting when it cannot be used from here."""
    require(policy)
    if policy.ray_address is None:
        raise ValueError("no cluster is named")
    return RayCluster(policy.ray_address), _kind(policy)


def device_of_jobs(policy: Policy) -> DeviceOfJobs:
    """What a job finds where it runs, for reckoning before it is queued: of the cluster where one is named.

    Ray does not tell the memory of a GPU, so the rules of the house do, as for its leases. A cluster that is away
    is no reason to refuse an estimate.
    """
    if policy.ray_address is None:
        return this_device()
    cluster, kind = cluster_of(policy)
    try:
        nodes = cluster.load(kind).nodes
    except ClusterAway:
        nodes = ()
    if kind == "cpu":
        return DeviceOfJobs(
            name=f"Ray ({policy.ray_address})",
            free_gib=max((node.memory_gib for node in nodes), default=processors().free_gib),
            is_here=False,
        )
    names = {node.accelerator for node in nodes if node.gpus and node.accelerator}
    return DeviceOfJobs(
        name=names.pop() if len(names) == 1 else f"Ray ({policy.ray_address})",
        free_gib=policy.ray_gpu_gib,
        is_gpu=True,
        is_here=False,
    )


def _kind(policy: Policy) -> Kind:
    return "cpu" if policy.devices.startswith("cpu") else "gpu"


def _cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _places(cluster: Cluster, kind: Kind, policy: Policy) -> tuple[Device, ...]:
    """One device a GPU of the nodes that live. Ray decides which it is, so they are counted, not named."""
    load = cluster.load(kind)
    memory_gib = policy.ray_gpu_gib
    if kind == "cpu" and load.nodes:
        memory_gib = max(node.memory_gib for node in load.nodes)
    return tuple(
        Device(
            key=f"{policy.ray_address}/{kind}{number}",
            name=f"ray-{kind}{number}",
            kind=kind,
            memory_gib=memory_gib,
            visible=OTHERS_SAY,
        )
        for number in range(int(load.total))
    )
