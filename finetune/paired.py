"""Turn per-item scores of two candidates on the same rows into a difference, its interval and a verdict.

Both saw the same rows, so what counts is how they differ row by row: the noise of easy and hard rows
cancels (Miller, arXiv 2411.00640). Everywhere below a difference is mean(a) - mean(b): positive means
that `a` scores higher.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from statistics import NormalDist
from typing import Literal

import numpy as np

Verdict = Literal["winner", "indistinguishable", "insufficient"]
"""insufficient: neither a winner nor a tie can be claimed from so few rows."""

Interval = tuple[float, float]

Z95 = 1.959963984540054
_EXACT_SIGN_FLIPS_UP_TO = 12
_SIGN_FLIPS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedComparison:
    """How `a` and `b` differ on the rows that both answered."""

    difference: float
    """mean(a) - mean(b)."""
    ci95: Interval
    p_value: float
    """Two-sided; Holm-adjusted when it comes from `compare_all`."""
    method: str
    n: int
    a_only: int
    """Rows on which `a` scored higher."""
    b_only: int


def wilson(successes: int, n: int) -> Interval:
    """Return the 95% interval of a proportion; unlike the usual one it has a width at 0/n and n/n.

    Wilson (1927).
    """
    if not 0 <= successes <= n or n == 0:
        raise ValueError(f"{successes} successes of {n} is not a proportion")
    share, z2 = successes / n, Z95**2
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = Z95 / (1 + z2 / n) * math.sqrt(share * (1 - share) / n + z2 / (4 * n**2))
    return max(0.0, min(share, centre - half)), min(1.0, max(share, centre + half))


def mcnemar_exact(a_only: int, b_only: int) -> float:
    """Return the two-sided exact p-value: how surprising so uneven a split of the discordant rows is."""
    discordant = a_only + b_only
    tail = sum(math.comb(discordant, k) for k in range(min(a_only, b_only) + 1))
    return min(1.0, 2 * tail / (1 << discordant))


def agresti_min(a_only: int, b_only: int, n: int) -> Interval:
    """Return the adjusted 95% interval of a difference of paired proportions.

    Adds half a row to each cell of the two-by-two table (Agresti and Min, 2005), so that it never
    has zero width, not even when the two never disagree.
    """
    rows, a, b = n + 2.0, a_only + 0.5, b_only + 0.5
    centre = (a - b) / rows
    half = Z95 * math.sqrt(a + b - (a - b) ** 2 / rows) / rows
    return max(-1.0, centre - half), min(1.0, centre + half)


def compare_paired(a: Sequence[float], b: Sequence[float], *, seed: int = 0) -> PairedComparison:
    """Compare two candidates on the same rows, in the same order.

    Scores of 0 and 1 get the exact McNemar test and the Agresti-Min interval; other scores a paired
    standard error with Student's t and a sign-flip test, seeded where it cannot be exact.
    """
    if len(a) != len(b) or len(a) < 2:
        raise ValueError(f"paired scores need the same two or more rows, got {len(a)} and {len(b)}")
    left, right = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    differences = left - right
    is_binary = bool(np.isin(np.concatenate([left, right]), (0.0, 1.0)).all())
    a_only, b_only = int((differences > 0).sum()), int((differences < 0).sum())
    return PairedComparison(
        difference=float(differences.mean()),
        ci95=agresti_min(a_only, b_only, len(differences)) if is_binary else _t_interval(differences),
        p_value=mcnemar_exact(a_only, b_only) if is_binary else _sign_flip_p(differences, seed),
        method="exact McNemar, Agresti-Min interval" if is_binary else "paired t interval, sign-flip test",
        n=len(differences),
        a_only=a_only,
        b_only=b_only,
    )


def compare_all(
    scores: Mapping[str, Sequence[float]], *, seed: int = 0
) -> dict[tuple[str, str], PairedComparison]:
    """Compare every pair, better one first, with p-values adjusted by Holm for their number."""
    ranked = sorted(scores, key=lambda name: -float(np.mean(scores[name])))
    pairs = list(combinations(ranked, 2))
    raw = [compare_paired(scores[a], scores[b], seed=seed) for a, b in pairs]
    adjusted = holm([comparison.p_value for comparison in raw])
    return {
        pair: replace(
            comparison,
            p_value=p_value,
            method=comparison.method + (f", Holm over {len(pairs)}" if len(pairs) > 1 else ""),
        )
        for pair, comparison, p_value in zip(pairs, raw, adjusted, strict=True)
    }


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values adjusted so that the chance of any false claim among all stays low (Holm, 1979)."""
    adjusted = [0.0] * len(p_values)
    running = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        running = max(running, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = running
    return adjusted


def verdict(
    leader_against_others: Sequence[PairedComparison], *, delta: float, alpha: float = 0.05
) -> Verdict:
    """Say what may be claimed of the leader, given its comparison with each other candidate.

    winner: better than all of them, by interval and by p-value. indistinguishable: those it is not
    better than lie within `delta` of it, whole interval. insufficient: more rows are needed to say
    either, and always when there is nothing to compare with.
    """
    rivals = [c for c in leader_against_others if c.p_value >= alpha or c.ci95[0] <= 0]
    if leader_against_others and not rivals:
        return "winner"
    if rivals and all(-delta <= c.ci95[0] and c.ci95[1] <= delta for c in rivals):
        return "indistinguishable"
    return "insufficient"


def items_needed(differences: Sequence[float], *, alpha: float = 0.05, power: float = 0.8) -> int | None:
    """Return how many rows would show a difference like this one, with a chance of `power`.

    n = ((z(1 - alpha/2) + z(power)) * sd / mean)^2, rounded up; None where the mean is 0, which no number shows.
    """
    values = np.asarray(differences, dtype=float)
    mean, spread = float(values.mean()), float(values.std())
    if mean == 0:
        return None
    normal = NormalDist()
    return math.ceil(((normal.inv_cdf(1 - alpha / 2) + normal.inv_cdf(power)) * spread / mean) ** 2)


def _t_interval(differences: np.ndarray) -> Interval:
    n, mean = len(differences), float(differences.mean())
    half = _t_quantile_975(n - 1) * float(differences.std(ddof=1)) / math.sqrt(n)
    return mean - half, mean + half


def _t_quantile_975(degrees: int) -> float:
    """Student's t from the normal quantile: Abramowitz and Stegun 26.7.5; exact values where it is poor."""
    if degrees < 3:
        return (12.706204736, 4.302652730)[degrees - 1]
    z, v = Z95, float(degrees)
    return (
        z
        + (z**3 + z) / (4 * v)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * v**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * v**3)
        + (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / (92160 * v**4)
    )


def _sign_flip_p(differences: np.ndarray, seed: int) -> float:
    """If neither were better, the sign of each row's difference would be a coin toss."""
    n = len(differences)
    observed = abs(float(differences.sum()))
    if n <= _EXACT_SIGN_FLIPS_UP_TO:
        signs = 1 - 2 * ((np.arange(2**n)[:, None] >> np.arange(n)) & 1)
        return float((np.abs(signs @ differences) >= observed * (1 - 1e-12)).mean())
    signs = np.random.default_rng(seed).choice((-1.0, 1.0), size=(_SIGN_FLIPS, n))
    at_least_as_far = int((np.abs(signs @ differences) >= observed * (1 - 1e-12)).sum())
    return (at_least_as_far + 1) / (_SIGN_FLIPS + 1)
