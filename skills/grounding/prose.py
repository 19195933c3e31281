"""An answer without the model -> the prose that a wording takes the place of, and what stays as it is.

What stays: from the table on; for a text answer its sources; for an explanation the whole sum.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from skills.conversation.answer import Answer
from skills.grounding.sentences import sentences
from skills.grounding.terms import MARK

_SOURCE_LINE = re.compile(r"^\[\d+\] ")


def divided(answer: Answer) -> tuple[str, str]:
    """The prose, and the rest; without the conflicts, which stand above both."""
    text = answer.text.removeprefix("\n".join(answer.conflicts)).lstrip("\n")
    if answer.skill == "explain":
        return "", text
    blocks = text.split("\n\n")
    first = next((i for i, block in enumerate(blocks) if _stays(block, answer)), len(blocks))
    return "\n\n".join(blocks[:first]), "\n\n".join(blocks[first:])


def sentences_of(prose: str) -> Iterator[str]:
    """Each sentence of the prose, with the marks of its paragraph when it has none of its own."""
    for block in prose.split("\n\n"):
        marks = "".join(f"[{n}]" for n in dict.fromkeys(MARK.findall(block)))
        for sentence in map(str.strip, sentences(block)):
            if MARK.sub("", sentence).strip():
                yield sentence if not marks or MARK.search(sentence) else f"{sentence} {marks}"


def _stays(block: str, answer: Answer) -> bool:
    return block.startswith("|") if answer.recommendations else bool(_SOURCE_LINE.match(block))
