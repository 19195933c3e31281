"""A worker's rounds: look whether the store changed, and if so what there is to begin.

Quick and cheap, so that an idle worker costs next to nothing.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import closing
from threading import Event, Lock

from sqlalchemy import Engine

from finetune.dispatcher import Dispatcher, Replaced
from finetune.retention import Cleaner
from finetune.selections import Selections

logger = logging.getLogger(__name__)

_LOOK_S = 0.1
_ROUND_S = 5.0
"""So often everything is looked at, whether the store seems to have changed or not."""
_SELECTIONS_S = 1.0
_SHARED_LOOK_S = 0.5
"""A PostgreSQL store cannot be asked for nothing whether it changed."""
_STORE_AWAY_S = 2.0


class Hands:
    """Sees that two threads never have one job in hand."""

    def __init__(self, run: Callable[[str], None]) -> None:
        self.held: set[str] = set()
        self._run = run
        self._lock = Lock()

    def run(self, job_id: str) -> None:
        """See the job through, unless another thread does."""
        with self._lock:
            if job_id in self.held:
                return
            self.held.add(job_id)
        try:
            self._run(job_id)
        finally:
            self.held.discard(job_id)


class Loop:
    """Looks again and again."""

    def __init__(
        self,
        engine: Engine,
        dispatcher: Dispatcher,
        cleaner: Cleaner,
        selections: Selections,
        stopping: Event,
        until_idle_s: float | None,
    ) -> None:
        self._engine = engine
        self._dispatcher = dispatcher
        self._cleaner = cleaner
        self._selections = selections
        self._selections_at_s = -_SELECTIONS_S
        self._stopping = stopping
        self._until_idle_s = until_idle_s

    def run(self) -> None:
        """Until told to stop, or idle for long enough."""
        last_work_s, has_work, has_swept = time.monotonic(), True, False
        with closing(_Changes(self._engine)) as changes:
            while not self._stopping.is_set():
                try:
                    self._dispatcher.beat()
                    if not has_swept:
                        self._dispatcher.sweep()
                        has_swept = True
                    if changes.seen():
                        self._advance_selections()
                        has_work = self._dispatcher.look()
                    self._cleaner.clean_sometimes()
                    if has_work:
                        last_work_s = time.monotonic()
                except Replaced:
                    raise
                except Exception:  # the worker loop: whatever it is, jobs go on
                    logger.warning("look failed", exc_info=True)
                    self._stopping.wait(_STORE_AWAY_S)
                idle_s = time.monotonic() - last_work_s
                if self._until_idle_s is not None and idle_s >= self._until_idle_s and not self.has_work():
                    return
                self._stopping.wait(changes.pause_s)

    def _advance_selections(self) -> None:
        """Begin what comes next in races of base models, now that runs may have ended."""
        if time.monotonic() - self._selections_at_s >= _SELECTIONS_S:
            self._selections_at_s = time.monotonic()
            self._selections.advance_all()

    def has_work(self) -> bool:
        """True while there is a job that this worker can do something for."""
        leases = self._dispatcher.leases
        return bool(leases.waiting() or leases.mine())


class _Changes:
    """Tells whether the store may have changed since the last look."""

    def __init__(self, engine: Engine) -> None:
        self._connection = engine.raw_connection() if engine.dialect.name == "sqlite" else None
        self._version: int | None = None
        self._looked_at_s = -_ROUND_S
        self.pause_s = _LOOK_S if self._connection else _SHARED_LOOK_S

    def seen(self) -> bool:
        version = self._data_version()
        now_s = time.monotonic()
        is_due = version is None or now_s - self._looked_at_s >= _ROUND_S
        if is_due or version != self._version:
            self._version, self._looked_at_s = version, now_s
            return True
        return False

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def _data_version(self) -> int | None:
        """SQLite counts what other connections commit; asking reads one page that is in memory."""
        if self._connection is None:
            return None
        cursor = self._connection.cursor()
        try:
            cursor.execute("PRAGMA data_version")
            [version] = cursor.fetchone() or (None,)
        finally:
            cursor.close()
        return version
