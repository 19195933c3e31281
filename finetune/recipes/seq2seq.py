"""Turn rows into the replies of a model that reads a text with an encoder and writes another with a decoder.

Labels and choices are scored as what the decoder would write, by the same rule as elsewhere: the sum of the
log-probabilities of all their tokens, the end included.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import Any

import torch
from transformers.modeling_outputs import BaseModelOutput

from finetune.columns import Row
from finetune.recipes.asking import Clock, WritingAsker
from finetune.recipes.prompts import Prompts
from finetune.recipes.room import Room
from finetune.recipes.scoring import Scored, no_probabilities
from finetune.spec import DatasetTask

_NO_TARGET = -100
_STATES_AT_ONCE = 32_768
"""Bounds the memory of the encoded text's copies, one per label."""


class EncodedPrompts(Prompts):
    """What the encoder reads and what the decoder should write, each with the special tokens of its side."""

    def __init__(
        self,
        tokenizer: Any,
        labels: Sequence[str],
        *,
        task: DatasetTask,
        instruction: str | None = None,
        shots: Sequence[tuple[str, str]] = (),
    ) -> None:
        super().__init__(tokenizer, labels, task=task, instruction=instruction, shots=shots)
        # Made for one kind of text, such as summaries: a sentence of ours would be summarized too.
        self._reads_bare_text = task == "generation" and instruction is None and not shots

    def _in_plain_text(self, text: str) -> str:
        return text if self._reads_bare_text else super()._in_plain_text(text)

    def _encode_completion(self, label: str) -> list[int]:
        ids: list[int] = self.tokenizer(text_target=label)["input_ids"]
        return ids


class DecodedLabelScorer:
    """Scores texts one by one: the text is encoded once, and all labels are decoded beside it."""

    def __init__(self, model: Any, prompts: Prompts, labels: Sequence[str]) -> None:
        self._model, self._prompts, self._labels = model, prompts, tuple(labels)
        self._room = Room()

    def length(self, text: str, labels: Sequence[str] = ()) -> int:
        """Tokens of the prompt or of the longest label: they stand on different sides."""
        longest = max(len(self._prompts.completion(label)) for label in labels or self._labels)
        return max(len(self._prompts.prompt(text)), longest)

    @torch.inference_mode()
    def score(self, text: str, labels: Sequence[str] = ()) -> Scored:
        """Return how likely each label is as the answer to `text`."""
        started_s = time.perf_counter()
        prompt = torch.tensor([self._prompts.prompt(text)], device=self._model.device)
        encoded = self._model.get_encoder()(input_ids=prompt).last_hidden_state
        names = list(dict.fromkeys(labels or self._labels))
        completions = [self._prompts.completion(label) for label in names]
        scores = list(
            self._room.in_shares(
                completions,
                lambda some: self._completion_scores(encoded, some),
                at_most=_STATES_AT_ONCE // prompt.numel(),
            )
        )
        if not all(map(math.isfinite, scores)):
            raise no_probabilities()
        return Scored(
            log_likelihoods=dict(zip(names, scores, strict=True)),
            latency_s=time.perf_counter() - started_s,
            tokens=prompt.numel() + sum(map(len, completions)),
        )

    def _completion_scores(self, encoded: torch.Tensor, completions: Sequence[list[int]]) -> list[float]:
        longest = max(map(len, completions))
        padded = [[*ids, *[_NO_TARGET] * (longest - len(ids))] for ids in completions]
        targets = torch.tensor(padded, device=encoded.device)
        states = encoded.expand(len(completions), -1, -1)
        logits = self._model(
            encoder_outputs=BaseModelOutput(last_hidden_state=states),
            attention_mask=torch.ones(states.shape[:2], dtype=torch.long, device=encoded.device),
            decoder_input_ids=self._shifted(targets),
            use_cache=False,
        ).logits
        each = logits.float().log_softmax(-1).gather(-1, targets.clamp(min=0)[..., None])[..., 0]
        result: list[float] = (each * (targets != _NO_TARGET)).sum(-1).tolist()
        return result

    def _shifted(self, targets: torch.Tensor) -> torch.Tensor:
        """What the decoder reads while it writes the targets; how it begins is the model's own."""
        if hasattr(self._model, "prepare_decoder_input_ids_from_labels"):
            shifted: torch.Tensor = self._model.prepare_decoder_input_ids_from_labels(labels=targets)
            return shifted
        start, padding = self._model.config.decoder_start_token_id, self._model.config.pad_token_id
        first = torch.full_like(targets[:, :1], start)
        return torch.cat([first, targets[:, :-1].masked_fill(targets[:, :-1] == _NO_TARGET, padding)], dim=1)


class DecodedWritingAsker(WritingAsker):
    """The answer that the decoder writes; rows share nothing but the batch."""

    def fits(self, row: Row) -> bool:
        """Whether the text fits the encoder, and the answer the decoder."""
        return max(len(self._prompts.of(row)), self._max_new_tokens) <= self._max_tokens

    def _prepare(self, rows: Sequence[Row]) -> None:
        """An encoder reads both ways: nothing can be computed before the whole text is there."""

    @torch.inference_mode()
    def _write(self, prompts: Sequence[list[int]], most: int, clock: Clock | None = None) -> list[list[int]]:
        """Token ids written for each prompt, up to an end, behind the one with which a decoder begins."""
        width, padding, device = max(map(len, prompts)), self._padding_id(), self._model.device
        rows = [[*ids, *[padding] * (width - len(ids))] for ids in prompts]
        mask = [[1] * len(ids) + [0] * (width - len(ids)) for ids in prompts]
        written = self._model.generate(
            input_ids=torch.tensor(rows, device=device),
            attention_mask=torch.tensor(mask, device=device),
            streamer=clock,
            early_stopping=False,
            length_penalty=1.0,
            **self._greedily(most),
        )
        return [self._up_to_end(row[1:].tolist()) for row in written]
