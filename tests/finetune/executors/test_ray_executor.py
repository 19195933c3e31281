"""Runs on a cluster that is full, away, forgetful or dying: child processes in the place of nodes."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from finetune.executors.base import Ended, Executor, Handle
from finetune.executors.guard import RunFiles
from finetune.executors.ray import Patience, RayExecutor
from finetune.executors.ray_cluster import ClusterAway, Kind, Load, RayCluster, RayMissing
from finetune.executors.ray_room import Room
from tests.finetune.executors.places import ONE, ProcessCluster, recipes
from tests.finetune.executors.test_contract import (
    STUBBORN_FAMILY,
    WAIT,
    WAIT_FOR_THE_GATE,
    end_of,
    lives,
    ready_pids,
)


@pytest.fixture
def cluster() -> Iterator[ProcessCluster]:
    made = ProcessCluster()
    yield made
    made.close()


@pytest.fixture(autouse=True)
def ask_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every poll asks the cluster, and every load is fresh."""
    monkeypatch.setattr("finetune.executors.ray._ASK_S", 0.0)
    monkeypatch.setattr("finetune.executors.ray_room._LOAD_S", -1.0)


def executor_on(cluster: ProcessCluster, code: str = WAIT, *, silent_s: float = 0.0) -> RayExecutor:
    patience = Patience(polite_s=1.0, silent_s=silent_s, pending_s=0.0)
    return RayExecutor(cluster, recipes=recipes(code), patience=patience)


def other_folder(job_dir: Path, name: str) -> Path:
    folder = job_dir.with_name(name)
    folder.mkdir()
    os.mkfifo(folder / "ready")
    return folder


def await_gone(pid: int) -> None:
    """The kernel ends a recipe right after its guard, not at the same moment."""
    while lives(pid):
        threading.Event().wait(0.02)


def run_of(job_dir: Path) -> str:
    return str(RunFiles(job_dir).wanted()["run"])


def open_gate(executor: Executor, handle: Handle) -> Ended:
    (handle.job_dir / "gate").touch()
    return end_of(executor, handle)


def test_a_run_is_named_after_job_and_attempt(cluster: ProcessCluster, job_dir: Path) -> None:
    executor = executor_on(cluster, "")
    end_of(executor, executor.start(job_dir, "evaluation"))
    end_of(executor, executor.start(job_dir, "evaluation"))

    first, second = cluster.submitted
    assert first.startswith("shortlist-7-1-")
    assert second == first.replace("-7-1-", "-7-2-")


def test_nothing_is_submitted_without_room_and_who_came_first_goes_first(
    cluster: ProcessCluster, job_dir: Path
) -> None:
    cluster.places = 1
    executor = executor_on(cluster, WAIT_FOR_THE_GATE)
    folders = [job_dir, other_folder(job_dir, "8"), other_folder(job_dir, "9")]
    first, second, third = (executor.start(folder, "evaluation") for folder in folders)
    ready_pids(job_dir)
    assert [executor.poll(third), executor.poll(second)] == [None, None]
    assert cluster.submitted == [run_of(job_dir)]

    open_gate(executor, first)
    cluster.wait(run_of(job_dir))
    assert [executor.poll(third), executor.poll(second)] == [None, None]
    ready_pids(second.job_dir)

    assert cluster.submitted == [run_of(job_dir), run_of(second.job_dir)]
    assert cluster.held_back == set()
    executor.cancel(second)
    executor.cancel(third)


def test_a_cluster_that_is_away_is_waited_for_and_the_run_begins_once(
    cluster: ProcessCluster, job_dir: Path
) -> None:
    executor = executor_on(cluster, WAIT_FOR_THE_GATE)
    cluster.is_away = True
    handle = executor.start(job_dir, "evaluation")
    with pytest.raises(ClusterAway, match="does not answer"):
        executor.poll(handle)

    cluster.is_away = False
    assert [executor.poll(handle), executor.poll(handle)] == [None, None]
    ready_pids(job_dir)

    assert open_gate(executor, handle) == Ended(code=0)
    assert len(cluster.submitted) == 1


def test_a_run_that_goes_on_needs_no_answer_of_the_cluster(cluster: ProcessCluster, job_dir: Path) -> None:
    executor = executor_on(cluster, WAIT_FOR_THE_GATE, silent_s=60.0)
    handle = executor.start(job_dir, "evaluation")
    ready_pids(job_dir)
    cluster.is_away = True

    assert executor.poll(handle) is None
    assert open_gate(executor, handle) == Ended(code=0)


def test_a_run_can_be_cancelled_while_the_cluster_is_away(cluster: ProcessCluster, job_dir: Path) -> None:
    executor = executor_on(cluster, silent_s=60.0)
    handle = executor.start(job_dir, "evaluation")
    [pid] = ready_pids(job_dir)
    cluster.is_away = True

    executor.cancel(handle)

    assert not lives(pid)
    assert executor.poll(handle) == Ended(code=None)


def test_a_run_that_never_began_is_cancelled_without_the_cluster_and_never_begins(
    cluster: ProcessCluster, job_dir: Path
) -> None:
    executor = executor_on(cluster)
    cluster.is_away = True
    handle = executor.start(job_dir, "evaluation")

    executor.cancel(handle)
    cluster.is_away = False

    assert executor.poll(handle) == Ended(code=None)
    assert cluster.submitted == []


def test_a_lost_node_is_noticed_and_its_recipe_is_gone(cluster: ProcessCluster, job_dir: Path) -> None:
    executor = executor_on(cluster)
    handle = executor.start(job_dir, "evaluation")
    [pid] = ready_pids(job_dir)
    assert executor.poll(handle) is None

    cluster.lose_node_of(run_of(job_dir))
    ended = end_of(executor, handle)

    assert ended.was_cut_off
    await_gone(pid)


def test_a_lost_node_leaves_none_of_the_recipes_children_alive(
    cluster: ProcessCluster, job_dir: Path
) -> None:
    executor = executor_on(cluster, STUBBORN_FAMILY)
    executor.start(job_dir, "evaluation")
    family = ready_pids(job_dir)

    cluster.lose_node_of(run_of(job_dir))

    for pid in family:
        await_gone(pid)


def test_a_run_out_of_reach_is_given_up_when_it_is_cancelled(cluster: ProcessCluster, job_dir: Path) -> None:
    executor = executor_on(cluster)
    handle = executor.start(job_dir, "evaluation")
    ready_pids(job_dir)
    stopped = psutil.Process(cluster.child_of(run_of(job_dir)).pid).children()[0]
    assert executor.poll(handle) is None
    stopped.suspend()
    cluster.is_away = True

    executor.cancel(handle)
    assert executor.poll(handle) == Ended(code=None)

    stopped.resume()
    cluster.wait(run_of(job_dir))


def test_a_run_goes_on_when_the_head_came_back_without_a_memory(
    cluster: ProcessCluster, job_dir: Path
) -> None:
    executor = executor_on(cluster, WAIT_FOR_THE_GATE, silent_s=60.0)
    handle = executor.start(job_dir, "evaluation")
    ready_pids(job_dir)
    children = dict(cluster._children)
    cluster.forget()

    successor = executor_on(cluster, "", silent_s=60.0)
    found = successor.adopt(job_dir, handle)
    assert found is not None
    assert successor.poll(found) is None
    assert open_gate(successor, found) == Ended(code=0)
    for child in children.values():
        child.wait()


def test_a_run_that_the_cluster_forgot_and_that_is_silent_was_cut_off(
    cluster: ProcessCluster, job_dir: Path
) -> None:
    executor = executor_on(cluster)
    handle = executor.start(job_dir, "evaluation")
    ready_pids(job_dir)
    assert executor.poll(handle) is None
    cluster.lose_node_of(run_of(job_dir))
    cluster.forget()

    assert end_of(executor, handle) == Ended(code=None)


def test_a_run_that_waits_in_the_cluster_is_withdrawn_and_does_nothing_should_it_begin(
    cluster: ProcessCluster, job_dir: Path
) -> None:
    cluster.is_crowded = True
    executor = executor_on(cluster, WAIT_FOR_THE_GATE)
    handle = executor.start(job_dir, "evaluation")
    [withdrawn] = cluster.submitted
    assert [executor.poll(handle), executor.poll(handle)] == [None, None]
    assert run_of(job_dir) != withdrawn

    cluster.begin(withdrawn)
    cluster.wait(withdrawn)
    assert RunFiles(job_dir).beat_of(withdrawn) is None

    cluster.is_crowded = False
    assert executor.poll(handle) is None
    ready_pids(job_dir)
    assert open_gate(executor, handle) == Ended(code=0)


def test_an_orphan_ends_when_its_folder_belongs_to_another_run(
    cluster: ProcessCluster, job_dir: Path
) -> None:
    executor = executor_on(cluster)
    executor.start(job_dir, "evaluation")
    [orphan] = ready_pids(job_dir)
    first = run_of(job_dir)

    handle = executor.start(job_dir, "evaluation")
    ready_pids(job_dir)
    cluster.wait(first)

    assert not lives(orphan)
    assert executor.poll(handle) is None
    executor.cancel(handle)


def test_a_recipe_that_cannot_begin_says_why_in_its_log(cluster: ProcessCluster, job_dir: Path) -> None:
    executor = RayExecutor(cluster, python="/bin/false", recipes=recipes(""), patience=Patience(silent_s=0.0))

    ended = end_of(executor, executor.start(job_dir, "evaluation"))

    assert ended.code is None
    assert "did not begin" in (job_dir / "log.txt").read_text()


class StatedLoad(ProcessCluster):
    """A cluster that says how busy it is."""

    def __init__(self, total: float, reported: float | None) -> None:
        super().__init__()
        self.stated = Load(total=total, reported=reported, ours={})

    def load(self, kind: Kind) -> Load:  # noqa: ARG002
        return self.stated


@pytest.mark.parametrize(
    ("total", "reported", "places"), [(2, None, 2), (2, 0.0, 2), (2, 1.0, 1), (2, 2.0, 0), (0, None, 0)]
)
def test_what_others_use_is_not_ours_to_take(total: float, reported: float | None, places: int) -> None:
    room = Room(StatedLoad(total, reported))

    taken = [room.take(Path(str(number)), ONE) for number in range(3)]

    assert sum(taken) == places


def test_without_ray_the_setting_is_answered_by_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.setitem(sys.modules, "ray.job_submission", None)

    with pytest.raises(RayMissing, match="RAY_ADDRESS is set, but Ray is not installed") as refusal:
        RayCluster("http://head:8265")

    assert "pip install" in refusal.value.to("zh")


def test_a_signal_to_the_guard_ends_the_recipe_and_counts_as_cut_off(
    cluster: ProcessCluster, job_dir: Path
) -> None:
    executor = executor_on(cluster, silent_s=60.0)
    handle = executor.start(job_dir, "evaluation")
    [pid] = ready_pids(job_dir)

    os.kill(cluster.child_of(run_of(job_dir)).pid, signal.SIGTERM)

    assert end_of(executor, handle) == Ended(code=None)
    assert not lives(pid)
