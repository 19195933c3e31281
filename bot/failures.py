"""Turn an exception into the one sentence that a person reads about it, and into the message that says it."""

from __future__ import annotations

import logging
import uuid

from sqlalchemy.exc import OperationalError

from bot import wording
from bot.access import NotAllowed
from bot.render.slack import Message, section, text_message
from bot.wording import say
from index.bilingual import Language
from index.disk import disk_trouble
from index.errors import ShortlistError
from index.store import StoreAway

logger = logging.getLogger(__name__)


def error_message(error: Exception, language: Language, *, heading: str | None = None) -> Message:
    """The sentence as a message. Only a refusal may name people so that they are seen: they can help."""
    sentence = error_sentence(error, language)
    if isinstance(error, NotAllowed):
        return Message(text=sentence, blocks=(section(sentence),))
    return text_message(sentence, heading=heading)


def error_sentence(error: Exception, language: Language) -> str:
    """The error's own sentence; for a bug, an apology with a reference to its traceback in the log."""
    told = error if isinstance(error, ShortlistError) else disk_trouble(error)
    if told is not None:
        return told.to(language)
    if isinstance(error, OperationalError):
        logger.warning("store does not answer", exc_info=error)
        return StoreAway(error).to(language)
    reference = uuid.uuid4().hex[:8]
    logger.error("unexpected error, reference %s", reference, extra={"reference": reference}, exc_info=error)
    return say(wording.APOLOGY, language, reference=reference)
