"""Turn a text and the labels into the token ids that a model is asked with and should answer with.

The same prompt is used to score a model, to tune it, and to score it again: a tuned model is only good at
the prompt that it was tuned on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jinja2 import TemplateError

from finetune.columns import Row
from finetune.spec import DatasetTask

_PROBE = "shortlist-probe"


_ASKED: dict[DatasetTask, tuple[str, str, str]] = {
    "classification": ("Classify the user's message with one label.", "Message", "Label"),
    "multiple-choice": ("Answer the user's question with one of its options.", "Question", "Answer"),
    "question-answering": (
        "Answer the user's question as briefly as possible: only the answer.",
        "Question",
        "Answer",
    ),
    "generation": ("Do what the user's message asks.", "Input", "Output"),
    "extraction": ("Answer with one JSON object and nothing else.", "Input", "JSON"),
    "language-modelling": ("", "", ""),
    "chat": ("Answer the user's message.", "Message", "Answer"),
}
"""Instruction, and how text and answer are announced to a model without a chat template."""

Shots = Sequence[tuple[str, str]]
"""Texts and their answers, shown before the question."""


class Prompts:
    """Prompts and completions for one task, in the words of one model's own chat template.

    A model without a template is asked in plain text.
    """

    def __init__(
        self,
        tokenizer: Any,
        labels: Sequence[str],
        *,
        task: DatasetTask = "classification",
        instruction: str | None = None,
        shots: Shots = (),
    ) -> None:
        self.tokenizer = tokenizer
        _, self._announce_text, self._announce_answer = _ASKED[task]
        self.instruction = instruction_for(task, labels, instruction)
        self._stated = instruction
        self._shots = tuple(shots)
        self._has_template = bool(tokenizer.chat_template)
        self._has_system_role = self._has_template and _keeps_system_message(tokenizer)
        self.end_ids = self._end_of_turn()
        self._completions: dict[str, list[int]] = {}

    @property
    def has_template(self) -> bool:
        """Whether the model is asked by a chat template."""
        return self._has_template

    def prompt(self, text: str) -> list[int]:
        """Token ids up to where the model answers. Control tokens inside `text` count as plain text."""
        if not self._has_template:
            ids: list[int] = self.tokenizer(self._in_plain_text(text))["input_ids"]
            return ids
        return self._rendered(self._messages(text))

    def of(self, row: Row) -> list[int]:
        """The prompt of a row. A conversation is one for the template, told first only what it or the team says."""
        if not row.turns or not self._has_template:
            return self.prompt(question_of(row))
        turns = [{"role": turn.role, "content": turn.content} for turn in row.turns[:-1]]
        told = [turn["content"] for turn in turns if turn["role"] == "system"]
        system = "\n".join([self._stated, *told] if self._stated else told)
        said = [turn for turn in turns if turn["role"] != "system"]
        if system and self._has_system_role:
            return self._rendered([{"role": "system", "content": system}, *said])
        if system and said:
            said[0] = {**said[0], "content": f"{system}\n{said[0]['content']}"}
        return self._rendered(said)

    def _rendered(self, messages: list[dict[str, str]]) -> list[int]:
        # Templates of reasoning models read enable_thinking; the others ignore it.
        ids: list[int] = self.tokenizer.apply_chat_template(
            messages,
            add_generation_prompt=True,
            enable_thinking=False,
            sanitize_control_tokens=True,
            return_dict=False,
        )
        return ids

    def completion(self, label: str) -> list[int]:
        """Token ids of the right answer: the label and the end of the turn."""
        if label not in self._completions:
            self._completions[label] = self._encode_completion(label)
        return self._completions[label]

    def _in_plain_text(self, text: str) -> str:
        asked = [(f"{self._announce_text}: {shot}", f" {answer}") for shot, answer in self._shots]
        parts = [f"{question}\n{self._announce_answer}:{answer}\n" for question, answer in asked]
        return "\n".join(
            [self.instruction, *parts, f"{self._announce_text}: {text}\n{self._announce_answer}:"]
        )

    def _messages(self, text: str) -> list[dict[str, str]]:
        turns = [
            {"role": role, "content": content}
            for shot in self._shots
            for role, content in zip(("user", "assistant"), shot, strict=True)
        ]
        turns.append({"role": "user", "content": text})
        if self._has_system_role:
            return [{"role": "system", "content": self.instruction.rstrip()}, *turns]
        first, *others = turns
        return [{"role": "user", "content": f"{self.instruction}\n{first['content']}"}, *others]

    def _encode_completion(self, label: str) -> list[int]:
        text = label if self._has_template else f" {label}"
        return [*self.tokenizer.encode(text, add_special_tokens=False), *self.end_ids]

    def _end_of_turn(self) -> list[int]:
        """What the template writes behind an answer; without a template, the end of the text."""
        if self._has_template:
            turns = [*self._messages(_PROBE), {"role": "assistant", "content": _PROBE}]
            written = self.tokenizer.apply_chat_template(turns, tokenize=False, enable_thinking=False)
            end = written.rpartition(_PROBE)[2].strip()
            ids: list[int] = self.tokenizer.encode(end, add_special_tokens=False)
            if ids:
                return ids
        end_id = self.tokenizer.eos_token_id
        return [] if end_id is None else [end_id]


def instruction_for(task: DatasetTask, labels: Sequence[str], instruction: str | None) -> str:
    """What a model is told first: the team's own words or the task's, and the labels."""
    listed = "\nLabels:\n" + "".join(f"- {label}\n" for label in labels) if labels else ""
    return (instruction or _ASKED[task][0]) + listed


def question_of(row: Row) -> str:
    """The text of a row as it is asked: a multiple-choice question lists its options."""
    if not row.choices:
        return row.text
    return f"{row.text}\nOptions:\n" + "".join(f"- {choice}\n" for choice in row.choices).rstrip("\n")


def shared_prefix(prompts: Sequence[list[int]]) -> list[int]:
    """The tokens that all prompts begin with, so that they are computed once; never a whole prompt."""
    first, last = min(prompts), max(prompts)
    length = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))
    return first[: min(length, min(map(len, prompts)) - 1)]


def _keeps_system_message(tokenizer: Any) -> bool:
    """Some templates refuse a system message, and some drop it without a word."""
    messages = [{"role": "system", "content": _PROBE}, {"role": "user", "content": "?"}]
    try:
        return _PROBE in tokenizer.apply_chat_template(messages, tokenize=False)
    except TemplateError:
        return False
