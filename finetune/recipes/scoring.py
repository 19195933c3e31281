"""Turn a model, a prompt and a set of labels into the label that the model would most likely write.

The rule: for each label, the sum of the log-probabilities of its tokens and of the end of the turn after the
prompt. That is the probability that the model answers with exactly this label, so the labels compete as
whole answers and none is the beginning of another. It is not divided by the number of tokens: the later
tokens of a long label are nearly certain, and dividing would reward labels for being long. It is also the
very quantity that tuning raises, so before and after are measured by one rule.

One row at a time, without padding: a prediction does not depend on which rows stand next to it, so a run can
go on where an earlier one stopped, and the latency is that of a single request.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import Cache

from finetune.recipes.prefix import prefix_cache, repeat
from finetune.recipes.prompts import Prompts, shared_prefix
from finetune.recipes.room import Room
from index.bilingual import Bilingual
from index.errors import JobFailed

SCORING = "sum of log-probabilities of the label's tokens and the end of the turn"
"""The rule in a line, for results."""

_CACHED_TOKENS_AT_ONCE = 32_768
"""Bounds the memory of the copies of a long prompt's cache, one per label; fewer where even these do not fit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """What a model makes of one row."""

    log_likelihoods: dict[str, float]
    latency_s: float
    tokens: int
    """Tokens computed for this row alone: its text and all labels, without the shared prefix."""

    @property
    def prediction(self) -> str:
        """The most likely label; the earlier one of equals."""
        return max(self.log_likelihoods, key=self.log_likelihoods.__getitem__)


class LabelScorer:
    """Scores texts one by one against a fixed set of labels, or each against labels of its own."""

    def __init__(self, model: Any, prompts: Prompts, labels: Sequence[str], texts: Sequence[str]) -> None:
        self._model, self._prompts, self._labels = model, prompts, tuple(labels)
        self._room = Room()
        self._prefix = shared_prefix([prompts.prompt(text) for text in texts])
        with torch.inference_mode():
            self._prefix_cache = prefix_cache(model, self._prefix)

    def length(self, text: str, labels: Sequence[str] = ()) -> int:
        """Tokens of the prompt with the longest label behind it."""
        longest = max(len(self._prompts.completion(label)) for label in labels or self._labels)
        return len(self._prompts.prompt(text)) + longest

    @torch.inference_mode()
    def score(self, text: str, labels: Sequence[str] = ()) -> Scored:
        """Return how likely each label is as the answer to `text`."""
        started_s = time.perf_counter()
        prompt = self._prompts.prompt(text)
        cache = copy.deepcopy(self._prefix_cache)
        suffix = torch.tensor([prompt[len(self._prefix) :]], device=self._model.device)
        logits = self._model(input_ids=suffix, past_key_values=cache, use_cache=True, logits_to_keep=1).logits
        after_prompt = logits[0, -1].float().log_softmax(-1)
        names = list(dict.fromkeys(labels or self._labels))
        completions = [self._prompts.completion(label) for label in names]
        scores = list(
            self._room.in_shares(
                completions,
                lambda some: self._completion_scores(after_prompt, cache, some),
                at_most=_CACHED_TOKENS_AT_ONCE // len(prompt),
            )
        )
        if not all(map(math.isfinite, scores)):
            raise no_probabilities()
        return Scored(
            log_likelihoods=dict(zip(names, scores, strict=True)),
            latency_s=time.perf_counter() - started_s,
            tokens=suffix.numel() + sum(len(c) - 1 for c in completions),
        )

    def _completion_scores(
        self, after_prompt: torch.Tensor, prompt_cache: Cache, completions: Sequence[Sequence[int]]
    ) -> list[float]:
        """Sum the log-probabilities of each completion: its first token is known, the rest need the model."""
        scores = after_prompt[[completion[0] for completion in completions]]
        longest = max(map(len, completions))
        if longest > 1:
            # Padding is on the right, where causal attention keeps it from the tokens that count.
            padded = [
                [*completion, *[completion[0]] * (longest - len(completion))] for completion in completions
            ]
            ids = torch.tensor(padded, device=self._model.device)
            cache = copy.deepcopy(prompt_cache)
            repeat(cache, len(completions))
            logits = self._model(input_ids=ids[:, :-1], past_key_values=cache, use_cache=True).logits
            each = logits.float().log_softmax(-1).gather(-1, ids[:, 1:, None])[..., 0]
            lengths = torch.tensor([[len(completion) - 1] for completion in completions], device=ids.device)
            counts = torch.arange(longest - 1, device=ids.device) < lengths
            scores = scores + (each * counts).sum(-1)
        result: list[float] = scores.tolist()
        return result


def no_probabilities() -> JobFailed:
    """What a model computes is no number."""
    return JobFailed(
        Bilingual(
            en="The model's answers have no finite probabilities: its weights are broken or overflow here. "
            "Load it without quantization, or use another checkpoint.",
            zh="模型给出的概率不是有限值：其权重已损坏，或在此环境下溢出。请不加量化地加载，或换用其他检查点。",
        )
    )
