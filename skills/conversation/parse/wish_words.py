"""Whether a turn asks for a model, or changes what was asked for."""

from __future__ import annotations

from skills.conversation.parse.signals import Signals

_SHORT = 4
_VERY_SHORT = 2


def is_follow_up_wish(s: Signals) -> bool:
    """ "what if we only have 16 GB?", "French too?": a question in form, a changed request in fact."""
    r = s.reading
    is_asked = r.has_any("define", "how", "how_much", "why") or (s.yes_no is not None and r.has("how_much"))
    is_change = bool(s.fields or s.relative or s.statement.relaxed or s.takes_back)
    if r.has("asks_of_it") and s.pointed_at and not r.has("add"):
        return False
    if s.statement.relaxed and s.previous is not None and not is_asked:
        return True
    has_cue = r.has_any("what_if", "refine", "add") and (s.previous is not None or s.yes_no is None)
    has_cue = has_cue or bool(s.relative)
    return is_change and has_cue and not is_asked and not s.weighs_techniques


def is_wish(s: Signals) -> bool:
    """A model is asked for, or a limit is stated that narrows the choice."""
    if s.asks_choice is not None:
        return bool(s.fields or s.names_models or has_thread(s) or s.takes_back)
    if s.previous is not None:
        is_change = bool(s.fields or s.relative or s.statement.relaxed or s.takes_back)
        return is_change or _asks_once_more(s) or adopts(s) or s.reading.has_any("more", "resize")
    is_enough = s.has_limits or "task" in s.fields
    return is_enough or (bool(s.fields) and s.is_ours)


def _asks_once_more(s: Signals) -> bool:
    """ "In that case, which one?", 那选哪个: the question of the thread again."""
    r = s.reading
    if s.n_words > _SHORT + 2 or r.has_any("off_topic", "compare") or s.statement.names_rank:
        return False
    asked = [r.gap(match.start, match.end + 1) for match in r.all("which")]
    return any(said in ("which one", "which ones") or said.startswith("哪 个") for said in asked)


def adopts(s: Signals) -> bool:
    """ "use phi-4 then", "那用 Qwen3-8B 吧": a model named by the person takes the place of what was shown."""
    names = s.reading.all("name")
    cues = [
        cue
        for name in names
        if (cue := s.reading.before(name.start, "adopt", 1))
        or (cue := s.reading.before(name.start, "instead_of", 0))
    ]
    if any(cue.category == "instead_of" for cue in cues):
        return True
    return any(s.starts_clause(cue.start) for cue in cues) and not s.is_question and not s.asks_knowledge


def has_thread(s: Signals) -> bool:
    """Something was stated before in this thread."""
    return s.previous is not None and s.previous.requirements != type(s.previous.requirements)()


def names_a_model(s: Signals) -> bool:
    """A model by its name or by its rank in the last answer."""
    return s.names_models or bool(s.statement.ranks)


def is_on_topic(s: Signals) -> bool:
    """Something of ours is spoken of, though nothing is asked yet."""
    return (
        s.is_ours
        or s.asks_choice is not None
        or s.reading.has_any("reset", "more", "choose", "gpu")
        or (s.reading.has("which") and s.n_words <= _VERY_SHORT)
        or s.statement.dataset is not None
    )
