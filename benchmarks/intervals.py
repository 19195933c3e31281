"""How honest the statistics are: winners by chance with and without groups, and coverage of bootstrap intervals.

    PYTHONPATH=. python benchmarks/intervals.py [--runs 1000]

1. Two candidates that are equally good, each better at some groups of rows than at others: how often is one called a
winner, by a full comparison and by a race, when the groups are respected and when they are not?
2. Candidates of unlike strength over a population of rows: how often does the 95% interval of the paired bootstrap hold
the true difference of the metric, on samples of 50, 200 and 1,000 rows?
3. How long one pair takes.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator

import numpy as np

from finetune.clusters import Codes, Values
from finetune.comparison import ItemScore, measure_of
from finetune.paired import compare_paired, compare_resampled
from finetune.racing import replay
from finetune.resampling import OfSums, Tally, draw, draw_again, interval95

LABELS = np.array(["billing", "bug", "login", "refund", "other"])
WORDS = np.array([f"{first}{last}" for first in ("ba", "do", "fi", "lu") for last in ("n", "st", "ra", "ke")])
POPULATION = 20_000
MADE = (
    "accuracy by bootstrap",
    "f1_macro",
    "balanced_accuracy",
    "precision_macro",
    "chrf",
    "bleu",
    "bits_per_byte",
)


def grouped(groups: int, size: int, spread: float, chance: np.random.Generator) -> tuple[Codes, Values]:
    """Scores of two candidates whose ability at each group is drawn from one distribution."""
    ability = np.repeat(chance.normal(0.5, spread, (2, groups)), size, axis=1)
    right = chance.random(ability.shape) < 1 / (1 + np.exp(-ability))
    return np.repeat(np.arange(groups), size), right.astype(float)


def winners(groups: int, size: int, spread: float, runs: int) -> str:
    """Share of runs with a winner: full comparison and race, each by groups and by rows."""
    found = np.zeros(4)
    chance = np.random.default_rng(1)
    for seed in range(runs):
        codes, scores = grouped(groups, size, spread, chance)
        named = {"a": scores[0].tolist(), "b": scores[1].tolist()}
        for i, known in enumerate((codes, None)):
            found[i] += compare_paired(named["a"], named["b"], groups=known, seed=seed).p_value < 0.05
            found[2 + i] += replay(named, seed=seed, groups=known).verdict == "winner"
    shares = " | ".join(f"{share:.1%}" for share in found / runs)
    return f"| {groups} x {size}, {spread} | {shares} |"


def answers(metric: str, chance: np.random.Generator) -> list[list[ItemScore]]:
    """What two candidates say to every row of the population."""
    if metric == "bits_per_byte":
        return _texts_found_likely(chance)
    if metric in ("chrf", "bleu"):
        true = [chance.choice(WORDS, chance.integers(5, 20)) for _ in range(POPULATION // 4)]
        said = [[_garbled(words, kept, chance) for words in true] for kept in (0.75, 0.7)]
        return [
            [_item(i, " ".join(t), s) for i, (t, s) in enumerate(zip(true, one, strict=True))] for one in said
        ]
    labels = chance.choice(LABELS, POPULATION, p=[0.5, 0.25, 0.15, 0.07, 0.03])
    guesses = [
        np.where(chance.random(POPULATION) < p, labels, chance.choice(LABELS, POPULATION)) for p in (0.7, 0.6)
    ]
    return [[_item(i, t, s) for i, (t, s) in enumerate(zip(labels, one, strict=True))] for one in guesses]


def _garbled(words: Values, kept: float, chance: np.random.Generator) -> str:
    return " ".join(np.where(chance.random(len(words)) < kept, words, chance.choice(WORDS, len(words))))


def _texts_found_likely(chance: np.random.Generator) -> list[list[ItemScore]]:
    n_bytes, hard = chance.integers(20, 400, POPULATION), chance.normal(1.0, 0.3, POPULATION)
    return [
        [
            ItemScore(
                row=str(i), score=0.0, log_likelihood=-float(b * n), tokens=int(n) // 4 + 2, utf8_bytes=int(n)
            )
            for i, (b, n) in enumerate(
                zip(hard + chance.normal(extra, 0.15, POPULATION), n_bytes, strict=True)
            )
        ]
        for extra in (0.0, 0.03)
    ]


def _item(i: int, true: str, said: str) -> ItemScore:
    return ItemScore(row=str(i), score=float(true == said), label=str(true), prediction=str(said))


def tables(metric: str) -> tuple[list[Values], OfSums]:
    """The population of two candidates as rows of sums."""
    measure = measure_of("accuracy" if metric.startswith("accuracy") else metric)
    both = answers(measure.name, np.random.default_rng(2))
    if measure.of_rows is None:
        scored = [np.array([[item.score, 1.0] for item in one]) for one in both]
        return scored, measure.of_sums
    return [measure.of_rows(one) for one in both], measure.of_sums


def coverage(metric: str, runs: int) -> str:
    """Share of samples whose interval holds the difference in the population."""
    population, of_sums = tables(metric)
    truth = of_sums.of(population[0]) - of_sums.of(population[1])
    shares = []
    for n in (50, 200, 1000):
        chance, inside = np.random.default_rng(n), 0
        for seed in range(runs):
            rows = chance.integers(0, len(population[0]), n)
            a, b = (table[rows] for table in population)
            drawn = draw([a, b], of_sums.value, None, resamples=500, seed=seed)
            low, high = interval95(drawn[0] - drawn[1], of_sums.of(a) - of_sums.of(b), n)
            inside += low <= truth <= high
        shares.append(f"{inside / runs:.1%}")
    return f"| {metric} | {truth:+.3f} | {' | '.join(shares)} |"


def timed(metric: str) -> str:
    """Seconds for one pair: 1,000 resamples of 1,000 rows, counting included or not."""
    measure = measure_of(metric)
    of_rows = measure.of_rows
    assert of_rows is not None
    both = [one[:1000] for one in answers(metric, np.random.default_rng(3))]
    started_s = time.perf_counter()
    a, b = (of_rows(one) for one in both)
    counted_s = time.perf_counter() - started_s
    tallied = [Tally(scores=np.zeros(1000), table=table) for table in (a, b)]
    started_s = time.perf_counter()
    drawn = [draw_again(of_one, measure.of_sums, None, resamples=1000, seed=0) for of_one in tallied]
    compare_resampled(drawn[0], drawn[1], measure.of_sums)
    pair_s = time.perf_counter() - started_s
    return f"| {metric} | {counted_s:.3f} s | {pair_s:.3f} s |"


def lines(runs: int) -> Iterator[str]:
    yield "| groups x rows, spread | full, by group | full, by row | race, by group | race, by row |"
    yield "| --- | ---: | ---: | ---: | ---: |"
    for groups, size, spread in ((50, 20, 0.0), (50, 20, 0.7), (50, 20, 1.5), (200, 5, 1.5), (15, 40, 1.5)):
        yield winners(groups, size, spread, runs)
    yield ""
    yield "| metric | true difference | 50 rows | 200 rows | 1,000 rows |"
    yield "| --- | ---: | ---: | ---: | ---: |"
    for metric in MADE:
        yield coverage(metric, max(100, runs // (5 if metric in ("chrf", "bleu") else 1)))
    yield ""
    yield "| metric | counting 2 x 1,000 rows | 1,000 resamples of both |"
    yield "| --- | ---: | ---: |"
    for metric in MADE[1:]:
        yield timed(metric)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--runs", type=int, default=1000)
    for line in lines(parser.parse_args().runs):
        print(line, flush=True)
