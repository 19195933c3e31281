"""Choose the skill that a turn asks for.

The rules are tried in order and the first that holds decides. Each is a claim about the turn that can be read
aloud; what counts as a cue is in the lexicons. The last ones hold for lack of a better claim: there, how the turn
sounds may say otherwise.
"""

from __future__ import annotations

from collections.abc import Callable

from skills.conversation.parse.job_words import (
    asks_what_was_measured,
    is_about_jobs,
    starts_evaluation,
    starts_tuning,
)
from skills.conversation.parse.likeness import heard
from skills.conversation.parse.question_words import (
    asks_for_facts,
    asks_reasons,
    is_comparison,
    is_knowledge,
    speaks_of_the_trade,
)
from skills.conversation.parse.signals import Signals
from skills.conversation.parse.small_talk import (
    hesitates,
    is_blank,
    is_foreign,
    is_help,
    is_hostile,
    is_off_topic,
    is_restart,
    points_at_nothing,
)
from skills.conversation.parse.wish_words import has_thread, is_on_topic, is_wish, names_a_model
from skills.conversation.request import SkillName

_CLEARLY = 0.7
"""Probability from which the sound of a turn is believed over a late rule; chosen on 260 turns not learnt from."""
_ALMOST_SURELY = 0.9
"""The same, over a late rule that has more to go by."""


def choose_skill(signals: Signals) -> SkillName:
    """The skill of the first rule that holds, unless it is a late one and the turn sounds clearly like another."""
    for skill, holds in _RULES:
        if holds(signals):
            return skill
    skill = next(skill for skill, holds in _LATE_RULES if holds(signals))
    return _sounds_like(signals, _ALMOST_SURELY if _is_sure(signals, skill) else _CLEARLY) or skill


def _is_sure(s: Signals, skill: SkillName) -> bool:
    """A change that a thread's turn states without asking, and a question about work with no limit on a model."""
    is_change = s.previous is not None and (bool(s.fields) or s.reading.has("more"))
    is_stated = is_change and not s.is_question and not s.asks_knowledge
    return (skill == "recommend" and is_stated) or (skill == "answer" and bool(s.fields) and not s.has_limits)


def _sounds_like(s: Signals, threshold: float) -> SkillName | None:
    """What the turn is like among those that people put. A choice and its follow-ups need something to rest on, and
    who states what must hold is not sent away."""
    skill, probability = heard().skill_of([token.text for token in s.reading.tokens])
    rests_on_something = bool(s.fields) or s.names_models or has_thread(s)
    if probability <= threshold or (skill in ("recommend", "compare", "explain") and not rests_on_something):
        return None
    return None if skill in ("decline", "help") and s.has_limits else skill


def _always(_: Signals) -> bool:
    return True


_RULES: tuple[tuple[SkillName, Callable[[Signals], bool]], ...] = (
    ("clarify", is_blank),
    ("help", is_foreign),
    ("clarify", hesitates),
    ("decline", is_hostile),
    ("answer", asks_what_was_measured),
    ("jobs", is_about_jobs),
    ("help", is_help),
    ("clarify", is_restart),
    ("answer", asks_for_facts),
    ("finetune", starts_tuning),
    ("evaluate", starts_evaluation),
    ("explain", asks_reasons),
    ("compare", is_comparison),
    ("decline", is_off_topic),
)
_LATE_RULES: tuple[tuple[SkillName, Callable[[Signals], bool]], ...] = (
    ("answer", is_knowledge),
    ("answer", speaks_of_the_trade),
    ("recommend", is_wish),
    ("answer", names_a_model),
    ("clarify", points_at_nothing),
    ("clarify", is_on_topic),
    ("decline", _always),
)
