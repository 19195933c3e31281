"""Why a worker ended, or waits: sentences for the person who started it, and for those whose jobs wait."""

from __future__ import annotations

from pathlib import Path

from index.bilingual import Bilingual


def already_running(home: Path) -> Bilingual:
    """A second one of the same name."""
    return Bilingual(
        en=f"A worker already serves {home}; this one is not needed.",
        zh=f"已有一个 worker 在处理 {home} 的任务，无需再启动。",
    )


def replaced(home: Path) -> Bilingual:
    """Another one took its identity."""
    return Bilingual(
        en=f"Another worker uses the identity of this one, as after a copy of {home}: this one ended. "
        "Delete worker.id in one of the two homes and start again.",
        zh=f"另一个 worker 使用了同一身份（例如复制了 {home}），本 worker 已退出。"
        "请删除其中一个目录里的 worker.id 后重新启动。",
    )


def no_device() -> Bilingual:
    """A cluster without what jobs need."""
    return Bilingual(
        en="The cluster answers and has no GPU. The job waits until a node with one joins; "
        "SHORTLIST_DEVICES=cpu uses its processors instead.",
        zh="集群有响应，但没有 GPU。任务会等待有 GPU 的节点加入；设置 SHORTLIST_DEVICES=cpu 可改用其处理器。",
    )


def ended(left: int) -> Bilingual:
    """It was told to end, or had nothing to do; `left`: jobs that have not ended."""
    if not left:
        return Bilingual(en="The worker ended: all jobs are done.", zh="worker 已结束：所有任务均已完成。")
    return Bilingual(
        en=f"The worker stopped; {left} unfinished. What runs goes on, and the next worker takes it up.",
        zh=f"worker 已停止，还有 {left} 个任务未完成。正在运行的任务会继续，由下一个 worker 接手。",
    )
