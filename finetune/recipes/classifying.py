"""Turn rows into the labels that a classifier's own head gives them.

The head reads the bare text: no instruction, no examples, no list of labels. It chooses among the labels of the
rows, as all candidates do, also when it knows more.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch

from finetune.columns import Row
from finetune.recipes.asking import ROWS_AT_ONCE, TIMED_ROWS, Reply
from finetune.recipes.room import Room
from finetune.recipes.scoring import no_probabilities


class ClassAsker:
    """The label with the highest score, a few rows alone for their latency, then rows of similar length at once."""

    def __init__(self, model: Any, tokenizer: Any, numbers: Mapping[str, int], max_tokens: float) -> None:
        """`numbers`: which output of the head stands for each label."""
        self._model, self._tokenizer, self._max_tokens = model, tokenizer, max_tokens
        self._labels, self._outputs = list(numbers), list(numbers.values())
        self._to_time = TIMED_ROWS
        self.no_room: list[str] = []
        if model.config.pad_token_id is None:
            model.config.pad_token_id = tokenizer.pad_token_id
        can_pad = tokenizer.pad_token_id is not None
        self._room = Room(ROWS_AT_ONCE.get(model.device.type, 8) if can_pad else 1)

    def fits(self, row: Row) -> bool:
        """Whether the text fits the model."""
        return len(self._tokenizer(row.text)["input_ids"]) <= self._max_tokens

    def ask(self, rows: Sequence[Row]) -> Iterator[Reply]:
        """The first few alone, then many at once, the longest first."""
        alone, self._to_time = self._to_time, max(0, self._to_time - len(rows))
        yield from Room(1).in_shares(rows[:alone], self._replies, leave_out=self._leave_out)
        rest = sorted(rows[alone:], key=lambda row: -len(row.text))
        yield from self._room.in_shares(rest, self._replies, leave_out=self._leave_out)

    def _leave_out(self, row: Row) -> None:
        self.no_room.append(row.id)

    @torch.inference_mode()
    def _replies(self, rows: Sequence[Row]) -> list[Reply]:
        started_s = time.perf_counter()
        texts = [row.text for row in rows]
        batch = self._tokenizer(texts, padding=len(rows) > 1, return_tensors="pt").to(self._model.device)
        each = self._model(**batch).logits.float().log_softmax(-1)[:, self._outputs].tolist()
        took_s = (time.perf_counter() - started_s) / len(rows)
        if not all(math.isfinite(score) for scores in each for score in scores):
            raise no_probabilities()
        lengths = batch["attention_mask"].sum(-1).tolist()
        return [
            Reply(
                row=row,
                prediction=self._labels[scores.index(max(scores))],
                tokens=length,
                busy_s=took_s,
                latency_s=took_s if len(rows) == 1 else None,
                log_likelihoods=dict(zip(self._labels, scores, strict=True)),
            )
            for row, scores, length in zip(rows, each, lengths, strict=True)
        ]
