"""LoRA and QLoRA of an 8B-shaped model on a GPU: tokens/s, model FLOP utilisation and peak memory, ours and TRL's.

    PYTHONPATH=. python benchmarks/finetune_gpu.py [--tokens 1024] [--batch-size 4] [--steps 12] [--rank 16]
        [--no-checkpointing] [--shape 8b] [--device cuda]

The model has the shape of Llama-3.1-8B and random weights: speed and memory do not depend on what they are, and nothing is
downloaded. All learn the same random rows in the same batches, half of each row being the answer. Each run is a process of
its own. Beside the peak stands what the footprint of the bot foretells. TRL takes part where it is installed, with its own
liger-kernel option where that is installed.

Model FLOPs: 4 for each weight and token (forward, and backward to the activations, as the weights are frozen) and those of
causal attention; what checkpointing computes again does not count. Without a CUDA device it says so and ends well;
`--shape tiny --device cpu` runs all of it small, to see that it works.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import bitsandbytes as bnb
import torch
from peft import LoraConfig, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM

from finetune.architecture import Architecture
from finetune.models import ModelLocation
from finetune.recipes.batches import Example
from finetune.recipes.checkpoint import Progress
from finetune.recipes.job_dir import Context
from finetune.recipes.kernels import use_fused_kernels
from finetune.recipes.learners import CausalLearner
from finetune.recipes.training import Trainer, compute_activations_again, learning_rate_frac
from finetune.recipes.tuning_plan import TuningPlan
from finetune.spec import DatasetRef, TuningSpec
from index import footprint
from index.catalogue.gpus import find_gpu
from index.records import ModelFact

SHAPES = {
    "8b": {
        "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32, "num_attention_heads": 32,
        "num_key_value_heads": 8, "vocab_size": 128_256, "max_position_embeddings": 131_072,
    },
    "tiny": {
        "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4,
        "num_key_value_heads": 2, "vocab_size": 512, "max_position_embeddings": 4096,
    },
}  # fmt: skip
OURS, SFT = "ours", "SFTTrainer"
IGNORED = -100
WARM_UP_STEPS = 3
GIB = 2**30
RATE = 2e-4


@dataclass(frozen=True)
class Run:
    """What one run measured."""

    step_s: list[float]
    losses: list[float]
    peak_gib: float
    kernels: str


@dataclass(frozen=True)
class Task:
    """What all of them learn."""

    given: argparse.Namespace
    model: Any
    examples: Sequence[Example]

    @property
    def steps(self) -> list[tuple[int, ...]]:
        """Which examples each step uses."""
        size = self.given.batch_size
        return [tuple(range(n * size, (n + 1) * size)) for n in range(self.given.steps)]


class TimedTrainer(Trainer):
    """Our trainer with a clock at each step; the loss that a step returns has waited for the device."""

    step_s: list[float]

    def _step(self, optimizer: torch.optim.Optimizer, progress: Progress) -> float:
        started_s = time.perf_counter()
        loss = Trainer._step(self, optimizer, progress)
        self.step_s.append(time.perf_counter() - started_s)
        return loss


class TokenLearner(CausalLearner):
    """Learns rows that are token ids already."""

    def __init__(self) -> None:
        self._prefix = ()


def ours(task: Task) -> tuple[list[float], list[float]]:
    """The trainer of the recipe."""
    given = task.given
    spec = TuningSpec(
        base_model=given.shape, dataset=DatasetRef(name="random", sha256="0" * 64, rows=len(task.examples)),
        method=given.method, lora_rank=given.rank, batch_size=given.batch_size, early_stopping=0,
        gradient_checkpointing=given.checkpointing,
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        plan = TuningPlan(
            spec=spec, context=Context(home=Path(folder)), device=torch.device(given.device),
            location=ModelLocation(id=given.shape, kind="folder"), architecture=Architecture(kind="causal"),
            learner=TokenLearner(), train_rows=(), validation_rows=(), held_out_rows=(), about_data={},
            examples=tuple(task.examples), watched=tuple(task.examples[:1]), steps=tuple(task.steps),
            reworded={}, learning_rate=RATE,
        )  # fmt: skip
        trainer = TimedTrainer(plan, task.model, Path(folder) / "run.pt", "run", lambda _: None)
        trainer.step_s = []
        progress = trainer.train()
    return trainer.step_s, [loss for _, loss, _ in progress.curve]


def by_sft(task: Task) -> tuple[list[float], list[float]]:
    """TRL's trainer on the same token ids."""
    import pyarrow  # noqa: PLC0415 - no dependency of the project, like the two below
    from datasets import Dataset  # noqa: PLC0415
    from transformers import TrainerCallback  # noqa: PLC0415
    from trl import SFTConfig, SFTTrainer  # noqa: PLC0415

    given, step_s, losses = task.given, list[float](), list[float]()
    is_gpu = given.device == "cuda"

    class Clock(TrainerCallback):  # type: ignore[misc]
        def on_step_begin(self, *_: Any, **__: Any) -> None:
            self.started_s = time.perf_counter()

        def on_step_end(self, *_: Any, **__: Any) -> None:
            if is_gpu:
                torch.cuda.synchronize()
            step_s.append(time.perf_counter() - self.started_s)

        def on_log(self, *_: Any, logs: dict[str, Any], **__: Any) -> None:
            losses.extend([float(logs["loss"])] if "loss" in logs else [])

    rows = [
        {"input_ids": e.prompt + e.completion, "labels": [IGNORED] * len(e.prompt) + e.completion}
        for e in task.examples
    ]
    weights = [weight for weight in task.model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=RATE, weight_decay=0.0, fused=is_gpu)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda n: learning_rate_frac(n, given.steps))
    with tempfile.TemporaryDirectory() as folder:
        config = SFTConfig(
            output_dir=folder, per_device_train_batch_size=given.batch_size, max_steps=given.steps,
            train_sampling_strategy="sequential", max_grad_norm=1.0, max_length=None, use_cpu=not is_gpu,
            bf16=is_gpu, gradient_checkpointing=given.checkpointing, logging_steps=1, save_strategy="no",
            report_to="none", disable_tqdm=True, dataset_kwargs={"skip_prepare_dataset": True},
            use_liger_kernel=is_gpu and importlib.util.find_spec("liger_kernel") is not None,
        )  # fmt: skip
        SFTTrainer(
            model=task.model, args=config, callbacks=[Clock()], optimizers=(optimizer, schedule),
            train_dataset=Dataset(pyarrow.Table.from_pylist(rows), fingerprint="random"),
            processing_class=no_tokenizer(),
        ).train()  # fmt: skip
    return step_s, losses


def no_tokenizer() -> Any:
    """TRL wants one, also for rows that are token ids already."""
    from tokenizers import Tokenizer  # noqa: PLC0415
    from tokenizers.models import WordLevel  # noqa: PLC0415
    from transformers import PreTrainedTokenizerFast  # noqa: PLC0415

    words = Tokenizer(WordLevel({"<pad>": 0, "</s>": 1, "<unk>": 2}, unk_token="<unk>"))  # noqa: S106
    return PreTrainedTokenizerFast(tokenizer_object=words, pad_token="<pad>", eos_token="</s>")  # noqa: S106


CONTESTANTS: dict[str, Callable[[Task], tuple[list[float], list[float]]]] = {OURS: ours, SFT: by_sft}


def random_rows(given: argparse.Namespace) -> list[Example]:
    """The same for everybody: rows of one length, half of it the answer."""
    chance, words = random.Random(0), SHAPES[given.shape]["vocab_size"]
    half = given.tokens // 2
    return [
        Example(
            prompt=[chance.randrange(3, words) for _ in range(given.tokens - half)],
            completion=[chance.randrange(3, words) for _ in range(half)],
        )
        for _ in range(given.steps * given.batch_size)
    ]


def base_of(given: argparse.Namespace) -> Any:
    """Random weights on the device, in bf16 on a GPU; for qlora in nf4 with double quantization."""
    torch.manual_seed(0)
    dtype = torch.bfloat16 if given.device == "cuda" else torch.float32
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with torch.device(given.device):
            model = LlamaForCausalLM(LlamaConfig(**SHAPES[given.shape], tie_word_embeddings=False))
    finally:
        torch.set_default_dtype(before)
    if given.method == "qlora":
        quantize(model, dtype)
    return model


def quantize(model: Any, dtype: torch.dtype) -> None:
    """Replace every linear layer but the last by one in 4 bits, one at a time."""
    linear = [name for name, module in model.named_modules() if isinstance(module, torch.nn.Linear)]
    for name in linear:
        old = model.get_submodule(name)
        if old is model.get_output_embeddings():
            continue
        new = bnb.nn.Linear4bit(
            old.in_features,
            old.out_features,
            bias=False,
            compute_dtype=dtype,
            compress_statistics=True,
            quant_type="nf4",
        )
        new.weight = bnb.nn.Params4bit(
            old.weight.data.cpu(), requires_grad=False, compress_statistics=True, quant_type="nf4"
        )
        model.set_submodule(name, new.to(old.weight.device))
        del old
    model.is_loaded_in_4bit = True


def run_here(given: argparse.Namespace) -> None:
    """The process of one run: prints it as JSON."""
    base = base_of(given)
    kernels = "its own"
    if given.only == OURS:
        kernels = use_fused_kernels(base, torch.device(given.device), "causal").said
    config = LoraConfig(
        r=given.rank, lora_alpha=2 * given.rank, target_modules="all-linear", task_type="CAUSAL_LM"
    )
    model = get_peft_model(base, config)
    if given.checkpointing and given.only == OURS:
        compute_activations_again(model)
    if given.device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    step_s, losses = CONTESTANTS[given.only](Task(given, model, random_rows(given)))
    peak = torch.cuda.max_memory_allocated() / GIB if given.device == "cuda" else 0.0
    print(json.dumps(asdict(Run(step_s, losses, peak, kernels))))


def in_a_process(who: str, method: str, given: argparse.Namespace) -> Run | str:
    """Run one of them in a process of its own; or why it failed."""
    command = [
        sys.executable,
        __file__,
        "--only",
        who,
        "--method",
        method,
        "--shape",
        given.shape,
        "--device",
        given.device,
    ]
    for name in ("tokens", "batch_size", "steps", "rank"):
        command += [f"--{name.replace('_', '-')}", str(getattr(given, name))]
    command += ["--no-checkpointing"] * (not given.checkpointing)
    ended = subprocess.run(command, check=False, capture_output=True, text=True)
    if ended.returncode != 0:
        return (ended.stderr.strip().splitlines() or ["no reason given"])[-1][:200]
    return Run(**json.loads(ended.stdout.splitlines()[-1]))


def flops_per_token(given: argparse.Namespace) -> float:
    """Of a model with frozen weights: forward, and backward to the activations."""
    shape = SHAPES[given.shape]
    hidden, layers = shape["hidden_size"], shape["num_hidden_layers"]
    kv = hidden * shape["num_key_value_heads"] // shape["num_attention_heads"]
    per_layer = 2 * hidden * hidden + 2 * hidden * kv + 3 * hidden * shape["intermediate_size"]
    weights = layers * per_layer + hidden * shape["vocab_size"]
    return 4.0 * weights + 6.0 * layers * hidden * given.tokens


def fact_of(given: argparse.Namespace) -> ModelFact:
    """What the footprint needs to know."""
    shape = SHAPES[given.shape]
    flops = flops_per_token(given) - 6.0 * shape["num_hidden_layers"] * shape["hidden_size"] * given.tokens
    embeddings = shape["hidden_size"] * shape["vocab_size"]
    return ModelFact(
        id=given.shape, name=given.shape, open_weights=True, kind="instruct", architecture="dense",
        params_b=(flops / 4 + embeddings) / 1e9, n_layers=shape["num_hidden_layers"],
        n_kv_heads=shape["num_key_value_heads"], head_dim=shape["hidden_size"] // shape["num_attention_heads"],
        hidden_size=shape["hidden_size"], vocab_size=shape["vocab_size"], tied_embeddings=False,
    )  # fmt: skip


def report(who: str, method: str, run: Run | str, given: argparse.Namespace) -> None:
    """A line of the table."""
    if isinstance(run, str):
        print(f"| {who}, {method} | failed: {run} | | | | |", flush=True)
        return
    tokens_per_s = given.tokens * given.batch_size / median(run.step_s[WARM_UP_STEPS:])
    gpu = find_gpu(torch.cuda.get_device_name()) if given.device == "cuda" else None
    peak_flops = gpu.bf16_tflops * 1e12 if gpu and gpu.bf16_tflops else None
    mfu = f"{tokens_per_s * flops_per_token(given) / peak_flops:.0%}" if peak_flops else "?"
    plan = footprint.TuningPlan(
        method=method, seq_tokens=given.tokens, batch=given.batch_size, rank=given.rank,  # type: ignore[arg-type]
        checkpointing=given.checkpointing,
    )  # fmt: skip
    foretold = footprint.tuning_by(fact_of(given), plan)
    told = f"{foretold.total_gib:.1f} GiB" if foretold else "?"
    losses = f"{run.losses[0]:.3f} → {run.losses[-1]:.3f}"
    print(
        f"| {who}, {method} | {tokens_per_s:,.0f} | {mfu} | {run.peak_gib:.1f} GiB | {told} | {losses} | {run.kernels} |",
        flush=True,
    )


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    for name, default in (("tokens", 1024), ("batch-size", 4), ("steps", 12), ("rank", 16)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--no-checkpointing", dest="checkpointing", action="store_false")
    parser.add_argument("--shape", choices=sorted(SHAPES), default="8b")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--only", help=argparse.SUPPRESS)
    parser.add_argument("--method", help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    """Print one table."""
    given = parsed()
    if given.device == "cuda" and not torch.cuda.is_available():
        print("skipped: there is no CUDA device here, so nothing was measured")
        return
    if given.only:
        run_here(given)
        return
    names = [OURS, SFT] if importlib.util.find_spec("trl") else [OURS]
    place = torch.cuda.get_device_name() if given.device == "cuda" else "CPU"
    print(
        f"{place}; {given.shape}, {given.batch_size} rows of {given.tokens} tokens, rank {given.rank}, ",
        end="",
    )
    print(
        f"checkpointing {'on' if given.checkpointing else 'off'}; TRL {'runs too' if SFT in names else 'is not here'}"
    )
    print(
        "| | tokens/s | MFU | peak | foretold | loss | kernels |\n| --- | --- | --- | --- | --- | --- | --- |"
    )
    for method in ("lora", "qlora"):
        for who in names:
            report(who, method, in_a_process(who, method, given), given)


if __name__ == "__main__":
    main()
