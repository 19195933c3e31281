"""Tell orders to evaluate or tune from talk about it: "evaluate the first on tickets", not "how do I evaluate"."""

from __future__ import annotations

from skills.conversation.parse.lexicon import words
from skills.conversation.parse.phrases import Match
from skills.conversation.parse.signals import Signals

_SHORT = 4
_EPOCHS = frozenset({"epoch", "epochs", "轮"})
_WEAK_VERBS = frozenset({"test", "score", "measure", "try out", "try", "测 试", "实 测", "打 分"})
"""Verbs that mean an evaluation only when something is named to be evaluated."""


def first_act(s: Signals) -> str | None:
    """The job that the turn orders first, if it orders one."""
    acts = [m for kind in ("finetune", "evaluate") for m in s.reading.all(kind, "verb") if is_act(s, m)]
    if acts:
        return min(acts, key=lambda match: (match.start, match.category)).category
    if s.previous and _completes_job(s):
        return s.previous.skill
    return _act_on_file(s)


def _act_on_file(s: Signals) -> str | None:
    """ "Put all of them through qa.jsonl", "第一个拿 faq.csv 跑跑看": a model, and a file to do something with."""
    r = s.reading
    is_file = s.statement.dataset is not None and "." in s.statement.dataset
    is_asked = s.asks_knowledge or s.is_question or s.asks_choice is not None or r.has_any("which", "why")
    if not is_file or is_asked or not s.model_targets or r.has_any("later", "jobs_noun"):
        return None
    return "finetune" if r.has("finetune") or r.has("domain_tuning") else "evaluate"


def is_act(s: Signals, verb: Match) -> bool:
    """An order to evaluate or tune, with something to do it to."""
    if not _may_be_act(s, verb):
        return False
    choice = s.asks_choice
    is_ordered = s.starts_clause(verb.start) or s.order_before(verb.start) is not None
    if choice is not None and (choice.start < verb.start or not is_ordered):
        return False
    if s.model_targets:
        return True
    if s.reading.gap(verb.start, verb.end) in _WEAK_VERBS and s.statement.dataset is None:
        return False
    if s.statement.dataset is not None:
        return is_ordered
    return is_ordered and not ("task" in s.fields or s.has_limits) and _is_plain_order(s, verb)


def _may_be_act(s: Signals, verb: Match) -> bool:
    """Neither denied nor asked about, of now, and with what "check" and "try" need."""
    is_talked_of = _is_asked_about(s, verb) or s.reading.has("explain_result")
    if s.reading.is_negated(verb.start) or is_talked_of or not _has_its_data(s, verb):
        return False
    return bool(s.statement.dataset) or _is_for_now(s, verb)


def _is_plain_order(s: Signals, verb: Match) -> bool:
    """ "Please fine-tune", "start an evaluation"; not "fine-tuning workflow overview", "训练几轮会开始背数据"."""
    if s.is_question or s.reading.has_any("which", "how", "why", "how_much", "define"):
        return False
    is_named = s.reading.gap(verb.start, verb.end).endswith("ing")
    is_short = s.n_words <= _SHORT and not is_named and not _names_technique_beside(s, verb)
    return s.order_before(verb.start) is not None or is_short


def _names_technique_beside(s: Signals, verb: Match) -> bool:
    terms = s.reading.all("domain", "strong")
    return any(term.end <= verb.start or term.start >= verb.end for term in terms)


def _has_its_data(s: Signals, verb: Match) -> bool:
    """ "Check it on tickets" is an evaluation, "check it" is none."""
    is_trying = s.reading.gap(verb.start, verb.end) in words("intents", "trying")
    return not is_trying or s.statement.dataset is not None or s.reading.has("own_data")


def _is_for_now(s: Signals, verb: Match) -> bool:
    """Not "later"; and "try" alone is no order for an evaluation, "try it on our data" is."""
    is_trying = s.reading.gap(verb.start, verb.end) in ("try", "run")
    return not s.reading.near(verb.start, verb.end, "later", 6) and (
        not is_trying or s.reading.has("own_data")
    )


def _is_asked_about(s: Signals, verb: Match) -> bool:
    """The verb is what a question is about: "how do I evaluate", "微调需要多少显存"."""
    r = s.reading
    start = s.clause_start(verb.start)
    asking = [m for c in ("how", "which", "define", "why", "how_much") for m in r.all(c)]
    if any(start <= match.start < verb.start for match in asking) or r.has("how_much"):
        return True
    if any(match.start >= verb.end for match in r.all("define")) or r.has("why"):
        return True
    is_ordered = s.order_before(verb.start) is not None
    is_gerund = r.gap(verb.start, verb.end).endswith("ing") and s.is_question
    return not is_ordered and (s.yes_no is not None or is_gerund)


def _completes_job(s: Signals) -> bool:
    """A data set, a model, a quantization or an amount, given after a job was asked for without it."""
    if s.previous is None or s.previous.skill not in ("evaluate", "finetune"):
        return False
    if s.asks_choice is not None or s.asks_knowledge or set(s.fields) - {"quantization", "finetune"}:
        return False
    has_piece = s.statement.dataset or s.statement.quantizations or s.model_targets or _sets_amount(s)
    return bool(has_piece) and not s.reading.has_any("compare", "why")


def _sets_amount(s: Signals) -> bool:
    """ "Use 100 rows", "with 3 epochs", "只跑50条"."""
    counts_epochs = not _EPOCHS.isdisjoint(token.text for token in s.reading.tokens)
    return (s.statement.rows is not None or counts_epochs) and s.n_words <= _SHORT + 1
