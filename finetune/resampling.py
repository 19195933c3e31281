"""Turn what the rows of a metric add up to into its value on rows drawn again: the bootstrap (Efron, 1979).

A metric of all rows, such as macro F1 or BLEU, is a function of sums over rows. So rows are counted once, and
thousands of draws are one product of matrices. Where rows come in groups, whole groups are drawn.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from finetune.clusters import Codes, Values, group_totals, n_units, t_quantile_975

ValueOfSums = Callable[[Values], Values]
"""(draws x columns, sums over rows) -> the metric of each draw."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OfSums:
    """A metric of all rows, as a function of what the rows add up to."""

    name: str
    value: ValueOfSums
    higher_is_better: bool = True

    def of(self, table: Values) -> float:
        """The metric on the rows as they are."""
        return float(self.value(table.sum(axis=0)[None, :])[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """A candidate's rows, as comparisons need them."""

    scores: Values
    """Row by row; higher is better."""
    table: Values
    """Rows x columns: what each row adds to the sums of a metric of all rows."""


_AT_LEAST = 2_000
_PER_PAIR = 100
"""So many more where Holm divides the smallest p-value by the number of pairs."""
_CELLS_AT_ONCE = 4_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """A candidate's metric, and its values on rows drawn again."""

    value: float
    draws: Values
    scores: Values
    """Row by row, as they are."""


def draw_again(tally: Tally, metric: OfSums, codes: Codes | None, *, resamples: int, seed: int) -> Drawn:
    """Draw rows again; the same seed draws the same ones for every candidate."""
    (draws,) = draw([tally.table], metric.value, codes, resamples=resamples, seed=seed)
    return Drawn(value=metric.of(tally.table), draws=draws, scores=tally.scores)


def resamples_for(n_pairs: int) -> int:
    """How many draws it takes, so that the best of so many pairs can be significant after Holm's correction."""
    return max(_AT_LEAST, _PER_PAIR * n_pairs)


def draw(
    tables: Sequence[Values], value: ValueOfSums, codes: Codes | None, *, resamples: int, seed: int
) -> list[Values]:
    """Values of the metric on rows, or groups, drawn with replacement; each draw is the same for all tables.

    `tables`: rows x columns, one table a candidate, for the same rows.
    """
    totals = [group_totals(table, codes) for table in tables]
    chunks = [
        [value(weights @ of_one) for of_one in totals]
        for weights in _weights(len(totals[0]), resamples, seed)
    ]
    return [np.concatenate(of_one) for of_one in zip(*chunks, strict=True)]


def _weights(n: int, resamples: int, seed: int) -> Iterator[Values]:
    """How often each of `n` is drawn, draw by draw, in pieces that fit into memory."""
    chance = np.random.default_rng(seed)
    while resamples > 0:
        size = max(1, min(resamples, _CELLS_AT_ONCE // n))
        picks = chance.integers(0, n, (size, n)) + n * np.arange(size)[:, None]
        yield np.bincount(picks.ravel(), minlength=size * n).reshape(size, n).astype(float)
        resamples -= size


def interval95(draws: Values, value: float, n_rows: int, codes: Codes | None = None) -> tuple[float, float]:
    """Percentiles, moved outwards as Student's t is wider than the normal; always holds the value itself.

    Hesterberg, "What Teachers Should Know About the Bootstrap" (2015): plain percentiles are too narrow for few rows.
    """
    units = n_units(n_rows, codes)
    widened = math.sqrt(units / (units - 1)) * t_quantile_975(units - 1) if units > 1 else math.inf
    tail = NormalDist().cdf(-widened)
    low, high = np.quantile(draws, [tail, 1 - tail])
    return min(float(low), value), max(float(high), value)


def p_two_sided(differences: Values, n_rows: int, codes: Codes | None = None) -> float:
    """Twice the share of draws on the rarer side of 0, the observed one counted as one of them.

    Never below what a coin could say of so few rows or groups.
    """
    rarer = min(int((differences <= 0).sum()), int((differences >= 0).sum()))
    floor = 2.0 ** (1 - min(n_units(n_rows, codes), 1000))
    return min(1.0, max(floor, 2 * (rarer + 1) / (len(differences) + 1)))
