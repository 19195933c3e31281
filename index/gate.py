"""Turn a question and how near the passages came into a verdict: is the answer in there at all?

No cosine says so by itself: the embedded model gives .86 to strangers in English, .89 in Chinese, and .90 to
relatives. So the nearest passage is judged on the scale of questions about quite other things (the probes) in the
same language; and the passages found must hold the question's own words.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from index.bilingual import Language
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

_BIAS = -10.8
_NEARNESS_WEIGHT = 2.85
_BM25_WEIGHT = 6.71
_COVERAGE_WEIGHT = 5.42
_LENGTH_WEIGHT = 1.81
_MIN_COVERAGE_FRAC = 0.7
"""Logistic regression on `tests/index/questions/{first,calibration}.yaml` and on 300 questions of CMRC2018 put to 400 of
its contexts, half of them about others. docs/benchmarks.md has the figures on questions that had no part in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Background:
    """How near the probes come to our articles under one embedding model: its zero by language, and its unit."""

    mean: Mapping[Language, float]
    sd: float

    def nearness(self, cosine: float, language: Language) -> float:
        """How much nearer than to a stranger, in standard deviations of strangers."""
        return (cosine - self.mean[language]) / self.sd


def background_of(probes: Matrix, articles: Matrix) -> Background:
    """Measure the vectors of PROBES against those of our articles."""
    nearest = (probes @ articles.T).max(axis=1)
    is_chinese = np.array([not probe.isascii() for probe in PROBES])
    return Background(
        mean={"en": float(nearest[~is_chinese].mean()), "zh": float(nearest[is_chinese].mean())},
        sd=float(nearest.std()) or 1.0,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Signals:
    """What is known of a question and the passages found for it."""

    nearness: float | None
    """Of the nearest passage, by `Background`; None without vectors."""
    bm25_frac: float
    """Best BM25 score, as a share of what no passage could exceed."""
    coverage_frac: float
    """Share of the question's words that one of the passages holds, rare words counting for more."""
    n_words: int


def is_answerable(signals: Signals) -> bool:
    """True when the passages are more likely than not to hold the answer."""
    if signals.nearness is None:
        return signals.coverage_frac >= _MIN_COVERAGE_FRAC
    log_odds = (
        _BIAS
        + _NEARNESS_WEIGHT * signals.nearness
        + _BM25_WEIGHT * signals.bm25_frac
        + _COVERAGE_WEIGHT * signals.coverage_frac
        + _LENGTH_WEIGHT * math.log1p(signals.n_words)
    )
    return log_odds > 0
