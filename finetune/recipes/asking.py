"""Turn rows into a model's replies: the likeliest label, a written answer, or how likely a text is.

Each asker says which rows fit the model's context, and yields one reply a row, in any order.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import torch
from transformers import DynamicCache
from transformers.generation.streamers import BaseStreamer

from finetune.columns import Row
from finetune.metrics.likelihood import TextLikelihood
from finetune.recipes.prefix import prefix_cache, repeat
from finetune.recipes.prompts import Prompts, question_of, shared_prefix
from finetune.recipes.room import Room
from finetune.recipes.scoring import Scored
from finetune.spec import DatasetTask

WRITTEN_TOKENS: dict[DatasetTask, int] = {
    "question-answering": 64,
    "generation": 256,
    "extraction": 256,
    "chat": 512,
}
"""Longest answer where none is stated."""

ROWS_AT_ONCE = {"cpu": 8, "cuda": 32}
TIMED_ROWS = 5
"""So many rows are asked one by one, for the latency of a single request."""
_PIECE_TOKENS = 2048
"""Of a window, computed at once: bounds the memory of a likelihood for every word of the vocabulary."""
_SHORTEST_PIECE_TOKENS = 16


Problem = Literal["failed", "refused", "empty", "no-label"]
"""No answer came; a filter gave none; nothing was in it; or not exactly one of the labels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a model made of one row."""

    row: Row
    prediction: str
    tokens: int
    """Computed for this row alone: without a shared prefix and padding."""
    busy_s: float
    """Time that the row took, its share where several were asked at once."""
    latency_s: float | None = None
    """Of a single request; None where it was not asked alone."""
    first_token_s: float | None = None
    log_likelihoods: dict[str, float] = field(default_factory=dict)
    likelihood: TextLikelihood | None = None
    is_cut_off: bool = False
    """The answer came to the length limit."""
    problem: Problem | None = None
    """Why what a hosted model said counts as wrong, whatever it is."""
    input_tokens: int | None = None
    output_tokens: int | None = None
    """As a provider counts, and charges, them."""
    usd: float | None = None


class Asker(Protocol):
    """A loaded model with one way of asking it."""

    def fits(self, row: Row) -> bool:
        """Whether the row fits the model's context, answer included."""
        ...

    def ask(self, rows: Sequence[Row]) -> Iterator[Reply]:
        """Ask all rows."""
        ...


class LocalAsker(Asker, Protocol):
    """A model in this machine's memory."""

    no_room: list[str]
    """Rows that memory did not suffice for, not even alone: they get no reply."""


class Scorer(Protocol):
    """Says how likely each label is as the answer."""

    def length(self, text: str, labels: Sequence[str] = ()) -> int:
        """Tokens that must fit the context."""
        ...

    def score(self, text: str, labels: Sequence[str] = ()) -> Scored:
        """Return how likely each label is as the answer to `text`."""
        ...


class LabelAsker:
    """The label, or the choice of the row, that the model would most likely write."""

    def __init__(self, scorer: Scorer, max_tokens: float) -> None:
        self._scorer, self._max_tokens = scorer, max_tokens
        self.no_room: list[str] = []

    def fits(self, row: Row) -> bool:
        """Whether prompt and longest label fit."""
        return self._scorer.length(question_of(row), row.choices) <= self._max_tokens

    def ask(self, rows: Sequence[Row]) -> Iterator[Reply]:
        """One row after the other."""
        yield from Room(1).in_shares(rows, self._reply, leave_out=lambda row: self.no_room.append(row.id))

    def _reply(self, rows: Sequence[Row]) -> list[Reply]:
        row = rows[0]
        scored = self._scorer.score(question_of(row), row.choices)
        return [
            Reply(
                row=row,
                prediction=scored.prediction,
                tokens=scored.tokens,
                busy_s=scored.latency_s,
                latency_s=scored.latency_s,
                log_likelihoods=scored.log_likelihoods,
            )
        ]


class WritingAsker:
    """The answer that the model writes, taking the likeliest token each time.

    What all prompts begin with is computed once. Rows of similar length are asked together; where memory does
    not suffice, half as many from then on.
    """

    def __init__(
        self, model: Any, prompts: Prompts, max_new_tokens: int, max_tokens: float, rows: Sequence[Row]
    ) -> None:
        self._model, self._prompts = model, prompts
        self._max_new_tokens, self._max_tokens = max_new_tokens, max_tokens
        self._room = Room(ROWS_AT_ONCE.get(model.device.type, 8))
        self.no_room: list[str] = []
        self._to_time = TIMED_ROWS
        self._ends = self._end_ids()
        self._prepare(rows)

    def _prepare(self, rows: Sequence[Row]) -> None:
        """Compute what all prompts begin with."""
        self._prefix = shared_prefix([self._prompts.of(row) for row in rows])
        with torch.inference_mode():
            self._prefix_cache = prefix_cache(self._model, self._prefix)

    def fits(self, row: Row) -> bool:
        """Whether the prompt leaves room for the answer."""
        return len(self._prompts.of(row)) + self._max_new_tokens <= self._max_tokens

    def ask(self, rows: Sequence[Row]) -> Iterator[Reply]:
        """The first few alone, for their latency, then many at once, the longest first."""
        alone, self._to_time = self._to_time, max(0, self._to_time - len(rows))
        yield from Room(1).in_shares(rows[:alone], self._alone, leave_out=self._leave_out)
        rest = sorted(rows[alone:], key=lambda row: -len(row.text))
        yield from self._room.in_shares(rest, self._together, leave_out=self._leave_out)

    def _leave_out(self, row: Row) -> None:
        self.no_room.append(row.id)

    def _alone(self, rows: Sequence[Row]) -> list[Reply]:
        row = rows[0]
        prompt, clock = self._prompts.of(row), Clock()
        started_s = time.perf_counter()
        written = self._write([prompt], self._max_new_tokens, clock)[0]
        latency_s = time.perf_counter() - started_s
        first_s = None if clock.first_token_at_s is None else clock.first_token_at_s - started_s
        return [self._reply(row, prompt, written, latency_s, latency_s, first_s)]

    def _together(self, rows: Sequence[Row]) -> list[Reply]:
        prompts = [self._prompts.of(row) for row in rows]
        started_s = time.perf_counter()
        written = self._write(prompts, self._max_new_tokens)
        each_s = (time.perf_counter() - started_s) / len(rows)
        return [self._reply(row, p, w, each_s) for row, p, w in zip(rows, prompts, written, strict=True)]

    def _reply(
        self,
        row: Row,
        prompt: list[int],
        written: list[int],
        busy_s: float,
        latency_s: float | None = None,
        first_token_s: float | None = None,
    ) -> Reply:
        return Reply(
            row=row,
            prediction=self._text(written),
            tokens=len(prompt) + len(written),
            busy_s=busy_s,
            latency_s=latency_s,
            first_token_s=first_token_s,
            is_cut_off=len(written) >= self._max_new_tokens,
        )

    @torch.inference_mode()
    def _write(self, prompts: Sequence[list[int]], most: int, clock: Clock | None = None) -> list[list[int]]:
        """Token ids written behind each prompt, up to an end. Padding is behind the shared prefix, and masked."""
        shared, padding = len(self._prefix), self._padding_id()
        width = max(map(len, prompts))
        gaps = [width - len(prompt) for prompt in prompts]
        rows = [[*p[:shared], *[padding] * gap, *p[shared:]] for p, gap in zip(prompts, gaps, strict=True)]
        mask = [[1] * shared + [0] * gap + [1] * (width - shared - gap) for gap in gaps]
        device = self._model.device
        cache = copy.deepcopy(self._prefix_cache)
        repeat(cache, len(prompts))
        written = self._model.generate(
            input_ids=torch.tensor(rows, device=device),
            attention_mask=torch.tensor(mask, device=device),
            past_key_values=cache if shared else None,
            streamer=clock,
            **self._greedily(most),
        )
        return [self._up_to_end(row[width:].tolist()) for row in written]

    def _greedily(self, most: int) -> dict[str, Any]:
        """How a text is written: the likeliest token each time, at most so many."""
        return {
            "max_new_tokens": most,
            "do_sample": False,
            "num_beams": 1,
            "temperature": None,
            "top_p": None,
            "top_k": None,
            "eos_token_id": self._ends or None,
            "pad_token_id": self._padding_id(),
        }

    def _up_to_end(self, ids: list[int]) -> list[int]:
        ends = [i for i, token in enumerate(ids) if token in self._ends]
        return ids[: ends[0]] if ends else ids

    def _text(self, ids: list[int]) -> str:
        text: str = self._prompts.tokenizer.decode(ids, skip_special_tokens=True)
        # A model without a template goes on with the next question by itself.
        return text.strip() if self._prompts.has_template else text.strip().split("\n\n")[0].strip()

    def _end_ids(self) -> list[int]:
        ends = [self._prompts.tokenizer.eos_token_id, *self._prompts.end_ids[:1]]
        configured = self._model.generation_config.eos_token_id
        ends += configured if isinstance(configured, list) else [configured]
        return sorted({end for end in ends if end is not None})

    def _padding_id(self) -> int:
        padding = self._prompts.tokenizer.pad_token_id
        return int(padding if padding is not None else self._ends[0] if self._ends else 0)


class Clock(BaseStreamer):  # type: ignore[misc]
    """Looks at the time when the first written token comes."""

    def __init__(self) -> None:
        self.first_token_at_s: float | None = None
        self._puts = 0

    def put(self, value: torch.Tensor) -> None:  # noqa: ARG002 - the time is all that counts
        """The first call brings the prompt, the second the first token."""
        self._puts += 1
        if self._puts == 2:
            self.first_token_at_s = time.perf_counter()

    def end(self) -> None:
        """Nothing to do."""


class TextAsker:
    """How likely the model finds the whole text. Longer ones are read in windows that overlap by half."""

    def __init__(self, model: Any, tokenizer: Any, max_tokens: float) -> None:
        self._model, self._tokenizer = model, tokenizer
        self._window = int(max_tokens) if math.isfinite(max_tokens) else 4096
        self._piece = _PIECE_TOKENS
        self.no_room: list[str] = []

    def fits(self, row: Row) -> bool:
        """Windows fit any text; one of a single token predicts nothing."""
        return len(self._ids(row.text)) > 1

    @torch.inference_mode()
    def ask(self, rows: Sequence[Row]) -> Iterator[Reply]:
        """One row after the other."""
        yield from Room(1).in_shares(rows, self._reply, leave_out=lambda row: self.no_room.append(row.id))

    def _reply(self, rows: Sequence[Row]) -> list[Reply]:
        row, started_s = rows[0], time.perf_counter()
        ids = self._ids(row.text)
        log_likelihood = sum(self._windows(ids))
        took_s = time.perf_counter() - started_s
        return [
            Reply(
                row=row,
                prediction="",
                tokens=len(ids),
                busy_s=took_s,
                latency_s=took_s,
                likelihood=TextLikelihood(
                    log_likelihood=log_likelihood,
                    tokens=len(ids) - 1,
                    utf8_bytes=len(row.text.encode()),
                ),
            )
        ]

    def _ids(self, text: str) -> list[int]:
        """The tokens, behind the one that begins every text where the model has such a token."""
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False)
        first = self._tokenizer.bos_token_id
        if first is None:
            first = self._tokenizer.eos_token_id
        return ids if first is None else [first, *ids]

    def _windows(self, ids: list[int]) -> Iterator[float]:
        """Log-likelihoods of the tokens behind the first, each predicted once."""
        done, step = 1, max(1, self._window // 2)
        start = 0
        while done < len(ids):
            window = ids[start : start + self._window]
            yield sum(self._each(window)[done - start - 1 :])
            done = start + len(window)
            start += step

    def _each(self, window: list[int]) -> list[float]:
        """The log-likelihood of each token behind the first, in smaller pieces where memory runs out."""
        while True:
            try:
                return self._in_pieces(window, self._piece)
            except torch.OutOfMemoryError:
                shorter = min(self._piece, len(window)) // 2
                if shorter < _SHORTEST_PIECE_TOKENS:
                    raise
                self._piece = shorter
            torch.cuda.empty_cache()

    def _in_pieces(self, window: list[int], piece: int) -> list[float]:
        """Piece by piece, each behind the cache of those before it: the outcome is that of one piece."""
        inputs, targets = window[:-1], window[1:]
        cache = DynamicCache(config=self._model.config) if len(inputs) > piece else None
        each: list[float] = []
        for start in range(0, len(inputs), piece):
            ids = torch.tensor([inputs[start : start + piece]], device=self._model.device)
            logits = self._model(ids, past_key_values=cache, use_cache=cache is not None).logits[0]
            wanted = torch.tensor(targets[start : start + piece], device=logits.device)
            each += logits.float().log_softmax(-1).gather(-1, wanted[:, None])[:, 0].tolist()
        return each
