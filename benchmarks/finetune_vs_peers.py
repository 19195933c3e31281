"""The same LoRA fine-tune by our trainer, a plain loop by hand and TRL's SFTTrainer: time, memory and losses as ratios.

    PYTHONPATH=. python benchmarks/finetune_vs_peers.py [--steps 12] [--rounds 3] [--epoch-rows 240] [--epochs 3]
        [--threads 1] [--share-nothing]

TRL is no dependency of ours (`pip install --no-deps trl datasets` and what they need, beside the project); without it the
other two run. All learn the sample tickets with the embedded model in fp32: the same rows in the same batches, the same
first adapter (rank 16 on all linear layers), AdamW and learning rates, the loss over the tokens of the answers alone. The
first losses must agree within 0.001, or the command fails. Every run is a process of its own, and they take turns (A B C A
B C), as the machine may be busy. Of a step the median counts over all rounds, of memory the mean of the rounds.

All prompts of the tickets begin with the same instruction, which ours computes once a step; `--share-nothing` has it
computed for each row, as in data without one.

The last table is an epoch, several times in turn: ours as it is, with length grouping, rehearsal, looks at other rows and
checkpoints, against the loop by hand with the rows in the order of their file.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from statistics import fmean, median
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from torch.nn.functional import cross_entropy

from finetune.data import register
from finetune.recipes.batches import Example
from finetune.recipes.check_adapter import load_base
from finetune.recipes.checkpoint import Progress
from finetune.recipes.job_dir import Context, JobDir
from finetune.recipes.loading import prepare_libraries
from finetune.recipes.memory import MemoryMeter
from finetune.recipes.training import MAX_GRADIENT_NORM, Trainer, learning_rate_frac
from finetune.recipes.tuning_plan import TuningPlan, learning_rate_for, plan_tuning
from finetune.spec import TuningSpec

SAME_LOSS = 1e-3
IGNORED = -100
BATCH_SIZE = 4
OURS, HAND, SFT = "ours", "hand loop", "SFTTrainer"

Steps = Sequence[Sequence[Example]]
Taken = tuple[list[float], list[float]]
"""Seconds of CPU and loss of each step."""


@dataclass(frozen=True)
class Run:
    """What one run measured."""

    step_s: list[float]
    """Seconds of CPU of each step."""
    losses: list[float]
    whole_s: float
    """Seconds of CPU from before the first step to the end, with all that happens between the steps."""
    wall_s: float
    grown_gib: float
    """The most that the process grew by after loading."""
    tokens: int
    """As laid out in batches, padding included."""


@dataclass(frozen=True)
class Task:
    """What all of them learn."""

    job: JobDir
    plan: TuningPlan
    model: Any

    @property
    def weights(self) -> list[Any]:
        """What is learned."""
        return [weight for weight in self.model.parameters() if weight.requires_grad]

    def optimizer(self) -> torch.optim.Optimizer:
        """As our trainer has it."""
        return torch.optim.AdamW(self.weights, lr=self.plan.learning_rate, weight_decay=0.0)


class TimedTrainer(Trainer):
    """Our trainer with a clock at each step."""

    step_s: list[float]

    def _step(self, optimizer: torch.optim.Optimizer, progress: Progress) -> float:
        started_s = time.process_time()
        loss = Trainer._step(self, optimizer, progress)
        self.step_s.append(time.process_time() - started_s)
        return loss


def ours(task: Task, _: Steps) -> Taken:
    """The trainer of the recipe, checkpoints and looks at other rows included."""
    trainer = TimedTrainer(task.plan, task.model, task.job.path / "run.pt", "run", lambda _: None)
    trainer.step_s = []
    progress = trainer.train()
    return trainer.step_s, [loss for _, loss, _ in progress.curve]


def by_hand(task: Task, steps: Steps) -> Taken:
    """What one writes first: whole rows, padded, and the logits of all tokens."""
    optimizer, step_s, losses = task.optimizer(), [], []
    task.model.train()
    for number, examples in enumerate(steps):
        started_s = time.process_time()
        optimizer.param_groups[0]["lr"] = task.plan.learning_rate * learning_rate_frac(number, len(steps))
        ids, mask, labels = padded(examples)
        logits = task.model(input_ids=ids, attention_mask=mask, use_cache=False).logits
        loss = cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten(), ignore_index=IGNORED)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(task.weights, MAX_GRADIENT_NORM)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        losses.append(loss.item())
        step_s.append(time.process_time() - started_s)
    return step_s, losses


def by_sft(task: Task, steps: Steps) -> Taken:
    """TRL's trainer on rows that are token ids already; in fp32 and without checkpointing, as the others."""
    from transformers import TrainerCallback  # noqa: PLC0415 - slow, and only this one needs it
    from trl import SFTConfig, SFTTrainer  # noqa: PLC0415 - no dependency of the project

    step_s: list[float] = []
    losses: list[float] = []

    class Clock(TrainerCallback):  # type: ignore[misc]
        def on_step_begin(self, *_: Any, **__: Any) -> None:
            self.started_s = time.process_time()

        def on_step_end(self, *_: Any, **__: Any) -> None:
            step_s.append(time.process_time() - self.started_s)

        def on_log(self, *_: Any, logs: dict[str, Any], **__: Any) -> None:
            losses.extend([float(logs["loss"])] if "loss" in logs else [])

    optimizer = task.optimizer()
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda n: learning_rate_frac(n, len(steps)))
    config = SFTConfig(
        output_dir=str(task.job.path / "sft"), per_device_train_batch_size=BATCH_SIZE, max_steps=len(steps),
        train_sampling_strategy="sequential", max_grad_norm=MAX_GRADIENT_NORM, max_length=None, use_cpu=True,
        bf16=False, gradient_checkpointing=False, logging_steps=1, save_strategy="no", report_to="none",
        disable_tqdm=True, seed=task.plan.spec.seed, dataset_kwargs={"skip_prepare_dataset": True},
    )  # fmt: skip
    SFTTrainer(
        model=task.model,
        args=config,
        train_dataset=token_ids(steps),
        callbacks=[Clock()],
        optimizers=(optimizer, schedule),
    ).train()
    return step_s, losses


def token_ids(steps: Steps) -> Any:
    """The rows in the order of the steps."""
    import pyarrow  # noqa: PLC0415 - no dependency of the project
    from datasets import Dataset  # noqa: PLC0415

    rows = [example for examples in steps for example in examples]
    table = pyarrow.Table.from_pylist([{"input_ids": ids_of(row), "labels": labels_of(row)} for row in rows])
    # Without a name it would take one from its pickle, which fails with pyarrow 26.
    return Dataset(table, fingerprint="tickets")


CONTESTANTS: dict[str, Callable[[Task, Steps], Taken]] = {OURS: ours, HAND: by_hand, SFT: by_sft}


def ids_of(example: Example) -> list[int]:
    return example.prompt + example.completion


def labels_of(example: Example) -> list[int]:
    return [IGNORED] * len(example.prompt) + example.completion


def padded(examples: Sequence[Example]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Token ids, attention mask and labels."""
    width = max(example.length for example in examples)
    ids = [ids_of(e) + [0] * (width - e.length) for e in examples]
    mask = [[1] * e.length + [0] * (width - e.length) for e in examples]
    labels = [labels_of(e) + [IGNORED] * (width - e.length) for e in examples]
    return torch.tensor(ids), torch.tensor(mask), torch.tensor(labels)


def laid_out(steps: Steps) -> int:
    """Tokens, padding included."""
    return sum(len(step) * max(example.length for example in step) for step in steps)


def prepared(home: Path, folder: Path, threads: int, *, shares_nothing: bool, **settings: Any) -> Task:
    """Plan, load, and put the adapter on that all begin with."""
    context = Context(home=home, threads=threads)
    folder.mkdir(parents=True)
    dataset = register("tickets", home=home)
    spec = TuningSpec(base_model="smollm2", dataset=dataset, batch_size=BATCH_SIZE, **settings)
    (folder / "spec.json").write_text(spec.model_dump_json())
    (folder / "context.json").write_text(context.model_dump_json())
    job = JobDir(folder)
    plan = plan_tuning(job, prepare_libraries(context))
    base = load_base(plan)
    torch.manual_seed(spec.seed)
    lora = LoraConfig(
        r=spec.lora_rank, lora_alpha=spec.lora_alpha, target_modules="all-linear", task_type="CAUSAL_LM"
    )
    rate = learning_rate_for(base.num_parameters(), plan.architecture.kind)
    plan = replace(plan, learning_rate=rate)
    if shares_nothing:
        plan.learner.prepare = lambda *_: None  # type: ignore[method-assign]
    return Task(job, plan, get_peft_model(base, lora))


def measured(who: str, task: Task, *, in_file_order: bool) -> Run:
    """Run one of them."""
    examples = task.plan.examples
    steps = [[examples[i] for i in step] for step in task.plan.steps]
    if in_file_order:
        rows = sorted(zip(task.plan.train_rows, examples, strict=True), key=lambda pair: pair[0].id)
        steps = [[e for _, e in rows[i : i + BATCH_SIZE]] for i in range(0, len(rows), BATCH_SIZE)]
    meter = MemoryMeter(task.model, task.plan.device)
    cpu_s, wall_s = time.process_time(), time.perf_counter()
    step_s, losses = CONTESTANTS[who](task, steps)
    return Run(
        step_s=step_s,
        losses=losses,
        whole_s=time.process_time() - cpu_s,
        wall_s=time.perf_counter() - wall_s,
        grown_gib=meter.peak_gib() - meter.weights_gib,
        tokens=laid_out(steps),
    )


def in_a_process(who: str, folder: Path, arguments: argparse.Namespace, *, is_epoch: bool = False) -> Run:
    """Run one of them in a process of its own."""
    command = [sys.executable, __file__, "--only", who, "--home", str(folder.parent), "--folder", str(folder)]
    for name in ("steps", "threads", "epoch_rows"):
        command += [f"--{name.replace('_', '-')}", str(getattr(arguments, name))]
    command += ["--is-epoch"] * is_epoch + ["--share-nothing"] * arguments.share_nothing
    ended = subprocess.run(command, check=False, capture_output=True, text=True)
    if ended.returncode != 0:
        raise SystemExit(f"{who} failed:\n{ended.stderr[-2000:]}")
    return Run(**json.loads(ended.stdout.splitlines()[-1]))


def run_here(arguments: argparse.Namespace) -> None:
    """The process of one run: prints it as JSON."""
    settings = {"limit": arguments.epoch_rows} if arguments.is_epoch else {"max_steps": arguments.steps}
    shares_nothing = arguments.share_nothing
    task = prepared(
        arguments.home, arguments.folder, arguments.threads, shares_nothing=shares_nothing, **settings
    )
    if arguments.only == SFT:
        importlib.import_module("trl.trainer.sft_trainer")  # or the memory of its code would count as grown
    is_by_file = arguments.is_epoch and arguments.only == HAND
    print(json.dumps(asdict(measured(arguments.only, task, in_file_order=is_by_file))))


def print_steps(runs: dict[str, list[Run]]) -> None:
    """Steps, and what ours is of the others."""
    print("| | CPU a step | memory grown | first loss | last loss |\n| --- | --- | --- | --- | --- |")
    for who, of in runs.items():
        first, last = of[0].losses[0], of[0].losses[-1]
        print(f"| {who} | {step_of(of):.2f} s | {grown(of):.2f} GiB | {first:.4f} | {last:.4f} |")
    for who in (HAND, SFT):
        if who in runs:
            each = [step_of([a]) / step_of([b]) for a, b in zip(runs[OURS], runs[who], strict=True)]
            ratio, memory = step_of(runs[OURS]) / step_of(runs[who]), grown(runs[OURS]) / grown(runs[who])
            spread = f"{min(each):.2f} to {max(each):.2f} by round"
            print(f"| ours / {who} | **{ratio:.2f}** ({spread}) | {memory:.2f} | | |", flush=True)


def step_of(runs: Sequence[Run]) -> float:
    return median(seconds for run in runs for seconds in run.step_s)


def grown(runs: Sequence[Run]) -> float:
    return fmean(run.grown_gib for run in runs)


def print_epoch(ours: Sequence[Run], hand: Sequence[Run]) -> None:
    """A whole epoch: medians, and of the ratios the smallest and the largest too."""
    print("\n| an epoch | steps | tokens with padding | CPU | wall |\n| --- | --- | --- | --- | --- |")
    for who, runs in ((OURS, ours), (HAND, hand)):
        cpu_s, wall_s = (median(getattr(run, name) for run in runs) for name in ("whole_s", "wall_s"))
        print(f"| {who} | {len(runs[0].step_s)} | {runs[0].tokens} | {cpu_s:.0f} s | {wall_s:.0f} s |")
    tokens, cpu, wall = (
        [getattr(a, name) / getattr(b, name) for a, b in zip(ours, hand, strict=True)]
        for name in ("tokens", "whole_s", "wall_s")
    )
    print(f"| ours / {HAND} | | {tokens[0]:.2f} | **{spread(cpu)}** | {spread(wall)} |")


def spread(ratios: Sequence[float]) -> str:
    """`0.64 (0.62 to 0.67 in 3)`."""
    return f"{median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f} in {len(ratios)})"


def require_same_first_loss(runs: dict[str, list[Run]]) -> None:
    """Otherwise they did not do the same work, and no ratio means anything."""
    first = [run.losses[0] for of in runs.values() for run in of]
    if max(first) - min(first) > SAME_LOSS:
        raise SystemExit(f"The first losses differ by {max(first) - min(first):.4f}: {first}")


def main() -> None:
    """Print two tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--epoch-rows", type=int, default=240, help="before the split; 0 for no epoch")
    parser.add_argument("--epochs", type=int, default=3, help="times that the epoch is run by each, in turn")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--share-nothing", action="store_true", help="ours without the shared beginning")
    for name, kind in (("--only", str), ("--home", Path), ("--folder", Path)):
        parser.add_argument(name, type=kind, help=argparse.SUPPRESS)
    parser.add_argument("--is-epoch", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.only:
        run_here(arguments)
        return
    names = [OURS, HAND, SFT] if importlib.util.find_spec("trl") else [OURS, HAND]
    print("TRL", version("trl") if SFT in names else "is not installed: the other two run", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        runs: dict[str, list[Run]] = {who: [] for who in names}
        for number in range(arguments.rounds):
            for who in names:
                run = in_a_process(who, Path(folder) / f"{who} {number}", arguments)
                runs[who].append(run)
                print(f"{who}: {step_of([run]):.2f} s, {run.losses}", file=sys.stderr, flush=True)
        require_same_first_loss(runs)
        print_steps(runs)
        if arguments.epoch_rows:
            epochs: dict[str, list[Run]] = {OURS: [], HAND: []}
            for number in range(arguments.epochs):
                for who, of in epochs.items():
                    of.append(
                        in_a_process(who, Path(folder) / f"{who} epoch {number}", arguments, is_epoch=True)
                    )
            print_epoch(epochs[OURS], epochs[HAND])


if __name__ == "__main__":
    main()
