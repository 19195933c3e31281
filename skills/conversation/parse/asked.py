"""What a question asks for: facts of the catalogue (`facts.yaml`), or what was measured here (`measured.yaml`).

Both lexicons have a phrasebook of their own: their words overlap with those of a request ("memory", "Apache"), and
in the common one a longer phrase hides the shorter ones inside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

from skills.conversation.parse.composed import read_message
from skills.conversation.parse.lexicon import load, words
from skills.conversation.parse.periods import names_period, period_positions
from skills.conversation.parse.phrases import Match, Phrasebook, phrasebook_of
from skills.conversation.parse.statement import Statement
from skills.conversation.parse.text import Token


def fact_fields() -> dict[str, dict[str, Any]]:
    """What can be asked of a model, by name, as the lexicon has it."""
    return dict(load("facts")["fields"])


def fact_matches(tokens: Sequence[Token]) -> list[Match]:
    """The words that ask for facts; the value of each is the name of a field."""
    found = _fact_book().find(tokens)
    return [match for match in found if match.category != "weak"] or found


def facts_asked(tokens: Sequence[Token]) -> tuple[str, ...]:
    """The fields that a question asks for, in order of mention."""
    return tuple(dict.fromkeys(match.value for match in fact_matches(tokens)))


def opens_question(tokens: Sequence[Token]) -> bool:
    """ "can …", "when …": a question by its first word, whether or not it ends with a mark."""
    return bool(tokens) and tokens[0].text in words("facts", "openers")


def recalled(statement: Statement) -> list[Match]:
    """The words that ask for what was measured here; none when the turn asks for something else."""
    reading = statement.reading
    found = phrasebook_of("measured").find(reading.tokens)
    kinds = {match.category for match in found}
    names_models = bool(statement.mentions or statement.ranks or reading.has("pronoun"))
    names_data = statement.dataset is not None
    is_told = "told" in kinds and not reading.has_any("choose", "superlative")
    is_result = "results" in kinds and (
        names_models or names_data or _says_little_else(reading.tokens, found)
    )
    is_past = "did" in kinds and names_data and names_models
    return found if "asked" in kinds or is_told or is_result or is_past else []


def asks_how_it_did(statement: Statement) -> bool:
    """ "how did phi-4 do on reviews?": of the past, if reviews is a data set of ours, which only the store knows."""
    matches = phrasebook_of("measured").find(statement.reading.tokens)
    return bool(statement.mentions) and any(match.category in ("did", "results") for match in matches)


def asks_of_the_past(text: str) -> bool:
    """Whether an earlier turn asked for what was measured, so that "and this month?" goes on with it."""
    tokens = read_message(text).tokens
    return bool(phrasebook_of("measured").find(tokens)) or names_period(tokens)


def _says_little_else(tokens: Sequence[Token], found: Sequence[Match]) -> bool:
    """ "results from last week", "our evaluation results": of what we do here, not of the third quarter."""
    covered = {i for match in found for i in range(match.start, match.end)} | period_positions(tokens)
    loose = (token for i, token in enumerate(tokens) if i not in covered)
    is_more_than_a_word = any(match.end - match.start > 1 for match in found) or names_period(tokens)
    return is_more_than_a_word and all(token.text in words("measured", "small") for token in loose)


@lru_cache
def _fact_book() -> Phrasebook:
    return Phrasebook(_fact_phrases())


def _fact_phrases() -> Iterator[tuple[str, str, str]]:
    for name, field in fact_fields().items():
        for category in ("words", "names", "weak"):
            yield from ((category, name, phrase) for phrase in field.get(category, ()))
