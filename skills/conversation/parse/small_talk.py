"""What a turn is when it asks for no model: nothing said, another language, a greeting, a chore, an attack."""

from __future__ import annotations

from skills.conversation.parse.lexicon import words
from skills.conversation.parse.phrases import Match
from skills.conversation.parse.signals import Signals

_LONG = 9
_SHORT = 4


def is_blank(s: Signals) -> bool:
    """Nothing but spaces, marks or emoji."""
    return s.reading.text.is_blank


def is_foreign(s: Signals) -> bool:
    """A language that we do not speak, with nothing in it that we understand."""
    return s.reading.text.is_foreign and not set(s.fields) - {"languages"} and not s.names_models


def is_hostile(s: Signals) -> bool:
    """Orders to break the rules, or a wish for what is not theirs."""
    if s.reading.has("injection", "hard"):
        return True
    return s.reading.has_any("injection", "secret") and s.asks_choice is None and not s.has_limits


def hesitates(s: Signals) -> bool:
    """ "Hmm", "嗯…": nothing is said yet."""
    r = s.reading
    covered = {i for match in r.all("hesitation") for i in range(match.start, match.end)}
    small = words("text", "fillers")
    said = [i for i, token in enumerate(r.tokens) if token.text.isalnum() and token.text not in small]
    return bool(covered) and all(i in covered for i in said)


def points_at_nothing(s: Signals) -> bool:
    """ "That one", "那个呢", "the second one?" of nothing shown: what is meant must be asked."""
    r = s.reading
    has_pointer = s.statement.names_rank or r.has("pronoun")
    is_small = s.n_words <= _SHORT and not r.has_any("off_topic", "chore", "secret", "injection")
    return has_pointer and is_small and not s.statement.ranks and not (s.fields or s.names_models)


def is_restart(s: Signals) -> bool:
    """ "Reset everything": nothing but the wish to begin anew."""
    return s.reading.has("reset") and not s.fields and not s.names_models and s.asks_choice is None


def is_help(s: Signals) -> bool:
    """ "What can you do?", or a greeting."""
    stated = set(s.fields) - ({"task"} if s.statement.task_is_hinted else set())
    if stated or s.names_models or s.asks_choice is not None or s.reading.has("explain_result"):
        return False
    cues = s.reading.all("help")
    is_clear = any(cue.end - cue.start >= 2 or _fills_clause(s, cue) for cue in cues)
    is_clear = (is_clear and s.n_words <= _LONG) or bool(cues and s.n_words <= _SHORT)
    return is_clear or _is_greeting(s)


def _fills_clause(s: Signals, cue: Match) -> bool:
    """ "No idea how this works, help": a clause that says nothing else."""
    return s.reading.clause(cue.start, cue.end) == (cue.start, cue.end)


def _is_greeting(s: Signals) -> bool:
    """Nothing but a greeting or thanks."""
    greeted = {i for match in s.reading.all("greeting") for i in range(match.start, match.end)}
    words = [i for i, token in enumerate(s.reading.tokens) if token.is_word or token.is_han]
    return bool(greeted) and len([i for i in words if i not in greeted]) <= 2 and not s.statement.relaxed


def is_off_topic(s: Signals) -> bool:
    """Something else altogether, or work for a chat bot rather than a choice of one."""
    r = s.reading
    if _is_chore(s) and not (r.has("model_noun") or s.names_models) and not s.has_limits:
        return True
    return r.has("off_topic") and not s.is_ours and not _is_work_for_a_model(s)


def _is_work_for_a_model(s: Signals) -> bool:
    """ "A bot that books flights": a topic that is not ours, and a model wanted for it."""
    is_wanted = s.asks_choice is not None or len(s.fields) > 1 or s.reading.has("task_hint")
    return "task" in s.fields and is_wanted


def _is_chore(s: Signals) -> bool:
    """Work for a chat bot, ordered: "write code for me", not "something to write code with"."""
    r = s.reading
    return any(
        r.tokens[chore.start].is_han or s.starts_clause(chore.start) or s.order_before(chore.start)
        for chore in r.all("chore")
    ) or _is_written_for_them(s)


def _is_written_for_them(s: Signals) -> bool:
    """ "Write a resignation letter for me", "draft me a toast"."""
    r = s.reading
    for verb in r.all("makes"):
        _, end = r.clause(verb.start, verb.end)
        said = f" {r.gap(verb.end, end)} "
        if s.starts_clause(verb.start) and (" for me " in said or said.startswith((" me ", " us a "))):
            return True
    return False
