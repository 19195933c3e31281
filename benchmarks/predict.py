"""Which base model will be best once tuned: our prediction beside the published methods, on their data.

    PYTHONPATH=. python benchmarks/predict.py flan.csv gigaword.csv

The data are those of Lin et al., "Selecting Large Language Model to Fine-tune via Rectified Scaling Law" (ICML 2024),
github.com/linhaowei1/Fine-tuning-Scaling-Law, Apache-2.0; so are the published figures below (results/tab1.txt).
Protocol: the target is 1,638,400 rows, budgets are 1/8 to 1/512 of it. PearCorr is Pearson's correlation of prediction and
truth, RelAcc (worst - picked) / (worst - best), both times 100. "chosen" is ours with settings chosen on the other file.
"""

from __future__ import annotations

import argparse
import csv
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from finetune.curves import Curves, predict
from finetune.selection import Plan, next_step
from finetune.trend import Settings, Values
from skills.curve_tables import read_curves

TARGET = 1_638_400
BUDGETS = tuple(TARGET // 8 >> halvings for halvings in range(7))
PUBLISHED = {
    "flan": {
        "AtS": ([90.9, 73.1, 65.5, 61.1, 52.2, 50.5, 45.6], [93.6, 93.2, 93.2, 93.2, 85.3, 93.2, 93.2]),
        "SubTuning": ([60.9, 46.5, 36.4, 29.0, 24.6, 20.9, 16.4], [93.2, 93.2, 93.2, 93.2, 59.6, 59.6, 59.6]),
        "ZeroShot": ([-10.7] * 7, [85.3] * 7),
        "ModelSize": ([-20.9] * 7, [59.6] * 7),
    },
    "gigaword": {
        "AtS": ([98.9, 97.6, 96.9, 92.0, 91.1, 89.1, 91.0], [100.0, 91.4, 94.3, 100.0, 94.3, 94.3, 91.4]),
        "SubTuning": ([93.2, 89.3, 85.4, 80.9, 76.2, 69.9, 64.8], [87.6, 87.6, 87.6, 71.3, 71.3, 71.3, 71.3]),
        "ZeroShot": ([-49.2] * 7, [71.3] * 7),
        "ModelSize": ([-24.4] * 7, [71.3] * 7),
    },
}
OUTLIERS = ((0.02, 0.2), (0.03, 0.12), (0.1, 0.12))
CHOICES = [
    Settings(temper=temper, drift=drift, outlier_frac=frac, outlier_sd=sd)
    for temper, drift, (frac, sd) in itertools.product(
        (1.0, 0.5, 0.2, 0.1), ((0.0,), Settings().drift), OUTLIERS
    )
]


@dataclass(frozen=True)
class Data:
    name: str
    curves: Curves
    parameters: Values
    zero_shot: Values

    def losses_at(self, size: int) -> Values:
        found: Values = self.curves.losses[:, self.curves.sizes.index(size)]
        return found


def read(path: Path) -> Data:
    with path.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return Data(
        name=path.stem,
        curves=read_curves(path).curves,
        parameters=np.array([float(row["size"]) for row in rows]),
        zero_shot=np.array([float(row["0"]) for row in rows]),
    )


def ats(data: Data, budget: int, target: int, delta: float = 5, fewest: int = 3) -> Values:
    """Accept then stop: extend the line down to smaller sizes until a point lies off it, and extrapolate."""
    known = data.curves.up_to(budget)
    x = np.log(np.array(known.sizes, dtype=float))
    return np.array(
        [_accept_then_stop(x, np.log(curve), np.log(target), delta, fewest) for curve in known.losses]
    )


def _accept_then_stop(x: Values, y: Values, at: float, delta: float, fewest: int) -> float:
    used = min(fewest, len(x))
    for used in range(fewest, len(x)):
        line = np.polyfit(x[-used:], y[-used:], 1)
        off = abs(y[-used - 1] - np.polyval(line, x[-used - 1]))
        if off / (y[-used:] - np.polyval(line, x[-used:])).std() > delta:
            break
    return float(np.exp(np.polyval(np.polyfit(x[-used:], y[-used:], 1), at)))


def ours(data: Data, budget: int, target: int, settings: Settings | None = None) -> tuple[Values, float]:
    """Predicted losses, and the share of the true ones inside their 95% intervals."""
    found = predict(data.curves, budget=budget, target=target, settings=settings)
    by_model = {one.model: one for one in found.ranking}
    truth = data.losses_at(target)
    inside = [by_model[model].interval95[0] <= loss <= by_model[model].interval95[1]
              for model, loss in zip(data.curves.models, truth, strict=True)]  # fmt: skip
    return np.array([by_model[model].predicted_loss for model in data.curves.models]), float(np.mean(inside))


def pear_corr(predicted: Values, truth: Values) -> float:
    return 100 * float(np.corrcoef(predicted, truth)[0, 1])


def rel_acc(predicted: Values, truth: Values) -> float:
    return 100 * float((truth.max() - truth[predicted.argmin()]) / np.ptp(truth))


def choose(data: Data) -> Settings:
    """The most accurate settings on this file, over four targets, among those whose intervals hold 90% of its losses."""
    return max(CHOICES, key=lambda settings: _quality(data, settings))


def _quality(data: Data, settings: Settings) -> tuple[bool, float]:
    accuracy, coverage = [], []
    for target in (TARGET >> halvings for halvings in range(4)):
        truth = data.losses_at(target)
        for budget in (target >> halvings for halvings in range(3, 10)):
            if budget >= 1600:
                predicted, inside = ours(data, budget, target, settings)
                accuracy += [pear_corr(predicted, truth), rel_acc(predicted, truth)]
                coverage.append(inside)
    return float(np.mean(coverage)) >= 0.9, float(np.mean(accuracy))


def report(data: Data, chosen: Settings) -> dict[str, tuple[float, float]]:
    truth = data.losses_at(TARGET)
    methods: dict[str, Callable[[int], Values]] = {
        "ZeroShot": lambda _: data.zero_shot,
        "ModelSize": lambda _: data.parameters,
        "SubTuning": data.losses_at,
        "AtS": lambda budget: ats(data, budget, TARGET),
        "ours": lambda budget: ours(data, budget, TARGET)[0],
        "ours, chosen": lambda budget: ours(data, budget, TARGET, chosen)[0],
    }
    print(
        f"\n{data.name}: PearCorr | RelAcc by budget ({', '.join(f'1/{TARGET // b}' for b in BUDGETS)}), means last"
    )
    means = {}
    for name, method in methods.items():
        predicted = [method(budget) for budget in BUDGETS]
        pears = [pear_corr(one, truth) for one in predicted]
        # As published: the larger the model the better, while its correlation is with the loss.
        rels = [rel_acc(-one if name == "ModelSize" else one, truth) for one in predicted]
        if name == "ModelSize":
            pears = [pear_corr(np.log(one), truth) for one in predicted]
        means[name] = (float(np.mean(pears)), float(np.mean(rels)))
        same = _same_as_published(data.name, name, pears, rels)
        print(f"  {name:<13}{_line(pears)} | {_line(rels)}{same}")
    inside = [ours(data, budget, TARGET)[1] for budget in BUDGETS]
    inside_chosen = [ours(data, budget, TARGET, chosen)[1] for budget in BUDGETS]
    print(f"  coverage of the 95% intervals: ours {_line([100 * one for one in inside])}")
    print(f"                         ours, chosen {_line([100 * one for one in inside_chosen])}")
    return means


def _line(values: list[float]) -> str:
    return " ".join(f"{value:6.1f}" for value in [*values, float(np.mean(values))])


def _same_as_published(data: str, method: str, pears: list[float], rels: list[float]) -> str:
    if data not in PUBLISHED or method not in PUBLISHED[data]:
        return ""
    off = np.abs(np.array(PUBLISHED[data][method]) - np.array([pears, rels])).max()
    return "  = published" if off < 0.1 else f"  differs from the published by up to {off:.2f}"


def with_fewer_models(data: Data, count: int, draws: int = 40) -> None:
    """Means over budgets and random sets of so many of the models."""
    chance, found = np.random.default_rng(0), []
    for _ in range(draws):
        picked = chance.choice(len(data.curves.models), count, replace=False)
        models = tuple(data.curves.models[place] for place in picked)
        part = Data(data.name, data.curves.of(models), data.parameters[picked], data.zero_shot[picked])
        truth = part.losses_at(TARGET)
        for budget in BUDGETS:
            (predicted, inside), published = ours(part, budget, TARGET), ats(part, budget, TARGET)
            methods = (predicted, published, part.losses_at(budget))
            scores = [measure(one, truth) for one in methods for measure in (pear_corr, rel_acc)]
            found.append([100 * inside, *scores])
    coverage, *rest = np.mean(found, axis=0)
    print(f"  {data.name}, {count} models: ours {rest[0]:.1f} {rest[1]:.1f}, AtS {rest[2]:.1f} {rest[3]:.1f}, "
          f"SubTuning {rest[4]:.1f} {rest[5]:.1f}; coverage of ours {coverage:.1f}")  # fmt: skip


def adaptive(data: Data) -> None:
    """Replay the race of finetune/selection.py. A run from the start costs its rows times the parameters."""
    truth, everything = data.losses_at(TARGET), TARGET * data.parameters.sum()
    cost = dict(zip(data.curves.models, data.parameters, strict=True))
    plan = Plan(sizes=data.curves.sizes, cost_per_row=cost, budget=float("inf"))
    seen, running, spent, continued, place = (
        np.full(data.curves.losses.shape, np.nan),
        data.curves.models,
        0.0,
        0.0,
        0,
    )
    size: int | None = plan.sizes[0]
    while size is not None:
        rows = [data.curves.models.index(model) for model in running]
        seen[rows, place] = data.curves.losses[rows, place]
        spent += plan.cost(running, size)
        continued += plan.cost(running, size - (plan.sizes[place - 1] if place else 0))
        place += 1
        so_far = Curves(models=data.curves.models, sizes=plan.sizes[:place], losses=seen[:, :place])
        step = next_step(so_far, plan, running=running, spent=spent)
        running, size = step.running, step.size
    picked = data.curves.models.index(running[0])
    quality = 100 * float((truth.max() - truth[picked]) / np.ptp(truth))
    print(f"\n{data.name}: the race picks {running[0]} (RelAcc {quality:.1f}) after runs of {plan.sizes[place - 1]:,} rows "
          f"({step.ending}), for {spent / everything:.1%} of tuning all in full "
          f"({continued / everything:.1%} where a run continues the one before)")  # fmt: skip
    for budget in (TARGET >> halvings for halvings in range(1, 10)):
        share = sum(size for size in data.curves.sizes if size <= budget) / TARGET
        quality = rel_acc(ours(data, budget, TARGET)[0], truth)
        print(
            f"  all up to {budget:>9,}: RelAcc {quality:5.1f} for {share:.1%} ({budget / TARGET:.1%} continued)"
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", nargs="+", type=Path)
    data = [read(path) for path in parser.parse_args().files]
    choices = {one.name: choose(one) for one in data}
    for name, settings in choices.items():
        print(f"chosen on {name}: temper {settings.temper}, drift {settings.drift}, "
              f"outliers {settings.outlier_frac} x {settings.outlier_sd}")  # fmt: skip
    means = []
    for one in data:
        others = [settings for name, settings in choices.items() if name != one.name]
        means.append(report(one, others[0] if others else Settings()))
    print("\nmeans over files: PearCorr, RelAcc")
    for method in means[0]:
        print(
            f"  {method:<13}" + " ".join(f"{np.mean([of[method][i] for of in means]):6.1f}" for i in (0, 1))
        )
    print("\nwith fewer models: PearCorr RelAcc")
    for one, count in itertools.product(data, (5, 10, 20)):
        with_fewer_models(one, count)
    for one in data:
        adaptive(one)


if __name__ == "__main__":
    main()
