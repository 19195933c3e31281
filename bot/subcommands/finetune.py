"""`shortlist finetune`: fit a LoRA adapter to a labelled data set, and say whether it helped."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from bot.console import Output, guarded
from bot.spec_file import known_task, read_spec
from bot.subcommands.jobs import Gpus, MaxHours, as_json, finish, followed_by, terms_of
from finetune.jobs import Jobs
from finetune.spec import TuningSpec
from index.bilingual import Bilingual
from index.errors import BadInput
from skills.report import started_line


def finetune(  # noqa: PLR0913, PLR0917  one parameter per option
    spec: Annotated[Path | None, typer.Argument(help="YAML file with the options below.")] = None,
    model: Annotated[str | None, typer.Option(help="The base model.")] = None,
    dataset: Annotated[str | None, typer.Option(help="File, or `tickets` for the sample.")] = None,
    method: Annotated[str | None, typer.Option(help="lora or qlora.")] = None,
    lora_rank: Annotated[int | None, typer.Option(help="Rank of the adapter.")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Peak learning rate.")] = None,
    epochs: Annotated[float | None, typer.Option(help="Passes over the training split.")] = None,
    max_steps: Annotated[int | None, typer.Option(help="Stop after so many steps.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Rows a step.")] = None,
    max_tokens: Annotated[int | None, typer.Option(help="Longest row; longer ones are left out.")] = None,
    search: Annotated[int | None, typer.Option(help="Try so many settings first.")] = None,
    early_stopping: Annotated[
        int | None, typer.Option(help="Stop after so many looks without a gain; 0 never does.")
    ] = None,
    augmentation: Annotated[
        list[str] | None, typer.Option(help="Add rows to learn from: edits or upsample; may be repeated.")
    ] = None,
    use_dora: Annotated[bool, typer.Option("--use-dora", help="Weight-decomposed LoRA.")] = False,
    use_rslora: Annotated[bool, typer.Option("--use-rslora", help="Rank-stabilised LoRA.")] = False,
    export: Annotated[str | None, typer.Option(help="adapter, merged or gguf.")] = None,
    instruction: Annotated[str | None, typer.Option(help="What the model is told first.")] = None,
    task: Annotated[
        str | None, typer.Option(help="What the rows ask for, where it is not recognised.")
    ] = None,
    general_texts: Annotated[
        int | None, typer.Option(help="General texts that show what was forgotten; 0 reads none.")
    ] = None,
    limit: Annotated[int | None, typer.Option(help="Use that many rows.")] = None,
    held_out_limit: Annotated[int | None, typer.Option(help="Judge on that many held-out rows.")] = None,
    seed: Annotated[int | None, typer.Option(help="Fixes the split and the order.")] = None,
    gpus: Gpus = None,
    max_hours: MaxHours = None,
    user: Annotated[str, typer.Option(help="Who asks.")] = "terminal",
    wait: Annotated[bool, typer.Option("--wait", help="Follow it to its end.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Fine-tune a model on your data."""
    given = {
        "model": model,
        "dataset": dataset,
        "method": method,
        "lora_rank": lora_rank,
        "learning_rate": learning_rate,
        "epochs": epochs,
        "max_steps": max_steps,
        "batch_size": batch_size,
        "max_tokens": max_tokens,
        "search": search,
        "early_stopping": early_stopping,
        "augmentation": augmentation or None,
        "use_dora": use_dora or None,
        "use_rslora": use_rslora or None,
        "export": export,
        "instruction": instruction,
        "task": task,
        "general_texts": general_texts,
        "limit": limit,
        "held_out_limit": held_out_limit,
        "seed": seed,
    }
    with guarded(Output(json=json)) as output:
        from bot.app import open_jobs  # noqa: PLC0415  keeps `--help` quick

        jobs = open_jobs()
        wanted = _spec(read_spec(spec, given, allowed=set(given)), jobs)
        for line in jobs.describe_dataset(wanted.dataset):
            output.note(line)
        key, terms = f"cli:{uuid.uuid4().hex}", terms_of(gpus, max_hours)
        job = jobs.submit(wanted, dedupe_key=key, owner=user, terms=terms)
        jobs.ensure_worker()
        output.note(started_line(job, output.language))
        if wait:
            finish(jobs, job.id, output)
        else:
            output.emit(as_json(job), followed_by(job).to(output.language))


def _spec(options: dict[str, Any], jobs: Jobs) -> TuningSpec:
    chosen = {name: value for name, value in options.items() if value is not None}
    base_model, dataset = chosen.pop("model"), chosen.pop("dataset")
    task = known_task(chosen.pop("task", None))
    try:
        return TuningSpec(base_model=base_model, dataset=jobs.register_dataset(dataset, task=task), **chosen)
    except ValidationError as error:
        first = error.errors()[0]
        option = "--" + "-".join(str(part) for part in first["loc"]).replace("_", "-")
        raise BadInput(
            Bilingual(
                f"{option} cannot be {first['input']!r}: {first['msg'].lower()}.",
                f"{option} 不能是 {first['input']!r}：{first['msg']}。",
            )
        ) from None
