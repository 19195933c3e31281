"""The places that every executor is tested on. The Ray cluster needs the `ray` extra: `make cluster-check`."""

from __future__ import annotations

import importlib.util
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.finetune.executors.places import ClusterPlace, LocalPlace, Place


@pytest.fixture
def job_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "jobs" / "7"
    folder.mkdir(parents=True)
    os.mkfifo(folder / "ready")
    return folder


@pytest.fixture(scope="session")
def ray_nodes() -> Iterator[Any]:
    """Two nodes with one pretended GPU each."""
    if importlib.util.find_spec("ray") is None:
        pytest.skip("Ray is not installed; `make cluster-check` installs it")
    from tests.finetune.executors.ray_nodes import two_nodes  # noqa: PLC0415 - imports ray

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with two_nodes(port) as nodes:
        nodes.dashboard = f"http://127.0.0.1:{port}"
        yield nodes


@pytest.fixture(params=["local", "cluster", pytest.param("ray", marks=pytest.mark.ray)])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    """One place after the other."""
    if request.param == "ray":
        from tests.finetune.executors.ray_nodes import RayPlace  # noqa: PLC0415 - imports ray

        found: Place = RayPlace(request.getfixturevalue("ray_nodes").dashboard)
    else:
        found = LocalPlace() if request.param == "local" else ClusterPlace()
    yield found
    found.close()
