"""Whether a turn is about jobs: one that goes on, one to be started, figures of one that has ended."""

from __future__ import annotations

from collections.abc import Sequence

from skills.conversation.parse.acts import first_act, is_act
from skills.conversation.parse.asked import asks_of_the_past, recalled
from skills.conversation.parse.periods import names_period
from skills.conversation.parse.phrases import Match
from skills.conversation.parse.signals import Signals

_JOB_SKILLS = ("evaluate", "finetune", "jobs")
_SHORT = 4
_VERY_SHORT = 2


def is_about_jobs(s: Signals) -> bool:
    """A job that goes on, or an order for one: "is it done?", "cancel job 3"."""
    if s.asks_choice is not None and not s.reading.has("jobs_direct"):
        return False
    return s.reading.has("jobs_direct") or _has_job_words(s) or _continues_job(s)


def _has_job_words(s: Signals) -> bool:
    """A job and what one asks or orders of it."""
    r = s.reading
    is_job = r.has("jobs_noun", "noun")
    if s.statement.job_id is not None and (is_job or r.has("jobs_cue") or s.n_words <= _SHORT):
        return True
    if is_job and (r.has("jobs_cue") or s.n_words <= _VERY_SHORT) and "task" not in s.fields:
        return True
    strong = [*r.all("jobs_cue", "status"), *r.all("jobs_cue", "cancel")]
    softs = len(r.all("jobs_cue", "soft"))
    works = r.all("jobs_noun", "work")
    is_near = any(abs(cue.start - work.start) <= 6 for cue in strong for work in works)
    return bool(works) and not r.has("how_much") and (is_near or (softs >= 2 and not s.model_targets))


def _continues_job(s: Signals) -> bool:
    """ "is it done yet?" and "cancel" after a job was started; "cancel" alone at any time."""
    r = s.reading
    has_order = r.has("jobs_cue", "cancel") and not s.statement.relaxed
    if has_order and s.n_words <= _VERY_SHORT:
        return True
    if r.has("jobs_cue", "status") and r.has("pronoun") and s.n_words <= _SHORT and not s.fields:
        return True
    if s.previous is None or s.previous.skill not in _JOB_SKILLS or s.fields:
        return False
    return has_order or r.has("jobs_cue", "status") or len(r.all("jobs_cue", "soft")) >= 2


def starts_tuning(s: Signals) -> bool:
    """ "Fine-tune the first on tickets"."""
    return first_act(s) == "finetune"


def starts_evaluation(s: Signals) -> bool:
    """ "Evaluate the top three on our tickets"."""
    return first_act(s) == "evaluate"


def asks_what_was_measured(s: Signals) -> bool:
    """ "what did we measure last week?": figures of past jobs, not the progress of one, nor a new one."""
    r = s.reading
    is_about_job = s.statement.job_id is not None or r.has("jobs_noun", "noun") or r.has("jobs_cue", "cancel")
    if is_about_job or r.has("jobs_cue", "status"):
        return False
    found = recalled(s.statement)
    return (bool(found) and not orders_job(s, found)) or _continues_measured(s)


def _continues_measured(s: Signals) -> bool:
    """ "and this month?" after what was measured last month."""
    if s.previous is None or s.previous.skill != "answer" or s.fields or s.n_words > _SHORT + 1:
        return False
    return names_period(s.reading.tokens) and asks_of_the_past(s.previous.turn.text)


def orders_job(s: Signals, found: Sequence[Match]) -> bool:
    """An order to evaluate or tune beside the words found: "we tested phi-4, now evaluate gemma on tickets"."""
    verbs = [verb for kind in ("finetune", "evaluate") for verb in s.reading.all(kind, "verb")]
    return any(is_act(s, verb) for verb in verbs if not any(match.covers(verb.start) for match in found))
