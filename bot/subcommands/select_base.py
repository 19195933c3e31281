"""`shortlist select-base`: which base to fine-tune, decided from runs of growing size on your data."""

from __future__ import annotations

import time
import uuid
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from bot.console import EXIT_FAILED, Output, guarded
from bot.spec_file import bad_option
from finetune.jobs import Jobs
from finetune.selections import Selection, Selections, SelectionSpec
from finetune.spec import TuningSpec
from index.bilingual import Bilingual
from index.errors import BadInput
from skills.base_selection.report import plan_markdown, record_markdown, selection_json, selection_markdown
from skills.report import started_line
from skills.select_base import draw

app = typer.Typer(help="Which base to fine-tune: decide from small runs.", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
_LOOK_S = 1.0


@app.command()
def start(  # noqa: PLR0913, PLR0917  one parameter per option
    model: Annotated[list[str], typer.Option(help="A base; name two or more, or one with several ranks.")],
    dataset: Annotated[str, typer.Option(help="File, or `tickets` for the sample.")],
    lora_rank: Annotated[
        list[int] | None, typer.Option(help="Rank of the adapters; may be repeated.")
    ] = None,
    budget: Annotated[
        float | None, typer.Option(help="Hours of device time for the whole race.", min=0.001)
    ] = None,
    smallest: Annotated[int | None, typer.Option(help="Rows of the first round.", min=2)] = None,
    limit: Annotated[int | None, typer.Option(help="Use that many rows.")] = None,
    held_out_limit: Annotated[int | None, typer.Option(help="Judge on that many held-out rows.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Rows a step.")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Peak learning rate.")] = None,
    seed: Annotated[int, typer.Option(help="Fixes the split and the order.")] = 0,
    user: Annotated[str, typer.Option(help="Who asks.")] = "terminal",
    wait: Annotated[bool, typer.Option("--wait", help="Follow it to its end.")] = False,
    json: Json = False,
) -> None:
    """Tune several bases on growing parts of your data, and say which to tune in full."""
    options: dict[str, Any] = {"limit": limit, "held_out_limit": held_out_limit, "batch_size": batch_size}
    options |= {"learning_rate": learning_rate, "seed": seed, "general_texts": 0}
    chosen = {name: value for name, value in options.items() if value is not None}
    with guarded(Output(json=json)) as output:
        if len(model) * len(lora_rank or [0]) < 2:
            raise BadInput(_NO_RIVAL)
        jobs, races = _open()
        data = jobs.register_dataset(dataset)
        for line in jobs.describe_dataset(data):
            output.note(line)
        try:
            candidates = tuple(
                TuningSpec(base_model=jobs.resolve_model(base).id, dataset=data, lora_rank=rank, **chosen)
                for base in model
                for rank in lora_rank or [TuningSpec.model_fields["lora_rank"].default]
            )
            budget_s = budget * 3600 if budget else None
            spec = SelectionSpec(candidates=candidates, smallest=smallest, budget_s=budget_s)
        except ValidationError as error:
            raise bad_option(error) from None
        race = races.start(spec, dedupe_key=f"cli:{uuid.uuid4().hex}", owner=user)
        jobs.ensure_worker()
        output.note(plan_markdown(race, output.language))
        if wait:
            race = _followed(race, jobs, races, output)
            _emit(race, output)
            if not (race.outcome or {}).get("winner"):
                raise typer.Exit(EXIT_FAILED)
        else:
            output.emit(selection_json(race), _see(race).to(output.language))


@app.command()
def show(selection_id: str, json: Json = False) -> None:
    """Show how a race stands, with its curves as a picture."""
    with guarded(Output(json=json)) as output:
        _emit(_open()[1].find(selection_id), output)


@app.command("list")
def list_races(
    limit: Annotated[int, typer.Option(help="How many.", min=1, max=1000)] = 20, json: Json = False
) -> None:
    """List the latest races: what was predicted, and what came true."""
    with guarded(Output(json=json)) as output:
        found = _open()[1].newest(limit)
        lines = [f"- {selection_markdown(race, output.language).splitlines()[0]}" for race in found]
        text = "\n".join([*lines, "", record_markdown(found, output.language)])
        output.emit({"selections": [selection_json(race) for race in found]}, text.strip())


@app.command()
def cancel(selection_id: str, json: Json = False) -> None:
    """Stop a race and its runs. What they finished is kept."""
    with guarded(Output(json=json)) as output:
        jobs, races = _open()
        race = races.cancel(selection_id)
        if not all(run.job.is_finished for run in race.runs):
            jobs.ensure_worker()
        output.emit(selection_json(race), selection_markdown(race, output.language))


@app.command()
def tune(selection_id: str, json: Json = False) -> None:
    """Tune the winner in full; its loss then stands beside the prediction."""
    with guarded(Output(json=json)) as output:
        jobs, races = _open()
        job = races.tune_in_full(selection_id)
        jobs.ensure_worker()
        output.emit(selection_json(races.find(selection_id)), started_line(job, output.language))


def _open() -> tuple[Jobs, Selections]:
    from bot.terminal import open_selections  # noqa: PLC0415  keeps `--help` quick

    return open_selections()


def _followed(race: Selection, jobs: Jobs, races: Selections, output: Output) -> Selection:
    """Wait for the end, telling each round as it begins. The worker takes the steps, and so does whoever waits."""
    told = 0
    while not (race := races.find(race.id)).is_finished:
        size = max((run.size for run in race.runs), default=0)
        if size > told:
            told = size
            output.note(selection_markdown(race, output.language).splitlines()[0].replace("**", ""))
        races.advance(race.id)
        jobs.ensure_worker()
        time.sleep(_LOOK_S)
    return race


def _emit(race: Selection, output: Output) -> None:
    from bot.settings import read_settings  # noqa: PLC0415

    value: dict[str, Any] = selection_json(race)
    text = selection_markdown(race, output.language)
    if any(run.loss is not None for run in race.runs):
        value["picture"] = str(draw(race, read_settings().folder))
        text += f"\n\n{Bilingual('Curves', '曲线').to(output.language)}: `{value['picture']}`"
    winner = (race.outcome or {}).get("winner")
    if winner and race.full is None:
        text += "\n\n" + _TUNE.to(output.language).format(number=race.id)
    output.emit(value, text)


def _see(race: Selection) -> Bilingual:
    return Bilingual(
        f"See how it goes: `shortlist select-base show {race.id}`; stop it: `shortlist select-base cancel {race.id}`.",
        f"查看进展：`shortlist select-base show {race.id}`；停止：`shortlist select-base cancel {race.id}`。",
    )


_NO_RIVAL = Bilingual(
    "One base alone leaves nothing to choose. Name two or more (`--model` again), or several ranks (`--lora-rank` again).",
    "只有一个底座，没有可比较的。请给出两个以上（重复 `--model`），或多个秩（重复 `--lora-rank`）。",
)
_TUNE = Bilingual(
    "Tune it in full: `shortlist select-base tune {number}`.",
    "全量微调：`shortlist select-base tune {number}`。",
)
