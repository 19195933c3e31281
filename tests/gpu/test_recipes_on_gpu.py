"""The recipes on a CUDA device: the same scripts, in bf16, with bitsandbytes' own kernels. `make gpu-check`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch.nn.functional import cross_entropy

from finetune.recipes.kernels import fused_loss, put_in
from finetune.spec import Candidate
from tests.finetune import tiny_models as tiny
from tests.finetune.recipe_runs import ROOT, evaluation, job_folder, result_of, run, tuning

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


def test_fused_kernels_leave_loss_and_gradients_as_they_are() -> None:
    pytest.importorskip("liger_kernel", reason="needs the gpu extra")
    seen = []
    for is_fused in (False, True):
        model = tiny.causal(hidden=256).to("cuda", torch.bfloat16)
        if is_fused:
            assert put_in(model).said.startswith("liger-kernel")
        torch.manual_seed(0)
        ids = torch.randint(3, 30, (4, 32), device="cuda")
        predicts = torch.zeros_like(ids, dtype=torch.bool)
        predicts[:, 16:-1] = True
        if is_fused:
            loss = fused_loss(model, ids, predicts, use_cache=False)
        else:
            logits = model(input_ids=ids, use_cache=False).logits[predicts]
            loss = cross_entropy(logits.float(), ids.roll(-1, 1)[predicts], reduction="sum")
        loss.backward()
        seen.append((loss.item(), model.model.layers[0].mlp.down_proj.weight.grad.float()))
    assert seen[0][0] == pytest.approx(seen[1][0], rel=2e-2)
    assert torch.nn.functional.cosine_similarity(*(g.flatten() for _, g in seen), dim=0) > 0.99


def test_the_benchmark_of_an_8b_shaped_model_runs_small() -> None:
    command = [
        sys.executable,
        "benchmarks/finetune_gpu.py",
        "--shape",
        "tiny",
        "--steps",
        "6",
        "--tokens",
        "64",
    ]
    ended = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": "."}
    )
    assert ended.returncode == 0, ended.stderr
    assert "failed" not in ended.stdout
    assert ended.stdout.count("\n| ours") == 2
