"""Places that the contract is tested on: this machine, a cluster made of child processes, and a Ray cluster."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path

from finetune.executors.base import Executor, Recipe
from finetune.executors.local import LocalExecutor
from finetune.executors.ray import Patience, RayExecutor
from finetune.executors.ray_cluster import ClusterAway, Kind, Load, Need, Status

ROOT = Path(__file__).parents[3]
ONE = Need()


class ProcessCluster:
    """A cluster as the executor sees one: it runs commands under names, each in a child of this process."""

    def __init__(self, places: int = 8) -> None:
        self.places = places
        self.is_away = False
        self.is_crowded = False
        """Places are promised that are not there."""
        self.submitted: list[str] = []
        self.held_back: set[str] = set()
        """Runs that wait for a place that is not there."""
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._commands: dict[str, Sequence[str]] = {}

    def submit(self, run: str, command: Sequence[str], need: Need) -> None:  # noqa: ARG002
        self._answer()
        if run in self._commands:
            return
        self.submitted.append(run)
        self._commands[run] = command
        if self.is_crowded:
            self.held_back.add(run)
        else:
            self.begin(run)

    def begin(self, run: str) -> None:
        """Start a run, be it late."""
        self.held_back.discard(run)
        environment = dict(os.environ) | {"PYTHONPATH": str(ROOT), "SLACK_BOT_TOKEN": "xoxb-of-the-node"}
        self._children[run] = subprocess.Popen(
            self._commands[run], env=environment, start_new_session=True, stdout=subprocess.DEVNULL
        )

    def child_of(self, run: str) -> subprocess.Popen[bytes]:
        return self._children[run]

    def wait(self, run: str) -> None:
        self._children[run].wait()

    def status(self, run: str) -> Status | None:
        self._answer()
        if run in self.held_back:
            return "pending"
        child = self._children.get(run)
        if child is None:
            return None
        return "running" if child.poll() is None else "ended"

    def stop(self, run: str) -> None:
        self._answer()
        self.held_back.discard(run)
        if run in self._children:
            self._children[run].terminate()

    def log(self, run: str) -> str:
        return f"{run} did not begin\n"

    def load(self, kind: Kind) -> Load:  # noqa: ARG002
        self._answer()
        ours = dict.fromkeys([*self._living(), *self.held_back], 1.0)
        return Load(total=self.places, reported=None, ours=ours)

    def lose_node_of(self, run: str) -> None:
        """As a machine dies: the guard with no time to say a word."""
        os.kill(self._children[run].pid, signal.SIGKILL)
        self._children[run].wait()

    def forget(self) -> None:
        """As a head dies that comes up again without a memory."""
        self._children.clear()
        self._commands.clear()
        self.held_back.clear()

    def close(self) -> None:
        for child in self._children.values():
            child.kill()
            child.wait()

    def _living(self) -> list[str]:
        return [run for run, child in self._children.items() if child.poll() is None]

    def _answer(self) -> None:
        if self.is_away:
            raise ClusterAway("http://head:8265")


class Place(ABC):
    """Makes executors that see the same runs, as successive workers have them."""

    name = ""

    @abstractmethod
    def executor(self, code: str) -> Executor:
        """The next worker's executor, whose recipes run this code."""

    def close(self) -> None:  # noqa: B027 - most leave nothing
        """End what is left."""


class LocalPlace(Place):
    name = "local"

    def executor(self, code: str) -> Executor:
        environment = dict(os.environ) | {"SLACK_BOT_TOKEN": "xoxb-of-the-worker"}
        return LocalExecutor(environment=environment, recipes=recipes(code), polite_s=1.0)


class ClusterPlace(Place):
    name = "cluster"

    def __init__(self) -> None:
        self.cluster = ProcessCluster()

    def executor(self, code: str) -> RayExecutor:
        return RayExecutor(
            self.cluster,
            recipes=recipes(code),
            patience=Patience(polite_s=1.0, silent_s=2.0, pending_s=0.0),
        )

    def close(self) -> None:
        self.cluster.close()


def recipes(code: str) -> Mapping[Recipe, Sequence[str]]:
    command = (sys.executable, "-c", code)
    return {"evaluation": command, "tuning": command}
