"""Turn a TuningSpec into all that stays the same during a run: the rows on each side and the steps to take."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from finetune import data
from finetune.admission import files_of
from finetune.architecture import Architecture, Kind, fact_of
from finetune.augment import Reworded, augmented
from finetune.columns import Row
from finetune.device import Device
from finetune.errors import TooFewToSearch
from finetune.models import ModelLocation, canonical_name, models_folder, resolve
from finetune.near_duplicates import near_duplicates
from finetune.personal_data import personal_data
from finetune.recipes.batches import Example, plan_steps, plan_steps_in_order
from finetune.recipes.job_dir import Context, JobDir
from finetune.recipes.learners import Learner, learner_for
from finetune.recipes.loading import architecture_for, load_tokenizer
from finetune.recipes.memory import device_here
from finetune.recipes.rewording import NOT_REWORDED, reworded
from finetune.spec import MAX_TOKENS, TuningSpec
from finetune.tuning_admission import MIN_ROWS_TO_VALIDATE, context_tokens, require_learner
from index.bilingual import Bilingual
from index.catalogue.catalogue import Catalogue
from index.errors import BadInput
from index.records import ModelFact, Quantization

VALIDATION_FRAC = 0.1
_MOST_VALIDATION_ROWS = 128
_HELD_OUT_LOSS_ROWS = 16
_NAMED_ROWS = 20
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
    fact: ModelFact | None
    """What memory depends on; None where the number of parameters is not to be had."""
    device_free: Device
    """The device, and what is free on it before the model is loaded."""
    reworded: Reworded
    """Training rows in other words, where the augmentation wants them."""
    learning_rate: float = LARGE_MODEL_RATE
    """Peak, until the size of the model is known."""

    @property
    def quantization(self) -> Quantization:
        """How the base is loaded."""
        return "nf4" if self.spec.method == "qlora" else "none"

    @property
    def largest_step(self) -> tuple[int, ...]:
        """The step that takes the most memory: by its longest row, times its rows."""
        return max(self.steps, key=lambda step: max(self.examples[i].length for i in step) * len(step))

    @property
    def longest_tokens(self) -> int:
        """Of the rows that are learned from or answered."""
        return max(example.length for example in (*self.examples, *self.watched))

    @property
    def planned_rate(self) -> float:
        """The peak that the size of the model suggests, as far as it is known before it is loaded."""
        if self.fact is None or self.fact.params_b is None:
            return self.learning_rate
        return learning_rate_for(round(self.fact.params_b * 1e9), self.architecture.kind)

    @property
    def work(self) -> int:
        """Units of progress: a row scored or a step taken."""
        return 2 * len(self.held_out_rows) + len(self.steps) * (1 + self.spec.trials)

    def with_settings(self, spec: TuningSpec) -> TuningPlan:
        """The same rows with other settings: learning rate, rank, epochs, augmentation."""
        rows = augmented(self.train_rows, spec.augmentation, seed=spec.seed, reworded=self.reworded).rows
        examples = tuple(self.learner.encode(rows))
        rate = spec.learning_rate or self.learning_rate
        return replace(self, spec=spec, examples=examples, steps=_steps(examples, spec), learning_rate=rate)


def plan_tuning(job: JobDir, device: torch.device, *, rewords: bool = True) -> TuningPlan:
    """Read the spec and decide which rows are learned from, which are held out, and in which steps.

    `rewords` may ask the hosted model that the spec names for rows in other words: a preview sends nothing.
    """
    spec = TuningSpec.model_validate_json(job.spec_json)
    spec = spec.model_copy(update={"base_model": canonical_name(spec.base_model)})
    location = resolve(spec.base_model)
    found = architecture_for(location, job.context, None)
    require_learner(found, spec)
    architecture = _tunable(found, spec)
    spec = spec.model_copy(update={"max_tokens": _limit(spec, architecture)})
    learner = learner_for(load_tokenizer(location, job.context), architecture, spec)
    rows = data.sample(data.load(spec.dataset.sha256, home=job.context.home), spec.limit, spec.seed)
    lengths = [example.length for example in learner.encode(rows)]
    limit = spec.max_tokens or MAX_TOKENS
    short = [row for row, length in zip(rows, lengths, strict=True) if length <= limit]
    too_long = [row.id for row, length in zip(rows, lengths, strict=True) if length > limit]
    train, validation, held_out, similar = _divided(short, spec)
    if spec.learn_rows is not None:
        train = data.sample(train, spec.learn_rows, spec.seed)
    if not train or len(held_out) < 2:
        raise _nothing_left(len(rows), len(train), len(held_out), too_long, limit)
    if spec.search and not validation:
        raise TooFewToSearch(rows=len(train), least=MIN_ROWS_TO_VALIDATE)
    rewording = reworded(job, spec, train, [*validation, *held_out]) if rewords else NOT_REWORDED
    learned = augmented(train, spec.augmentation, seed=spec.seed, reworded=rewording.texts)
    examples = tuple(learner.encode(learned.rows))
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
        about_data={
            "rows_trained": len(train),
            "rows_validation": len(validation),
            "rows_held_out": len(held_out),
            "rows_too_long": len(too_long),
            "rows_too_long_ids": _in_order(too_long)[:_NAMED_ROWS],
            "rows_similar": len(similar),
            "rows_similar_ids": _in_order(similar)[:_NAMED_ROWS],
            "rows_added": learned.added,
            "reworded": rewording.report,
            "max_tokens": limit,
            "tokens_trained": sum(example.length for example in examples),
            "sample": _sample(learner, examples[0]),
            **_lengths(lengths),
            **_of_rows(rows, train, spec),
        },
        examples=examples,
        watched=tuple(learner.encode(watched)),
        steps=_steps(examples, spec),
        fact=fact_of(
            location, files_of(location, models_folder(job.context.home, shared=job.context.models)), found
        )
        or Catalogue.load().find(location.id),
        device_free=device_here(),
        reworded=rewording.texts,
    )


def learning_rate_for(n_params: int, kind: Kind) -> float:
    """A peak that suits LoRA on such a model: small ones that write bear, and need, larger steps."""
    if n_params >= _SMALL_BELOW_PARAMS:
        return LARGE_MODEL_RATE
    return _CLASSIFIER_RATE if kind == "classifier" else _SMALL_MODEL_RATE


def _limit(spec: TuningSpec, architecture: Architecture) -> int:
    """The longest row: as stated, else 512 or what the model's configuration allows."""
    return spec.max_tokens or min(MAX_TOKENS, context_tokens(architecture) or MAX_TOKENS)


def _tunable(architecture: Architecture, spec: TuningSpec) -> Architecture:
    """What the model is once it is tuned: an encoder gets a head for the labels."""
    if architecture.kind not in ("encoder", "classifier"):
        return architecture
    has_head = architecture.kind == "classifier" and architecture.labels == spec.dataset.labels
    return replace(architecture, kind="classifier", labels=spec.dataset.labels, has_new_head=not has_head)


def _divided(rows: Sequence[Row], spec: TuningSpec) -> tuple[list[Row], list[Row], list[Row], list[str]]:
    """Training, validation and held-out rows, by a hash of each text; and the ids of those too similar to keep."""
    has_classes = spec.dataset.task == "classification"
    train, held_out = data.split(rows, spec.held_out_frac, spec.seed, has_classes=has_classes)
    held_out = data.sample(held_out, spec.held_out_limit, spec.seed)
    similar = {found.index for found in near_duplicates([r.text for r in train], [r.text for r in held_out])}
    similar_ids = [row.id for index, row in enumerate(train) if index in similar]
    train = [row for index, row in enumerate(train) if index not in similar]
    if not spec.needs_validation or len(train) < MIN_ROWS_TO_VALIDATE:
        return train, [], held_out, similar_ids
    seed = spec.seed + _VALIDATION_SEED
    learned, validation = data.split(train, VALIDATION_FRAC, seed, has_classes=has_classes)
    return learned, data.sample(validation, _MOST_VALIDATION_ROWS, spec.seed), held_out, similar_ids


def _in_order(ids: Sequence[str]) -> list[str]:
    """As they stand in the data, where they are numbers."""
    return sorted(ids, key=lambda id_: (len(id_), id_))


def _lengths(lengths: Sequence[int]) -> dict[str, Any]:
    """Tokens of the rows, the instruction included."""
    ordered = sorted(lengths)
    uppers = [2**power for power in range(4, 18) if 2 ** (power - 1) < ordered[-1] and 2**power >= ordered[0]]
    up_to = [sum(length <= upper for length in lengths) for upper in uppers]
    counts = [(upper, n - before) for upper, n, before in zip(uppers, up_to, [0, *up_to], strict=False)]
    return {
        "tokens": {
            "total": sum(lengths),
            "p50": statistics.median_low(ordered),
            "p95": ordered[int(0.95 * (len(ordered) - 1))],
            "longest": ordered[-1],
        },
        "histogram": [[upper, count] for upper, count in counts],
    }


def _of_rows(rows: Sequence[Row], train: Sequence[Row], spec: TuningSpec) -> dict[str, Any]:
    """The balance of the labels, and what looks like personal data, with the rows' own numbers or ids."""
    by_id = {row.id: f"{row.text}\n{row.label}" for row in rows}
    ids = _in_order(list(by_id))
    found = personal_data(by_id[id_] for id_ in ids)
    return {
        "rows_of_label": dict(sorted(Counter(row.label for row in train).items()))
        if spec.dataset.labels
        else {},
        "personal_data": {
            kind: {"rows": of["rows"], "first_rows": [ids[number - 1] for number in of["first_rows"]]}
            for kind, of in found.items()
        },
    }


def _sample(learner: Learner, example: Example) -> dict[str, str]:
    """One example as the model sees it, so that a reader sees what is learned."""
    read, learned = learner.shown(example)
    return {"read": read, "learned": learned}


def _steps(examples: Sequence[Example], spec: TuningSpec) -> tuple[tuple[int, ...], ...]:
    if spec.learns_in_order:
        steps = plan_steps_in_order(len(examples), batch_size=spec.batch_size)[: spec.max_steps]
    else:
        steps = plan_steps(
            examples, batch_size=spec.batch_size, epochs=spec.epochs, max_steps=spec.max_steps, seed=spec.seed
        )
    return tuple(tuple(step) for step in steps)


def _nothing_left(rows: int, train: int, held_out: int, too_long: Sequence[str], limit: int) -> BadInput:
    """Too few rows remain; where that is for their length, which ones are too long."""
    if len(too_long) > rows / 2:
        first = ", ".join(_in_order(too_long)[:5]) + (", …" if len(too_long) > 5 else "")
        return BadInput(
            Bilingual(
                en=f"{len(too_long)} of {rows} rows (row {first}) are longer than {limit} tokens with the instruction, and "
                "rows are never cut, so too few are left. Shorten them, raise max_tokens, or take a model with a longer "
                "context.",
                zh=f"{rows} 行中有 {len(too_long)} 行（第 {first} 行）加上指令后超过 {limit} 个词元；数据不会被截断，"
                "因此剩下的行数不足。请缩短文本、调高 max_tokens，或换用上下文更长的模型。",
            )
        )
    return BadInput(
        Bilingual(
            en=f"Of {rows} rows, {train} are left to learn from and {held_out} to hold out, which is too few. "
            "Add rows, or change held_out_frac.",
            zh=f"{rows} 行中只剩 {train} 行可用于训练、{held_out} 行可用于留出测试，数量不足。"
            "请增加数据，或调整 held_out_frac。",
        )
    )
