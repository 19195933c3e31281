"""Tasks -> done by a pool of threads, those of one line one after another in the order in which they came."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Condition, Timer

logger = logging.getLogger(__name__)

Task = Callable[[], None]

THREADS = 32
"""Answers that are worked on at a time: most of their time they wait for Slack or for a model."""


class Lines:
    """Lines of tasks, each named. Slow tasks of one line hold up no other, while there are threads."""

    def __init__(self, threads: int = THREADS) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="answering")
        self._lines: dict[str, deque[Task]] = {}
        self._delayed: set[Timer] = set()
        self._changed = Condition()
        self._is_closed = False

    def add(self, line: str, task: Task) -> None:
        """Do the task after all that its line holds already."""
        with self._changed:
            if self._is_closed:
                return
            waiting = self._lines.get(line)
            if waiting is not None:
                waiting.append(task)
                return
            self._lines[line] = deque([task])
            self._pool.submit(self._next, line)

    def add_later(self, line: str, task: Task, seconds: float) -> None:
        """Do the task after some time, at the end of its line."""

        def now() -> None:
            with self._changed:
                self._delayed.discard(timer)
            self.add(line, task)

        timer = Timer(seconds, now)
        timer.daemon = True
        with self._changed:
            if self._is_closed:
                return
            self._delayed.add(timer)
        timer.start()

    def settle(self) -> None:
        """Wait until there is nothing left to do."""
        with self._changed:
            self._changed.wait_for(lambda: not self._lines and not self._delayed)

    def close(self) -> None:
        """Finish what was added, and take no more."""
        with self._changed:
            self._is_closed = True
            for timer in self._delayed:
                timer.cancel()
            self._delayed.clear()
            self._changed.wait_for(lambda: not self._lines)
        self._pool.shutdown()

    def _next(self, line: str) -> None:
        """Do one task of a line, then get in line again: no line keeps a thread to itself."""
        with self._changed:
            task = self._lines[line][0]
        try:
            task()
        except Exception:
            logger.exception("answer not finished")
        with self._changed:
            waiting = self._lines[line]
            waiting.popleft()
            if waiting:
                self._pool.submit(self._next, line)
            else:
                del self._lines[line]
            self._changed.notify_all()
