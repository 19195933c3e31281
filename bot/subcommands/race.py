"""`shortlist race`: replay outcomes that are there, and see how few items would have been enough."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bot.console import Output, guarded
from skills.race import race_markdown, race_outcomes


def race(
    outcomes: Annotated[
        Path, typer.Argument(help="CSV: a row per model, a column per item. Or a folder of finished logs.")
    ],
    alpha: Annotated[
        float, typer.Option(help="Chance of dropping the best at most.", min=1e-6, max=0.5)
    ] = 0.05,
    delta: Annotated[float, typer.Option(help="Difference too small to matter.", min=0, max=1)] = 0.01,
    seed: Annotated[int, typer.Option(help="Order of the items.", min=0)] = 0,
    metric: Annotated[str | None, typer.Option(help="Which score of a harness log.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Say who wins over the given outcomes, and how few items it takes."""
    with guarded(Output(json=json)) as output:
        value = race_outcomes(outcomes, alpha=alpha, delta=delta, seed=seed, metric=metric)
        output.emit(value, race_markdown(value, output.language))
