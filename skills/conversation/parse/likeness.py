"""How a turn sounds: which skill the turns meant that people put in the same words.

Rules cannot list every way to ask "what can you do". Where none of the certain ones holds, the turn is compared
with labelled ones (`lexicon/heard.yaml`) by complement naive Bayes (Rennie et al., ICML 2003, section 4), which is
made for few examples and uneven classes. It is trained by counting when it is first needed. To teach it, add a turn
to those of the tests and run `benchmarks/teach.py`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import log, sqrt
from typing import cast

import numpy as np
from numpy.typing import NDArray

from skills.conversation.parse.composed import read_message
from skills.conversation.parse.lexicon import load
from skills.conversation.request import SkillName

_SMOOTHING = 0.05
_LONGEST = 3
"""Tokens of the longest phrase that is compared; a token is a word, or one Han character."""


@dataclass(frozen=True)
class Likeness:
    """What was counted in labelled turns."""

    skills: tuple[SkillName, ...]
    rarity: Mapping[str, float]
    """Inverse document frequency of every phrase."""
    row_of: Mapping[str, int]
    weights: NDArray[np.float64]
    """Phrases x skills: how much a phrase speaks for a skill, as its rarity in all turns that meant others."""

    def probabilities(self, tokens: Sequence[str]) -> dict[SkillName, float]:
        """Of every skill; they add up to one."""
        known = _weighted(_phrases(tokens), self.rarity)
        rows = [self.row_of[phrase] for phrase in known]
        evidence = np.array([*known.values()]) @ self.weights[rows]
        odds = np.exp(evidence - evidence.max())
        return dict(zip(self.skills, (odds / odds.sum()).tolist(), strict=True))


def learn(turns: Mapping[SkillName, Iterable[str]]) -> Likeness:
    """Count the phrases of labelled turns, given as texts by skill."""
    counted = [(skill, _phrases(tokens_of(text))) for skill, texts in turns.items() for text in texts]
    found_in = Counter(phrase for _, phrases in counted for phrase in phrases)
    rarity = {phrase: log((1 + len(counted)) / (1 + n)) + 1 for phrase, n in found_in.items()}
    row_of = {phrase: row for row, phrase in enumerate(rarity)}
    skills = tuple(turns)
    sums = np.zeros((len(row_of), len(skills)))
    for skill, phrases in counted:
        column = skills.index(skill)
        for phrase, weight in _weighted(phrases, rarity).items():
            sums[row_of[phrase], column] += weight
    others = sums.sum(axis=1, keepdims=True) - sums + _SMOOTHING
    return Likeness(skills, rarity, row_of, -np.log(others / others.sum(axis=0)))


@lru_cache(maxsize=1)
def heard() -> Likeness:
    """What the turns of the lexicon teach; most of a second, once in a process."""
    return learn(cast(Mapping[SkillName, list[str]], load("heard")))


def tokens_of(text: str) -> list[str]:
    """Words as the rules read them: folded to simplified characters and lower case."""
    return [token.text for token in read_message(text).tokens]


def _phrases(tokens: Sequence[str]) -> Counter[str]:
    bounded = ["^", *tokens, "$"]
    return Counter(
        " ".join(bounded[start : start + length])
        for length in range(1, _LONGEST + 1)
        for start in range(len(bounded) - length + 1)
    )


def _weighted(phrases: Counter[str], rarity: Mapping[str, float]) -> dict[str, float]:
    """Known phrases by their damped count and rarity, scaled so that long turns weigh no more than short ones."""
    known = {phrase: (1 + log(n)) * rarity[phrase] for phrase, n in phrases.items() if phrase in rarity}
    length = sqrt(sum(weight * weight for weight in known.values()) / 2)
    return {phrase: weight / length for phrase, weight in known.items()}
