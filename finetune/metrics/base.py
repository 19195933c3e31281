"""What a metric is: a pure function on plain values, with its unit and direction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

Table = NDArray[np.float64]

References = Sequence[Sequence[str]]
"""For each row the answers that are right; one or more."""

Compute = Callable[[Sequence[str], References], float]
"""(predictions, references) -> value."""

ItemScore = Callable[[str, Sequence[str]], float]
"""(prediction, references of the row) -> from 0 to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """A metric of all rows as a function of sums over rows, so that rows drawn again need not be read again."""

    of_rows: Callable[[Sequence[str], References], Table]
    """Rows x columns: what each row adds."""
    value: Callable[[Table], Table]
    """(draws x columns) -> the metric of each draw."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A figure that says how well predictions fit their references."""

    name: str
    unit: str
    """frac: from 0 to 1; points: from 0 to 100."""
    higher_is_better: bool
    compute: Compute
    per_item: ItemScore | None = None
    """The score of one row, which races rest on; None where only all rows have a value."""
    sums: Sums | None = None
    """What it is made of where it is not the mean of the scores of the rows."""


def mean_of(score: ItemScore) -> Compute:
    """The metric of all rows as the mean of its rows."""

    def compute(predictions: Sequence[str], references: References) -> float:
        require_pairs(predictions, references)
        return fmean(score(p, r) for p, r in zip(predictions, references, strict=True))

    return compute


def labels_of(predictions: Sequence[str], references: References) -> list[str]:
    """The one true label of each row."""
    require_pairs(predictions, references)
    return [of_row[0] for of_row in references]


def require_pairs(predictions: Sequence[str], references: References) -> None:
    """Refuse what no metric is defined on: no rows, or a prediction without its reference."""
    if not references or len(predictions) != len(references):
        raise ValueError(f"{len(predictions)} predictions for {len(references)} targets")
