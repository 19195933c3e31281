"""Look a turn up before it is turned away: what the rules took for off-topic, unclear or a wish may be in an article.

The rules know how people ask for models; what else they may ask is known by the knowledge base alone.
"""

from __future__ import annotations

import re

from skills.conversation.parse.composed import read_message
from skills.conversation.parse.question_words import asks_whether_some_model_does
from skills.conversation.parse.signals import Signals
from skills.conversation.parse.statement import state
from skills.conversation.request import Request
from skills.desk import Desk

_LOOKED_AT = 5
_CODE = re.compile(
    r"^\s*(def \w+\(|class \w+[(:]|import \w+|from \w+ import|#include|function \w*\(|select .+ from )"
    r"|^\s*(for|if|while) ?\(|[;{}]\s*$",
    re.MULTILINE | re.IGNORECASE,
)
"""What begins or ends a line of a program: pasted code asks nothing by itself."""
_SHORT = 6
"""Words of a wish for a model that says nothing about what for."""
_WISHES = frozenset({"task", "languages", "modalities"})
"""Fields that make a wish of what is not a question: "an embedding model, Chinese and Japanese"."""
_SAID_IN_PASSING = _WISHES | {"priority", "quantization", "finetune"}
"""Fields that a question about the trade states as easily as a wish does."""


def second_look(request: Request, desk: Desk) -> Request:
    """The request, as a question to the knowledge base when that answers it and the rules were not sure."""
    if not _is_doubtful(request, desk):
        return request
    text = request.turn.text
    hits = desk.knowledge.search(text, k=_LOOKED_AT, language=request.language, audience=request.turn.channel)
    if not desk.knowledge.answerable(text, hits, request.turn.channel):
        return request
    return request.model_copy(update={"skill": "answer", "mentioned": (), "references": ()})


def _is_doubtful(request: Request, desk: Desk) -> bool:
    if request.skill not in ("decline", "clarify", "recommend") or not request.turn.text.strip():
        return False
    signals = Signals(state(read_message(request.turn.text), desk.names, (), ()), None, (), ())
    is_question = signals.asks_knowledge or signals.is_question
    if request.skill == "decline":
        if _CODE.search(request.turn.text) and not is_question:
            return False
        return is_question or not signals.reading.has_any("injection", "secret")
    if request.skill == "clarify":
        points = signals.statement.names_rank or signals.reading.has_any("pronoun", "hesitation")
        return not (points and signals.n_words <= _SHORT) and (
            signals.asks_choice is None or signals.n_words > _SHORT
        )
    if request.is_follow_up or signals.asks_choice is not None or asks_whether_some_model_does(signals):
        return False
    return signals.asks_knowledge or (
        _SAID_IN_PASSING.issuperset(request.changed)
        and (is_question or not _WISHES.intersection(request.changed))
    )
