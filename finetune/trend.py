"""Losses of candidates at growing sizes -> where each of their curves is heading: a local linear trend, filtered.

On a scale of doublings the logarithm of a loss falls along a line whose slope changes slowly (the two phases of the
rectified scaling law of Lin et al., ICML 2024, and the bend between them). So a curve is followed by a level and a slope
(Harvey, 1989); a run may be an outlier or the start of a new level (Harrison and Stevens, 1976). How noisy runs are is a
candidate's own; how fast slopes change, and whether they all steepen, is shared by the candidates. All are values of a
grid, weighted by how well they foresaw every next point of the curves.

Arrays are noise x dynamics x candidates, unless they say otherwise. Losses are natural logarithms, sizes base-2 logarithms.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

_VAGUE_VARIANCE = 4.0
"""Of the level before the first point: a loss e times as high or low is no surprise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What is believed before any curve was seen. docs/prediction.md tells how little hangs on each."""

    noise: tuple[float, ...] = (0.002, 0.004, 0.008, 0.016, 0.032, 0.064)
    """Of one run, as a share of its loss."""
    wander: tuple[float, ...] = (0.002, 0.004, 0.008, 0.016)
    """How much a slope changes from one doubling to the next, as a standard deviation."""
    drift: tuple[float, ...] = (-0.006, -0.003, 0.0, 0.003)
    """How much all slopes change a doubling. Mostly down: curves bend downwards when the power law begins."""
    temper: float = 0.15
    """The weight of one curve as evidence for the dynamics: curves on the same rows err together."""
    outlier_frac: float = 0.02
    """Of runs that went wrong, and as many after which the curve goes on from another level."""
    outlier_sd: float = 0.2

    def grid(self) -> tuple[Values, Values, Values]:
        """Return noise, wander and drift, shaped to be spread over noise x dynamics x candidates."""
        dynamics = np.array(list(itertools.product(self.wander, self.drift)))
        return (
            np.array(self.noise)[:, None, None],
            dynamics[None, :, 0, None],
            dynamics[None, :, 1, None],
        )


@dataclass(frozen=True, slots=True)
class _Belief:
    """A normal distribution of level and slope, and the logarithm of its weight."""

    weight: Values
    level: Values
    slope: Values
    var_level: Values
    covariance: Values
    var_slope: Values

    def after(self, doublings: float, wander: Values, drift: Values) -> _Belief:
        """Go on along the line; the slope drifts and wanders on the way."""
        return _Belief(
            self.weight,
            self.level + doublings * self.slope,
            self.slope + doublings * drift,
            self.var_level + 2 * doublings * self.covariance + doublings**2 * self.var_slope,
            self.covariance + doublings * self.var_slope,
            self.var_slope + doublings * wander**2,
        )

    def shifted(self, variance: float) -> _Belief:
        """Let the curve jump to another level."""
        return _Belief(
            self.weight, self.level, self.slope, self.var_level + variance, self.covariance, self.var_slope
        )

    def having_seen(self, log_loss: Values, noise_variance: Values, log_prior: float) -> _Belief:
        """Condition on a point of each curve. Where it is missing, nothing is learned."""
        surprise = log_loss - self.level
        variance = self.var_level + noise_variance
        log_likelihood = -0.5 * (surprise**2 / variance + np.log(2 * np.pi * variance))
        gain_level, gain_slope = self.var_level / variance, self.covariance / variance
        seen = np.isfinite(log_loss)
        learned = _Belief(
            self.weight + log_likelihood,
            self.level + gain_level * surprise,
            self.slope + gain_slope * surprise,
            self.var_level * (1 - gain_level),
            self.covariance * (1 - gain_level),
            self.var_slope - gain_slope * self.covariance,
        )
        kept = [np.where(seen, new, old) for new, old in zip(_parts(learned), _parts(self), strict=True)]
        return _Belief(kept[0] + log_prior, *kept[1:])


@dataclass(frozen=True, slots=True, kw_only=True)
class Trends:
    """Where the curves stand after their last point."""

    beliefs: Sequence[_Belief]
    """What the last point was: an ordinary one, an outlier, or the start of a new level."""
    settings: Settings
    of_dynamics: Values
    """Weights of the dynamics; they add up to 1."""
    of_noise: Values
    """Weights of the noise under each of the dynamics, for each candidate; along the noise they add up to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """Log losses further on, drawn jointly: draws x candidates."""

    mean: Values
    """A value per candidate."""
    own: Values
    """What tells candidates apart."""
    together: Values
    """`own`, and by how much all of them may be off together."""


def follow(log2_sizes: Values, log_losses: Values, settings: Settings) -> Trends:
    """Filter the curves (candidates x sizes, NaN where there is no run) from the smallest size to the largest."""
    noise, wander, drift = settings.grid()
    shape = (noise.shape[0], wander.shape[1], len(log_losses))
    beliefs = [_first_belief(log2_sizes, log_losses, shape)]
    evidence = np.zeros(shape)
    for place, size in enumerate(log2_sizes):
        step = float(size - log2_sizes[place - 1]) if place else 0.0
        beliefs = [belief.after(step, wander, drift) for belief in beliefs]
        seen = _explained(beliefs, log_losses[:, place], noise**2, settings)
        total = np.logaddexp.reduce([belief.weight for belief in seen])
        beliefs = [_Belief(belief.weight - total, *_parts(belief)[1:]) for belief in seen]
        evidence += total
    of_curves = np.logaddexp.reduce(evidence, axis=0)
    return Trends(
        beliefs=beliefs,
        settings=settings,
        of_dynamics=_shares(settings.temper * of_curves.sum(axis=1)),
        of_noise=_shares(evidence),
    )


def look_ahead(trends: Trends, doublings: float, *, draws: int, seed: int = 0) -> Outlook:
    """Draw the log losses of runs that are so many doublings larger than the last point."""
    noise, wander, drift = trends.settings.grid()
    ahead = [_far_ahead(belief, doublings, wander, drift) for belief in trends.beliefs]
    # What the last point was, and a candidate's noise, are its own: one axis of things to be averaged over.
    shares, levels, variances = (
        np.concatenate(of_beliefs)
        for of_beliefs in (
            [np.exp(belief.weight) * trends.of_noise for belief in ahead],
            [belief.level for belief in ahead],
            [belief.var_level + noise**2 for belief in ahead],
        )
    )
    mean = np.einsum("d,odc,odc->c", trends.of_dynamics, shares, levels)
    rng = np.random.default_rng(seed)
    which = rng.choice(len(trends.of_dynamics), size=draws, p=trends.of_dynamics)
    chosen = _choose(shares[:, which], rng)
    level, variance = (
        np.take_along_axis(of_all[:, which], chosen[None], axis=0)[0] for of_all in (levels, variances)
    )
    own = level + np.sqrt(variance) * rng.standard_normal(level.shape)
    in_step = wander[0, which] * np.sqrt(doublings**3 / 3) * rng.standard_normal((draws, 1))
    return Outlook(mean=mean, own=own, together=own + in_step)


def _far_ahead(belief: _Belief, doublings: float, wander: Values, drift: Values) -> _Belief:
    steps = max(1, int(np.ceil(doublings - 1e-9)))
    for _ in range(steps):
        belief = belief.after(doublings / steps, wander, drift)
    return belief


def _explained(
    beliefs: Sequence[_Belief], seen: Values, noise_variance: Values, settings: Settings
) -> list[_Belief]:
    """A belief for each of the three things that the point may be, whatever the one before it was."""
    rare, jump = settings.outlier_frac, settings.outlier_sd**2
    ordinary = [belief.having_seen(seen, noise_variance, np.log(1 - 2 * rare)) for belief in beliefs]
    outlier = [belief.having_seen(seen, noise_variance + jump, np.log(rare)) for belief in beliefs]
    new_level = [belief.shifted(jump).having_seen(seen, noise_variance, np.log(rare)) for belief in beliefs]
    return [_merged(ordinary), _merged(outlier), _merged(new_level)]


def _merged(beliefs: Sequence[_Belief]) -> _Belief:
    """The one normal distribution with the mean and the covariance of the mixture."""
    total = np.logaddexp.reduce([belief.weight for belief in beliefs])
    shares = np.exp(np.array([belief.weight for belief in beliefs]) - total)
    levels, slopes = (np.array([getattr(b, name) for b in beliefs]) for name in ("level", "slope"))
    level, slope = (shares * levels).sum(axis=0), (shares * slopes).sum(axis=0)
    off_level, off_slope = levels - level, slopes - slope
    spreads = (off_level**2, off_level * off_slope, off_slope**2)
    within = (np.array([_parts(belief)[part] for belief in beliefs]) for part in (3, 4, 5))
    moments = [(shares * (inner + outer)).sum(axis=0) for inner, outer in zip(within, spreads, strict=True)]
    return _Belief(total, level, slope, *moments)


def _first_belief(log2_sizes: Values, log_losses: Values, shape: tuple[int, ...]) -> _Belief:
    """Before the first point: any level, and a slope as the curves have on the whole."""
    slopes = [slope for curve in log_losses if (slope := _overall_slope(log2_sizes, curve)) is not None]
    middle = float(np.median(slopes)) if slopes else 0.0
    spread = max(0.05, 1.5 * float(np.median(np.abs(np.array(slopes) - middle)))) if slopes else 0.1
    full = [np.full(shape, value) for value in (0.0, np.nanmedian(log_losses), middle)]
    variances = [np.full(shape, value) for value in (_VAGUE_VARIANCE, 0.0, spread**2)]
    return _Belief(*full, *variances)


def _overall_slope(log2_sizes: Values, curve: Values) -> float | None:
    places = np.flatnonzero(np.isfinite(curve))
    if len(places) < 2:
        return None
    first, last = places[0], places[-1]
    return float((curve[last] - curve[first]) / (log2_sizes[last] - log2_sizes[first]))


def _shares(log_weights: Values) -> Values:
    """Weights that add up to 1 along the first axis."""
    weights = np.exp(log_weights - log_weights.max(axis=0))
    shares: Values = weights / weights.sum(axis=0)
    return shares


def _choose(shares: Values, rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw a place of the first axis for every cell of the others, by its shares."""
    threshold = rng.random(shares.shape[1:])
    places: NDArray[np.int64] = (np.cumsum(shares[:-1], axis=0) < threshold).sum(axis=0)
    return places


def _parts(belief: _Belief) -> tuple[Values, ...]:
    return (belief.weight, belief.level, belief.slope, belief.var_level, belief.covariance, belief.var_slope)
