"""`shortlist finetune`: fit a LoRA adapter to a labelled data set, and say whether it helped."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from bot.console import Output, guarded
from bot.settings import read_settings
from bot.spec_file import bad_option, known_task, read_spec
from bot.subcommands.jobs import Gpus, MaxHours, as_json, finish, followed_by, terms_of
from finetune.jobs import Jobs
from finetune.spec import REWORDED, Candidate, DatasetRef, TuningSpec
from index.bilingual import Bilingual
from skills.report import started_line
from skills.tuning_report import leaves_machine

_OF_DATA = ("dataset", "task", "text_column", "label_column", "labels")
_UNCHECKED = DatasetRef(name="-", sha256="0" * 64, rows=1)


def finetune(  # noqa: PLR0913, PLR0917  one parameter per option
    spec: Annotated[Path | None, typer.Argument(help="YAML file with the options below.")] = None,
    model: Annotated[str | None, typer.Option(help="The base model.")] = None,
    dataset: Annotated[str | None, typer.Option(help="File, or `tickets` for the sample.")] = None,
    text_column: Annotated[str | None, typer.Option(help="Where it is not recognised.")] = None,
    label_column: Annotated[str | None, typer.Option(help="That of the right answer.")] = None,
    labels: Annotated[str | None, typer.Option(help="All labels there are, separated by commas.")] = None,
    task: Annotated[
        str | None, typer.Option(help="What the rows ask for, where it is not recognised.")
    ] = None,
    method: Annotated[str | None, typer.Option(help="lora or qlora.")] = None,
    lora_rank: Annotated[int | None, typer.Option(help="Rank of the adapter.")] = None,
    lora_alpha: Annotated[int | None, typer.Option(help="Its scale is alpha / rank.")] = None,
    use_rslora: Annotated[bool, typer.Option("--use-rslora", help="Rank-stabilised LoRA.")] = False,
    use_dora: Annotated[bool, typer.Option("--use-dora", help="Weight-decomposed LoRA.")] = False,
    learning_rate: Annotated[float | None, typer.Option(help="Peak learning rate.")] = None,
    epochs: Annotated[float | None, typer.Option(help="Passes over the training split.")] = None,
    max_steps: Annotated[int | None, typer.Option(help="Stop after so many steps.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Rows a step.")] = None,
    max_tokens: Annotated[int | None, typer.Option(help="Longest row; longer ones are left out.")] = None,
    early_stopping: Annotated[
        int | None, typer.Option(help="Stop after so many looks without a gain; 0 never does.")
    ] = None,
    search: Annotated[int | None, typer.Option(help="Try so many settings first.")] = None,
    augmentation: Annotated[
        list[str] | None,
        typer.Option(
            help="Add rows to learn from: edits, upsample, or by the chat model paraphrase or back-translation; "
            "may be repeated."
        ),
    ] = None,
    gradient_checkpointing: Annotated[
        bool | None, typer.Option(help="Compute activations again; when memory runs out unless told.")
    ] = None,
    instruction: Annotated[str | None, typer.Option(help="What the model is told first.")] = None,
    max_new_tokens: Annotated[int | None, typer.Option(help="Longest answer that is scored.")] = None,
    held_out_frac: Annotated[float | None, typer.Option(help="Share of the rows that measure.")] = None,
    held_out_limit: Annotated[int | None, typer.Option(help="Judge on that many held-out rows.")] = None,
    limit: Annotated[int | None, typer.Option(help="Use that many rows.")] = None,
    general_texts: Annotated[
        int | None, typer.Option(help="General texts that show what was forgotten; 0 reads none.")
    ] = None,
    export: Annotated[str | None, typer.Option(help="adapter, merged or gguf.")] = None,
    seed: Annotated[int | None, typer.Option(help="Fixes the split and the order.")] = None,
    gpus: Gpus = None,
    max_hours: MaxHours = None,
    user: Annotated[str | None, typer.Option(help="Who asks.")] = None,
    estimate: Annotated[
        bool, typer.Option("--estimate", help="Show data, settings, memory and time; start nothing.")
    ] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Follow it to its end.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Fine-tune a model on your data."""
    given = {
        "model": model, "dataset": dataset, "text_column": text_column, "label_column": label_column,
        "labels": labels, "task": task, "method": method, "lora_rank": lora_rank, "lora_alpha": lora_alpha,
        "use_rslora": use_rslora or None, "use_dora": use_dora or None, "learning_rate": learning_rate,
        "epochs": epochs, "max_steps": max_steps, "batch_size": batch_size, "max_tokens": max_tokens,
        "early_stopping": early_stopping, "search": search, "augmentation": augmentation or None,
        "gradient_checkpointing": gradient_checkpointing, "instruction": instruction,
        "max_new_tokens": max_new_tokens, "held_out_frac": held_out_frac, "held_out_limit": held_out_limit,
        "limit": limit, "general_texts": general_texts, "export": export, "seed": seed,
    }  # fmt: skip
    with guarded(Output(json=json)) as output:
        from bot.terminal import open_terminal  # noqa: PLC0415  keeps `--help` quick

        options = read_spec(spec, given, allowed=set(given))
        terminal = open_terminal()
        jobs = terminal.jobs
        wanted = spec_from(options, jobs)
        for line in jobs.describe_dataset(wanted.dataset):
            output.note(line)
        if estimate:
            output.emit(*_estimated(jobs, wanted, output))
            return
        if sent := leaves_machine(wanted):
            output.note(sent)
        key, terms = f"cli:{uuid.uuid4().hex}", terms_of(gpus, max_hours)
        job = jobs.submit(wanted, dedupe_key=key, owner=terminal.asker(user), terms=terms)
        jobs.ensure_worker()
        output.note(started_line(job, output.language))
        if wait:
            finish(jobs, job.id, output)
        else:
            output.emit(as_json(job), followed_by(job).to(output.language))


def _chat_model() -> Candidate | None:
    """The chat model of the settings, which rewords rows."""
    settings = read_settings()
    if settings.chat_model is None:
        return None
    return Candidate(model=settings.chat_model, base_url=settings.chat_base_url)


def spec_from(options: dict[str, Any], jobs: Jobs) -> TuningSpec:
    """What the options ask for; BadInput names the option that is wrong.

    Options and model are looked at before the data is kept, so that a wrong one leaves nothing behind.
    """
    chosen = {name: value for name, value in options.items() if value is not None and name not in _OF_DATA}
    base_model = str(chosen.pop("model"))
    if isinstance(chosen.get("augmentation"), str):
        chosen["augmentation"] = [chosen["augmentation"]]
    if REWORDED & set(chosen.get("augmentation", ())):
        chosen["rewriter"] = _chat_model()
    task = known_task(options["task"])
    try:
        wanted = TuningSpec(base_model=base_model, dataset=_UNCHECKED, **chosen)
    except ValidationError as error:
        raise bad_option(error) from None
    jobs.resolve_model(base_model)
    listed = options["labels"] or ()
    names = listed.split(",") if isinstance(listed, str) else listed
    dataset = jobs.register_dataset(
        str(options["dataset"]),
        task=task,
        labels=[name for label in names if (name := str(label).strip())],
        text_column=options["text_column"],
        label_column=options["label_column"],
    )
    return wanted.model_copy(update={"dataset": dataset})


def _estimated(jobs: Jobs, wanted: TuningSpec, output: Output) -> tuple[dict[str, Any], str]:
    """What would be learned, chosen and taken, as JSON and in lines."""
    found = jobs.preview(wanted)
    lines = [f"- {line.to(output.language)}" for line in found.lines()]
    last = Bilingual(
        "Nothing was started. Without `--estimate` it begins, with a dry run first.",
        "尚未开始。去掉 `--estimate` 即可启动，并会先做一次试运行。",
    )
    return found.model_dump(mode="json"), "\n".join([*lines, "", last.to(output.language)])
