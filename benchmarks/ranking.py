"""Hide published figures, predict them from the rest, and compare: rank correlation, error and coverage by task.

`python benchmarks/ranking.py`

Figures are hidden in five folds by (model, benchmark): every figure is hidden exactly once, together with all
others of the same model on the same benchmark. Then whole benchmarks are hidden, one at a time with all its
versions, and the models ranked from the rest: the nearest to a ranking that the catalogue does not have.
Only generators are ranked; benchmarks with fewer than 8 of them are left out of the correlations.
"""

from __future__ import annotations

import math
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median

import numpy as np

from index.catalogue import Catalogue
from index.records import Evidence, ModelFact
from skills.conversation.request import Requirements
from skills.ranking.ability import Abilities, fit, unit_score
from skills.ranking.criteria import criteria_for
from skills.ranking.prior import Floats, release_year

FOLDS = 5
MIN_MODELS = 8
UNSEEN = {
    "chat": ("Arena-Hard", "AlpacaEval 2.0", "Wild Bench", "MT-Bench"),
    "creative-writing": ("Creative Writing v3", "WritingBench", "WildBench Creative Tasks"),
    "chinese": ("AlignBench", "C-Eval", "CMMLU", "Chinese SimpleQA"),
    "code": ("LiveCodeBench", "Aider Polyglot", "SWE-bench Verified", "MultiPL-E"),
    "math": ("AIME 2025", "HMMT 2025", "MATH-500", "MGSM"),
}
"""Benchmarks that are hidden whole, by the task that they stand for. Later versions begin with the same name."""

Method = Callable[[Sequence[Evidence], Sequence[Evidence]], list[float]]


@dataclass(frozen=True, slots=True)
class Guess:
    """One hidden figure, and what each method said of it."""

    item: Evidence
    truth: float
    said: Mapping[str, float]
    z: float
    """How many standard errors the logit is away from ours."""


def main() -> None:
    """Print all tables."""
    catalogue = Catalogue.load()
    models = catalogue.models
    evidence = [item for item in catalogue.evidence if unit_score(item) is not None]
    guesses = [guess for fold in range(FOLDS) for guess in hide_fold(models, evidence, fold)]
    print_by_task(guesses, models)
    print_coverage(guesses)
    print_unseen(models, evidence)


def hide_fold(models: Mapping[str, ModelFact], evidence: Sequence[Evidence], fold: int) -> list[Guess]:
    """Predict the figures of one fold from all others."""
    hidden = [item for item in evidence if _fold(item) == fold]
    known = [item for item in evidence if _fold(item) != fold]
    abilities = fit(list(models.values()), known)
    methods = {name: by_line(feature, known, hidden) for name, feature in baselines(models, known).items()}
    guesses = []
    for index, item in enumerate(hidden):
        logit, sd = abilities.foresee(item)
        truth = unit_score(item) or 0.0
        said = {"ours": _share(logit), **{name: values[index] for name, values in methods.items()}}
        guesses.append(Guess(item, truth, said, (_logit(truth) - logit) / sd))
    return guesses


def _fold(item: Evidence) -> int:
    return zlib.crc32(f"f|{item.model_id}|{item.benchmark.name}".encode()) % FOLDS


def baselines(
    models: Mapping[str, ModelFact], known: Sequence[Evidence]
) -> Mapping[str, Callable[[Evidence], float]]:
    """What the simple methods rank by."""
    sizes = {name: math.log(model.params_b) for name, model in models.items() if model.params_b}
    typical = median(sizes.values())
    scores: dict[str, list[float]] = defaultdict(list)
    for item in known:
        scores[item.model_id].append(unit_score(item) or 0.0)
    everyone = fmean(score for found in scores.values() for score in found)
    means = {name: fmean(found) for name, found in scores.items()}
    return {
        "parameters": lambda item: sizes.get(item.model_id, typical),
        "newest": lambda item: release_year(models[item.model_id]),
        "mean of others": lambda item: means.get(item.model_id, everyone),
    }


def by_line(
    feature: Callable[[Evidence], float], known: Sequence[Evidence], hidden: Sequence[Evidence]
) -> list[float]:
    """Predict each hidden figure by a line in `feature`, fitted to the benchmark's known figures."""
    points: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for item in known:
        points[item.benchmark.name].append((feature(item), unit_score(item) or 0.0))
    lines = {name: _line(found) for name, found in points.items()}
    return [float(np.polyval(lines.get(item.benchmark.name, (0.0, 0.5)), feature(item))) for item in hidden]


def _line(points: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Slope, drawn to zero as if two more points sat at the mean, and intercept."""
    x, y = np.array(points).T
    spread = float(((x - x.mean()) ** 2).sum())
    slope = float(((x - x.mean()) * (y - y.mean())).sum()) / (spread * (1 + 2 / len(x)) + 1e-9)
    return slope, float(y.mean() - slope * x.mean())


def print_by_task(guesses: Sequence[Guess], models: Mapping[str, ModelFact]) -> None:
    """One row a task: rank correlation within a benchmark and mean absolute error, by method."""
    names = list(guesses[0].said)
    print(f"| task | figures | benchmarks | {' | '.join(f'{name}: ρ, error' for name in names)} |")
    print("| --- " * (3 + len(names)) + "|")
    tasks = sorted({guess.item.benchmark.task for guess in guesses})
    for task in [*tasks, "all"]:
        chosen = [guess for guess in guesses if task in {guess.item.benchmark.task, "all"}]
        rows = {name: correlations(chosen, name, models) for name in names}
        cells = [f"{_mean(rows[name])}, {_error(chosen, name):.3f}" for name in names]
        print(f"| {task} | {len(chosen)} | {len(rows['ours'])} | {' | '.join(cells)} |")


def correlations(guesses: Sequence[Guess], name: str, models: Mapping[str, ModelFact]) -> list[float]:
    """Spearman between truth and prediction within each benchmark, a model's figures averaged."""
    found: dict[str, dict[str, list[tuple[float, float]]]] = defaultdict(lambda: defaultdict(list))
    for guess in guesses:
        if models[guess.item.model_id].kind in {"instruct", "base"}:
            pairs = found[guess.item.benchmark.name][guess.item.model_id]
            pairs.append((guess.truth, guess.said[name]))
    tables = [[np.mean(pairs, axis=0) for pairs in rows.values()] for rows in found.values()]
    return [spearman(*np.array(table).T) for table in tables if len(table) >= MIN_MODELS]


def spearman(x: Sequence[float] | Floats, y: Sequence[float] | Floats) -> float:
    """Rank correlation, ties sharing their mean rank; 0 when one side does not vary."""
    first, second = _ranks(np.asarray(x, dtype=np.float64)), _ranks(np.asarray(y, dtype=np.float64))
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return 0.0
    return float(np.corrcoef(first, second)[0, 1])


def _ranks(values: Floats) -> Floats:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks: Floats = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    return ranks


def print_coverage(guesses: Sequence[Guess]) -> None:
    """How many hidden figures lie inside our intervals."""
    print("\n| figures | inside 80% | inside 95% |\n| --- | --- | --- |")
    for kind in ("published", "self-reported", "all"):
        away = np.abs([guess.z for guess in guesses if kind in {guess.item.kind, "all"}])
        print(f"| {kind} ({len(away)}) | {(away < 1.2816).mean():.1%} | {(away < 1.96).mean():.1%} |")


def print_unseen(models: Mapping[str, ModelFact], evidence: Sequence[Evidence]) -> None:
    """Rank models on benchmarks of which not one figure was seen."""
    print("\n| hidden whole | models | its skill | weights of the task | parameters | newest |")
    print("| --- " * 6 + "|")
    for task, names in UNSEEN.items():
        rows = [unseen(models, evidence, name, task) for name in names]
        for name, row in zip(names, rows, strict=True):
            print(f"| {task}: {name} | {row[0]:.0f} | {' | '.join(f'{value:.3f}' for value in row[1:])} |")
        means = [fmean(row[i] for row in rows) for i in range(1, 5)]
        print(f"| **{task}: mean** | | {' | '.join(f'{value:.3f}' for value in means)} |")


def unseen(
    models: Mapping[str, ModelFact], evidence: Sequence[Evidence], name: str, task: str
) -> tuple[float, ...]:
    """Number of models, and rank correlations of several orders with the hidden benchmark."""
    rest = [item for item in evidence if not item.benchmark.name.startswith(name)]
    truth: dict[str, list[float]] = defaultdict(list)
    for item in evidence:
        if item.benchmark.name == name and models[item.model_id].kind in {"instruct", "base"}:
            truth[item.model_id].append(unit_score(item) or 0.0)
    ids, scores = list(truth), [fmean(found) for found in truth.values()]
    abilities = fit(list(models.values()), rest)
    orders = (
        _by_ability(abilities, ids, {task: 1.0}),
        _by_ability(abilities, ids, _weights(task)),
        [models[i].params_b or 14.0 for i in ids],
        [release_year(models[i]) for i in ids],
    )
    return (len(ids), *(spearman(order, scores) for order in orders))


def _by_ability(abilities: Abilities, ids: Sequence[str], weights: Mapping[str, float]) -> list[float]:
    return [abilities.of(model_id, weights).value for model_id in ids]


def _weights(task: str) -> Mapping[str, float]:
    if task == "chinese":
        return criteria_for(Requirements(task="chat", languages=("zh",))).skill_weights
    return criteria_for(Requirements(task=task)).skill_weights


def _error(guesses: Iterable[Guess], name: str) -> float:
    return fmean(abs(min(max(guess.said[name], 0.0), 1.0) - guess.truth) for guess in guesses)


def _mean(values: Sequence[float]) -> str:
    return f"{fmean(values):.3f}" if values else "–"


def _logit(share: float) -> float:
    clipped = min(max(share, 0.01), 0.99)
    return math.log(clipped / (1 - clipped))


def _share(logit: float) -> float:
    return 1.0 / (1.0 + math.exp(-logit))


if __name__ == "__main__":
    main()
