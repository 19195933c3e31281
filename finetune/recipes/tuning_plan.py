"""Turn a TuningSpec into all that stays the same during a run: the rows on each side and the steps to take."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from finetune import data
from finetune.architecture import Architecture, Kind
from finetune.augment import augmented
from finetune.columns import Row
from finetune.models import ModelLocation, canonical_name, resolve
from finetune.near_duplicates import near_duplicates
from finetune.personal_data import personal_data
from finetune.recipes.batches import Example, plan_steps
from finetune.recipes.job_dir import Context, JobDir
from finetune.recipes.learners import Learner, learner_for
from finetune.recipes.loading import architecture_for, load_tokenizer
from finetune.spec import MAX_TOKENS, Augmentation, TuningSpec
from index.bilingual import Bilingual
from index.errors import BadInput
from index.records import Quantization

VALIDATION_FRAC = 0.1
_MOST_VALIDATION_ROWS = 128
_FEWEST_TO_VALIDATE = 50
_HELD_OUT_LOSS_ROWS = 16
_VALIDATION_SEED = 1_000_003
"""Beside the seed of the run, so that the two splits do not use the same numbers."""
LARGE_MODEL_RATE = 2e-4
_SMALL_MODEL_RATE = 1e-3
_CLASSIFIER_RATE = 3e-4
"""With a new head of random weights larger steps are unstable: docs/benchmarks.md."""
_SMALL_BELOW_PARAMS = 1e9


@dataclass(frozen=True, slots=True, kw_only=True)
class TuningPlan:
    """What a run does, decided before any weight is loaded."""

    spec: TuningSpec
    context: Context
    device: torch.device
    location: ModelLocation
    architecture: Architecture
    """What the model is once it is tuned."""
    learner: Learner
    train_rows: tuple[Row, ...]
    validation_rows: tuple[Row, ...]
    """What anything is chosen by; empty where nothing is chosen."""
    held_out_rows: tuple[Row, ...]
    """What the result is measured on; nothing is chosen by them."""
    about_data: dict[str, Any]
    """What a reader of the result must know of the rows."""
    examples: tuple[Example, ...]
    """The training rows as token ids."""
    watched: tuple[Example, ...]
    """Rows for the loss along the way: validation rows, or a few held-out ones where nothing is chosen by it."""
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
        return 2 * len(self.held_out_rows) + len(self.steps) * (1 + self.spec.search)

    def with_settings(self, spec: TuningSpec) -> TuningPlan:
        """The same rows with other settings: learning rate, rank, epochs, augmentation."""
        rows = _learned_rows(self.train_rows, spec.augmentation, spec.seed)
        examples = tuple(self.learner.encode(rows))
        rate = spec.learning_rate or self.learning_rate
        return replace(self, spec=spec, examples=examples, steps=_steps(examples, spec), learning_rate=rate)


def plan_tuning(job: JobDir, device: torch.device, *, is_again: bool = False) -> TuningPlan:
    """Read the spec and decide which rows are learned from, which are held out, and in which steps.

    `is_again`: the person has been told what is left out.
    """
    spec = TuningSpec.model_validate_json(job.spec_json)
    spec = spec.model_copy(update={"base_model": canonical_name(spec.base_model)})
    location = resolve(spec.base_model)
    architecture = _tunable(architecture_for(location, job.context, None), spec)
    spec = spec.model_copy(update={"max_tokens": _limit(spec, architecture)})
    learner = learner_for(load_tokenizer(location, job.context), architecture, spec)
    rows = data.sample(data.load(spec.dataset.sha256, home=job.context.home), spec.limit, spec.seed)
    lengths = [example.length for example in learner.encode(rows)]
    limit = spec.max_tokens or MAX_TOKENS
    short = [row for row, length in zip(rows, lengths, strict=True) if length <= limit]
    train, validation, held_out, similar = _divided(short, spec)
    if not train or len(held_out) < 2:
        raise _nothing_left(len(rows), len(train), len(held_out), limit)
    if not is_again:
        _tell_what_is_left_out(job, len(rows) - len(short), similar, len(rows), limit)
    learned = _learned_rows(train, spec.augmentation, spec.seed)
    examples = tuple(learner.encode(learned))
    watched = validation or held_out[:_HELD_OUT_LOSS_ROWS]
    return TuningPlan(
        spec=spec,
        context=job.context,
        device=device,
        location=location,
        architecture=architecture,
        learner=learner,
        train_rows=tuple(train),
        validation_rows=tuple(validation),
        held_out_rows=tuple(held_out),
        about_data=_about_data(rows, lengths, train, validation, held_out, spec)
        | {"rows_similar": similar, "rows_added": augmented(train, spec.augmentation, seed=spec.seed).added}
        | {"sample": _sample(learner, examples[0])},
        examples=examples,
        watched=tuple(learner.encode(watched)),
        steps=_steps(examples, spec),
    )


def learning_rate_for(n_params: int, kind: Kind) -> float:
    """A peak that suits LoRA on such a model: small ones that write bear, and need, larger steps."""
    if n_params >= _SMALL_BELOW_PARAMS:
        return LARGE_MODEL_RATE
    return _CLASSIFIER_RATE if kind == "classifier" else _SMALL_MODEL_RATE


def _limit(spec: TuningSpec, architecture: Architecture) -> int:
    """The longest row: as stated, else 512 or what the model's configuration allows."""
    context = (architecture.config or {}).get("max_position_embeddings")
    return spec.max_tokens or min(MAX_TOKENS, context if isinstance(context, int) else MAX_TOKENS)


def _tunable(architecture: Architecture, spec: TuningSpec) -> Architecture:
    """What the model is once it is tuned: an encoder gets a head for the labels."""
    if architecture.kind not in ("encoder", "classifier"):
        return architecture
    if spec.dataset.task != "classification":
        raise _only_labels(spec)
    has_head = architecture.kind == "classifier" and architecture.labels == spec.dataset.labels
    return replace(architecture, kind="classifier", labels=spec.dataset.labels, has_new_head=not has_head)


def _divided(rows: Sequence[Row], spec: TuningSpec) -> tuple[list[Row], list[Row], list[Row], int]:
    """Training, validation and held-out rows, by a hash of each text; and how many were too similar to keep."""
    train, held_out = data.split(rows, spec.held_out_frac, spec.seed)
    held_out = data.sample(held_out, spec.held_out_limit, spec.seed)
    similar = {found.index for found in near_duplicates([r.text for r in train], [r.text for r in held_out])}
    train = [row for index, row in enumerate(train) if index not in similar]
    if not spec.needs_validation or len(train) < _FEWEST_TO_VALIDATE:
        return train, [], held_out, len(similar)
    learned, validation = data.split(train, VALIDATION_FRAC, spec.seed + _VALIDATION_SEED)
    return learned, data.sample(validation, _MOST_VALIDATION_ROWS, spec.seed), held_out, len(similar)


def _learned_rows(rows: Sequence[Row], ways: Sequence[Augmentation], seed: int) -> list[Row]:
    return list(augmented(rows, ways, seed=seed).rows)


def _about_data(
    rows: Sequence[Row],
    lengths: Sequence[int],
    train: Sequence[Row],
    validation: Sequence[Row],
    held_out: Sequence[Row],
    spec: TuningSpec,
) -> dict[str, Any]:
    ordered = sorted(lengths)
    return {
        "rows_trained": len(train),
        "rows_validation": len(validation),
        "rows_held_out": len(held_out),
        "rows_too_long": sum(length > (spec.max_tokens or MAX_TOKENS) for length in lengths),
        "tokens": {
            "total": sum(lengths),
            "p50": statistics.median_low(ordered),
            "p95": ordered[int(0.95 * (len(ordered) - 1))],
            "longest": ordered[-1],
        },
        "rows_of_label": dict(sorted(Counter(row.label for row in train).items()))
        if spec.dataset.labels
        else {},
        "personal_data": personal_data(f"{row.text}\n{row.label}" for row in rows),
    }


def _sample(learner: Learner, example: Example) -> dict[str, str]:
    """One example as the model sees it, so that a reader sees what is learned."""
    read, learned = learner.shown(example)
    return {"read": read, "learned": learned}


def _steps(examples: Sequence[Example], spec: TuningSpec) -> tuple[tuple[int, ...], ...]:
    steps = plan_steps(
        examples, batch_size=spec.batch_size, epochs=spec.epochs, max_steps=spec.max_steps, seed=spec.seed
    )
    return tuple(tuple(step) for step in steps)


def _only_labels(spec: TuningSpec) -> BadInput:
    return BadInput(
        Bilingual(
            en=f"{spec.base_model} is an encoder: it can learn labels, not {spec.dataset.task}. "
            "Choose a model that writes, or data with a label column.",
            zh=f"{spec.base_model} 是编码器，只能学习标签，不能用于 {spec.dataset.task}。"
            "请选择能生成文本的模型，或带标签列的数据。",
        )
    )


def _tell_what_is_left_out(job: JobDir, too_long: int, similar: int, rows: int, limit: int) -> None:
    if too_long:
        job.note(_left_out(too_long, rows, limit))
    if similar:
        job.note(_too_similar(similar, rows))


def _too_similar(similar: int, rows: int) -> Bilingual:
    return Bilingual(
        en=f"{similar} of {rows} rows are not learned from: they are nearly the same as held-out ones.",
        zh=f"{rows} 行中有 {similar} 行未用于训练：它们与留出的行几乎相同。",
    )


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
