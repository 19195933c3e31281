"""The process that opens what may be malicious: PDF, DOCX and HTML.

It has a limit of memory and of time, and none of our secrets. A file that breaks it costs only itself: the next
one gets a new process. It starts with the first such file, stays for the next ones, and ends when there are none.
"""

from __future__ import annotations

import atexit
import logging
import os
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

from index.bilingual import Bilingual
from index.errors import BadDocument
from index.parsers.extract import OUT_OF_MEMORY, Answer, Found, Kind, Question

logger = logging.getLogger(__name__)

MAX_TIME_S = 60.0
MAX_MEMORY_MB = 1_500
_IDLE_S = 10.0
_ROOT = Path(__file__).parents[2]
_PASSED_ON = ("LD_LIBRARY_PATH", "PATH", "SYSTEMROOT", "TEMP", "TMPDIR")


class Child:
    """One process at a time, which reads one file at a time."""

    def __init__(
        self, *, max_time_s: float = MAX_TIME_S, max_memory_mb: int = MAX_MEMORY_MB, idle_s: float = _IDLE_S
    ) -> None:
        self._max_time_s = max_time_s
        self._max_memory_mb = max_memory_mb
        self._idle_s = idle_s
        self._process: subprocess.Popen[bytes] | None = None
        self._timer: threading.Timer | None = None
        self._one_at_a_time = threading.Lock()
        atexit.register(self.end)

    def read(self, kind: Kind, data: bytes) -> Found:
        """What there is to read in the bytes. Raises BadDocument with the reason."""
        with self._one_at_a_time:
            if self._timer is not None:
                self._timer.cancel()
            answer = self._ask(self._running() or self._start(), kind, data)
            self._timer = threading.Timer(self._idle_s, self.end)
            self._timer.daemon = True
            self._timer.start()
        if answer.found is None:
            raise BadDocument(Bilingual(en=answer.problem_en, zh=answer.problem_zh))
        return answer.found

    def end(self) -> None:
        """End the process, if there is one."""
        with self._one_at_a_time:
            if self._timer is not None:
                self._timer.cancel()
            self._stop()

    def _ask(self, process: subprocess.Popen[bytes], kind: Kind, data: bytes) -> Answer:
        question = Question(kind=kind, size=len(data), max_time_s=self._max_time_s)
        asked_at_s = time.monotonic()
        line, code = b"", None
        try:
            line = _exchange(process, question, data)
        finally:  # half an exchange would be taken for the answer to the next question
            if not line:
                code = self._stop()
        if not line:
            logger.info("the reader of documents ended", extra={"kind": kind, "code": code})
            raise BadDocument(self._cause(code, time.monotonic() - asked_at_s))
        return Answer.model_validate_json(line)

    def _running(self) -> subprocess.Popen[bytes] | None:
        """The process, unless it ended while it had nothing to do: no file is to blame for that."""
        if self._process is not None and self._process.poll() is not None:
            self._stop()
        return self._process

    def _start(self) -> subprocess.Popen[bytes]:
        """-P: a file in the current folder that is named like a module must not be taken for it."""
        environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "index.parsers.extract", str(self._max_memory_mb)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**environment, "PYTHONPATH": str(_ROOT)},
            start_new_session=True,
        )
        return self._process

    def _stop(self) -> int | None:
        """End it, and say how it ended if it had already done so."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            with suppress(OSError), process:  # closes the pipes and waits
                pass
        return process.returncode if process else None

    def _cause(self, code: int | None, elapsed_s: float) -> Bilingual:
        if code == OUT_OF_MEMORY:
            return _takes_too_much(f"{self._max_memory_mb} MB of memory", f"{self._max_memory_mb} MB 内存")
        if elapsed_s >= self._max_time_s:
            return _takes_too_much(f"{self._max_time_s:.0f} seconds", f"{self._max_time_s:.0f} 秒")
        return _BROKE_THE_READER


def _exchange(process: subprocess.Popen[bytes], question: Question, data: bytes) -> bytes:
    """The line that answers a question; nothing if the process has ended."""
    if process.stdin is None or process.stdout is None:
        return b""
    try:
        process.stdin.write(question.model_dump_json().encode() + b"\n" + data)
        process.stdin.flush()
        line = process.stdout.readline()
    except OSError:
        return b""
    return line if line.endswith(b"\n") else b""


def _takes_too_much(limit_en: str, limit_zh: str) -> Bilingual:
    return Bilingual(
        en=f"Reading it takes more than {limit_en}. Export the part that matters as text or Markdown.",
        zh=f"读取该文件需要超过 {limit_zh}。请把需要的部分导出为文本或 Markdown。",
    )


_BROKE_THE_READER = Bilingual(
    en="Reading it broke the program that reads such files. Export it as text or Markdown.",
    zh="读取该文件时解析程序崩溃。请把它导出为文本或 Markdown。",
)

CHILD = Child()
"""The one of this process. It starts nothing before it is asked."""
