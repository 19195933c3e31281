"""START HERE. One turn of a person -> one Answer: understand, pick the skill, run it, remember.

Every surface (Slack, terminal, command line) calls `reply` and renders what comes back its own way.
"""

from __future__ import annotations

import logging

from skills.conversation.answer import Answer
from skills.conversation.request import Request, Turn
from skills.conversation.understand import understand
from skills.desk import Desk
from skills.registry import BY_NAME
from skills.second_look import second_look

logger = logging.getLogger(__name__)


def reply(turn: Turn, desk: Desk) -> Answer:
    """Answer one turn and remember the exchange.

    Raises ShortlistError when the person named something that cannot be used (a model, a file, a job).
    """
    request = read(turn, desk)
    answer = BY_NAME[request.skill].run(request, desk)
    desk.threads.append(request, answer)
    logger.info("turn answered", extra={"skill": request.skill, "language": request.language})
    return answer


def read(turn: Turn, desk: Desk) -> Request:
    """Understand a turn in the light of its thread."""
    last = desk.threads.last(turn.thread)
    ranking = desk.threads.last_ranking(turn.thread)
    shown = [item.model for item in ranking.answer.recommendations] if ranking else []
    request = understand(turn, last.request if last else None, shown, desk.names)
    return second_look(request, desk)
