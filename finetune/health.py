"""The store, the disk, the workers, what runs, and the place where jobs run -> what works, and what to do where it does not.

Reads only, for `shortlist doctor`. A look takes seconds at most, also at a cluster that is away.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sqlalchemy import Engine, func, select

from finetune.devices import discover, host_name
from finetune.executors.choice import cluster_of
from finetune.executors.local import LocalExecutor, own_environment
from finetune.executors.ray_cluster import ClusterAway, Node
from finetune.leases import Leases
from finetune.policy import Policy
from finetune.queue import Queue
from finetune.state import ACTIVE
from index.bilingual import Bilingual
from index.errors import ShortlistError
from index.schema import jobs, workers

_SCARCE_GIB = 1.0
_LOOKED_AT = 10_000
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    name: str
    state: Literal["ok", "missing", "wrong"]
    message: Bilingual


def examine(engine: Engine, *, home: Path, policy: Policy) -> list[Check]:
    """Look at all that jobs need. `home`: the one of this process."""
    files = policy.shared or home
    checks = [_jobs(engine), _workers(engine), _processes(engine, files), _place(policy)]
    if policy.shared is not None:
        checks.append(folder("SHORTLIST_SHARED", policy.shared))
    return checks


def folder(name: str, path: Path) -> Check:
    """Whether the folder can be written, and has room."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        probe = path / ".doctor"
        probe.write_bytes(b"x" * 4096)
        probe.unlink()
        free_gib = shutil.disk_usage(path).free / 2**30
    except OSError as error:
        return Check(
            name,
            "wrong",
            Bilingual(
                f"{path} cannot be used ({error.strerror}). Set {name} to a folder that can be written.",
                f"{path} 不可用（{error.strerror}）。请把 {name} 设为可写的目录。",
            ),
        )
    if free_gib < _SCARCE_GIB:
        return Check(
            name,
            "wrong",
            Bilingual(
                f"{path} has only {free_gib:.2f} GiB free, and jobs wait while a disk is full. Free some; "
                "SHORTLIST_KEEP_DAYS has old files deleted.",
                f"{path} 只剩 {free_gib:.2f} GiB，磁盘写满时任务会停下等待。请清理空间；"
                "设置 SHORTLIST_KEEP_DAYS 可自动删除旧文件。",
            ),
        )
    return Check(
        name, "ok", Bilingual(f"{path}, {free_gib:.0f} GiB free", f"{path}，剩余 {free_gib:.0f} GiB")
    )


def _jobs(engine: Engine) -> Check:
    count = select(jobs.c.state, jobs.c.worker.is_(None), func.count()).group_by(
        jobs.c.state, jobs.c.worker.is_(None)
    )
    waiting = in_hand = total = 0
    with engine.connect() as connection:
        for state, is_free, n in connection.execute(count):
            total += n
            waiting += n if state in ACTIVE and is_free else 0
            in_hand += n if state in ACTIVE and not is_free else 0
    broken = Queue(engine).unreadable(limit=_LOOKED_AT)
    if broken:
        first = broken[0].message
        return Check(
            "jobs",
            "wrong",
            Bilingual(f"{len(broken)} unreadable. {first.en}", f"{len(broken)} 个无法读取。{first.zh}"),
        )
    return Check(
        "jobs",
        "ok",
        Bilingual(
            f"{total} in all, {waiting} waiting, {in_hand} with a worker",
            f"共 {total} 个，{waiting} 个排队，{in_hand} 个由 worker 处理",
        ),
    )


def _workers(engine: Engine) -> Check:
    """Workers, and jobs of such that have gone."""
    pulses = Leases(engine, "", home=Path()).others()
    with engine.connect() as connection:
        hosts = Counter(connection.execute(select(workers.c.host)).scalars())
        held = connection.execute(
            select(jobs.c.id, jobs.c.worker).where(jobs.c.state.in_(ACTIVE), jobs.c.worker.is_not(None))
        ).all()
    living = {pulse.worker for pulse in pulses if not pulse.is_gone}
    left = [row.id for row in held if row.worker not in living]
    if left:
        return Check(
            "workers",
            "wrong",
            Bilingual(
                f"the worker of {_named(left)} has ended. Start one: `shortlist worker`.",
                f"{_named_zh(left)}的 worker 已退出。请启动：`shortlist worker`。",
            ),
        )
    if not living:
        none = Bilingual("none runs; the next job starts one", "没有在运行；下一个任务会自动启动")
        return Check("workers", "ok", none)
    where = ", ".join(f"{host}: {n}" for host, n in sorted(hosts.items()))
    return Check("workers", "ok", Bilingual(f"{len(living)} ({where})", f"{len(living)} 个（{where}）"))


def _processes(engine: Engine, files: Path) -> Check:
    """Runs on this machine that are no job's any more."""
    leases = Leases(engine, "", home=files)
    near = {pulse.worker for pulse in leases.others() if pulse.is_near}
    running = LocalExecutor(environment=own_environment()).strays((files / "jobs").absolute())
    strays = [path.name for path in running if path.name.isdigit() and not leases.may_run(path.name, near)]
    if strays:
        return Check(
            "processes",
            "wrong",
            Bilingual(
                f"{_named(strays)}: something still runs on {host_name()}, though nobody looks after it. The next "
                "worker here ends it: `shortlist worker`.",
                f"{_named_zh(strays)}：{host_name()} 上仍有无人看管的进程。"
                "本机的下一个 worker 会结束它：`shortlist worker`。",
            ),
        )
    return Check(
        "processes",
        "ok",
        Bilingual(
            f"{len(running)} of jobs here, no orphans", f"本机有 {len(running)} 个任务进程，没有孤儿进程"
        ),
    )


def _place(policy: Policy) -> Check:
    """Where jobs run: the devices of this machine, or the cluster."""
    if policy.ray_address is None:
        try:
            found = discover(policy.devices, own_environment())
        except ShortlistError as error:
            return Check("devices", "wrong", error.message)
        listed = ", ".join(f"{device.name} ({device.memory_gib:.0f} GiB)" for device in found)
        return Check("devices", "ok", Bilingual(listed, listed))
    try:
        cluster, kind = cluster_of(policy)
        load = cluster.load(kind)
    except ClusterAway:
        away = Bilingual(
            f"{policy.ray_address} does not answer, so jobs wait. Is the cluster up, and is this the address of its "
            "dashboard?",
            f"{policy.ray_address} 没有响应，任务会一直等待。集群是否已启动？这是否为其 dashboard 的地址？",
        )
        return Check("RAY_ADDRESS", "wrong", away)
    except ShortlistError as error:
        return Check("RAY_ADDRESS", "wrong", error.message)
    said = _cluster_words(policy.ray_address, load.nodes)
    if load.total < 1:
        return Check(
            "RAY_ADDRESS",
            "wrong",
            Bilingual(
                f"{said.en}: no GPU, so jobs wait. Add a node with one, or set SHORTLIST_DEVICES=cpu.",
                f"{said.zh}：没有 GPU，任务会一直等待。请加入有 GPU 的节点，或设置 SHORTLIST_DEVICES=cpu。",
            ),
        )
    busy = load.reported if load.reported is not None else sum(load.ours.values())
    return Check(
        "RAY_ADDRESS",
        "ok",
        Bilingual(
            f"{said.en}; {busy:g} of {load.total:g} {kind.upper()} in use",
            f"{said.zh}；{kind.upper()} 已用 {busy:g}，共 {load.total:g}",
        ),
    )


def _cluster_words(address: str, nodes: Sequence[Node]) -> Bilingual:
    gpus = sum(node.gpus for node in nodes)
    kinds = ", ".join(sorted({node.accelerator for node in nodes if node.accelerator}))
    named = f" ({kinds})" if kinds else ""
    nodes_en = "1 node" if len(nodes) == 1 else f"{len(nodes)} nodes"
    return Bilingual(
        f"{address} answers: {nodes_en}, {gpus} GPUs{named}",
        f"{address} 有响应：{len(nodes)} 个节点，{gpus} 块 GPU{named}",
    )


def _named(ids: Sequence[object]) -> str:
    shown = ", ".join(map(str, ids[:_SHOWN])) + (", …" if len(ids) > _SHOWN else "")
    return f"job {shown}" if len(ids) == 1 else f"jobs {shown}"


def _named_zh(ids: Sequence[object]) -> str:
    return "任务 " + "、".join(map(str, ids[:_SHOWN])) + ("……" if len(ids) > _SHOWN else " ")
