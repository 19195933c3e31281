"""Turn a fine-tune into what it needs, or into the sentence that refuses it, before a weight is loaded.

Refused is what can never end well: too few rows to learn from and to prove it by, a model that cannot learn what the rows
ask, rows longer than its context, weights that do not even lie in the memory that is free. What a step really takes is
tried in a dry run (`recipes.dry_run`). Imports no torch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from finetune.admission import unreadable
from finetune.architecture import Architecture, architecture_of
from finetune.device import Device, this_device
from finetune.errors import (
    LongerThanContext,
    NoTokenizer,
    OnlyLabels,
    StoredOtherwise,
    TooFewToSearch,
    TooFewToTune,
    Unloadable,
)
from finetune.models import ModelLocation
from finetune.spec import Candidate, TuningSpec
from index.bilingual import Bilingual
from index.catalogue.catalogue import Catalogue
from index.footprint import RESERVED_GIB, Footprint, TuningPlan, tuning_by
from index.records import ModelFact

MIN_ROWS = 20
"""Fewer show nothing: a fifth of them is held out."""
MIN_ROWS_TO_VALIDATE = 50
"""Rows to learn from; of fewer none is kept aside to choose anything by."""
_TOKENIZER_FILES = (
    "tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "spiece.model", "sentencepiece.bpe.model",
    "tekken.json", "source.spm",
)  # fmt: skip
_POSITION_OFFSETS: Mapping[str, int] = {"roberta": 2, "xlm-roberta": 2, "camembert": 2, "xlm-roberta-xl": 2}
"""They count positions from behind the one of padding."""
_LENGTHS_TOKENS = (4096, 2048, 1024, 512, 256, 128, 64)
_DEQUANTIZED = frozenset({"bitsandbytes"})
"""Stored in what qlora loads anyway."""


def require_tunable(spec: TuningSpec, location: ModelLocation, folder: Path | None) -> None:
    """Raise BadInput for a fine-tune that can never end well; `folder`: where the model's files lie, if here."""
    rows = min(spec.limit or spec.dataset.rows, spec.dataset.rows)
    if rows < MIN_ROWS:
        raise TooFewToTune(spec.dataset.name, rows=rows, least=MIN_ROWS)
    if spec.search and rows * (1 - spec.held_out_frac) < MIN_ROWS_TO_VALIDATE:
        raise TooFewToSearch(rows=round(rows * (1 - spec.held_out_frac)), least=MIN_ROWS_TO_VALIDATE)
    if folder is not None and not any((folder / name).is_file() for name in _TOKENIZER_FILES):
        raise NoTokenizer(location.id)
    require_learner(architecture_of(location, folder), spec)


def require_learner(architecture: Architecture, spec: TuningSpec) -> None:
    """Raise BadInput for a model that cannot learn what the rows ask."""
    if architecture.kind in ("encoder", "classifier") and spec.dataset.task != "classification":
        raise OnlyLabels(spec.base_model, spec.dataset.task)
    stored = architecture.stored
    if stored is not None and spec.method == "qlora" and stored.method not in _DEQUANTIZED:
        raise StoredOtherwise(spec.base_model, str(stored))
    if refusal := unreadable(Candidate(model=spec.base_model), architecture, this_device()):
        raise Unloadable(refusal)
    context = context_tokens(architecture)
    if context is not None and spec.max_tokens is not None and spec.max_tokens > context:
        raise LongerThanContext(spec.base_model, max_tokens=spec.max_tokens, context_tokens=context)


def context_tokens(architecture: Architecture) -> int | None:
    """The longest input by config.json; None where it names no length, as T5."""
    config = architecture.config or {}
    nested = config.get("text_config")
    for said in (config, nested if isinstance(nested, dict) else {}):
        length = said.get("max_position_embeddings") or said.get("n_positions")
        if isinstance(length, int) and architecture.kind != "seq2seq":
            return length - _POSITION_OFFSETS.get(str(said.get("model_type")), 0)
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class TuningNeed:
    """Memory of a fine-tune on a device, by the model's facts."""

    device: Device
    asked: Footprint | None = None
    """With the batch that was asked for and all activations kept; None where the size of the model is unknown."""
    least: Footprint | None = None
    """One row at a time, activations computed again: what is done where memory is short."""

    @property
    def cannot_fit(self) -> bool:
        """True where not even weights, adapter and optimizer state lie in what is free. Activations are left to the
        dry run, which measures them."""
        least = self.least
        if least is None:
            return False
        return least.total_gib - least.activations_gib + RESERVED_GIB > self.device.free_gib


def tuning_need(spec: TuningSpec, fact: ModelFact | None, device: Device, *, row_tokens: int) -> TuningNeed:
    """What tuning `fact` on rows of up to `row_tokens` takes."""
    if fact is None:
        return TuningNeed(device=device)
    least = _plan(spec, device, row_tokens)
    asked = replace(least, batch=spec.batch_size, checkpointing=bool(spec.gradient_checkpointing))
    return TuningNeed(device=device, asked=tuning_by(fact, asked), least=tuning_by(fact, least))


def ways_that_fit(
    spec: TuningSpec, fact: ModelFact | None, device: Device, *, row_tokens: int
) -> tuple[Bilingual, ...]:
    """What would fit the device instead, by estimate; none where nothing would, or the size is unknown."""
    return () if fact is None else tuple(_ways(spec, fact, _plan(spec, device, row_tokens), device))


def would_fit(ways: tuple[Bilingual, ...]) -> Bilingual:
    """The advice at the end of a refusal."""
    if not ways:
        return Bilingual(
            "Use a smaller model, or a device with more memory.", "请换用更小的模型，或内存更大的设备。"
        )
    en, zh = "; or ".join(way.en for way in ways), "；或".join(way.zh for way in ways)
    return Bilingual(f"By estimate this would fit: {en}.", f"估计以下方式放得下：{zh}。")


def _plan(spec: TuningSpec, device: Device, row_tokens: int) -> TuningPlan:
    return TuningPlan(
        method=spec.method,
        seq_tokens=row_tokens,
        batch=1,
        rank=spec.lora_rank,
        checkpointing=spec.gradient_checkpointing is not False,
        computes_in_32_bits=not device.is_gpu,
    )


def _ways(spec: TuningSpec, fact: ModelFact, least: TuningPlan, device: Device) -> Iterator[Bilingual]:
    """What fits the device, by estimate: checkpointing, qlora, shorter rows, a smaller model of the family."""
    if spec.gradient_checkpointing is False:
        again = replace(least, checkpointing=True)
        if (gib := _fitting(fact, again, device)) is not None:
            yield Bilingual(
                f"gradient_checkpointing left to itself ({gib:.1f} GiB)",
                f"不禁用 gradient_checkpointing（{gib:.1f} GiB）",
            )
    if spec.method == "lora" and (gib := _fitting(fact, replace(least, method="qlora"), device)) is not None:
        yield Bilingual(f"the method qlora ({gib:.1f} GiB)", f"使用 qlora（{gib:.1f} GiB）")
    for tokens in _LENGTHS_TOKENS:
        shorter = replace(least, seq_tokens=tokens)
        if tokens < least.seq_tokens and (gib := _fitting(fact, shorter, device)) is not None:
            yield Bilingual(
                f"max_tokens of {tokens} ({gib:.1f} GiB)", f"max_tokens 设为 {tokens}（{gib:.1f} GiB）"
            )
            break
    smaller = _smaller(fact, least, device)
    if smaller is not None:
        yield Bilingual(f"the smaller model {smaller.id}", f"换用更小的模型 {smaller.id}")


def _fitting(fact: ModelFact, plan: TuningPlan, device: Device) -> float | None:
    """GiB, if that is free."""
    need = tuning_by(fact, plan)
    return need.total_gib + RESERVED_GIB if need is not None and need.fits(device.free_gib) else None


def _smaller(fact: ModelFact, plan: TuningPlan, device: Device) -> ModelFact | None:
    """The largest model of the family that fits; None for a family of one."""
    known = Catalogue.load()
    family = fact.family or (found.family if (found := known.find(fact.id)) else None)
    if family is None or fact.params_b is None:
        return None
    fitting = [
        model
        for model in known.models.values()
        if model.family == family and model.open_weights and model.kind == "instruct"
        and (model.params_b or fact.params_b) < fact.params_b
        and _fitting(model, plan, device) is not None
    ]  # fmt: skip
    return max(fitting, key=lambda model: (model.params_b or 0.0, model.release_date or ""), default=None)
