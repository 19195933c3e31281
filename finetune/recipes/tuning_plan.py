"""Turn a TuningSpec into all that stays the same during a run: the rows on each side and the steps to take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from finetune import data
from finetune.columns import Row
from finetune.models import ModelLocation, canonical_name, resolve
from finetune.recipes.batches import Example, encode, plan_steps
from finetune.recipes.job_dir import Context, JobDir
from finetune.recipes.loading import load_tokenizer
from finetune.recipes.prompts import Prompts
from finetune.spec import TuningSpec
from index.bilingual import Bilingual
from index.errors import BadInput
from index.records import Quantization

_HELD_OUT_LOSS_ROWS = 16
LARGE_MODEL_RATE = 2e-4
_SMALL_MODEL_RATE = 1e-3
_SMALL_BELOW_PARAMS = 1e9


@dataclass(frozen=True, slots=True, kw_only=True)
class TuningPlan:
    """What a run does, decided before any weight is loaded."""

    spec: TuningSpec
    context: Context
    device: torch.device
    location: ModelLocation
    prompts: Prompts
    train_rows: tuple[Row, ...]
    held_out_rows: tuple[Row, ...]
    too_long: int
    """Rows that were left out because they are longer than `max_tokens`."""
    examples: tuple[Example, ...]
    """The training rows as token ids."""
    held_out_examples: tuple[Example, ...]
    """Some held-out rows, for the held-out loss along the way."""
    steps: tuple[tuple[int, ...], ...]
    """Which examples each step uses."""
    learning_rate: float = LARGE_MODEL_RATE
    """Peak, until the size of the model is known."""

    @property
    def quantization(self) -> Quantization:
        """How the base is loaded."""
        return "nf4" if self.spec.method == "qlora" else "none"

    @property
    def work(self) -> int:
        """Units of progress: a row scored or a step taken."""
        return 2 * len(self.held_out_rows) + len(self.steps)


def plan_tuning(job: JobDir, device: torch.device) -> TuningPlan:
    """Read the spec and decide which rows are learned from, which are held out, and in which steps."""
    spec = TuningSpec.model_validate_json(job.spec_json)
    spec = spec.model_copy(update={"base_model": canonical_name(spec.base_model)})
    location = resolve(spec.base_model)
    prompts = Prompts(load_tokenizer(location, job.context), spec.dataset.labels)
    rows = data.sample(data.load(spec.dataset.sha256, home=job.context.home), spec.limit, spec.seed)
    short = [row for row in rows if encode([row], prompts)[0].length <= spec.max_tokens]
    train_rows, held_out_rows = data.split(short, spec.held_out_frac, spec.seed)
    held_out_rows = data.sample(held_out_rows, spec.held_out_limit, spec.seed)
    if not train_rows or len(held_out_rows) < 2:
        raise _nothing_left(len(rows), len(train_rows), len(held_out_rows), spec.max_tokens)
    if len(short) < len(rows):
        job.note(_left_out(len(rows) - len(short), len(rows), spec.max_tokens))
    examples = encode(train_rows, prompts)
    return TuningPlan(
        spec=spec,
        context=job.context,
        device=device,
        location=location,
        prompts=prompts,
        train_rows=tuple(train_rows),
        held_out_rows=tuple(held_out_rows),
        too_long=len(rows) - len(short),
        examples=tuple(examples),
        held_out_examples=tuple(encode(held_out_rows[:_HELD_OUT_LOSS_ROWS], prompts)),
        steps=_steps(examples, spec),
    )


def learning_rate_for(n_params: int) -> float:
    """A peak that suits LoRA on a model of this size: small models bear, and need, larger steps."""
    return _SMALL_MODEL_RATE if n_params < _SMALL_BELOW_PARAMS else LARGE_MODEL_RATE


def _steps(examples: Sequence[Example], spec: TuningSpec) -> tuple[tuple[int, ...], ...]:
    steps = plan_steps(
        examples, batch_size=spec.batch_size, epochs=spec.epochs, max_steps=spec.max_steps, seed=spec.seed
    )
    return tuple(tuple(step) for step in steps)


def _left_out(too_long: int, rows: int, limit: int) -> Bilingual:
    return Bilingual(
        en=f"{too_long} of {rows} rows are left out: with the instruction they are longer than {limit} tokens. "
        "Raise max_tokens to use them.",
        zh=f"{rows} 行中有 {too_long} 行未使用：加上指令后超过 {limit} 个词元。调高 max_tokens 即可使用。",
    )


def _nothing_left(rows: int, train: int, held_out: int, limit: int) -> BadInput:
    return BadInput(
        Bilingual(
            en=f"Of {rows} rows, {train} are left to learn from and {held_out} to hold out, which is too few. "
            f"Add rows, or raise max_tokens ({limit}) or held_out_frac.",
            zh=f"{rows} 行中只剩 {train} 行可用于训练、{held_out} 行可用于留出测试，数量不足。"
            f"请增加数据，或调高 max_tokens（{limit}）或 held_out_frac。",
        )
    )
