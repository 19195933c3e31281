"""Read how an evaluation is to be done: metric, task, everybody to the end, examples, instruction, cost.

Its words are a lexicon of their own: "accuracy" is nothing that the other parsers should trip over.
"""

from __future__ import annotations

import re

from skills.conversation.parse.money import read_spending
from skills.conversation.parse.phrases import phrasebook_of
from skills.conversation.parse.quantities import find_quantities
from skills.conversation.parse.reading import Reading
from skills.conversation.request import EvaluationWish

_EXAMPLES = re.compile(
    r"(\d{1,4})[ -]*shots?\b|--examples[ =](\d{1,4})"
    r"|(?:show\w*|giv\w*)(?: \w+){0,2} (\d{1,4}) examples?\b|(\d{1,4}) examples? (?:first|shown|in the prompt)\b"
    r"|(\d{1,4}) ?个?(?:示例|范例|样例)"
)
_LIMIT = re.compile(r"--limit[ =](\d{1,9})")
_MAX_USD = re.compile(r"--max-usd[ =]\$?(\d{1,7}(?:\.\d{1,4})?)")
_INSTRUCTION = re.compile(
    r"(?:instruction|system prompt|指令|提示词)(?: is)?\s*[:：=为是]?\s*(?:\"([^\"]+)\"|“([^”]+)”|「([^」]+)」)",
    re.IGNORECASE,
)


def read_evaluation(reading: Reading, text: str) -> EvaluationWish:
    """What a turn says of it; `text` as it was typed, for words that are passed on as they are."""
    found = {match.category: match.value for match in phrasebook_of("evaluation").find(reading.tokens)}
    examples, instruction = _EXAMPLES.search(reading.text.folded), _INSTRUCTION.search(text)
    return EvaluationWish(
        full=True if found.get("full") == "full" else None,
        metric=found.get("metric"),
        data_task=found.get("data_task"),
        examples=int(_said(examples)) if examples else None,
        instruction=_said(instruction) if instruction else None,
        max_usd=_max_usd(reading),
    )


def _max_usd(reading: Reading) -> float | None:
    """What it may cost, as one types it at a terminal or says it."""
    typed = _MAX_USD.search(reading.text.folded)
    found = float(typed[1]) if typed else read_spending(reading, find_quantities(reading))
    return found or None


def read_limit(reading: Reading) -> int | None:
    """The rows of `--limit 200`, as one types it at a terminal."""
    found = _LIMIT.search(reading.text.folded)
    return int(found[1]) or None if found else None


def _said(match: re.Match[str]) -> str:
    return next(group for group in match.groups() if group is not None)
