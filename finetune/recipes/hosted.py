"""Turn rows into what a hosted model answers over its API, several requests at once.

It is told the same as a model that is loaded here, as chat messages. It gives no likelihoods, so of labels it is
asked to write one. An answer that cannot be used is wrong, and counted.
"""

from __future__ import annotations

import importlib.metadata
import platform
import re
import time
import unicodedata
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from finetune.columns import Row
from finetune.recipes.api import Api, Messages, NotAnswered, Said, measured_as, no_price, no_tokens, price_of
from finetune.recipes.asking import Problem, Reply
from finetune.recipes.job_dir import Context
from finetune.recipes.prompts import Shots, instruction_for, question_of
from finetune.spec import Candidate, EvaluationSpec
from index.bilingual import Bilingual
from index.errors import BadInput, JobFailed

AT_ONCE = 8
"""Requests under way."""
MOST_FAILURES = 5
"""So many rows in a row without an answer, and the candidate is given up."""
MAX_NEW_TOKENS = 1024
"""Room for a model that thinks before it answers; only what it writes is paid."""

_ONE_ONLY = {
    "classification": "Answer with exactly one of the labels and nothing else.",
    "multiple-choice": "Answer with exactly one of the options, word for word, and nothing else.",
}
_ANNOUNCED = re.compile(
    r"^(the )?(final )?(label|answer|option|category|标签|答案|选项|类别)( is|是|为)?\s*[:：]?\s*"
)
_HAN = r"\u3400-\u9fff"


class HostedAsker:
    """An API with the one way of asking that the task needs."""

    def __init__(self, api: Api, spec: EvaluationSpec, shots: Shots) -> None:
        task = spec.dataset.task
        self._api, self._labels, self._shots = api, spec.dataset.labels, tuple(shots)
        told = instruction_for(task, spec.dataset.labels, spec.instruction).rstrip()
        self._is_choice = task in _ONE_ONLY
        self._instruction = f"{told}\n{_ONE_ONLY[task]}" if self._is_choice else told
        self._failures, self._has_answered = 0, False
        self._has_budget = spec.max_usd is not None

    def fits(self, row: Row) -> bool:  # noqa: ARG002 - the context of a hosted model is not known
        """Always: a row that is too long comes back as a failure."""
        return True

    def ask(self, rows: Sequence[Row]) -> Iterator[Reply]:
        """Ask all, and yield in their order.

        Failures are held back until an answer shows that the API is alive, so that a resumed run asks again.
        """
        held: list[Reply] = []
        for row, said, busy_s in self._all(rows):
            reply = self._reply(row, said, busy_s)
            if isinstance(said, NotAnswered):
                held.append(reply)
                self._count(said)
                continue
            self._failures, self._has_answered = 0, True
            yield from held
            held.clear()
            yield reply
        if held and not self._has_answered:
            raise _given_up(said.reason if isinstance(said, NotAnswered) else None)
        yield from held

    def _all(self, rows: Sequence[Row]) -> Iterator[tuple[Row, Said | NotAnswered, float]]:
        """Each row, what came, and the time since the one before: their sum is the time of all."""
        pool, waiting = ThreadPoolExecutor(AT_ONCE, "api"), deque[tuple[Row, Future[Said | NotAnswered]]]()
        to_ask = iter(rows)
        before_s = time.perf_counter()
        try:
            while True:
                while len(waiting) < 2 * AT_ONCE and (row := next(to_ask, None)) is not None:
                    waiting.append((row, pool.submit(self._one, row)))
                if not waiting:
                    return
                row, future = waiting.popleft()
                said, now_s = future.result(), time.perf_counter()
                yield row, said, now_s - before_s
                before_s = now_s
        finally:
            if waiting:
                self._api.give_up()
            pool.shutdown(wait=False, cancel_futures=True)

    def _one(self, row: Row) -> Said | NotAnswered:
        try:
            return self._api.say(self._messages(row), stream=not self._is_choice)
        except NotAnswered as failure:
            return failure

    def _messages(self, row: Row) -> Messages:
        shown = [turn for shot in self._shots for turn in zip(("human", "ai"), shot, strict=True)]
        question = question_of(row) if self._is_choice else row.text
        return [("system", self._instruction), *shown, ("human", question)]

    def _reply(self, row: Row, said: Said | NotAnswered, busy_s: float) -> Reply:
        if isinstance(said, NotAnswered):
            return Reply(row=row, prediction="", tokens=0, busy_s=busy_s, problem="failed")
        if self._has_budget and said.usd is None and not said.is_refused:
            raise no_tokens(self._api.candidate)
        prediction, problem = self._prediction(row, said)
        return Reply(
            row=row,
            prediction=prediction,
            tokens=(said.input_tokens or 0) + (said.output_tokens or 0),
            busy_s=busy_s,
            latency_s=said.latency_s or None,
            first_token_s=said.first_token_s,
            is_cut_off=said.is_cut_off,
            problem=problem,
            input_tokens=said.input_tokens,
            output_tokens=said.output_tokens,
            usd=said.usd,
        )

    def _prediction(self, row: Row, said: Said) -> tuple[str, Problem | None]:
        if said.is_refused:
            return "", "refused"
        if not said.text:
            return "", "empty"
        if not self._is_choice:
            return said.text, None
        label = label_in(said.text, row.choices or self._labels)
        return ("", "no-label") if label is None else (label, None)

    def _count(self, failure: NotAnswered) -> None:
        self._failures += 1
        is_dead = failure.is_unreachable and not self._has_answered
        if failure.is_hopeless or is_dead or self._failures >= MOST_FAILURES:
            self._api.give_up()
            raise _given_up(failure.reason)


def label_in(text: str, labels: Sequence[str]) -> str | None:
    """The label that an answer means: the one that it is, else the only one that occurs in it; else None."""
    folded = {_folded(label): label for label in labels}
    for said in (_folded(text), _folded(_ANNOUNCED.sub("", _folded(text)))):
        if said in folded:
            return folded[said]
    rest, found = _folded(text), set()
    for key in sorted(filter(None, folded), key=len, reverse=True):
        # A label inside a longer one that was found does not count: `refund` in `refund request`.
        rest, times = re.subn(_alone(key), "\n", rest)
        if times:
            found.add(folded[key])
    return found.pop() if len(found) == 1 else None


def _folded(text: str) -> str:
    """Without case, width, and what surrounds it: quotes, stars, full stops."""
    return (
        unicodedata.normalize("NFKC", text)
        .casefold()
        .strip(" \t\n\r\"'`*_.,:;!()[]{}<>#-。，、：；！“”‘’「」『』《》【】")
    )


def _alone(key: str) -> str:
    """The key as a word of its own; Chinese has no spaces between words."""
    before = rf"(?<![^\W{_HAN}])" if re.match(rf"[^\W{_HAN}]", key) else ""
    after = rf"(?![^\W{_HAN}])" if re.search(rf"[^\W{_HAN}]$", key) else ""
    return before + re.escape(key) + after


class HostedCandidate:
    """A hosted model with what a result says of it beside its answers."""

    def __init__(self, candidate: Candidate, spec: EvaluationSpec, shots: Shots, context: Context) -> None:
        if spec.dataset.task == "language-modelling":
            raise _no_likelihoods(candidate)
        self._spec = spec
        price = price_of(candidate, context.home)
        if spec.max_usd is not None and price is None:
            raise no_price(candidate)
        self._api = Api(candidate, price, max_tokens=spec.max_new_tokens or MAX_NEW_TOKENS)
        self._api.open()
        self._name = measured_as(candidate, context.home)
        self.asker = HostedAsker(self._api, spec, shots)

    def measured(self) -> dict[str, Any]:
        """The part of a result's row that is known without its answers; there are no weights to speak of."""
        price = self._api.price
        return {
            "model": self._name,
            "input_usd_per_mtok": price.input_usd_per_mtok if price else None,
            "output_usd_per_mtok": price.output_usd_per_mtok if price else None,
            "price_source": f"{price.source.name}, {price.date}" if price else None,
            "rows_too_long": 0,
            "too_long": [],
            "environment": self._environment(),
        }

    def _environment(self) -> dict[str, str]:
        temperature = self._api.temperature
        return {
            "device": f"API of {self._api.where}",
            "seed": str(self._spec.seed),
            "python": platform.python_version(),
            "langchain": importlib.metadata.version("langchain"),
            "temperature": "the provider's own" if temperature is None else f"{temperature:g}",
            "requests_at_once": str(AT_ONCE),
            "scoring": "what it wrote: exactly one label"
            if self._spec.dataset.task in _ONE_ONLY
            else "what it wrote",
            "tokens_per_s": f"tokens of prompts and answers, with {AT_ONCE} requests under way",
        }


def _given_up(reason: Bilingual | None) -> JobFailed:
    return JobFailed(reason or Bilingual(en="No row was answered.", zh="没有任何一行得到回答。"))


def _no_likelihoods(candidate: Candidate) -> BadInput:
    return BadInput(
        Bilingual(
            en=f"{candidate.label} cannot be measured on language modelling: its API does not tell how likely a text "
            "is. Leave it out, or use a task with right answers.",
            zh=f"{candidate.label} 无法做语言建模评测：其接口不提供文本的概率。请去掉它，或换用有正确答案的任务。",
        )
    )
