"""What a race saves, and how often it drops the best: seeded races on simulated outcomes.

    PYTHONPATH=. python benchmarks/race.py [--races 2000] [OUTCOMES.csv ...]

Candidates answer items that are hard or easy for all of them (a logistic item response: abilities from a
normal of the stated spread, difficulties from a normal of 1.5), so their outcomes are correlated as real ones
are. "Best dropped" counts races that dropped the candidate with the highest true accuracy; "same first" those
whose leader is within 0.01 of the first of a full run. Uniform subsampling and successive halving get as many
answers as the race used. A table of outcomes (a row per model, a column per item) is raced in many orders.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import NormalDist

import numpy as np

from finetune.racing import ALPHA, RaceResult, Scores, replay
from skills.outcomes import read_table

NEAR = 0.01
DIFFICULTY = 1.5
SETTINGS = [(k, n, spread) for n in (200, 500, 5000) for k in (3, 6, 12) for spread in (0.2, 0.5)]


def simulate(k: int, n: int, spread: float, chance: np.random.Generator) -> tuple[Scores, Scores]:
    """Return outcomes (k x n) and true accuracies."""
    abilities = chance.normal(0.8, spread, k)
    right = _right(abilities, chance.normal(0, DIFFICULTY, n))
    # Midpoints of equal shares of the normal distribution of difficulties.
    nodes = DIFFICULTY * np.array([NormalDist().inv_cdf((i + 0.5) / 400) for i in range(400)])
    return (chance.random((k, n)) < right).astype(float), _right(abilities, nodes).mean(axis=1)


def _right(abilities: Scores, difficulties: Scores) -> Scores:
    found: Scores = 1 / (1 + np.exp(difficulties[None, :] - abilities[:, None]))
    return found


def uniform(scores: Scores, budget: int, chance: np.random.Generator) -> int:
    """The first after as many items for everyone as the budget of answers allows."""
    k, n = scores.shape
    items = chance.permutation(n)[: max(1, budget // k)]
    return int(scores[:, items].mean(axis=1).argmax())


def halving(scores: Scores, budget: int, chance: np.random.Generator) -> int:
    """Successive halving (Karnin et al., ICML 2013): equal budgets a round, the worse half leaves each time."""
    k, n = scores.shape
    order, left, seen = chance.permutation(n), np.arange(k), 0
    rounds = max(1, math.ceil(math.log2(k)))
    for _ in range(rounds):
        seen = min(n, seen + max(1, budget // (rounds * len(left))))
        ranked = left[np.argsort(-scores[left][:, order[:seen]].mean(axis=1), kind="stable")]
        left = ranked[: max(1, math.ceil(len(ranked) / 2))]
    return int(left[0])


def row(name: str, races: list[tuple[Scores, Scores, RaceResult]]) -> str:
    """One line of the table."""
    chance = np.random.default_rng(1)
    dropped = first = by_uniform = by_halving = 0
    verdicts = {"winner": 0, "indistinguishable": 0, "insufficient": 0}
    for scores, truth, race in races:
        full = scores.mean(axis=1)
        budget = sum(race.items_used.values())
        dropped += str(truth.argmax()) not in race.remaining
        first += full[int(race.leader)] > full.max() - NEAR
        by_uniform += full[uniform(scores, budget, chance)] > full.max() - NEAR
        by_halving += full[halving(scores, budget, chance)] > full.max() - NEAR
        verdicts[race.verdict] += 1
    total = len(races)
    share = np.mean([race.share_of_full_cost for _, _, race in races])
    said = " / ".join(f"{count / total:.0%}" for count in verdicts.values())
    return (
        f"| {name} | {total} | {dropped / total:.2%} | {share:.2f} "
        f"| {first / total:.1%} | {by_uniform / total:.1%} | {by_halving / total:.1%} | {said} |"
    )


def simulated(k: int, n: int, spread: float, races: int) -> list[tuple[Scores, Scores, RaceResult]]:
    """Races on fresh outcomes each."""
    chance = np.random.default_rng(20261123)
    found = []
    for seed in range(races):
        scores, truth = simulate(k, n, spread, chance)
        found.append((scores, truth, replay(_named(scores), seed=seed)))
    return found


def given(path: Path, races: int) -> list[tuple[Scores, Scores, RaceResult]]:
    """Races on given outcomes, in another order each; the truth is the full run."""
    outcomes = read_table(path).by_candidate
    scores = np.array([list(items.values()) for items in outcomes.values()])
    return [(scores, scores.mean(axis=1), replay(_named(scores), seed=seed)) for seed in range(races)]


def _named(scores: Scores) -> Mapping[str, list[float]]:
    return {str(i): of_one.tolist() for i, of_one in enumerate(scores)}


def rows(arguments: argparse.Namespace) -> Iterator[str]:
    """All lines of the table."""
    yield (
        "| candidates, items, spread | races | best dropped | share of full cost | same first: race | uniform "
        "| halving | winner / within delta / insufficient |"
    )
    yield "| --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |"
    for path in arguments.outcomes:
        yield row(path.name, given(path, arguments.races))
    for k, n, spread in () if arguments.outcomes else SETTINGS:
        yield row(f"{k}, {n}, {spread}", simulated(k, n, spread, arguments.races))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("outcomes", nargs="*", type=Path)
    parser.add_argument("--races", type=int, default=2000)
    print(f"alpha = {ALPHA}; a lead within {NEAR} of the first counts as the same\n")
    for line in rows(parser.parse_args()):
        print(line, flush=True)
