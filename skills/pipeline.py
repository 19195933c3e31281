"""START HERE. One turn of a person -> one Answer: understand, pick the skill, run it, remember.

With a chat model it also fills what the rules left open, and words what the skill found; neither can fail the turn.
Every surface (Slack, terminal, command line) calls `reply` and renders what comes back its own way.
"""

from __future__ import annotations

import logging

from skills.conversation.answer import Answer
from skills.conversation.defaults import DefaultsStore, as_stated, with_defaults
from skills.conversation.quotes import own_words, without_quoted_lines
from skills.conversation.request import Request, Turn
from skills.conversation.understand import understand
from skills.desk import Desk
from skills.filling import try_filled
from skills.registry import BY_NAME
from skills.second_look import second_look
from skills.wording_by_model import Said, worded

_ACTING = frozenset({"evaluate", "finetune", "select-base", "jobs"})

logger = logging.getLogger(__name__)


def reply(turn: Turn, desk: Desk, said: Said | None = None) -> Answer:
    """Answer one turn and remember the exchange. `said` hears the words as they come, where a chat model words them;
    the answer may yet turn out otherwise.

    Raises ShortlistError when the person named something that cannot be used (a model, a file, a job).
    """
    request = read(turn, desk)
    chat = desk.chat_model
    if chat is not None:
        request, is_up = try_filled(request, chat, desk.names)
        chat = chat if is_up else None
    request = with_defaults(request, DefaultsStore(desk.engine).holding(turn.scopes))
    answer = BY_NAME[request.skill].run(request, desk)
    if chat is not None:
        answer = worded(request, answer, chat, desk.names, said)
    number = desk.threads.append(request, answer)
    logger.info("turn answered", extra={"skill": request.skill, "language": request.language})
    return answer.model_copy(update={"exchange": number})


def warm_up(desk: Desk) -> None:
    """Load and fit what the first questions would otherwise wait for; nothing is remembered."""
    for text in ("Which model for code on a 24 GB GPU?", "What is LoRA?"):
        request = read(Turn(text=text, thread="warm-up", person="warm-up"), desk)
        BY_NAME[request.skill].run(request, desk)


def read(turn: Turn, desk: Desk) -> Request:
    """Understand a turn in the light of its thread. Only the person's own words start or change anything."""
    request = _read(turn, desk)
    if request.skill not in _ACTING or own_words(turn.text) == turn.text.strip():
        return request
    own = _read_only(own_words(turn.text), turn, desk)
    if own.skill not in _ACTING:
        return own
    return _read_only(without_quoted_lines(turn.text), turn, desk)


def _read_only(words: str, turn: Turn, desk: Desk) -> Request:
    """Understand part of a turn; it is remembered as a whole. Nothing but a quotation asks for nothing."""
    request = _read(turn.model_copy(update={"text": words or "help"}), desk)
    return request.model_copy(update={"turn": turn})


def _read(turn: Turn, desk: Desk) -> Request:
    last = desk.threads.last(turn.thread, up_to=turn.after)
    ranking = desk.threads.last_ranking(turn.thread, up_to=turn.after)
    shown = [item.model for item in ranking.answer.recommendations] if ranking else []
    request = understand(turn, as_stated(last.request) if last else None, shown, desk.names)
    return second_look(request, desk)
