"""Turn a standard benchmark, as lm-evaluation-harness defines it, into records.

The harness runs in a process of its own (`child.py`): its tasks are code, and what it imports is not ours to load
into the bot. Its data is asked in our words by our recipes, so figures are not those of its leaderboards.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finetune.dataset_errors import (
    BenchmarkOutOfReach,
    HarnessMissing,
    NoRows,
    NoSuchFile,
    NotConvertible,
    UnknownBenchmark,
)
from finetune.spec import DatasetTask
from finetune.table_files import Record

MAX_TIME_S = 1800.0
_ROOT = Path(__file__).parents[2]
_PASSED_ON = (
    "HF_",
    "HUGGINGFACE_",
    "PYTHONPATH",
    "XDG_",
    "SSL_",
    "REQUESTS_",
    "LD_LIBRARY_PATH",
    "HOME",
    "PATH",
    "TMPDIR",
)
_PROXIES = ("http_proxy", "https_proxy", "no_proxy")


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """The rows of a benchmark, and what they ask for."""

    records: list[Record]
    task: DatasetTask


def read_benchmark(name: str, folder: Path | None) -> Benchmark:
    """Have the harness load a task, a group or a pattern of tasks; BadDataset or Unavailable when it cannot."""
    if importlib.util.find_spec("lm_eval") is None:
        raise HarnessMissing
    if folder is not None and not folder.is_dir():
        raise NoSuchFile(folder)
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "benchmark.json"
        said = _ask(name, folder, out)
        if not out.is_file():
            raise NotConvertible(name, said or "the harness ended without a word")
        answer = json.loads(out.read_bytes())
    _refuse(name, answer)
    return Benchmark(records=answer["records"], task=answer["task"])


def _ask(name: str, folder: Path | None, out: Path) -> str:
    """Run the child, and return the last line that it said. Paths in a task are relative to its folder."""
    command = [sys.executable, "-P", "-m", "finetune.harness.child", name, str(out)]
    try:
        done = subprocess.run(
            [*command, str(folder.absolute())] if folder else command,
            cwd=folder,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=MAX_TIME_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise BenchmarkOutOfReach(name) from None
    lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else ""


def _environment() -> dict[str, str]:
    """Where the hub and its cache are; none of our own secrets."""
    passed = {
        name: value
        for name, value in os.environ.items()
        if name.startswith(_PASSED_ON) or name.casefold() in _PROXIES
    }
    paths = [str(_ROOT), *filter(None, [passed.get("PYTHONPATH")])]
    return {**passed, "PYTHONPATH": os.pathsep.join(paths), "PYTHONUTF8": "1"}


def _refuse(name: str, answer: dict[str, Any]) -> None:
    problem = answer.get("problem")
    if problem == "unknown":
        raise UnknownBenchmark(name, answer["near"])
    if problem == "out of reach":
        raise BenchmarkOutOfReach(name)
    if problem is not None:
        raise NotConvertible(name, problem)
    if not answer["records"]:
        raise NoRows(name)
