"""Run a recipe as a child process of its own session on this machine, and find it again after a restart."""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import psutil

from finetune.executors.base import Ended, Handle, Recipe
from finetune.executors.processes import (
    MARK,
    end,
    is_alive,
    kill,
    known_process,
    mark,
    resident_bytes,
    session_leader,
)
from finetune.executors.watchdog import Keeper
from index.bilingual import Bilingual
from index.sealing import DATA_KEY

logger = logging.getLogger(__name__)

RECIPES: dict[Recipe, tuple[str, ...]] = {
    "evaluation": (sys.executable, "-m", "finetune.recipes.evaluate"),
    "tuning": (sys.executable, "-m", "finetune.recipes.lora"),
}

_LOG_CAP_BYTES = 8 * 2**20
_LOG_KEEP_BYTES = 2**20
_WEIGH_S = 1.0
"""So often the memory of a run is looked at: it takes some milliseconds."""
_GIB = 2**30
_USABLE_FRAC = 0.9

_ALLOWED_NAMES = frozenset(
    {"PATH", "HOME", "USER", "LOGNAME", "LANG", "LANGUAGE", "TZ", "TMPDIR", "XDG_CACHE_HOME"}
    | {"VIRTUAL_ENV", "PYTHONPATH", "LD_LIBRARY_PATH", "OMP_NUM_THREADS", "MKL_NUM_THREADS"}
    | {
        "HF_HOME",
        "HF_HUB_CACHE",
        "HF_HUB_OFFLINE",
        "HF_ENDPOINT",
        "TRANSFORMERS_OFFLINE",
        "HF_DATASETS_OFFLINE",
    }
)
_ALLOWED_PREFIXES = ("LC_", "CUDA_", "NVIDIA_", "PYTORCH_")
_SECRET = re.compile(r"SLACK|TOKEN|SECRET|PASSWORD|CREDENTIAL|(^|_)KEY(_|$)")


def own_environment() -> dict[str, str]:
    """The environment of this process, to be cleaned for a child.

    The last reader of os.environ besides bot.settings and index.sealing, which finetune may not import: the worker
    is a process of its own, and a child needs PATH, HOME and the CUDA variables of the machine it is on.
    No setting of Shortlist is read here.
    """
    return dict(os.environ)


def child_environment(base: Mapping[str, str]) -> dict[str, str]:
    """Keep what a worker or a recipe needs to run, and nothing that could be a secret but the key of the data that it reads.

    The package's own folder leads PYTHONPATH, so that a child finds it from any working folder; nothing is
    imported from the working folder itself.
    """
    kept = {name: value for name, value in base.items() if _is_allowed(name)}
    package = Path(__file__).resolve().parents[2]
    inherited = [str(Path(part).absolute()) for part in kept.get("PYTHONPATH", "").split(os.pathsep) if part]
    path = os.pathsep.join([str(package), *inherited])
    return kept | {"PYTHONPATH": path, "PYTHONSAFEPATH": "1", "PYTHONUNBUFFERED": "1"}


def _forbid_core_dump(pid: int) -> None:
    """A recipe that crashes leaves no image of its memory on the disk: rows and keys are in there."""
    if sys.platform == "linux":
        try:
            psutil.Process(pid).rlimit(psutil.RLIMIT_CORE, (0, 0))
        except (psutil.Error, OSError):
            logger.debug("core dumps not forbidden", extra={"pid": pid})


def _without_data_key(environment: Mapping[str, str]) -> dict[str, str]:
    """For what reads no data."""
    return {name: value for name, value in environment.items() if name != DATA_KEY}


def _is_allowed(name: str) -> bool:
    wanted = name in _ALLOWED_NAMES or name.startswith(_ALLOWED_PREFIXES)
    return name == DATA_KEY or (wanted and not _SECRET.search(name))


@dataclass(slots=True)
class _Run:
    """A run under watch; `child` is None when another process started it."""

    handle: Handle
    process: psutil.Process
    child: subprocess.Popen[bytes] | None
    weighed_at_s: float = 0.0
    too_heavy: Bilingual | None = None

    def ended(self) -> Ended | None:
        if self.child is not None:
            code = self.child.poll()
            return None if code is None else Ended(code=code)
        return None if is_alive(self.process) else Ended(code=None)


class LocalExecutor:
    """Child processes on this machine."""

    def __init__(
        self,
        *,
        environment: Mapping[str, str],
        keys: Mapping[str, str] = MappingProxyType({}),
        recipes: Mapping[Recipe, Sequence[str]] = RECIPES,
        polite_s: float = 8.0,
        memory_gib: float | None = None,
        alone_s: float | None = None,
    ) -> None:
        """`keys`: of providers, by variable; a run gets those that it names. One that uses more than `memory_gib`
        of main memory is ended; None is most of what there is. So is one that no executor of this machine has looked
        after for `alone_s`; None lets it run on, until somebody adopts it."""
        self._memory_gib = memory_gib or psutil.virtual_memory().total / _GIB * _USABLE_FRAC
        self._environment = child_environment(environment)
        self._keys = dict(keys)
        self._recipes = recipes
        self._polite_s = polite_s
        self._runs: dict[Path, _Run] = {}
        self._keeper: Keeper | None = None
        if alone_s is not None:
            self._keeper = Keeper(
                alone_s=alone_s, polite_s=polite_s, environment=_without_data_key(self._environment)
            )

    def start(self, job_dir: Path, recipe: Recipe, key_names: Sequence[str] = ()) -> Handle:
        """Start the recipe's command with the folder as its argument."""
        if self._keeper:
            self._keeper.prepare(job_dir)
        keys = {name: self._keys[name] for name in key_names if name in self._keys}
        visible = _visible_devices(job_dir)
        leased = {} if visible is None else {"CUDA_VISIBLE_DEVICES": visible}
        with (job_dir / "log.txt").open("ab") as log:
            child = subprocess.Popen(
                [*self._recipes[recipe], str(job_dir)],
                cwd=job_dir,
                env=self._environment | keys | leased | {MARK: str(job_dir)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        _forbid_core_dump(child.pid)
        if visible == "":
            self._limit(child.pid)
        handle = self._watch(job_dir, psutil.Process(child.pid), child)
        if self._keeper:
            self._keeper.guard(handle)
        return handle

    def _limit(self, pid: int) -> None:
        """Let the kernel refuse memory beyond the limit: an error in the log instead of a killed machine.

        Only data counts, not addresses, and only without a GPU: CUDA reserves far more than it uses.
        """
        if sys.platform == "linux":
            most_bytes = int(self._memory_gib * _GIB)
            try:
                psutil.Process(pid).rlimit(psutil.RLIMIT_DATA, (most_bytes, most_bytes))
            except (psutil.Error, OSError):
                logger.debug("memory not limited", extra={"pid": pid})

    def adopt(self, job_dir: Path, recorded: Handle | None) -> Handle | None:
        """Find the run by what was recorded, or by its mark."""
        if job_dir in self._runs:
            return self._runs[job_dir].handle
        process = (recorded and known_process(recorded.pid, recorded.started_s)) or session_leader(job_dir)
        if process is None:
            kill(job_dir, session=None)
            return None
        logger.info("run adopted", extra={"job_dir": str(job_dir), "pid": process.pid})
        if self._keeper:
            self._keeper.keep(job_dir)
        return self._watch(job_dir, process, None)

    def poll(self, handle: Handle) -> Ended | None:
        """Look whether the main process still lives; when it ended, end what it left behind."""
        run = self._runs[handle.job_dir]
        ended = run.ended()
        if ended is None:
            trim_log(handle.job_dir / "log.txt")
            self._weigh(run)
            return None
        kill(handle.job_dir, session=handle.pid)
        del self._runs[handle.job_dir]
        if self._keeper:
            self._keeper.let_go(handle.job_dir)
        return replace(ended, reason=run.too_heavy) if run.too_heavy else ended

    def strays(self, jobs_dir: Path) -> list[Path]:
        """The folders that living processes are marked with."""
        marks = {found for process in psutil.process_iter() if (found := mark(process)) and is_alive(process)}
        return sorted(Path(found) for found in marks if Path(found).parent == jobs_dir)

    def _weigh(self, run: _Run) -> None:
        """End a run that uses more memory than it may."""
        now_s = time.monotonic()
        if now_s - run.weighed_at_s < _WEIGH_S:
            return
        run.weighed_at_s = now_s
        used_gib = resident_bytes(run.process) / _GIB
        if used_gib > self._memory_gib:
            run.too_heavy = _too_heavy(used_gib, self._memory_gib)
            self.cancel(run.handle)

    def cancel(self, handle: Handle) -> None:
        """SIGTERM to every process of the run, and SIGKILL to those that are still there later."""
        reap = self._runs[handle.job_dir].ended
        end(handle.job_dir, session=handle.pid, polite_s=self._polite_s, meanwhile=reap)

    def _watch(self, job_dir: Path, process: psutil.Process, child: subprocess.Popen[bytes] | None) -> Handle:
        handle = Handle(job_dir=job_dir, pid=process.pid, started_s=process.create_time())
        self._runs[job_dir] = _Run(handle, process, child)
        return handle


def trim_log(path: Path, *, cap_bytes: int = _LOG_CAP_BYTES, keep_bytes: int = _LOG_KEEP_BYTES) -> None:
    """Cut a log that grew past the cap down to its end.

    Works while a process writes, because it appends: what it writes in this very moment may be lost.
    """
    if path.stat().st_size <= cap_bytes:
        return
    with path.open("r+b") as log:
        log.seek(-keep_bytes, os.SEEK_END)
        tail = log.read()
        log.seek(0)
        log.write(b"[earlier output was left out]\n" + tail)
        log.truncate()


def _visible_devices(job_dir: Path) -> str | None:
    """What the worker leased for this run, as it laid it into the folder."""
    path = job_dir / "context.json"
    if not path.exists():
        return None
    context: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return context.get("visible_devices")


def _too_heavy(used_gib: float, most_gib: float) -> Bilingual:
    return Bilingual(
        en=f"it used {used_gib:.1f} GiB of main memory and may use {most_gib:.1f}; try a smaller model, "
        "a smaller batch or shorter rows, or raise SHORTLIST_JOB_MEMORY_GIB",
        zh=f"占用内存 {used_gib:.1f} GiB，超过上限 {most_gib:.1f} GiB；请换更小的模型、减小批量或缩短文本，"
        "或调高 SHORTLIST_JOB_MEMORY_GIB",
    )
