"""The recipes on a CUDA device: the same scripts, in bf16, with bitsandbytes' own kernels. `make gpu-check`."""

from __future__ import annotations

from pathlib import Path

import pytest

from finetune.spec import Candidate
from tests.finetune.recipe_runs import evaluation, job_folder, result_of, run, tuning

pytestmark = pytest.mark.gpu


def test_every_quantization_is_scored_on_the_gpu(tmp_path: Path, home_with_model: Path) -> None:
    candidates = [Candidate(model="smollm2", quantization=q) for q in ("none", "int8", "nf4")]
    job = job_folder(tmp_path / "1", evaluation(home_with_model, *candidates, limit=64), home_with_model)
    ended = run("evaluate", job)
    assert ended.returncode == 0, ended.stderr
    result = result_of(job)
    assert not result["environment"]["device"].startswith("CPU"), "no CUDA device: run this on one"
    assert result["environment"]["dtype"] == "bfloat16"
    assert [row["stopped"] for row in result["candidates"]] == ["finished"] * 3
    sizes = [row["weights_gib"] for row in result["candidates"]]
    assert sizes[0] > sizes[1] > sizes[2]


@pytest.mark.parametrize("method", ["lora", "qlora"])
def test_a_fine_tune_on_the_gpu_beats_its_base(tmp_path: Path, home_with_model: Path, method: str) -> None:
    whole = {"limit": None, "held_out_limit": 64, "held_out_frac": 0.2, "max_steps": None, "batch_size": 4}
    job = job_folder(tmp_path / "1", tuning(home_with_model, method=method, **whole), home_with_model)
    ended = run("lora", job)
    assert ended.returncode == 0, ended.stderr
    result = result_of(job)
    assert not result["environment"]["device"].startswith("CPU"), "no CUDA device: run this on one"
    assert result["comparison"]["ci95"][0] > 0
    assert result["merge_check"]["passed"]
