"""Turn the documents of one harness task into records with a text, choices, and the right answer.

Pure: a task is anything that says of a document what is asked, what may be chosen and what is right.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from finetune.spec import DatasetTask
from finetune.table_files import Record, plain

Doc = Mapping[str, Any]

_ANNOUNCED = re.compile(r"^\s*(?:question|q|问题)\s*[:：]\s*", re.IGNORECASE)
_ASKED_FOR = re.compile(r"\n\s*(?:the )?(?:answer|a|答案|回答)\s*(?:is)?\s*[:：]?\s*$", re.IGNORECASE)
_SHORT_CHARACTERS = 60


class UnlikeOurs(Exception):
    """The task asks in a way that has no counterpart here; says which."""


class HarnessTask(Protocol):
    """The part of a task of the harness that is needed."""

    multiple_input: int
    """Not 0: each choice has a beginning of its own."""

    def get_config(self, key: str) -> Any:
        """A line of its YAML."""
        ...

    def doc_to_text(self, doc: Any) -> Any:
        """What is asked."""
        ...

    def doc_to_target(self, doc: Any) -> Any:
        """What is right: a text, the number of a choice, or a list of these."""
        ...

    def doc_to_choice(self, doc: Any) -> list[str]:
        """What may be chosen."""
        ...


def records_of(task: HarnessTask, docs: Iterable[Doc], category: str | None) -> Iterator[Record]:
    """One record a document; UnlikeOurs for a kind of task that we do not ask."""
    kind = task.get_config("output_type")
    if task.multiple_input:
        raise UnlikeOurs("each of its choices has a beginning of its own")
    if kind not in _READERS:
        raise UnlikeOurs(f"its output type is {kind}")
    for number, doc in enumerate(docs, start=1):
        where = {"id": f"{category}/{number}", "category": category} if category else {"id": str(number)}
        yield {**where, **_READERS[kind](task, doc)}


def task_of(kinds: set[str], records: Sequence[Record]) -> DatasetTask:
    """What the records ask for, by the output types of their tasks; UnlikeOurs when these differ."""
    if len(kinds) > 1:
        raise UnlikeOurs(f"its tasks are of different kinds ({', '.join(sorted(kinds))})")
    if kinds == {"multiple_choice"}:
        return "multiple-choice"
    if kinds == {"loglikelihood_rolling"}:
        return "language-modelling"
    short = sum(len(record["answer"][0]) <= _SHORT_CHARACTERS for record in records)
    return "question-answering" if short > len(records) / 2 else "generation"


def _choosing(task: HarnessTask, doc: Doc) -> Record:
    choices = [plain(choice) for choice in task.doc_to_choice(doc)]
    target = task.doc_to_target(doc)
    answers = [_chosen(one, choices) for one in (target if isinstance(target, list) else [target])]
    options = _options(doc, len(choices)) if choices == list(string.ascii_uppercase[: len(choices)]) else None
    if options is not None and isinstance(doc.get("question"), str):
        answers = [options[choices.index(answer)] if answer in choices else answer for answer in answers]
        return {"text": plain(doc["question"]), "choices": options, "answer": answers}
    return {"text": _question(task.doc_to_text(doc)), "choices": choices, "answer": answers}


def _chosen(target: Any, choices: Sequence[str]) -> str:
    text = plain(target)
    if text not in choices and text.isdecimal() and int(text) < len(choices):
        return choices[int(text)]
    return choices[target] if isinstance(target, int) and 0 <= target < len(choices) else text


def _options(doc: Doc, count: int) -> list[str] | None:
    """The texts behind the letters, where the document holds them."""
    listed = next((doc[name] for name in ("choices", "options") if name in doc), None)
    if isinstance(listed, Mapping):
        listed = listed.get("text")
    if listed is None:
        letters = string.ascii_uppercase[:count]
        listed = [doc[letter] for letter in letters] if all(letter in doc for letter in letters) else None
    is_whole = isinstance(listed, list) and len(listed) == count
    return [plain(option) for option in listed] if is_whole and listed is not None else None


def _writing(task: HarnessTask, doc: Doc) -> Record:
    target = task.doc_to_target(doc)
    ignored = [
        pattern
        for metric in task.get_config("metric_list") or ()
        for pattern in metric.get("regexes_to_ignore", ())
    ]
    answers = [_without(plain(one), ignored) for one in (target if isinstance(target, list) else [target])]
    return {"text": _question(task.doc_to_text(doc)), "answer": answers}


def _without(answer: str, ignored: Sequence[str]) -> str:
    """What the task's metric looks at: the working before a final answer does not count."""
    for pattern in ignored:
        answer = re.sub(pattern, "", answer)
    return answer.strip()


def _reading(task: HarnessTask, doc: Doc) -> Record:
    return {"text": plain(task.doc_to_target(doc)), "answer": [""]}


def _question(text: Any) -> str:
    """Without the words by which a model that has no chat template is made to answer."""
    return _ASKED_FOR.sub("", _ANNOUNCED.sub("", plain(text))).strip()


_READERS = {
    "multiple_choice": _choosing,
    "generate_until": _writing,
    "loglikelihood_rolling": _reading,
}
