"""See that a worker serves a home: look for one, and start one in a session of its own if there is none."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from filelock import FileLock, Timeout

from finetune.devices import host_name
from finetune.executors.local import child_environment, own_environment, trim_log
from finetune.policy import Policy
from finetune.providers import provider_keys
from index.bilingual import Bilingual
from index.errors import Unavailable

COMMAND = (sys.executable, "-m", "finetune.worker")
_START_S = 10.0
"""A start takes a second or two; one too many would say so and end."""


class WorkerBroke(Unavailable):
    """The worker cannot start here."""

    def __init__(self, *, code: int, log: Path) -> None:
        super().__init__(
            Bilingual(
                en=f"The worker that runs the jobs ended with code {code}. "
                f"The job stays queued; {log} says why.",
                zh=f"负责运行任务的 worker 以代码 {code} 退出。任务仍在队列中；原因见 {log}。",
            )
        )


def identity_of(home: Path, database_url: str, name: str = "") -> Path:
    """The files that a worker is known by, without their ending: `.lock` while it lives, `.id` for ever.

    On SQLite there is one worker unless names are given, and its identity stays with the home, unlike the name
    of a laptop's host. A home that several machines share has one for each of them.
    """
    own = name if name or database_url.startswith("sqlite") else host_name()
    kept = re.sub(r"[^A-Za-z0-9._-]", "_", own)
    return home / (f"worker-{kept}.x" if kept else "worker.x")


class WorkerProcess:
    """The worker of one home, whoever started it."""

    def __init__(
        self, *, home: Path, database_url: str, command: Sequence[str], idle_s: float, policy: Policy
    ) -> None:
        self._home = home
        self._database_url = database_url
        self._lock = identity_of(home, database_url).with_suffix(".lock")
        self._command = [*command, "--home", str(home), "--database-url", "-", "--until-idle", str(idle_s)]
        self._command += ["--policy", policy.model_dump_json(exclude_defaults=True)]
        self._log = home / "logs" / "worker.log"
        self._started: subprocess.Popen[bytes] | None = None
        self._started_at_s = 0.0
        self._one_at_a_time = threading.Lock()

    def ensure(self) -> None:
        """Start a worker unless there is one. It outlives this process, and ends when it is idle."""
        with self._one_at_a_time:
            self._raise_if_broken()
            if not self._is_locked() and not self._is_starting():
                self._started, self._started_at_s = self._start(), time.monotonic()

    def _raise_if_broken(self) -> None:
        code = self._started.poll() if self._started else None
        if code is not None:
            self._started = None
            if code > 0:
                raise WorkerBroke(code=code, log=self._log)

    def _is_starting(self) -> bool:
        """True while the worker that was started here may not have come to take the lock yet.

        Later on only the lock counts: a worker that let go of it is ending, and takes no more jobs.
        """
        return self._started is not None and time.monotonic() - self._started_at_s < _START_S

    def _is_locked(self) -> bool:
        self._home.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(self._lock).acquire(blocking=False):
                return False
        except Timeout:
            return True

    def _start(self) -> subprocess.Popen[bytes]:
        """Start the worker in a session of its own, so that it outlives this process and its terminal."""
        self._log.parent.mkdir(parents=True, exist_ok=True)
        environment = own_environment()
        secrets = f"{self._database_url}\n{json.dumps(provider_keys(environment))}\n"
        with self._log.open("ab") as log, _pipe_with(secrets) as pipe:
            trim_log(self._log)
            worker = subprocess.Popen(
                self._command,
                env=child_environment(environment),
                stdin=pipe,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        # Somebody has to ask how it ended, or it stays a zombie as long as this process lives.
        threading.Thread(target=worker.wait, daemon=True).start()
        return worker


def _pipe_with(secrets: str) -> BinaryIO:
    """The readable end of a pipe that holds the store's URL, which may contain a password, and providers' keys.

    A command line can be read by other people, and an environment would be handed on to the recipes.
    """
    read_end, write_end = os.pipe()
    with os.fdopen(write_end, "wb") as pipe:
        pipe.write(secrets.encode())
    return os.fdopen(read_end, "rb")
