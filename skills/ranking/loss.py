"""Abilities, benchmark curves and our own measurements -> expected loss of a model on one task, with its error.

Loss is the expected shortfall from a perfect score, 0 to 1. Without measurements of ours it is one minus the
expected score over the benchmarks of the task. Once something was measured on the asker's data, that data set
takes the benchmarks' place: measured models keep what they scored, and the others are predicted on the same
scale, so the two can be compared.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from index.records import Benchmark, Measurement, Quantization
from skills.ranking.ability import Abilities, Ability, Curve

_SATURATED = 0.93
"""A benchmark on which a strong model is expected above this no longer tells models apart."""
_STRONG_ABILITY = 1.5
_DATASET_SD = 0.6
"""How far a data set's own difficulty for a model strays from what its ability says, in logits."""
QUANTIZATION_LOGITS: Mapping[Quantization | None, tuple[float, float]] = {
    None: (0.0, 0.0),
    "none": (0.0, 0.0),
    "bf16": (0.0, 0.0),
    "fp16": (0.0, 0.0),
    "int8": (-0.024, 0.07),
    "nf4": (-0.05, 0.09),
}
"""Change of a score's logit and its spread, from the published pairs in `index/catalogue/quantization.csv`:
int8 is the median of 21 pairs (`bnb-int8`, `int8`), nf4 of 28 (`bnb-4bit`, `int4`). Small models lose more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """Loss of one option, and where it comes from."""

    value: float
    se: float
    measured: Measurement | None = None
    near: Measurement | None = None
    """The same model measured here, but loaded another way: what the prediction starts from."""
    n_figures: int = 0
    """Published figures of this model in the task's own skills."""


_QUALITY = ("accuracy", "exact_match", "field_f1", "rougeL")
"""Metrics from 0 to 1 that stand for quality, the first that a data set has."""


@dataclass(frozen=True)
class LossModel:
    """Expected losses for one task."""

    abilities: Abilities
    weights: Mapping[str, float]
    battery: tuple[tuple[Curve, float], ...]
    """Curves of the benchmarks that stand for the task, with their weights, summing to one."""
    measurements: tuple[Measurement, ...] = ()
    """Of one metric on one data set, newest first."""

    @classmethod
    def build(
        cls,
        abilities: Abilities,
        benchmarks: Iterable[Benchmark],
        weights: Mapping[str, float],
        measurements: Sequence[Measurement] = (),
    ) -> LossModel:
        """Choose the benchmarks of the task, and the data set that was measured last."""
        rows = _of_one_dataset(measurements)
        battery = _battery(abilities, benchmarks, weights)
        if rows:
            battery = ((_dataset_curve(abilities, weights, battery, rows), 1.0),)
        return cls(abilities, weights, battery, tuple(rows))

    def of(self, model_id: str, quantization: Quantization | None, adapter: str | None = None) -> Expected:
        """Expected loss of a model loaded this way."""
        measured = self._measured(model_id, quantization, adapter)
        if measured is not None:
            return Expected(value=1.0 - measured.value, se=_standard_error(measured), measured=measured)
        shift, spread = QUANTIZATION_LOGITS[quantization]
        near = next((m for m in self.measurements if (m.model_id, m.adapter) == (model_id, adapter)), None)
        if near is not None:
            return _from_near(near, shift - QUANTIZATION_LOGITS[near.quantization][0], spread)
        ability = self.abilities.of(model_id, self.weights)
        dataset_sd = _DATASET_SD if self.measurements else 0.0
        se_logit = math.sqrt(ability.se**2 + spread**2 + dataset_sd**2)
        score, slope = self._score(ability.value + shift)
        return Expected(value=1.0 - score, se=slope * se_logit, n_figures=ability.n_figures)

    def _score(self, ability: float) -> tuple[float, float]:
        """Expected score over the battery, and its derivative in ability."""
        parts = [(weight, curve, curve.score(ability)) for curve, weight in self.battery]
        score = sum(weight * p for weight, _, p in parts)
        slope = sum(weight * curve.slope * p * (1 - p) for weight, curve, p in parts)
        return score, slope

    def _measured(
        self, model_id: str, quantization: Quantization | None, adapter: str | None
    ) -> Measurement | None:
        wanted = (model_id, quantization or "none", adapter)
        return next((m for m in self.measurements if (m.model_id, m.quantization, m.adapter) == wanted), None)


def _from_near(near: Measurement, shift: float, spread: float) -> Expected:
    """What the same model scored here, moved by what the other way of loading costs."""
    logit = _logit(near.value) + shift
    score = 1.0 / (1.0 + math.exp(-logit))
    slope = score * (1.0 - score)
    return Expected(value=1.0 - score, se=math.hypot(_standard_error(near), slope * spread), near=near)


def _of_one_dataset(measurements: Sequence[Measurement]) -> list[Measurement]:
    """The figures of the data set that was measured last, by the metric that stands for quality on it."""
    known = [m for m in measurements if m.metric in _QUALITY]
    newest = max(known, key=lambda m: m.created_at_utc, default=None)
    if newest is None:
        return []
    of_set = [m for m in known if m.dataset_sha256 == newest.dataset_sha256]
    metric = min((m.metric for m in of_set), key=_QUALITY.index)
    return sorted((m for m in of_set if m.metric == metric), key=lambda m: m.created_at_utc, reverse=True)


def _battery(
    abilities: Abilities, benchmarks: Iterable[Benchmark], weights: Mapping[str, float]
) -> tuple[tuple[Curve, float], ...]:
    by_skill: dict[str, list[Curve]] = {skill: [] for skill in weights}
    for benchmark in benchmarks:
        curve = abilities.curves.get(benchmark.name)
        if curve and benchmark.task in by_skill and curve.score(_STRONG_ABILITY) < _SATURATED:
            by_skill[benchmark.task].append(curve)
    usable = {skill: curves for skill, curves in by_skill.items() if curves}
    total = sum(weights[skill] for skill in usable)
    return tuple(
        (curve, weights[skill] / total / len(curves)) for skill, curves in usable.items() for curve in curves
    )


def _dataset_curve(
    abilities: Abilities,
    weights: Mapping[str, float],
    battery: Sequence[tuple[Curve, float]],
    rows: Sequence[Measurement],
) -> Curve:
    """The data set as one more benchmark: slope as the task's benchmarks have, intercept from what was measured.

    Tuned adapters say nothing about how hard the data set is for models as published, so they stay out.
    """
    slope = fmean(curve.slope for curve, _ in battery) if battery else 1.0
    prior = fmean(curve.intercept for curve, _ in battery) if battery else 0.0
    sums = [prior / 4.0]
    precisions = [1 / 4.0]
    for model_id, value in _by_model(rows).items():
        if model_id not in abilities.models:
            continue
        ability: Ability = abilities.of(model_id, weights)
        precision = 1.0 / (_DATASET_SD**2 + (slope * ability.se) ** 2)
        sums.append(precision * (_logit(value) - slope * ability.value))
        precisions.append(precision)
    return Curve(intercept=sum(sums) / sum(precisions), slope=slope)


def _by_model(rows: Sequence[Measurement]) -> dict[str, float]:
    values: dict[str, list[float]] = {}
    for row in rows:
        if row.adapter is None:
            values.setdefault(row.model_id, []).append(row.value)
    return {model_id: fmean(found) for model_id, found in values.items()}


def _logit(value: float) -> float:
    clipped = min(max(value, 0.01), 0.99)
    return math.log(clipped / (1 - clipped))


def _standard_error(measured: Measurement) -> float:
    if measured.ci95_low is not None and measured.ci95_high is not None:
        return (measured.ci95_high - measured.ci95_low) / (2 * 1.96)
    return 0.5 / math.sqrt(max(measured.n_items, 1))
