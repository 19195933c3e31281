"""Turn the groups of rows into what they do to errors: rows of one conversation or customer are not independent.

Twenty turns of one conversation say less than twenty conversations. Standard errors sum what the rows of a group
are off by before squaring (Miller, arXiv 2411.00640, section 2.2), and quantiles are those of the number of groups.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.intp]
"""For each row the number of its group, from 0."""

Values = NDArray[np.float64]

Z95 = 1.959963984540054


def group_codes(groups: Sequence[str | None]) -> Codes | None:
    """Number the groups; None where no two rows share one, or all rows do, which tells nothing about errors.

    A row without a group is a group of its own.
    """
    numbers: dict[str | int, int] = {}
    codes = [
        numbers.setdefault(i if group is None else group, len(numbers)) for i, group in enumerate(groups)
    ]
    return np.array(codes, dtype=np.intp) if 1 < len(numbers) < len(codes) else None


def n_units(n_rows: int, codes: Codes | None) -> int:
    """How many independent things there are: groups, or rows."""
    return n_rows if codes is None else int(codes.max()) + 1


def group_totals(table: Values, codes: Codes | None) -> Values:
    """Sum the rows of each group; rows without groups stay as they are."""
    if codes is None:
        return table
    totals = np.zeros((n_units(len(table), codes), *table.shape[1:]))
    np.add.at(totals, codes, table)
    return totals


def standard_error(values: Values, codes: Codes | None) -> float:
    """Standard error of the mean over two or more rows, clustered by group where there are groups."""
    units = n_units(len(values), codes)
    off = group_totals(values - values.mean(), codes)
    return math.sqrt(units / (units - 1) * float((off**2).sum())) / len(values)


def effective_rows(values: Values, codes: Codes) -> float:
    """So many independent rows would be as sure: at most all, and as many as groups where nothing varies."""
    clustered = standard_error(values, codes)
    if clustered == 0:
        return float(n_units(len(values), codes))
    return min(1.0, (standard_error(values, None) / clustered) ** 2) * len(values)


def t_quantile_975(degrees: int) -> float:
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
