"""Turn published figures into what each model can do, skill by skill.

Models are tested on different benchmarks, newer ones on harder ones, so an average of whatever figures
a model happens to have says little. All figures are therefore fitted together: the logit of a score is

    y = intercept(benchmark) + slope(benchmark) * ability(model, skill)
        + offset(source and setting) + vendor_bias * self_reported + noise(benchmark)

The abilities of a model are drawn to a line in what is known of it (`prior.py`) and vary together, by a
covariance that is learned: a good mathematician is probably a good coder. Few figures so speak softly, and a
skill without figures is predicted from the others. Solved by expectation-maximization, in well under a second
for some ten thousand figures.

Knows nothing about a question: `skills.ranking.loss` reads the abilities for one.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from index.records import Benchmark, Evidence, EvidenceKind, ModelFact
from skills.ranking.prior import prior_design

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_ROUNDS = 30
_WARM_UP = 2
"""Rounds before spreads are learned, while abilities still are far from where they end."""
_NOISE_SD, _NOISE_COUNT = 0.45, 10.0
"""Spread of a benchmark's figures about the fit, in logits, and how many figures it takes to say otherwise."""
_NOISE_FACTOR: Mapping[EvidenceKind, float] = {
    "measured": 0.8,
    "published": 1.0,
    "self-reported": 1.2,
    "estimated": 2.0,
}
"""Vendors choose their settings, so their figures weigh less."""
_ITEMS = 200.0
"""Questions in a typical benchmark: near 0 and 1 few of them decide, so a logit says less there."""
_CLIP = 0.01
_REPEAT_POWER = 0.7
"""Figures of one model on one benchmark repeat each other; together they count as n ** (1 - this)."""
_TAIL_DF = 5.0
"""Degrees of freedom of the noise: settings differ, typos happen."""
_GENERAL_SD, _SKILL_SD, _COVARIANCE_COUNT = 0.5, 0.35, 40.0
"""What all skills share and what each has of its own, before models say otherwise."""
_INTERCEPT_SD, _SLOPE_SD, _OFFSET_SD, _VENDOR_BIAS_SD = 2.0, 0.4, 0.25, 0.3
_PRIOR_RIDGE = 3.0

SettingKey = tuple[str, str, str | None]
"""Benchmark, source and setting: figures that share all three were made alike."""


@dataclass(frozen=True, slots=True)
class Curve:
    """How one benchmark answers to ability, in logits."""

    intercept: float
    slope: float
    noise_sd: float = _NOISE_SD
    """How far a figure strays from the curve."""

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
    mean: Floats
    """Per model and skill."""
    covariance: Floats
    """Per model, between skills."""
    counts: Ints
    offsets: Mapping[SettingKey, tuple[float, float]]
    """How much easier a source's setting is than the benchmark's usual one, with its variance."""
    vendor_bias: float = 0.0
    """How much higher vendors' own figures come out than independent ones, in logits."""

    def of(self, model_id: str, weights: Mapping[str, float]) -> Ability:
        """Ability on a mixture of skills; `weights` need not sum to one. Unknown skills count as general."""
        row, total = self.models[model_id], sum(weights.values())
        mixture, unknown_var, count = np.zeros(len(self.skills)), 0.0, 0
        for skill, weight in weights.items():
            column = self.skills.get(skill)
            if column is None:
                mixture += weight / total / len(self.skills)
                unknown_var += (weight / total * _SKILL_SD) ** 2
                continue
            mixture[column] += weight / total
            count += int(self.counts[row, column])
        variance = float(mixture @ self.covariance[row] @ mixture) + unknown_var
        return Ability(value=float(mixture @ self.mean[row]), se=math.sqrt(variance), n_figures=count)

    def foresee(self, item: Evidence) -> tuple[float, float]:
        """What this figure's logit should be, and how far it may stray, whatever its score says."""
        curve = self.curves.get(item.benchmark.name, Curve(0.0, 1.0, _INTERCEPT_SD))
        ability = self.of(item.model_id, {item.benchmark.task: 1.0})
        offset, offset_var = self.offsets.get(_setting(item), (0.0, _OFFSET_SD**2))
        bias = self.vendor_bias if item.kind == "self-reported" else 0.0
        value = curve.intercept + curve.slope * ability.value + offset + bias
        share = min(max(1.0 / (1.0 + math.exp(-value)), _CLIP), 1.0 - _CLIP)
        noise = (curve.noise_sd * _NOISE_FACTOR[item.kind]) ** 2 + 1.0 / (_ITEMS * share * (1.0 - share))
        return value, math.sqrt((curve.slope * ability.se) ** 2 + offset_var + noise)


def fit(models: Sequence[ModelFact], evidence: Sequence[Evidence]) -> Abilities:
    """Fit all abilities and benchmark curves to the evidence at once."""
    rows = {model.id: index for index, model in enumerate(models)}
    usable = [item for item in evidence if item.model_id in rows and unit_score(item) is not None]
    names = _Names(
        models=rows,
        benchmarks=_numbered({item.benchmark.name for item in usable}),
        skills=_numbered({item.benchmark.task for item in usable} or {"general"}),
        settings={key: i for i, key in enumerate(dict.fromkeys(_setting(item) for item in usable))},
    )
    state = _Fit(_arrays(usable, names), prior_design(models), names)
    for number in range(_ROUNDS):
        state.round(learns_spreads=number >= _WARM_UP)
    return state.result()


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


@dataclass(frozen=True)
class _Names:
    """Row numbers of everything that has a name."""

    models: Mapping[str, int]
    benchmarks: Mapping[str, int]
    skills: Mapping[str, int]
    settings: Mapping[SettingKey, int]


@dataclass(frozen=True)
class _Figures:
    """The evidence as arrays: one entry per figure."""

    model: Ints
    benchmark: Ints
    skill: Ints
    setting: Ints
    y: Floats
    kind_var: Floats
    """Factor on the benchmark's noise variance."""
    item_var: Floats
    """Variance from the number of questions."""
    weight: Floats
    is_self_reported: Floats
    """1 for a vendor's own figure, else 0."""


def _numbered(names: set[str]) -> dict[str, int]:
    return {name: number for number, name in enumerate(sorted(names))}


def _setting(item: Evidence) -> SettingKey:
    return item.benchmark.name, item.source.name, item.setting


def _arrays(usable: Sequence[Evidence], names: _Names) -> _Figures:
    repeats = Counter((item.model_id, item.benchmark.name) for item in usable)
    unit = np.clip(np.array([unit_score(item) or 0.0 for item in usable], dtype=np.float64), _CLIP, 1 - _CLIP)

    def ints(values: list[int]) -> Ints:
        return np.array(values, dtype=np.int64)

    def floats(values: list[float]) -> Floats:
        return np.array(values, dtype=np.float64)

    return _Figures(
        model=ints([names.models[item.model_id] for item in usable]),
        benchmark=ints([names.benchmarks[item.benchmark.name] for item in usable]),
        skill=ints([names.skills[item.benchmark.task] for item in usable]),
        setting=ints([names.settings[_setting(item)] for item in usable]),
        y=np.log(unit / (1 - unit)),
        kind_var=floats([_NOISE_FACTOR[item.kind] ** 2 for item in usable]),
        item_var=1.0 / (_ITEMS * unit * (1 - unit)),
        weight=floats([repeats[item.model_id, item.benchmark.name] ** -_REPEAT_POWER for item in usable]),
        is_self_reported=floats([float(item.kind == "self-reported") for item in usable]),
    )


class _Fit:
    """The state of the alternation: what is believed of curves, abilities, settings and spreads so far."""

    def __init__(self, figures: _Figures, design: Floats, names: _Names) -> None:
        n_models, n_skills, n_benchmarks = len(names.models), len(names.skills), len(names.benchmarks)
        self.figures, self.design, self.names = figures, design, names
        self.seen = np.bincount(figures.model, minlength=n_models) > 0
        self.covariance_before = (
            np.full((n_skills, n_skills), _GENERAL_SD**2) + np.eye(n_skills) * _SKILL_SD**2
        )
        self.spread = self.covariance_before
        self.prior, self.mean = np.zeros((n_models, n_skills)), np.zeros((n_models, n_skills))
        self.covariance: Floats = np.zeros((n_models, n_skills, n_skills))
        self.intercept, self.slope = np.zeros(n_benchmarks), np.ones(n_benchmarks)
        self.noise_var = np.full(n_benchmarks, _NOISE_SD**2)
        self.offset = np.zeros(len(names.settings))
        self.offset_var = np.full(len(names.settings), _OFFSET_SD**2)
        self.bias, self.tail = 0.0, np.ones(len(figures.y))

    def round(self, *, learns_spreads: bool) -> None:
        """Better every belief once, given the others."""
        precision = self.figures.weight * self.tail / self._variance()
        self._fit_curves(precision)
        self._fit_abilities(precision)
        self._fit_prior()
        self._weigh_tails()
        if learns_spreads:
            self._fit_spreads()
            self._fit_offsets()
        self._fit_bias(precision)

    def _variance(self) -> Floats:
        return self.noise_var[self.figures.benchmark] * self.figures.kind_var + self.figures.item_var

    def _ability(self) -> tuple[Floats, Floats]:
        """Per figure: the mean and variance of the ability it tests."""
        model, skill = self.figures.model, self.figures.skill
        return self.mean[model, skill], self.covariance[model, skill, skill]

    def _adjusted(self) -> Floats:
        """The figures without what their setting and their vendor add."""
        return self.figures.y - self.offset[self.figures.setting] - self.bias * self.figures.is_self_reported

    def _residual(self) -> Floats:
        benchmark = self.figures.benchmark
        return self._adjusted() - self.intercept[benchmark] - self.slope[benchmark] * self._ability()[0]

    def _fit_curves(self, precision: Floats) -> None:
        """Per benchmark: weighted ridge of y on ability, slope drawn to 1."""
        ability, ability_var = self._ability()
        y = self._adjusted()

        def sums(values: Floats) -> Floats:
            return _sums(self.figures.benchmark, values, len(self.slope))

        s0 = sums(precision) + _INTERCEPT_SD**-2
        s1 = sums(precision * ability)
        s2 = sums(precision * (ability**2 + ability_var)) + _SLOPE_SD**-2
        t0 = sums(precision * y)
        t1 = sums(precision * ability * y) + _SLOPE_SD**-2
        determinant = s0 * s2 - s1**2
        self.intercept = (t0 * s2 - t1 * s1) / determinant
        self.slope = np.maximum((t1 * s0 - t0 * s1) / determinant, 0.1)

    def _fit_abilities(self, precision: Floats) -> None:
        """Per model: mean and covariance of its abilities, from its figures and what it is drawn to."""
        shape, n_skills = self.mean.shape, self.mean.shape[1]
        cell = self.figures.model * n_skills + self.figures.skill
        slope = self.slope[self.figures.benchmark]
        rest = self._adjusted() - self.intercept[self.figures.benchmark]
        told = _sums(cell, precision * slope**2, self.mean.size).reshape(shape)
        target = _sums(cell, precision * slope * rest, self.mean.size).reshape(shape)
        inverse = np.linalg.inv(self.spread)
        self.covariance = np.asarray(np.linalg.inv(inverse + told[:, :, None] * np.eye(n_skills)), float)
        self.mean = np.einsum("mij,mj->mi", self.covariance, target + self.prior @ inverse)

    def _fit_prior(self) -> None:
        """The line that abilities are drawn to, from the models that have figures."""
        x = self.design[self.seen]
        ridge = np.full(x.shape[1], _PRIOR_RIDGE)
        ridge[0] = 0.01
        self.prior = self.design @ np.linalg.solve(x.T @ x + np.diag(ridge), x.T @ self.mean[self.seen])

    def _weigh_tails(self) -> None:
        """Weigh figures far from the fit down, as noise with heavy tails asks for."""
        self.square = self._residual() ** 2 + self.slope[self.figures.benchmark] ** 2 * self._ability()[1]
        self.tail = (_TAIL_DF + 1.0) / (_TAIL_DF + self.square / self._variance())

    def _fit_spreads(self) -> None:
        """How skills vary together over models, and how noisy each benchmark is."""
        away = (self.mean - self.prior)[self.seen]
        total = (
            away.T @ away
            + self.covariance[self.seen].sum(axis=0)
            + _COVARIANCE_COUNT * self.covariance_before
        )
        self.spread = total / (self.seen.sum() + _COVARIANCE_COUNT)
        excess = np.maximum(self.square * self.tail - self.figures.item_var, 0.0) / self.figures.kind_var
        benchmark, n = self.figures.benchmark, len(self.slope)
        found = _sums(benchmark, self.figures.weight * excess, n) + _NOISE_COUNT * _NOISE_SD**2
        self.noise_var = found / (_sums(benchmark, self.figures.weight, n) + _NOISE_COUNT)

    def _fit_offsets(self) -> None:
        """Per source and setting: mean of what is left over, drawn to zero."""
        precision = self.figures.weight * self.tail / self._variance()
        left = self._residual() + self.offset[self.figures.setting]
        self.offset_var = 1.0 / (_sums(self.figures.setting, precision, len(self.offset)) + _OFFSET_SD**-2)
        self.offset = _sums(self.figures.setting, precision * left, len(self.offset)) * self.offset_var

    def _fit_bias(self, precision: Floats) -> None:
        """Mean of what vendors' own figures have left over, drawn to zero."""
        own = precision * self.figures.is_self_reported
        left = self._residual() + self.bias * self.figures.is_self_reported
        self.bias = float((own * left).sum() / (own.sum() + _VENDOR_BIAS_SD**-2))

    def result(self) -> Abilities:
        """What was found, by name."""
        counts = np.zeros(self.mean.shape, dtype=np.int64)
        np.add.at(counts, (self.figures.model, self.figures.skill), 1)
        found = zip(self.intercept, self.slope, np.sqrt(self.noise_var), strict=True)
        curves = [Curve(float(a), float(b), float(sd)) for a, b, sd in found]
        offsets = zip(self.offset.tolist(), self.offset_var.tolist(), strict=True)
        return Abilities(
            models=self.names.models,
            skills=self.names.skills,
            curves=dict(zip(self.names.benchmarks, curves, strict=True)),
            mean=self.mean,
            covariance=self.covariance,
            counts=counts,
            offsets=dict(zip(self.names.settings, offsets, strict=True)),
            vendor_bias=self.bias,
        )


def _sums(groups: Ints, values: Floats, n: int) -> Floats:
    return np.bincount(groups, weights=values, minlength=n).astype(np.float64)
