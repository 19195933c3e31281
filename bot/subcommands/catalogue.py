"""`shortlist catalogue`: the models that are known, each fact with its source."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from bot.console import Output, guarded
from index.catalogue import Catalogue
from index.records import ModelFact

app = typer.Typer(help="The models that are known.", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@app.command("list")
def list_models(
    contains: Annotated[str, typer.Option(help="Only models whose id contains this.")] = "",
    json: Json = False,
) -> None:
    """List models."""
    with guarded(Output(json=json)) as output:
        catalogue = Catalogue.load()
        models = [m for m in catalogue.models.values() if contains.casefold() in m.id.casefold()]
        rows = [f"{m.id}\t{_size(m)}\t{m.licence or '?'}\t{m.release_date or '?'}" for m in models]
        value = {"updated": catalogue.updated, "models": [_as_json(model) for model in models]}
        output.emit(value, "\n".join(rows))


@app.command()
def show(model: str, json: Json = False) -> None:
    """Show one model: its facts, its published figures and their sources."""
    with guarded(Output(json=json)) as output:
        catalogue = Catalogue.load()
        fact = catalogue.require(model)
        evidence = [
            {
                "benchmark": item.benchmark.name,
                "task": item.benchmark.task,
                "score": item.score,
                "kind": item.kind,
                "setting": item.setting,
                "date": item.date,
                "source": item.source.url,
            }
            for item in catalogue.evidence_of(fact.id)
        ]
        lines = [f"**{fact.id}**"]
        lines += [
            f"- {key}: {value}" for key, value in _as_json(fact).items() if key not in {"id", "sources"}
        ]
        lines += [
            f"- {e['benchmark']}: {e['score']} ({e['kind']}, {e['date']}) {e['source']}" for e in evidence
        ]
        output.emit({**_as_json(fact), "evidence": evidence}, "\n".join(lines))


def _size(model: ModelFact) -> str:
    return "?" if model.params_b is None else f"{model.params_b:.3g}B"


def _as_json(model: ModelFact) -> dict[str, object]:
    return {key: value for key, value in asdict(model).items() if value not in (None, (), [])}
