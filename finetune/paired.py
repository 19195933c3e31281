"""Turn per-item scores of two candidates on the same rows into a difference, its interval and a verdict.

Both saw the same rows, so what counts is how they differ row by row: the noise of easy and hard rows
cancels (Miller, arXiv 2411.00640). Everywhere below a difference is that of `a` minus that of `b`. Where rows come
in groups, intervals and tests count groups and not rows (clusters.py).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import combinations
from statistics import NormalDist
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from finetune.clusters import (
    Z95,
    Codes,
    Values,
    effective_rows,
    group_totals,
    n_units,
    standard_error,
    t_quantile_975,
)
from finetune.resampling import Drawn, OfSums, interval95, p_two_sided

Verdict = Literal["winner", "indistinguishable", "insufficient"]
"""insufficient: neither a winner nor a tie can be claimed from so few rows."""

Interval = tuple[float, float]

_EXACT_SIGN_FLIPS_UP_TO = 12
_DRAWN_SIGN_FLIPS_UP_TO = 1_000
_SIGN_FLIPS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedComparison:
    """How `a` and `b` differ on the rows that both answered."""

    difference: float
    """The metric of `a` minus that of `b`, on the metric's own scale."""
    ci95: Interval
    p_value: float
    """Two-sided; Holm-adjusted when it comes from `compare_all`."""
    method: str
    n: int
    a_only: int
    """Rows on which `a` did better."""
    b_only: int
    groups: int | None = None
    """How many groups the rows come in, where the figures count groups."""
    higher_is_better: bool = True

    @property
    def lead95(self) -> Interval:
        """The interval of how far `a` is ahead, whatever the direction of the metric."""
        low, high = self.ci95
        return (low, high) if self.higher_is_better else (-high, -low)


def wilson(successes: float, n: float, *, z: float = Z95) -> Interval:
    """Return the 95% interval of a proportion; unlike the usual one it has a width at 0/n and n/n.

    Wilson (1927).
    """
    if not 0 <= successes <= n or n == 0:
        raise ValueError(f"{successes} successes of {n} is not a proportion")
    share, z2 = successes / n, z**2
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = z / (1 + z2 / n) * math.sqrt(share * (1 - share) / n + z2 / (4 * n**2))
    return max(0.0, min(share, centre - half)), min(1.0, max(share, centre + half))


def share_interval(scores: Sequence[float], groups: Codes | None = None) -> Interval:
    """Return the 95% interval of the mean of scores that are 0 or 1: Wilson's, for groups on the effective rows."""
    values = np.asarray(scores, dtype=float)
    if groups is None:
        return wilson(float(values.sum()), len(values))
    rows = effective_rows(values, groups)
    z = t_quantile_975(n_units(len(values), groups) - 1)
    low, high = wilson(min(rows, float(values.mean()) * rows), rows, z=z)
    return min(low, float(values.mean())), max(high, float(values.mean()))


def mcnemar_exact(a_only: int, b_only: int) -> float:
    """Return the two-sided exact p-value: how surprising so uneven a split of the discordant rows is."""
    discordant, ways, tail = a_only + b_only, 1, 0
    for k in range(min(a_only, b_only) + 1):
        tail += ways
        ways = ways * (discordant - k) // (k + 1)
    return min(1.0, 2 * tail / (1 << discordant))


def agresti_min(a_only: float, b_only: float, n: float, *, z: float = Z95) -> Interval:
    """Return the adjusted 95% interval of a difference of paired proportions.

    Adds half a row to each cell of the two-by-two table (Agresti and Min, 2005), so that it never
    has zero width, not even when the two never disagree.
    """
    rows, a, b = n + 2.0, a_only + 0.5, b_only + 0.5
    centre = (a - b) / rows
    half = z * math.sqrt(a + b - (a - b) ** 2 / rows) / rows
    return max(-1.0, centre - half), min(1.0, centre + half)


def compare_paired(
    a: Sequence[float], b: Sequence[float], *, groups: Codes | None = None, seed: int = 0
) -> PairedComparison:
    """Compare two candidates on the same rows, in the same order; scores are such that higher is better.

    Scores of 0 and 1 get the exact McNemar test and the Agresti-Min interval; other scores a paired
    standard error with Student's t and a sign-flip test, seeded where it cannot be exact. With groups the signs of
    whole groups are flipped, and the intervals are clustered.
    """
    if len(a) != len(b) or len(a) < 2:
        raise ValueError(f"paired scores need the same two or more rows, got {len(a)} and {len(b)}")
    left, right = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    differences = left - right
    is_binary = bool(np.isin(np.concatenate([left, right]), (0.0, 1.0)).all())
    a_only, b_only = int((differences > 0).sum()), int((differences < 0).sum())
    is_mcnemar = is_binary and groups is None
    method = "exact McNemar, " if is_mcnemar else "sign-flip test, "
    method += "Agresti-Min interval" if is_binary else "paired t interval"
    return PairedComparison(
        difference=float(differences.mean()),
        ci95=_agresti_min(differences, groups) if is_binary else _t_interval(differences, groups),
        p_value=mcnemar_exact(a_only, b_only) if is_mcnemar else _sign_flip_p(differences, groups, seed),
        method=method + _by_groups(len(differences), groups),
        n=len(differences),
        a_only=a_only,
        b_only=b_only,
        groups=None if groups is None else n_units(len(differences), groups),
    )


def compare_resampled(a: Drawn, b: Drawn, metric: OfSums, *, groups: Codes | None = None) -> PairedComparison:
    """Compare two candidates by a metric of all rows, which both were given anew on the same rows drawn again."""
    n, differences, difference = len(a.scores), a.draws - b.draws, a.value - b.value
    return PairedComparison(
        difference=difference,
        ci95=interval95(differences, difference, n, groups),
        p_value=p_two_sided(differences, n, groups),
        method=f"paired bootstrap of {metric.name}, {len(differences):,} resamples" + _by_groups(n, groups),
        n=n,
        a_only=int((a.scores > b.scores).sum()),
        b_only=int((b.scores > a.scores).sum()),
        groups=None if groups is None else n_units(n, groups),
        higher_is_better=metric.higher_is_better,
    )


def compare_all(
    scores: Mapping[str, Sequence[float]], *, groups: Codes | None = None, seed: int = 0
) -> dict[tuple[str, str], PairedComparison]:
    """Compare every pair, better one first, with p-values adjusted by Holm for their number."""
    ranked = sorted(scores, key=lambda name: -float(np.mean(scores[name])))
    pairs = combinations(ranked, 2)
    return adjusted(
        {(a, b): compare_paired(scores[a], scores[b], groups=groups, seed=seed) for a, b in pairs}
    )


def adjusted(pairs: Mapping[tuple[str, str], PairedComparison]) -> dict[tuple[str, str], PairedComparison]:
    """The same comparisons with p-values adjusted by Holm for their number, which the method tells."""
    told = f", Holm over {len(pairs)}" if len(pairs) > 1 else ""
    p_values = holm([pair.p_value for pair in pairs.values()])
    return {
        names: replace(pair, p_value=p_value, method=pair.method + told)
        for (names, pair), p_value in zip(pairs.items(), p_values, strict=True)
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
    rivals = unbeaten(leader_against_others, alpha=alpha)
    if leader_against_others and not rivals:
        return "winner"
    if rivals and all(-delta <= c.ci95[0] and c.ci95[1] <= delta for c in rivals):
        return "indistinguishable"
    return "insufficient"


def unbeaten(
    leader_against_others: Sequence[PairedComparison], *, alpha: float = 0.05
) -> list[PairedComparison]:
    """Those comparisons in which the leader's lead may be chance."""
    return [pair for pair in leader_against_others if pair.p_value >= alpha or pair.lead95[0] <= 0]


def more_rows_needed(
    rivals: Sequence[PairedComparison], *, delta: float, alpha: float = 0.05, power: float = 0.8
) -> int | None:
    """Rows beside those seen that would likely settle it: show the leads, or that they are within `delta`.

    Intervals narrow with the root of the number of rows. None where no number would.
    """
    normal = NormalDist()
    reach = (normal.inv_cdf(1 - alpha / 2) + normal.inv_cdf(power)) / Z95
    needed = []
    for pair in rivals:
        half = (pair.ci95[1] - pair.ci95[0]) / 2
        gap = max(abs(pair.difference), delta - abs(pair.difference))
        if gap == 0:
            return None
        needed.append(math.ceil(pair.n * (reach * half / gap) ** 2) - pair.n)
    return max(1, *needed) if needed else None


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


def _by_groups(n: int, groups: Codes | None) -> str:
    return "" if groups is None else f", clustered by {n_units(n, groups)} groups"


def _agresti_min(differences: Values, groups: Codes | None) -> Interval:
    n, a_only, b_only = len(differences), int((differences > 0).sum()), int((differences < 0).sum())
    if groups is None:
        return agresti_min(a_only, b_only, n)
    share, z = effective_rows(differences, groups) / n, t_quantile_975(n_units(n, groups) - 1)
    return agresti_min(a_only * share, b_only * share, n * share, z=z)


def _t_interval(differences: Values, groups: Codes | None) -> Interval:
    mean, degrees = float(differences.mean()), n_units(len(differences), groups) - 1
    half = t_quantile_975(degrees) * standard_error(differences, groups)
    return mean - half, mean + half


def _sign_flip_p(differences: Values, groups: Codes | None, seed: int) -> float:
    """If neither were better, the sign of each row's, or each group's, difference would be a coin toss."""
    totals = group_totals(differences, groups)
    n, observed = len(totals), abs(float(totals.sum())) * (1 - 1e-12)
    if n <= _EXACT_SIGN_FLIPS_UP_TO:
        signs = 1 - 2 * ((np.arange(2**n)[:, None] >> np.arange(n)) & 1)
        return float((np.abs(signs @ totals) >= observed).mean())
    if n > _DRAWN_SIGN_FLIPS_UP_TO:
        spread = math.sqrt(float((totals**2).sum()))
        return math.erfc(observed / spread / math.sqrt(2)) if spread else 1.0
    flipped = 2.0 * (_signs(n, seed) @ totals) - totals.sum()
    return (int((np.abs(flipped) >= observed).sum()) + 1) / (_SIGN_FLIPS + 1)


@lru_cache(maxsize=1)
def _signs(n: int, seed: int) -> NDArray[np.float32]:
    """0 for minus and 1 for plus; every pair of candidates meets the same coins."""
    return np.random.default_rng(seed).integers(0, 2, (_SIGN_FLIPS, n), dtype=np.uint8).astype(np.float32)
