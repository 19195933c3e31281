"""Turn the answers of candidates to the same rows into paired comparisons by one metric, and a verdict.

A metric that is the mean of its rows is compared row by row; a metric of all rows, such as macro F1, BLEU or bits per
byte, by a bootstrap of that very metric. Evaluations and `shortlist compare` go by the same rules.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from operator import attrgetter
from typing import Any, Protocol

import numpy as np

from finetune.clusters import Codes, Values, group_codes
from finetune.metrics import METRICS
from finetune.metrics.base import Sums
from finetune.paired import (
    PairedComparison,
    Verdict,
    adjusted,
    compare_paired,
    compare_resampled,
    more_rows_needed,
    unbeaten,
    verdict,
)
from finetune.resampling import Drawn, OfSums, Tally, ValueOfSums, draw_again, resamples_for

DELTA = 0.05
"""Of a full run: a difference, on a scale of 0 to 1, that is too small to matter unless another is stated."""

Pairs = dict[tuple[str, str], PairedComparison]
"""Every pair, the better one first."""


class Answered(Protocol):
    """What a metric must know of an answer."""

    @property
    def row(self) -> str:
        """The row's id."""
        ...

    @property
    def label(self) -> str:
        """What is right."""
        ...

    @property
    def references(self) -> Sequence[str]:
        """What is right as well."""
        ...

    @property
    def prediction(self) -> str:
        """What was said."""
        ...

    @property
    def score(self) -> float:
        """Of this row; higher is better."""
        ...

    @property
    def group(self) -> str | None:
        """Rows of one group are not independent."""
        ...

    @property
    def log_likelihood(self) -> float | None:
        """Of a text, in nats."""
        ...

    @property
    def tokens(self) -> int:
        """Of a text, with the one that begins it."""
        ...

    @property
    def utf8_bytes(self) -> int:
        """Of a text."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemScore:
    """A score that came without its answer, from a table or another program's log."""

    row: str
    score: float
    group: str | None = None
    label: str = ""
    references: Sequence[str] = ()
    prediction: str = ""
    log_likelihood: float | None = None
    tokens: int = 0
    utf8_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """A metric as comparisons need it."""

    name: str
    unit: str
    higher_is_better: bool = True
    of_item: Callable[[Answered], float] = attrgetter("score")
    of_rows: Callable[[Sequence[Answered]], Values] | None = None
    """Rows x columns, what each row adds to the sums; None where the metric is the mean of the scores."""
    value: ValueOfSums | None = None
    span: float | None = 1.0
    """From the worst value to the best; None where there is no end."""

    @property
    def of_sums(self) -> OfSums:
        """For the bootstrap; the sums of scores and of rows make a mean."""
        value = self.value or _mean
        return OfSums(name=self.name, value=value, higher_is_better=self.higher_is_better)

    def delta(self, delta_frac: float, leading_value: float) -> float:
        """A difference given on a scale of 0 to 1, on the metric's own; where that has no end, as a share of it."""
        return delta_frac * (abs(leading_value) if self.span is None else self.span)


def measure_of(metric: str) -> Measure:
    """A metric by its name; one that is not computed here is the mean of the scores that answers came with."""
    if metric in _LIKELIHOODS:
        return _LIKELIHOODS[metric]
    known = METRICS.get(metric)
    if known is None:
        return Measure(name=metric, unit="frac")
    if known.sums is not None:
        of_rows, span = _table_of(known.sums), 100.0 if known.unit == "points" else 1.0
        return Measure(name=metric, unit=known.unit, of_rows=of_rows, value=known.sums.value, span=span)
    if (per_item := known.per_item) is None:
        raise ValueError(f"the metric {metric} has neither scores of rows nor sums")
    return Measure(
        name=metric,
        unit=known.unit,
        of_item=lambda answer: per_item(answer.prediction, [answer.label, *answer.references]),
    )


def metric_of_rows(metric: str) -> str:
    """What single rows are scored by: the metric itself, or whether they are right where only all rows have it."""
    known = METRICS.get(metric)
    return "accuracy" if known is not None and known.per_item is None else metric


def _table_of(sums: Sums) -> Callable[[Sequence[Answered]], Values]:
    return lambda answers: sums.of_rows(
        [answer.prediction for answer in answers], [[answer.label, *answer.references] for answer in answers]
    )


def tally(measure: Measure, answers: Sequence[Answered]) -> Tally:
    """What the rows of a candidate add to the metric."""
    scores = np.array([measure.of_item(answer) for answer in answers], dtype=float)
    if measure.of_rows is None:
        return Tally(scores=scores, table=np.stack([scores, np.ones(len(scores))], axis=1))
    return Tally(scores=scores, table=measure.of_rows(answers))


def value_on(measure: Measure, of_rows: Tally) -> float:
    """The metric over some rows."""
    return measure.of_sums.of(of_rows.table)


@dataclass(frozen=True, slots=True)
class _Sheet:
    """A candidate's answers, ready to be picked from by row."""

    place: Mapping[str, int]
    groups: Sequence[str | None]
    tally: Tally

    def pick(self, rows: Sequence[str]) -> Tally:
        index = [self.place[row] for row in rows]
        return Tally(scores=self.tally.scores[index], table=self.tally.table[index])

    def codes(self, rows: Sequence[str]) -> Codes | None:
        return group_codes([self.groups[self.place[row]] for row in rows])


class Comparison:
    """Compares candidates by one metric. `answers`: candidate -> its answers, at least one of each."""

    def __init__(self, answers: Mapping[str, Sequence[Answered]], measure: Measure, *, seed: int = 0) -> None:
        self.measure = measure
        self._seed = seed
        self._sheets = {
            name: _Sheet(
                {answer.row: i for i, answer in enumerate(of_one)},
                [answer.group for answer in of_one],
                tally(self.measure, of_one),
            )
            for name, of_one in answers.items()
        }
        common = set.intersection(*(set(sheet.place) for sheet in self._sheets.values()))
        self.common_rows = sorted(common)
        self._drawn: dict[tuple[str, ...], Drawn] = {}

    def values(self) -> dict[str, float]:
        """The metric of each candidate on the rows that all have answered."""
        rows = self.common_rows
        return {
            name: value_on(self.measure, sheet.pick(rows) if rows else sheet.tally)
            for name, sheet in self._sheets.items()
        }

    def ranked(self) -> list[str]:
        """The best first, on the rows that all have answered."""
        values, sign = self.values(), -1 if self.measure.higher_is_better else 1
        return sorted(values, key=lambda name: sign * values[name])

    def pairs(self, *, each_on_its_own_rows: bool = False) -> Pairs:
        """Compare every pair on the rows that all have answered, or each on the rows that both have."""
        found: Pairs = {}
        ranked = self.ranked()
        n_pairs = len(ranked) * (len(ranked) - 1) // 2
        for a, b in combinations(ranked, 2):
            rows = self.common_rows
            if each_on_its_own_rows:
                rows = sorted(set(self._sheets[a].place) & set(self._sheets[b].place))
            if len(rows) > 1:
                first, second = self._better_first(a, b, rows)
                found[first, second] = self._pair(first, second, rows, resamples_for(n_pairs))
        return adjusted(found)

    def _better_first(self, a: str, b: str, rows: Sequence[str]) -> tuple[str, str]:
        lead = self._value(a, rows) - self._value(b, rows)
        is_behind = lead < 0 if self.measure.higher_is_better else lead > 0
        return (b, a) if is_behind else (a, b)

    def _value(self, name: str, rows: Sequence[str]) -> float:
        return value_on(self.measure, self._sheets[name].pick(rows))

    def _pair(self, a: str, b: str, rows: Sequence[str], resamples: int) -> PairedComparison:
        codes = self._sheets[a].codes(rows)
        if self.measure.of_rows is None:
            left, right = (self._sheets[name].pick(rows).scores.tolist() for name in (a, b))
            return compare_paired(left, right, groups=codes, seed=self._seed)
        first, second = (self._draw_again(name, rows, codes, resamples) for name in (a, b))
        return compare_resampled(first, second, self.measure.of_sums, groups=codes)

    def _draw_again(self, name: str, rows: Sequence[str], codes: Codes | None, resamples: int) -> Drawn:
        """Once for each candidate and set of rows, whoever it is compared with."""
        key = (name, *rows)
        if key not in self._drawn:
            tallied, metric = self._sheets[name].pick(rows), self.measure.of_sums
            self._drawn[key] = draw_again(tallied, metric, codes, resamples=resamples, seed=self._seed)
        return self._drawn[key]


def conclude(
    comparison: Comparison,
    *,
    delta_frac: float,
    alpha: float = 0.05,
    race: tuple[str, Verdict] | None = None,
) -> dict[str, Any]:
    """Say who leads, whether that is more than chance, and how many more rows would settle it.

    `race`: leader and verdict of one that stopped early. Its verdict counts, unless it raced on scores of single
    rows and the metric of all rows sees somebody else ahead.
    """
    pairs = comparison.pairs(each_on_its_own_rows=race is not None)
    if race:
        pairs = {
            n: replace(p, method=f"{p.method}; not corrected for stopping early") for n, p in pairs.items()
        }
    leader = race[0] if race else comparison.ranked()[0]
    against = [pair for (a, _), pair in pairs.items() if a == leader]
    delta = comparison.measure.delta(delta_frac, comparison.values()[leader])
    said = verdict(against, delta=delta, alpha=alpha)
    if race:
        is_behind = any(b == leader for _, b in pairs)
        said = "insufficient" if is_behind and comparison.measure.of_rows else race[1]
    more = more_rows_needed(unbeaten(against, alpha=alpha), delta=delta) if said == "insufficient" else None
    groups = max((pair.groups or 0 for pair in against), default=0)
    rows = max((pair.n for pair in against), default=1)
    return {
        "comparisons": [
            {"a": a, "b": b, "metric": comparison.measure.name, **asdict(p)} for (a, b), p in pairs.items()
        ],
        "winner": leader if said == "winner" else None,
        "leader": leader,
        "verdict": said,
        "delta": delta,
        "metric": comparison.measure.name,
        "unit": comparison.measure.unit,
        "more_rows_needed": more,
        "more_groups_needed": math.ceil(more * groups / rows) if more and groups else None,
    }


def _mean(sums: Values) -> Values:
    found: Values = sums[:, 0] / sums[:, 1]
    return found


_LARGEST_LOSS_NATS = math.log(1e300)


def _likelihood_table(of_one: Callable[[Answered], int]) -> Callable[[Sequence[Answered]], Values]:
    def of_rows(answers: Sequence[Answered]) -> Values:
        return np.array([[-(a.log_likelihood or 0.0), of_one(a)] for a in answers], dtype=float)

    return of_rows


def _perplexity(sums: Values) -> Values:
    found: Values = np.exp(np.minimum(sums[:, 0] / sums[:, 1], _LARGEST_LOSS_NATS))
    return found


def _bits_per_byte(sums: Values) -> Values:
    found: Values = sums[:, 0] / math.log(2) / sums[:, 1]
    return found


_LIKELIHOODS = {
    "bits_per_byte": Measure(
        name="bits_per_byte",
        unit="bits",
        span=None,
        higher_is_better=False,
        of_rows=_likelihood_table(lambda answer: answer.utf8_bytes),
        value=_bits_per_byte,
    ),
    "perplexity": Measure(
        name="perplexity",
        unit="tokens",
        span=None,
        higher_is_better=False,
        of_rows=_likelihood_table(lambda answer: answer.tokens - 1),
        value=_perplexity,
    ),
}
