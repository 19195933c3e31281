"""Turn published figures into what each model can do: one general ability, and one per skill.

Models are tested on different benchmarks, newer ones on harder ones, so an average of whatever figures
a model happens to have says little. All figures are therefore fitted together: the logit of a score is

    y = intercept(benchmark) + slope(benchmark) * (general(model) + special(model, skill))
        + vendor_bias * self_reported + noise

with priors that let few figures speak softly: `general` is drawn to a line in release date, log parameters,
hosted or open, and reasoning or not; `special` to zero; `slope` to one. Solved by alternating ridge
regressions (a MAP estimate), which takes well under a second for some ten thousand figures.

Knows nothing about a question: `skills.ranking.loss` reads the abilities for one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from index.records import Benchmark, Evidence, ModelFact

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_ITERATIONS = 40
_NOISE_SD = {"measured": 0.35, "published": 0.45, "self-reported": 0.6, "estimated": 1.0}
"""Spread of a figure about the fit, in logits: vendors choose their settings, so their figures weigh less."""
_GENERAL_SD = 0.5
"""Spread of general ability about the line in date and size."""
_SPECIAL_SD = 0.4
"""Spread of a skill about the model's own general ability."""
_SPECIALIST_SD = 1.0
"""The same for models that were tested in one skill only: most were made for just that skill."""
_LEANING_RIDGE = 5.0
_SLOPE_SD = 0.4
_INTERCEPT_SD = 2.0
_VENDOR_BIAS_SD = 0.3
_HUBER = 2.0
"""Residuals beyond this many standard deviations are weighed down: settings differ, typos happen."""


@dataclass(frozen=True, slots=True)
class Curve:
    """How one benchmark answers to ability, in logits."""

    intercept: float
    slope: float

    def score(self, ability: float) -> float:
        """The expected score, 0 to 1, of a model with this ability."""
        return 1.0 / (1.0 + math.exp(-(self.intercept + self.slope * ability)))


@dataclass(frozen=True, slots=True)
class Ability:
    """What a model can do in one skill, in logits, with its standard error."""

    value: float
    se: float
    n_figures: int
    """Figures of this model in this very skill; 0 means predicted from its other figures and its kin."""


@dataclass(frozen=True)
class Abilities:
    """The fitted abilities of all models and the curves of all benchmarks."""

    models: Mapping[str, int]
    skills: Mapping[str, int]
    curves: Mapping[str, Curve]
    general: Floats
    special: Floats
    general_var: Floats
    special_var: Floats
    spread_var: Floats
    """Per model: variance of a skill about general ability before any figure."""
    counts: Ints
    vendor_bias: float = 0.0
    """How much higher vendors' own figures come out than independent ones, in logits."""

    def of(self, model_id: str, weights: Mapping[str, float]) -> Ability:
        """Ability on a mixture of skills; `weights` need not sum to one. Unknown skills count as general."""
        row = self.models[model_id]
        total = sum(weights.values())
        value, variance, count, explained = float(self.general[row]), 0.0, 0, 0.0
        spread_var = float(self.spread_var[row, 0])
        for skill, weight in weights.items():
            column = self.skills.get(skill)
            share = weight / total
            if column is None:
                variance += share**2 * spread_var
                continue
            value += share * float(self.special[row, column])
            variance += share**2 * float(self.special_var[row, column])
            explained += share * (1.0 - float(self.special_var[row, column]) / spread_var)
            count += int(self.counts[row, column])
        # What a skill's own figures already explain does not depend on general ability any more.
        variance += (1.0 - explained) ** 2 * float(self.general_var[row])
        return Ability(value=value, se=math.sqrt(variance), n_figures=count)


@dataclass(frozen=True)
class _Figures:
    """The evidence as arrays: one entry per figure."""

    model: Ints
    benchmark: Ints
    skill: Ints
    y: Floats
    precision: Floats
    is_self_reported: Floats
    """1 for a vendor's own figure, else 0."""


def fit(models: Sequence[ModelFact], evidence: Sequence[Evidence]) -> Abilities:
    """Fit all abilities and benchmark curves to the evidence at once."""
    rows = {model.id: index for index, model in enumerate(models)}
    usable = [item for item in evidence if item.model_id in rows and unit_score(item) is not None]
    benchmarks = {name: i for i, name in enumerate(sorted({item.benchmark.name for item in usable}))}
    skills = {name: i for i, name in enumerate(sorted({item.benchmark.task for item in usable}))}
    figures = _arrays(usable, rows, benchmarks, skills)
    design = _prior_design(models)
    return _alternate(figures, design, rows, benchmarks, skills)


def unit_score(item: Evidence) -> float | None:
    """The score on 0 (worst) to 1 (best), or None on a scale without ends."""
    return to_unit(item.score, item.benchmark)


def to_unit(score: float, benchmark: Benchmark) -> float | None:
    """Map a score of `benchmark` onto 0 (worst) to 1 (best), or None on a scale without ends."""
    low, high = benchmark.scale_min, benchmark.scale_max
    if low is None or high is None or high <= low:
        return None
    share = (score - low) / (high - low)
    if not -0.001 <= share <= 1.001:
        return None
    return share if benchmark.higher_is_better else 1.0 - share


def _arrays(
    usable: Sequence[Evidence],
    rows: Mapping[str, int],
    benchmarks: Mapping[str, int],
    skills: Mapping[str, int],
) -> _Figures:
    unit = np.clip([unit_score(item) or 0.0 for item in usable], 0.01, 0.99)
    return _Figures(
        model=np.array([rows[item.model_id] for item in usable], dtype=np.int64),
        benchmark=np.array([benchmarks[item.benchmark.name] for item in usable], dtype=np.int64),
        skill=np.array([skills[item.benchmark.task] for item in usable], dtype=np.int64),
        y=np.log(unit / (1 - unit)),
        precision=np.array([_NOISE_SD[item.kind] ** -2 for item in usable], dtype=np.float64),
        is_self_reported=np.array([item.kind == "self-reported" for item in usable], dtype=np.float64),
    )


def _prior_design(models: Sequence[ModelFact]) -> Floats:
    """One row per model: what is known of it without any figure."""
    sizes = [math.log(model.params_b) for model in models if model.params_b]
    typical = float(np.median(sizes)) if sizes else 0.0
    return np.array([_known_of(model, typical) for model in models], dtype=np.float64)


def _known_of(model: ModelFact, typical: float) -> tuple[float, ...]:
    """1, years since 2024, log parameters of a generator and of an encoder, hosted, reasoning, base, encoder."""
    size = (math.log(model.params_b) if model.params_b else typical) - typical
    is_encoder = model.kind in {"encoder", "embedding"}
    return (
        1.0,
        release_year(model) - 2024.0,
        0.0 if is_encoder else size,
        size if is_encoder else 0.0,
        float(not model.open_weights),
        float(bool(model.reasoning)),
        float(model.kind == "base"),
        float(is_encoder),
    )


def release_year(model: ModelFact) -> float:
    """Release date as a decimal year; mid-2024 when unknown."""
    if not model.release_date:
        return 2024.5
    parts = [int(part) for part in model.release_date.split("-")]
    month = parts[1] if len(parts) > 1 else 7
    return parts[0] + (month - 0.5) / 12


def _alternate(
    figures: _Figures,
    design: Floats,
    rows: Mapping[str, int],
    benchmarks: Mapping[str, int],
    skills: Mapping[str, int],
) -> Abilities:
    n_models, n_skills = len(rows), len(skills)
    general, special = np.zeros(n_models), np.zeros((n_models, n_skills))
    intercept, slope = np.zeros(len(benchmarks)), np.ones(len(benchmarks))
    counts = np.zeros((n_models, n_skills), dtype=np.int64)
    np.add.at(counts, (figures.model, figures.skill), 1)
    is_specialist = (counts > 0).sum(axis=1, keepdims=True) == 1
    spread_var: Floats = np.where(is_specialist, _SPECIALIST_SD, _SPECIAL_SD) ** 2
    weight, raw, vendor_bias = figures.precision, figures.y, 0.0
    for _ in range(_ITERATIONS):
        figures = replace(figures, y=raw - vendor_bias * figures.is_self_reported)
        ability = general[figures.model] + special[figures.model, figures.skill]
        intercept, slope = _fit_curves(figures, ability, weight, len(benchmarks))
        prior = design @ _fit_prior(design, general, figures, n_models)
        cells = _Cells.of(figures, intercept, slope, weight, spread_var)
        leaning = design @ _fit_leaning(design, special, cells)
        general, general_var = cells.general(prior, leaning)
        special, special_var = cells.special(general, leaning)
        fitted = intercept[figures.benchmark] + slope[figures.benchmark] * (
            general[figures.model] + special[figures.model, figures.skill]
        )
        weight = _robust(figures, fitted)
        vendor_bias = _fit_vendor_bias(figures, raw - fitted, weight)
    names = list(benchmarks)
    curves = {name: Curve(float(intercept[i]), float(slope[i])) for i, name in enumerate(names)}
    return Abilities(
        rows, skills, curves, general, special, general_var, special_var, spread_var, counts, vendor_bias
    )


def _fit_curves(figures: _Figures, ability: Floats, weight: Floats, n: int) -> tuple[Floats, Floats]:
    """Per benchmark: weighted ridge of y on ability, slope drawn to 1."""

    def sums(values: Floats) -> Floats:
        return _sums(figures.benchmark, values, n)

    s0 = sums(weight) + _INTERCEPT_SD**-2
    s1 = sums(weight * ability)
    s2 = sums(weight * ability**2) + _SLOPE_SD**-2
    t0 = sums(weight * figures.y)
    t1 = sums(weight * ability * figures.y) + _SLOPE_SD**-2
    determinant = s0 * s2 - s1**2
    intercept = (t0 * s2 - t1 * s1) / determinant
    slope = np.maximum((t1 * s0 - t0 * s1) / determinant, 0.1)
    return intercept, slope


def _fit_prior(design: Floats, general: Floats, figures: _Figures, n_models: int) -> Floats:
    """The line that abilities are drawn to, from the models that have figures."""
    seen = np.bincount(figures.model, minlength=n_models) >= 3
    x, y = design[seen], general[seen]
    gram = x.T @ x + np.eye(x.shape[1])
    return np.asarray(np.linalg.solve(gram, x.T @ y), dtype=np.float64)


@dataclass(frozen=True)
class _Cells:
    """Per model and skill: what its figures say about ability there, as precision and precision * mean."""

    precision: Floats
    target: Floats
    spread_var: Floats

    @classmethod
    def of(
        cls, figures: _Figures, intercept: Floats, slope: Floats, weight: Floats, spread_var: Floats
    ) -> _Cells:
        n_models, n_skills = len(spread_var), int(figures.skill.max(initial=0)) + 1
        a = slope[figures.benchmark]
        cell, size = figures.model * n_skills + figures.skill, n_models * n_skills
        rest = figures.y - intercept[figures.benchmark]
        precision = _sums(cell, weight * a**2, size).reshape(n_models, n_skills)
        target = _sums(cell, weight * a * rest, size).reshape(n_models, n_skills)
        return cls(precision, target, spread_var)

    def general(self, prior: Floats, leaning: Floats) -> tuple[Floats, Floats]:
        """Per model: general ability and its variance, the skills' own deviations integrated out.

        Ten figures of one skill share that skill's deviation, so they say less about the whole than
        ten figures of ten skills.
        """
        shrink = 1.0 / (1.0 + self.precision * self.spread_var)
        precision = (self.precision * shrink).sum(axis=1) + _GENERAL_SD**-2
        target = ((self.target - self.precision * leaning) * shrink).sum(axis=1) + _GENERAL_SD**-2 * prior
        return target / precision, 1.0 / precision

    def special(self, general: Floats, leaning: Floats) -> tuple[Floats, Floats]:
        """Per model and skill: the deviation from general ability, drawn to `leaning`, and its variance."""
        precision = self.precision + 1.0 / self.spread_var
        target = self.target - self.precision * general[:, None] + leaning / self.spread_var
        return target / precision, 1.0 / precision


def _fit_leaning(design: Floats, special: Floats, cells: _Cells) -> Floats:
    """Per skill: the line in size, date and kind that deviations are drawn to, from the cells with figures.

    Small reasoning models solve problems better than they know facts; without this, a model that was only
    tested on problems would look as good at everything.
    """
    weights = np.zeros((design.shape[1], special.shape[1]))
    for skill in range(special.shape[1]):
        trust = cells.precision[:, skill] / (cells.precision[:, skill] + _SPECIAL_SD**-2)
        gram = (design * trust[:, None]).T @ design + _LEANING_RIDGE * np.eye(design.shape[1])
        weights[:, skill] = np.linalg.solve(gram, (design * trust[:, None]).T @ special[:, skill])
    return weights


def _fit_vendor_bias(figures: _Figures, residual: Floats, weight: Floats) -> float:
    """Mean of what vendors' own figures have left over, drawn to zero."""
    own = weight * figures.is_self_reported
    return float((own * residual).sum() / (own.sum() + _VENDOR_BIAS_SD**-2))


def _robust(figures: _Figures, fitted: Floats) -> Floats:
    scaled = np.abs(figures.y - fitted) * np.sqrt(figures.precision)
    kept: Floats = figures.precision * np.minimum(1.0, _HUBER / np.maximum(scaled, 1e-9))
    return kept


def _sums(groups: Ints, values: Floats, n: int) -> Floats:
    return np.bincount(groups, weights=values, minlength=n).astype(np.float64)
