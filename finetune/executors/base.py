"""What every executor does with a job's folder: start a recipe on it, find the run again, watch it, end it.

The folder is the whole contract between worker and recipe. In: spec.json, context.json (whose
`visible_devices` is what CUDA_VISIBLE_DEVICES has to say, null where nothing is leased). Out: events.jsonl,
log.txt, and at the end result.json or error.json. An executor only runs things; state, attempts and
retries are kept by the queue.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from index.bilingual import Bilingual

Recipe = Literal["evaluation", "tuning"]
"""The `kind` of the spec."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Handle:
    """A run that was started. The start time guards against a process number that was given out again."""

    job_dir: Path
    pid: int
    """Number of the process; on a cluster, which run of this folder it is."""
    started_s: float
    """When the process started, seconds since the epoch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a run ended."""

    code: int | None
    """Exit code; negative is the signal that ended it; None when nobody was there to see."""
    reason: Bilingual | None = None
    """Why the executor itself ended it, as for using too much memory: another attempt would go the same way."""

    @property
    def was_cut_off(self) -> bool:
        """True when it did not end by itself, so that another attempt may go better."""
        return self.reason is None and (self.code is None or self.code < 0)


class Executor(Protocol):
    """A place where recipes run. `poll` and `cancel` may raise Unavailable: the place is away, which is waited for."""

    def start(self, job_dir: Path, recipe: Recipe, key_names: Sequence[str] = ()) -> Handle:
        """Start the recipe on the folder and return at once.

        Of the keys that the worker has, the recipe gets those named, and no other secret.
        """

    def adopt(self, job_dir: Path, recorded: Handle | None) -> Handle | None:
        """Find the run of this folder, whoever started it; None when there is none (any more).

        Looks beyond what was `recorded`: the worker may have died between starting and recording.
        Leftovers of a run whose main process is gone are ended, so that None means a free device.
        """

    def poll(self, handle: Handle) -> Ended | None:
        """Tell how the run ended, leaving nothing of it alive; None while it goes on."""

    def cancel(self, handle: Handle) -> None:
        """End the run and all that it started: politely, then surely. Returns when that is done."""

    def strays(self, jobs_dir: Path) -> list[Path]:
        """The folders under `jobs_dir` that something runs on here, whether this executor started it or not."""
