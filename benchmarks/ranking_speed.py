"""Time a ranking of 300 models: options under each quantization, the simulation of all, and the envelope.

`python benchmarks/ranking_speed.py`: the median of 15 runs of each part, in milliseconds.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from statistics import median

from index.catalogue import Catalogue
from skills.conversation.request import Requirements
from skills.ranking.ability import fit
from skills.ranking.rank import frontier, rank
from skills.ranking.shortlist import build

RUNS = 15
MODELS = 300


def median_ms(run: Callable[[], object]) -> float:
    """Median time of one run, the first one not counted."""
    run()
    times = []
    for _ in range(RUNS):
        start = time.perf_counter()
        run()
        times.append(1000 * (time.perf_counter() - start))
    return median(times)


def main() -> None:
    """Print the times."""
    catalogue = Catalogue.load()
    abilities = fit(list(catalogue.models.values()), catalogue.evidence)
    own = Requirements(task="code", hosting="self")
    kept = [item.option.model.id for item in build(own, catalogue=catalogue, abilities=abilities).ranked]
    chosen = {model_id: catalogue.models[model_id] for model_id in kept[:MODELS]}
    small = replace(catalogue, models=chosen)
    shortlist = build(own, catalogue=small, abilities=abilities)
    alpha = shortlist.criteria.alpha_usd_per_mtok
    # A fourth way of running each, as dear as the first and a little worse, makes 300 x 4 options.
    first = [option for option in shortlist.options if option.quantization == "none"]
    fourth = [replace(option, loss=replace(option.loss, value=option.loss.value + 0.01)) for option in first]
    options = [*shortlist.options, *fourth]
    print(f"{len(chosen)} models, {len(options)} options")
    print(f"rank and simulate: {median_ms(lambda: rank(options, alpha)):.0f} ms")
    print(f"envelope: {median_ms(lambda: frontier(options)):.0f} ms")
    print(f"whole shortlist: {median_ms(lambda: build(own, catalogue=small, abilities=abilities)):.0f} ms")
    print(
        f"all of the catalogue: {median_ms(lambda: build(own, catalogue=catalogue, abilities=abilities)):.0f} ms"
    )


if __name__ == "__main__":
    main()
