"""A spec -> what a person sees before a fine-tune begins, found by a child process: only there are torch and tokenizers."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from finetune.executors.local import child_environment, own_environment
from finetune.folder import JobFolder
from finetune.spec import TuningSpec
from finetune.tuning_preview import TuningPreview, read_preview
from index.bilingual import Bilingual
from index.errors import BadInput, JobFailed

_COMMAND = (sys.executable, "-m", "finetune.recipes.preview")


def preview_of(spec: TuningSpec, *, home: Path) -> TuningPreview:
    """Plan the fine-tune beside the jobs, in a folder that is gone afterwards; BadInput when it cannot be planned."""
    with tempfile.TemporaryDirectory(prefix="shortlist-preview-") as name:
        folder = JobFolder(Path(name))
        folder.prepare(spec, {"home": str(home), "threads": os.cpu_count() or 1})
        ended = subprocess.run(
            [*_COMMAND, name],
            env=child_environment(own_environment()), capture_output=True, text=True, check=False,
        )  # fmt: skip
        if ended.returncode == 0:
            return read_preview(Path(name))
        reason = folder.stated_reason()
        if reason is not None:
            raise BadInput(reason)
        print(ended.stderr, file=sys.stderr)  # noqa: T201 - the details, for whoever looks into it
        raise _not_planned((ended.stderr.strip().splitlines() or ["no reason given"])[-1])


def _not_planned(last_line: str) -> JobFailed:
    return JobFailed(
        Bilingual(
            en=f"The fine-tune could not be planned ({last_line}). The lines above have the details.",
            zh=f"无法规划该微调（{last_line}）。详情见上面的输出。",
        )
    )
