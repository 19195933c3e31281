"""Choose the skill that a turn asks for.

The rules are tried in order and the first that holds decides. Each is a claim about the turn that can be read
aloud; what counts as a cue is in the lexicons. The last ones hold for lack of a better claim: there, how the turn
sounds may say otherwise.
"""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt

from skills.conversation.parse.job_words import (
    asks_what_was_measured,
    is_about_jobs,
    starts_evaluation,
    starts_tuning,
)
from skills.conversation.parse.likeness import heard
from skills.conversation.parse.question_words import (
    asks_for_facts,
    asks_of_one_shown,
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
from skills.conversation.parse.sound import Sound
from skills.conversation.parse.wish_words import has_thread, is_on_topic, is_wish, names_a_model
from skills.conversation.request import SkillName

_CLEARLY = 0.8
"""Probability from which the sound of a turn is believed over a late rule; chosen on files of turns left out of the
learning."""
_ALMOST_SURELY = 0.95
"""The same, over a late rule that has more to go by."""

_FEWEST_WORDS = 4
"""Different words that tell of work: "a/a/a" tells of none."""


def choose_skill(signals: Signals, sound: Sound) -> SkillName:
    """The skill of the first rule that holds, unless it is a late one and the turn sounds clearly like another."""
    for skill, holds in _RULES:
        if holds(signals):
            return skill
    skill = next(skill for skill, holds in _LATE_RULES if holds(signals))
    other, probability = _sounds_like(signals, sound, skill)
    is_clear = probability > (_ALMOST_SURELY if _is_sure(signals, skill) else _CLEARLY)
    return other if is_clear and _may_be(other, signals, sound) else skill


def _is_sure(s: Signals, skill: SkillName) -> bool:
    """A change that a thread's turn states without asking, and a question about work with no limit on a model."""
    is_change = s.previous is not None and (bool(s.fields) or s.reading.has("more"))
    is_stated = is_change and not s.is_question and not s.asks_knowledge
    return (skill == "recommend" and is_stated) or (skill == "answer" and bool(s.fields) and not s.has_limits)


def _sounds_like(s: Signals, sound: Sound, skill: SkillName) -> tuple[SkillName, float]:
    """What the turn is like among those that people put: by its phrases, and where they speak against the rule by its
    embedding too. The two are weighed alike, as the geometric mean of their probabilities."""
    counted = heard().probabilities([token.text for token in s.reading.tokens])
    if max(counted, key=counted.__getitem__) == skill:
        return skill, 1.0
    embedded = sound.skills() or counted
    both = {name: sqrt(p * embedded.get(name, 0.0)) for name, p in counted.items()}
    likeliest = max(both, key=both.__getitem__)
    return likeliest, both[likeliest] / sum(both.values())


def _may_be(skill: SkillName, s: Signals, sound: Sound) -> bool:
    """A choice and its follow-ups need something to rest on, and who states what must hold is not sent away."""
    if skill in ("decline", "help"):
        return not s.has_limits
    rests_on_something = bool(s.fields) or s.names_models or has_thread(s)
    if skill == "recommend" and not rests_on_something:
        return len({token.text for token in s.reading.tokens}) >= _FEWEST_WORDS and sound.task() is not None
    return rests_on_something or skill not in ("compare", "explain")


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
    ("answer", asks_of_one_shown),
    ("answer", speaks_of_the_trade),
    ("recommend", is_wish),
    ("answer", names_a_model),
    ("clarify", points_at_nothing),
    ("clarify", is_on_topic),
    ("decline", _always),
)
