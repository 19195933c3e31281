"""`shortlist predict`: losses of small tuning runs, and which base model will be best after full tuning."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bot.console import Output, guarded
from skills.predict import predict_file, prediction_json, prediction_markdown


def predict(
    curves: Annotated[
        Path, typer.Argument(help="CSV of losses: a row per model, a column per number of training rows.")
    ],
    budget: Annotated[int, typer.Option(help="Largest run to look at, in training rows.", min=1)],
    target: Annotated[int, typer.Option(help="Training rows of the full tuning.", min=1)],
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Predict which base model will be best after full tuning."""
    with guarded(Output(json=json)) as output:
        value = predict_file(curves, budget=budget, target=target)
        output.emit(prediction_json(value, output.language), prediction_markdown(value, output.language))
