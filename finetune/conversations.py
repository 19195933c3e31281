"""Turn records of chat messages, ShareGPT or Alpaca into records of a prompt and its answer, the turns kept.

The last answer of the assistant is what a model should say; everything before it is the prompt. What a record
holds beside the conversation stays as it is.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass
from typing import Any, Literal

from finetune.dataset_errors import MixedShapes
from finetune.table_files import Record, plain

Shape = Literal["messages", "sharegpt", "alpaca", "prompt-completion"]
"""prompt-completion: both sides are lists of messages; plain texts of that name are ordinary columns."""

PROMPT, ANSWER, TURNS = "prompt", "completion", "turns"
"""The columns that a conversation becomes."""

_ROLES: dict[str, Literal["system", "user", "assistant"]] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "bing": "assistant",
    "bard": "assistant",
    "model": "assistant",
}
_COLUMNS = ("messages", "conversations", "conversation")
_SPEAKERS = {"user": "User", "assistant": "Assistant"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What one side says."""

    role: Literal["system", "user", "assistant"]
    content: str


def shape_of(name: str, records: Sequence[Record]) -> Shape | None:
    """How most records hold a conversation, None for a plain table; MixedShapes when some are something else."""
    # A column of that name may hold a text as well, such as a dialogue to be summarized.
    listed = {column for column in _COLUMNS if any(_listed(record.get(column)) for record in records)}
    shapes = [_shape_of_one(record, listed) for record in records]
    commonest = max(dict.fromkeys(shapes), key=shapes.count)
    others = [number for number, shape in enumerate(shapes, start=1) if shape != commonest]
    if others:
        raise MixedShapes(name, shape=commonest or "a plain table", rows=others, of=len(records))
    return commonest


def _shape_of_one(record: Record, listed: Set[str]) -> Shape | None:
    if "messages" in listed & record.keys():
        return "messages"
    if listed & record.keys():
        return "sharegpt"
    if "instruction" in record and ("output" in record or "response" in record):
        return "alpaca"
    if _listed(record.get("prompt")) is not None and "completion" in record:
        return "prompt-completion"
    return None


def as_prompts(records: Sequence[Record], shape: Shape) -> list[Record]:
    """Records with a prompt, an answer and the turns; those that hold no conversation with empty ones."""
    return [_as_prompt(record, shape) for record in records]


def _as_prompt(record: Record, shape: Shape) -> Record:
    used, read = _READERS[shape]
    turns = _up_to_answer(read(record))
    rest = {column: value for column, value in record.items() if column not in used}
    return {
        **{column: value for column, value in rest.items() if column not in (PROMPT, ANSWER, TURNS)},
        PROMPT: _prompt_text(turns[:-1]),
        ANSWER: turns[-1].content if turns else "",
        TURNS: turns,
    }


def _from_messages(record: Record) -> list[Turn] | None:
    return _turns(record["messages"], role="role", content="content")


def _from_sharegpt(record: Record) -> list[Turn] | None:
    value = record.get("conversations", record.get("conversation"))
    listed = _listed(value) or []
    names = ("from", "value") if listed and "from" in listed[0] else ("role", "content")
    turns = _turns(value, role=names[0], content=names[1])
    return _after_system(record.get("system"), turns)


def _from_alpaca(record: Record) -> list[Turn] | None:
    asked = [_text(record.get(column)) for column in ("instruction", "input")]
    answer = _text(record.get("output", record.get("response")))
    question = "\n\n".join(text for text in asked if text)
    if not question or not answer:
        return None
    turns = [Turn(role="user", content=question), Turn(role="assistant", content=answer)]
    return _after_system(record.get("system"), turns)


def _from_prompt_completion(record: Record) -> list[Turn] | None:
    prompt = _turns(record["prompt"], role="role", content="content")
    answer = record["completion"]
    if _listed(answer) is None:
        answered = [Turn(role="assistant", content=text)] if (text := _text(answer)) else None
    else:
        answered = _turns(answer, role="role", content="content")
    return [*prompt, *answered] if prompt is not None and answered is not None else None


_READERS: dict[Shape, tuple[tuple[str, ...], Callable[[Record], list[Turn] | None]]] = {
    "messages": (("messages",), _from_messages),
    "sharegpt": (("conversations", "conversation", "system"), _from_sharegpt),
    "alpaca": (("instruction", "input", "output", "response", "system"), _from_alpaca),
    "prompt-completion": (("prompt", "completion"), _from_prompt_completion),
}
"""The columns that a shape uses up, and what reads them."""


def _turns(value: Any, *, role: str, content: str) -> list[Turn] | None:
    """None when a turn has no text or a role that is unknown, such as that of a tool."""
    turns = []
    for message in _listed(value) or []:
        speaker = _ROLES.get(str(message.get(role, "")).strip().casefold())
        text = _text(message.get(content))
        if speaker is None or not text:
            return None
        turns.append(Turn(role=speaker, content=text))
    return turns or None


def _listed(value: Any) -> list[Record] | None:
    """A list of objects, also where a table holds it as JSON."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return None
    is_list = isinstance(value, list) and value and all(isinstance(item, dict) for item in value)
    return value if is_list else None


def _text(value: Any) -> str:
    """A text, the parts of one, or a number or an object as JSON; "" for pictures and the like."""
    if isinstance(value, list):
        parts = [part.get("text") if isinstance(part, dict) else part for part in value]
        texts = [part for part in parts if isinstance(part, str)]
        return "\n".join(texts).strip() if len(texts) == len(parts) else ""
    return plain(value)


def _after_system(system: Any, turns: list[Turn] | None) -> list[Turn] | None:
    text = _text(system)
    return [Turn(role="system", content=text), *turns] if turns and text else turns


def _up_to_answer(turns: list[Turn] | None) -> tuple[Turn, ...]:
    """The turns up to the last answer; none when nobody asked, or nobody answered."""
    kept = list(turns or ())
    while kept and kept[-1].role != "assistant":
        kept.pop()
    return tuple(kept) if any(turn.role == "user" for turn in kept) else ()


def _prompt_text(turns: Sequence[Turn]) -> str:
    """A single question as it is; a longer conversation with who said what."""
    system = [turn.content for turn in turns if turn.role == "system"]
    said = [turn for turn in turns if turn.role != "system"]
    if len(said) == 1:
        return "\n\n".join([*system, said[0].content])
    return "\n\n".join([*system, "\n".join(f"{_SPEAKERS[turn.role]}: {turn.content}" for turn in said)])
