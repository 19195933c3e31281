"""Turn a question and how near the passages came into a verdict: is the answer in there at all?

No cosine says so by itself: the embedded model gives .82 to strangers and .88 to relatives. So how near the first
hit is, and how far the hits stand out of what else is near, are read on the scale of questions about quite other
things (the probes); and one hit must hold the question's own words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, pstdev

import numpy as np

from index.embed import Matrix

PROBES = (
    "what is the weather like today",
    "who is the president of the country",
    "how do I cook pasta",
    "when is the next public holiday",
    "how do I repair a bicycle",
    "what is the price of a train ticket",
    "who won the match last night",
    "what medicine helps against a headache",
    "please book a table for two",
    "what did our customer say yesterday",
    "how do I print a document",
    "what is the population of Brazil",
    "今天会下雪吗",
    "怎么煮面条",
    "下一个节假日是什么时候",
    "火车票多少钱",
    "头痛吃什么药",
    "昨天的比赛谁赢了",
    "帮我订一张两人的桌子",
    "怎么打印文件",
    "巴西有多少人口",
    "我们的客户昨天说了什么",
    "这部电影好看吗",
    "公司的地址在哪里",
)
"""Questions that our articles do not answer, whatever else a team may add."""

_N_NEAR = 40
_MIN_COVERAGE_FRAC = 0.7
_BIAS = -4.2
_NEARNESS_WEIGHT = 1.60
_LEAD_WEIGHT = 0.42
_COVERAGE_WEIGHT = 6.4
"""Logistic regression on 224 questions that our articles answer and 164 that they do not, in both languages:
held out ten-fold, it accepts 97% of the first and refuses 95% of the second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Background:
    """How near the probes come to our articles, under one embedding model: its zero, and its unit."""

    nearness_mean: float
    nearness_sd: float
    lead_mean: float
    lead_sd: float


def background_of(probes: Matrix, articles: Matrix) -> Background:
    """Measure the probes' vectors against those of our articles."""
    nearest = -np.sort(-(probes @ articles.T), axis=1)[:, :_N_NEAR]
    nearness = [float(row[0]) for row in nearest]
    leads = [_lead(row[0], row.tolist()) for row in nearest]
    return Background(
        nearness_mean=fmean(nearness),
        nearness_sd=pstdev(nearness) or 1.0,
        lead_mean=fmean(leads),
        lead_sd=pstdev(leads) or 1.0,
    )


def _lead(best: float, nearest: Sequence[float]) -> float:
    """How far a hit stands out of the nearest passages, which for a strange question are all about as near."""
    return best - fmean(nearest[:_N_NEAR])


def is_answerable(nearest: Sequence[float], coverage_frac: float, background: Background | None) -> bool:
    """True when the passages are more likely than not to hold the answer.

    `nearest` are the cosines of the nearest passages, best first; `coverage_frac` is the share of the question's words
    that the best passage holds. Without vectors the words decide.
    """
    if not nearest or background is None:
        return coverage_frac >= _MIN_COVERAGE_FRAC
    nearness = (nearest[0] - background.nearness_mean) / background.nearness_sd
    standing_out = (_lead(nearest[0], nearest) - background.lead_mean) / background.lead_sd
    log_odds = (
        _BIAS + _NEARNESS_WEIGHT * nearness + _LEAD_WEIGHT * standing_out + _COVERAGE_WEIGHT * coverage_frac
    )
    return log_odds > 0
