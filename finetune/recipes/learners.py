"""Turn a kind of model into how it learns: what an example is, what its loss is, and how it is asked before and after.

A causal model learns the tokens of the answer behind its own chat template, a sequence-to-sequence model those that its
decoder should write, a classifier the number of the label. Nobody learns the prompt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

import torch
from torch.nn.functional import cross_entropy

from finetune.architecture import Architecture
from finetune.columns import Row
from finetune.recipes.askers import asker_for
from finetune.recipes.asking import LocalAsker
from finetune.recipes.batches import Example, collate, moved
from finetune.recipes.kernels import fused_loss, fuses_loss
from finetune.recipes.prefix import prefix_cache, repeat, shares_prefix_in_training
from finetune.recipes.prompts import Prompts, shared_prefix
from finetune.recipes.seq2seq import EncodedPrompts
from finetune.spec import Candidate, EvaluationSpec, TuningSpec

_NO_TARGET = -100
TaskName = Literal["causal-lm", "sequence-classification", "seq2seq"]


@dataclass(frozen=True, slots=True)
class Loss:
    """Of some examples: summed, so that a step may be taken in shares."""

    total: torch.Tensor
    targets: int
    """Tokens, or labels, that were predicted."""
    tokens: int
    """Tokens computed, without padding and a shared beginning."""


class Learner(Protocol):
    """How one kind of model learns."""

    task: TaskName
    peft_task: str
    instruction: str
    """What the model is told first; empty where it reads the bare text."""

    def encode(self, rows: Sequence[Row]) -> list[Example]:
        """The rows as token ids, none of them cut."""
        ...

    def prepare(self, model: Any, examples: Sequence[Example]) -> None:
        """Look at all examples before the first step."""
        ...

    def loss(self, model: Any, examples: Sequence[Example]) -> Loss:
        """The loss over the answers alone."""
        ...

    def asker(self, model: Any, rows: Sequence[Row]) -> LocalAsker:
        """How the model is asked, before as after."""
        ...

    def probe(self, model: Any, row: Row) -> torch.Tensor:
        """Numbers that show whether two models are the same: logits, one row of them."""
        ...

    def shown(self, example: Example) -> tuple[str, str]:
        """What is read and what is learned, decoded."""
        ...


def learner_for(tokenizer: Any, architecture: Architecture, spec: TuningSpec) -> Learner:
    """The learner of this kind of model."""
    if architecture.kind == "classifier":
        return ClassLearner(tokenizer, spec, architecture)
    if architecture.kind == "seq2seq":
        return DecodedLearner(tokenizer, spec, architecture)
    return CausalLearner(tokenizer, spec, architecture)


class _Prompted:
    """What learners share that answer in words."""

    def __init__(self, tokenizer: Any, spec: TuningSpec, architecture: Architecture) -> None:
        self._tokenizer, self._spec, self._architecture = tokenizer, spec, architecture
        self.prompts = self._prompts()
        self.instruction = self.prompts.instruction.rstrip()

    def _prompts(self) -> Prompts:
        spec = self._spec
        return Prompts(
            self._tokenizer, spec.dataset.labels, task=spec.dataset.task, instruction=spec.instruction
        )

    def encode(self, rows: Sequence[Row]) -> list[Example]:
        """Question and answer of each row."""
        return [Example(self.prompts.of(row), self.prompts.completion(row.label)) for row in rows]

    def asker(self, model: Any, rows: Sequence[Row]) -> LocalAsker:
        """As an evaluation asks."""
        return asker_for(model, self._tokenizer, self._architecture, _as_evaluation(self._spec), rows)

    def shown(self, example: Example) -> tuple[str, str]:
        """Special tokens included."""
        return self._tokenizer.decode(example.prompt), self._tokenizer.decode(example.completion)


class CausalLearner(_Prompted):
    """Goes on with a text. What all prompts begin with is computed once a step."""

    task: TaskName = "causal-lm"
    peft_task = "CAUSAL_LM"
    _prefix: Sequence[int] = ()

    def prepare(self, model: Any, examples: Sequence[Example]) -> None:
        """Find what all prompts begin with, where gradients can flow through a cache of it."""
        can_share = shares_prefix_in_training(model) and not getattr(
            model, "is_activation_checkpointing", False
        )
        self._prefix = shared_prefix([example.prompt for example in examples]) if can_share else []

    def loss(self, model: Any, examples: Sequence[Example]) -> Loss:
        """Over the tokens of the answers and the ends of their turns."""
        batch = collate(examples, len(self._prefix), model.device)
        shared: dict[str, Any] = {"use_cache": False}
        if self._prefix:
            cache = prefix_cache(model, self._prefix)
            repeat(cache, len(examples))
            shared = {"past_key_values": cache, "use_cache": True}
        if fuses_loss(model):
            total = fused_loss(model, batch.ids, batch.predicts, **shared)
        else:
            # The logits over a vocabulary are the largest tensor of all: only where an answer is predicted.
            logits = model(input_ids=batch.ids, logits_to_keep=batch.predicts, **shared).logits
            total = cross_entropy(logits.float(), batch.targets, reduction="sum")
        return Loss(total, batch.targets.numel(), batch.tokens)

    @torch.inference_mode()
    def probe(self, model: Any, row: Row) -> torch.Tensor:
        """Of the first token of the answer, over the whole vocabulary."""
        ids = torch.tensor([self.prompts.of(row)], device=model.device)
        logits: torch.Tensor = model(input_ids=ids, logits_to_keep=1).logits[0, -1]
        return logits.float().cpu()


class DecodedLearner(_Prompted):
    """Reads a text with an encoder and writes the answer with a decoder."""

    task: TaskName = "seq2seq"
    peft_task = "SEQ_2_SEQ_LM"

    def _prompts(self) -> Prompts:
        spec = self._spec
        return EncodedPrompts(
            self._tokenizer, spec.dataset.labels, task=spec.dataset.task, instruction=spec.instruction
        )

    def prepare(self, model: Any, examples: Sequence[Example]) -> None:
        """Nothing is shared: an encoder reads both ways."""

    def loss(self, model: Any, examples: Sequence[Example]) -> Loss:
        """Over all that the decoder should write."""
        ids, mask = _padded([e.prompt for e in examples], self._tokenizer.pad_token_id or 0, model.device)
        targets, _ = _padded([e.completion for e in examples], _NO_TARGET, model.device)
        logits = model(input_ids=ids, attention_mask=mask, labels=targets).logits
        total = cross_entropy(
            logits.float().flatten(0, 1), targets.flatten(), ignore_index=_NO_TARGET, reduction="sum"
        )
        return Loss(total, sum(len(e.completion) for e in examples), sum(e.length for e in examples))

    @torch.inference_mode()
    def probe(self, model: Any, row: Row) -> torch.Tensor:
        """Of the first token that the decoder writes."""
        [example] = self.encode([row])
        ids, mask = _padded([example.prompt], 0, model.device)
        targets = torch.tensor([example.completion[:1]], device=model.device)
        logits: torch.Tensor = model(input_ids=ids, attention_mask=mask, labels=targets).logits[0, 0]
        return logits.float().cpu()


class ClassLearner:
    """Gives a text one of its labels, by a head of its own."""

    task: TaskName = "sequence-classification"
    peft_task = "SEQ_CLS"
    instruction = ""

    def __init__(self, tokenizer: Any, spec: TuningSpec, architecture: Architecture) -> None:
        self._tokenizer, self._spec = tokenizer, spec
        self._architecture = replace(architecture, kind="classifier", labels=spec.dataset.labels)
        self._number = {label: number for number, label in enumerate(spec.dataset.labels)}

    def encode(self, rows: Sequence[Row]) -> list[Example]:
        """The bare text, and the number of its label."""
        return [Example(self._tokenizer(row.text)["input_ids"], [self._number[row.label]]) for row in rows]

    def prepare(self, model: Any, examples: Sequence[Example]) -> None:  # noqa: ARG002 - as the others
        """Tell the model what padding is; one that reads to the last token must know."""
        if model.config.pad_token_id is None:
            model.config.pad_token_id = self._tokenizer.pad_token_id

    def loss(self, model: Any, examples: Sequence[Example]) -> Loss:
        """Over the labels."""
        ids, mask = _padded([e.prompt for e in examples], self._tokenizer.pad_token_id or 0, model.device)
        logits = model(input_ids=ids, attention_mask=mask).logits
        targets = torch.tensor([e.completion[0] for e in examples], device=model.device)
        total = cross_entropy(logits.float(), targets, reduction="sum")
        return Loss(total, len(examples), sum(len(e.prompt) for e in examples))

    def asker(self, model: Any, rows: Sequence[Row]) -> LocalAsker:
        """As an evaluation asks a classifier."""
        return asker_for(model, self._tokenizer, self._architecture, _as_evaluation(self._spec), rows)

    @torch.inference_mode()
    def probe(self, model: Any, row: Row) -> torch.Tensor:
        """Of all labels."""
        ids, mask = _padded([self._tokenizer(row.text)["input_ids"]], 0, model.device)
        logits: torch.Tensor = model(input_ids=ids, attention_mask=mask).logits[0]
        return logits.float().cpu()

    def shown(self, example: Example) -> tuple[str, str]:
        """The text, and the name of its label."""
        return self._tokenizer.decode(example.prompt), self._spec.dataset.labels[example.completion[0]]


def _as_evaluation(spec: TuningSpec) -> EvaluationSpec:
    """What an evaluation of the held-out rows would be asked for."""
    return EvaluationSpec(
        candidates=(Candidate(model=spec.base_model),),
        dataset=spec.dataset,
        seed=spec.seed,
        full=True,
        instruction=spec.instruction,
        max_new_tokens=spec.max_new_tokens,
    )


def _padded(
    rows: Sequence[Sequence[int]], padding: int, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """The rows next to each other, padded on the right, and a mask that is 1 where a row has a token."""
    width = max(map(len, rows))
    ids = torch.tensor([[*row, *[padding] * (width - len(row))] for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows])
    return moved(ids, device), moved(mask, device)
