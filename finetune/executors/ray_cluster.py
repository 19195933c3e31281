"""Ray's job server -> the few things that the executor asks of a cluster. The only file that imports Ray.

Ray's client raises three kinds of errors for a server that is away, and waits for ever on a network that is
dead; here it becomes ClusterAway within seconds.
"""

from __future__ import annotations

import shlex
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partialmethod
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar

from index.bilingual import Bilingual
from index.errors import BadSetting, Unavailable

_ANSWER_S = 10.0
_AMOUNT = "shortlist_amount"
"""Metadata of our submissions: how much of the resource each of them takes."""

_ACCELERATOR = "accelerator_type:"
"""How Ray names the kind of a node's GPUs, among its resources."""

Kind = Literal["gpu", "cpu"]
Status = Literal["pending", "running", "ended"]
_STATUS: Mapping[str, Status] = {"PENDING": "pending", "RUNNING": "running"}
T = TypeVar("T")


class ClusterAway(Unavailable):
    """The cluster does not answer; what runs there may go on. A reason to wait, not to fail."""

    def __init__(self, address: str) -> None:
        super().__init__(
            Bilingual(
                en=f"The Ray cluster at {address} does not answer. The job waits for it and goes on by itself.",
                zh=f"位于 {address} 的 Ray 集群没有响应。任务会等待，并在其恢复后自动继续。",
            )
        )


class RayMissing(BadSetting):
    """RAY_ADDRESS is set and Ray is not installed."""

    def __init__(self) -> None:
        super().__init__(
            Bilingual(
                en="RAY_ADDRESS is set, but Ray is not installed here. Install it with "
                "`pip install 'shortlist-bot[ray]'`, or unset RAY_ADDRESS to run jobs on this machine.",
                zh="已设置 RAY_ADDRESS，但此处未安装 Ray。请运行 `pip install 'shortlist-bot[ray]'`，"
                "或取消设置 RAY_ADDRESS 以在本机运行任务。",
            )
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What one run takes of the cluster: GPUs, or processor cores where there are none."""

    kind: Kind = "gpu"
    count: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One machine of a cluster that lives."""

    gpus: int
    cpus: int
    memory_gib: float
    """Main memory that the cluster hands out."""
    accelerator: str | None = None
    """What its GPUs are called, as `A100`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """One resource of a cluster."""

    total: float
    """On the nodes that live."""
    reported: float | None
    """Busy, by whoever it be, as it was some seconds ago; None where the cluster does not report it."""
    ours: Mapping[str, float]
    """What our unfinished runs take, also those that other workers submitted."""
    nodes: tuple[Node, ...] = ()
    """Empty where the cluster does not tell."""


class Cluster(Protocol):
    """A place that runs commands under names. Everything may raise ClusterAway."""

    def submit(self, run: str, command: Sequence[str], need: Need) -> None:
        """Run a command under this name, unless there is such a run already."""

    def status(self, run: str) -> Status | None:
        """Where the run stands; None when the cluster does not know it (any more)."""

    def stop(self, run: str) -> None:
        """End the run without waiting for it."""

    def log(self, run: str) -> str:
        """What the cluster has to say about the run, and its starter printed."""

    def load(self, kind: Kind) -> Load:
        """How busy the cluster is."""


class RayCluster:
    """Ray Jobs, through the address of the dashboard."""

    def __init__(self, address: str) -> None:
        _require_ray()
        self._address = address
        self._known: Any = None
        self._connecting = threading.Lock()

    def submit(self, run: str, command: Sequence[str], need: Need) -> None:
        """A name that was used before is refused by Ray: then the run is there already."""
        client = self._client()
        try:
            self._ask(
                lambda: client.submit_job(
                    entrypoint=_entrypoint(command),
                    submission_id=run,
                    entrypoint_num_gpus=need.count if need.kind == "gpu" else None,
                    entrypoint_num_cpus=need.count if need.kind == "cpu" else 1,
                    metadata={_AMOUNT: str(need.count)},
                )
            )
        except RuntimeError as error:
            if "already exists" not in str(error):
                raise ClusterAway(self._address) from error

    def status(self, run: str) -> Status | None:
        """Ask Ray."""
        client = self._client()
        try:
            return _STATUS.get(self._ask(lambda: client.get_job_status(run)).value, "ended")
        except RuntimeError as error:
            self._raise_unless_unknown(error)
            return None

    def stop(self, run: str) -> None:
        """Ray sends SIGTERM, and SIGKILL three seconds later."""
        client = self._client()
        try:
            self._ask(lambda: client.stop_job(run))
        except RuntimeError as error:
            self._raise_unless_unknown(error)

    def log(self, run: str) -> str:
        """Ray's message and the last of the log."""
        client = self._client()
        try:
            message = self._ask(lambda: client.get_job_info(run)).message or ""
            printed = self._ask(lambda: client.get_job_logs(run))
        except RuntimeError:
            return ""
        return f"{printed[-2000:].rstrip()}\n{message[-500:]}\n"

    def load(self, kind: Kind) -> Load:
        """Totals from the nodes that live, as Ray counts a dead one for a while longer."""
        client = self._client()
        nodes = self._get("/api/v0/nodes?detail=1")["result"]["result"]
        living = [node["resources_total"] for node in nodes if node["state"] == "ALIVE"]
        jobs = self._ask(client.list_jobs)
        ours = {
            str(job.submission_id): float(job.metadata[_AMOUNT])
            for job in jobs
            if job.status.value in _STATUS and _AMOUNT in (job.metadata or {})
        }
        return Load(
            total=sum(resources.get(kind.upper(), 0.0) for resources in living),
            reported=_reported(self._get("/api/cluster_status"), kind.upper()),
            ours=ours,
            nodes=tuple(map(_node, living)),
        )

    def _get(self, path: str) -> Any:
        """Ray's client has no public call for the nodes; this one keeps its headers and its sign-in."""
        client = self._client()
        answer = self._ask(lambda: client._do_request("GET", path))
        if answer.status_code != 200:
            raise ClusterAway(self._address)
        return answer.json()["data"]

    def _client(self) -> Any:
        """The client, which looks for the server when it is built."""
        with self._connecting:
            if self._known is None:
                self._known = self._connect()
            return self._known

    def _connect(self) -> Any:
        from ray.job_submission import JobSubmissionClient  # noqa: PLC0415 - an extra, and takes a second

        class Impatient(JobSubmissionClient):  # type: ignore[misc]
            """Asks for the version when it is built, so it cannot be told afterwards."""

            _do_request = partialmethod(JobSubmissionClient._do_request, timeout=_ANSWER_S)

        try:
            return Impatient(self._address)
        except (OSError, RuntimeError) as error:
            raise ClusterAway(self._address) from error

    def _ask(self, call: Callable[[], T]) -> T:
        try:
            return call()
        except OSError as error:  # the errors of the network and of `requests` are all OSErrors
            raise ClusterAway(self._address) from error

    def _raise_unless_unknown(self, error: RuntimeError) -> None:
        """A server that is just starting answers 500, which says nothing about the run."""
        if "status code 404" not in str(error):
            raise ClusterAway(self._address) from error


def _node(resources: Mapping[str, float]) -> Node:
    kinds = [name.partition(":")[2] for name in resources if name.startswith(_ACCELERATOR)]
    return Node(
        gpus=int(resources.get("GPU", 0)),
        cpus=int(resources.get("CPU", 0)),
        memory_gib=resources.get("memory", 0.0) / 2**30,
        accelerator=kinds[0] if kinds else None,
    )


def _require_ray() -> None:
    try:
        import ray.job_submission  # noqa: F401, PLC0415 - an extra
    except ImportError as error:
        raise RayMissing from error


def _entrypoint(command: Sequence[str]) -> str:
    """A line for the node's shell, which becomes the command. Our package is found first, where it is a checkout."""
    package = shlex.quote(str(Path(__file__).resolve().parents[2]))
    return f'PYTHONPATH={package}"${{PYTHONPATH:+:$PYTHONPATH}}" exec {shlex.join(command)}'


def _reported(status: Mapping[str, Any], resource: str) -> float | None:
    """Only Ray's own autoscaler writes this report."""
    report = (status.get("clusterStatus") or {}).get("loadMetricsReport") or {}
    usage = (report.get("usage") or {}).get(resource)
    return float(usage[0]) if usage else None
