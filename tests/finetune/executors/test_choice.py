"""Where jobs run, as the rules of the house say: what is reckoned with before a job is queued."""

from __future__ import annotations

from pathlib import Path

import pytest

from finetune.device import this_device
from finetune.executors import choice
from finetune.executors.choice import device_of_jobs
from finetune.executors.ray_cluster import ClusterAway, Kind, Load, Node
from finetune.policy import Policy

NODES = (
    Node(gpus=0, cpus=16, memory_gib=48.0),
    Node(gpus=2, cpus=8, memory_gib=32.0, accelerator="A10G"),
)


class StatedCluster:
    """A cluster that says what it has, or nothing."""

    nodes: tuple[Node, ...] | None = NODES

    def __init__(self, address: str) -> None:
        self.address = address

    def load(self, kind: Kind) -> Load:
        if self.nodes is None:
            raise ClusterAway(self.address)
        total = sum(node.gpus if kind == "gpu" else node.cpus for node in self.nodes)
        return Load(total=total, reported=None, ours={}, nodes=self.nodes)


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> type[StatedCluster]:
    monkeypatch.setattr(choice, "require", lambda _policy: None)
    monkeypatch.setattr(choice, "RayCluster", StatedCluster)
    monkeypatch.setattr(StatedCluster, "nodes", NODES)
    return StatedCluster


def on_ray(**more: object) -> Policy:
    return Policy.model_validate({"ray_address": "http://head:8265", "shared": Path("/mnt"), **more})


@pytest.mark.usefixtures("cluster")
def test_on_a_cluster_its_gpus_are_reckoned_with_not_this_machine() -> None:
    device = device_of_jobs(on_ray(ray_gpu_gib=24))

    assert (device.name, device.free_gib, device.is_gpu, device.is_here) == ("A10G", 24.0, True, False)


@pytest.mark.usefixtures("cluster")
def test_on_processors_of_a_cluster_the_largest_node_counts() -> None:
    policy = on_ray(devices="cpu")
    places = choice.choose(policy, {}, {"evaluation": ("recipe",)}, keys={}).devices()

    assert (device_of_jobs(policy).free_gib, device_of_jobs(policy).is_gpu) == (48.0, False)
    assert [(place.kind, place.memory_gib) for place in places] == [("cpu", 48.0)] * 24


def test_a_cluster_that_is_away_is_reckoned_with_by_the_settings(cluster: type[StatedCluster]) -> None:
    cluster.nodes = None

    assert device_of_jobs(on_ray(ray_gpu_gib=40)).free_gib == 40.0


def test_without_a_cluster_it_is_this_machine() -> None:
    assert device_of_jobs(Policy()).name == this_device().name
