"""Turn examples into the batches of a training run: which examples in which step, and their tensors.

Only the answer is learned: the loss looks at the answer and the end of the turn, never at the prompt. Examples of
similar length share a batch, so little is padding, and what all prompts begin with is left to the prefix. They are never
packed into one row: attention would reach from one into the next.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

import torch

_BATCHES_GROUPED_BY_LENGTH = 8


@dataclass(frozen=True, slots=True)
class Example:
    """One row as token ids."""

    prompt: list[int]
    completion: list[int]
    """What is learned: tokens, or the number of a label."""

    @property
    def length(self) -> int:
        """Tokens in all."""
        return len(self.prompt) + len(self.completion)


@dataclass(frozen=True, slots=True)
class Batch:
    """The tensors of one step."""

    ids: torch.Tensor
    """Prompt behind the prefix and completion, padded on the right, where causal attention ignores it."""
    predicts: torch.Tensor
    """True where the next token belongs to a completion."""
    targets: torch.Tensor
    """Those next tokens, one behind the other."""
    tokens: int
    """Without padding."""


def plan_steps(
    examples: Sequence[Example], *, batch_size: int, epochs: float, max_steps: int | None, seed: int
) -> list[list[int]]:
    """Decide which examples each step uses: every epoch in a new order, the same for the same seed."""
    steps = math.ceil(len(examples) * epochs / batch_size)
    steps = min(steps, max_steps or steps)
    plan: list[list[int]] = []
    epoch = 0
    while len(plan) < steps:
        plan += _one_epoch(examples, batch_size, random.Random(f"{seed}/{epoch}"))
        epoch += 1
    return plan[:steps]


def plan_steps_in_order(count: int, *, batch_size: int) -> list[list[int]]:
    """Batches of one pass as the examples come: those of fewer examples are the beginning of those of more."""
    return [list(range(start, min(start + batch_size, count))) for start in range(0, count, batch_size)]


def collate(examples: Sequence[Example], prefix_length: int, device: torch.device) -> Batch:
    """Lay the examples next to each other, without the prefix that they share."""
    rows = [example.prompt[prefix_length:] + example.completion for example in examples]
    width = max(map(len, rows))
    padding = examples[0].completion[-1]
    ids = torch.tensor([row + [padding] * (width - len(row)) for row in rows])
    predicts = torch.zeros_like(ids, dtype=torch.bool)
    for row, example, flags in zip(rows, examples, predicts, strict=True):
        flags[len(row) - len(example.completion) - 1 : len(row) - 1] = True
    targets = ids.roll(-1, dims=1)[predicts]
    return Batch(
        moved(ids, device), moved(predicts, device), moved(targets, device), tokens=sum(map(len, rows))
    )


def moved(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """The tensor on the device; a GPU fetches it from pinned memory while the program goes on."""
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)


def _one_epoch(examples: Sequence[Example], batch_size: int, chance: random.Random) -> list[list[int]]:
    order = list(range(len(examples)))
    chance.shuffle(order)
    span = batch_size * _BATCHES_GROUPED_BY_LENGTH
    batches = []
    for start in range(0, len(order), span):
        group = sorted(order[start : start + span], key=lambda i: examples[i].length)
        batches += [group[i : i + batch_size] for i in range(0, len(group), batch_size)]
    chance.shuffle(batches)
    return batches
