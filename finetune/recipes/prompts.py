"""Turn a text and the labels into the token ids that a model is asked with and should answer with.

The same prompt is used to score a model, to tune it, and to score it again: a tuned model is only good at
the prompt that it was tuned on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jinja2 import TemplateError

_PROBE = "shortlist-probe"


class Prompts:
    """Prompts and completions for one set of labels, in the words of one model's own chat template.

    A model without a template is asked in plain text.
    """

    def __init__(self, tokenizer: Any, labels: Sequence[str]) -> None:
        self._tokenizer = tokenizer
        self.instruction = "Classify the user's message with one label.\nLabels:\n" + "".join(
            f"- {label}\n" for label in labels
        )
        self._has_template = bool(tokenizer.chat_template)
        self._has_system_role = self._has_template and _keeps_system_message(tokenizer)
        self._end_ids = self._end_of_turn()
        self._completions = {label: self._encode_completion(label) for label in labels}

    def prompt(self, text: str) -> list[int]:
        """Token ids up to where the model answers. Control tokens inside `text` count as plain text."""
        if not self._has_template:
            ids: list[int] = self._tokenizer(f"{self.instruction}\nMessage: {text}\nLabel:")["input_ids"]
            return ids
        # Templates of reasoning models read enable_thinking; the others ignore it.
        rendered: list[int] = self._tokenizer.apply_chat_template(
            self._messages(text),
            add_generation_prompt=True,
            enable_thinking=False,
            sanitize_control_tokens=True,
            return_dict=False,
        )
        return rendered

    def completion(self, label: str) -> list[int]:
        """Token ids of the right answer: the label and the end of the turn."""
        return self._completions[label]

    def _messages(self, text: str) -> list[dict[str, str]]:
        if self._has_system_role:
            return [
                {"role": "system", "content": self.instruction.rstrip()},
                {"role": "user", "content": text},
            ]
        return [{"role": "user", "content": f"{self.instruction}\n{text}"}]

    def _encode_completion(self, label: str) -> list[int]:
        text = label if self._has_template else f" {label}"
        return [*self._tokenizer.encode(text, add_special_tokens=False), *self._end_ids]

    def _end_of_turn(self) -> list[int]:
        """What the template writes behind an answer; without a template, the end of the text."""
        if self._has_template:
            turns = [*self._messages(_PROBE), {"role": "assistant", "content": _PROBE}]
            written = self._tokenizer.apply_chat_template(turns, tokenize=False, enable_thinking=False)
            end = written.rpartition(_PROBE)[2].strip()
            ids: list[int] = self._tokenizer.encode(end, add_special_tokens=False)
            if ids:
                return ids
        end_id = self._tokenizer.eos_token_id
        return [] if end_id is None else [end_id]


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
