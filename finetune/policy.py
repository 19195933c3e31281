"""The rules of the house for jobs: which devices, who may have how many, for how long, what is kept.

Values only. `bot.settings` fills them from the environment; the worker, which reads no settings of its own,
gets them as JSON on its command line. No secret belongs in here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from index.logs import LogFormat

DEVICES_PATTERN = r"^(auto|cpu(:\d+(\.\d+)?)?|gpu\d{1,3}:\d+(\.\d+)?(,gpu\d{1,3}:\d+(\.\d+)?)*)$"


Egress = Literal["allowed", "none"]
PersonalData = Literal["keep", "redact", "refuse"]


class Policy(BaseModel):
    """None means no limit."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    devices: str = Field(default="auto", pattern=DEVICES_PATTERN)
    """`auto` asks the driver; `cpu` or `cpu:16`; `gpu0:24,gpu1:24` names GPUs and their GiB."""
    lease_s: float = Field(default=60.0, gt=0)
    """A worker whose pulse stands still for so long is taken for dead. More than a locked store is waited for."""
    running_per_person: int | None = Field(default=None, ge=1)
    queued_per_person: int | None = Field(default=None, ge=1)
    max_hours: float | None = Field(default=None, gt=0)
    """Longest running time of a job that states none, all attempts together."""
    memory_gib: float | None = Field(default=None, gt=0)
    """Main memory that the processes of one job may use; None is nine tenths of the machine's."""
    keep_days: float | None = Field(default=None, gt=0)
    """Files that only help to run a job are deleted so long after its end; results are kept."""
    shared: Path | None = None
    """Where jobs, data sets and models lie, when several machines see the same; None is the home."""
    ray_address: str | None = None
    """The cluster that runs the jobs; None is this machine."""
    ray_python: str | None = None
    """The interpreter on its nodes; None is the path of this one."""
    ray_gpu_gib: float = Field(default=80.0, gt=0)
    """Memory of one of its GPUs, which Ray does not tell."""
    egress: Egress = "allowed"
    """`none`: no row, text or name of a model goes to another machine."""
    models_allowed: tuple[str, ...] = ()
    """Patterns such as `Qwen/*`; empty allows all."""
    models_denied: tuple[str, ...] = ()
    personal_data: PersonalData = "keep"
    """What happens to data sets in which personal data is found."""
    log_format: LogFormat = "text"
    """Of the worker's log."""


ORDINARY = Policy()
