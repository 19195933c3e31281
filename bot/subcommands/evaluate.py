"""`shortlist evaluate`: score models on a labelled data set, each under one or more quantizations."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from bot.console import Output, guarded
from bot.spec_file import bad_option, known_task, read_spec
from bot.subcommands.jobs import Gpus, MaxHours, as_json, finish, followed_by, terms_of
from finetune.jobs import Jobs
from finetune.spec import NAMED_OPTIONS, Candidate, DatasetRef, DatasetTask, EvaluationSpec
from index.bilingual import Bilingual, Language
from index.errors import BadInput
from skills.report import started_line


def evaluate(  # noqa: PLR0913, PLR0917  one parameter per option
    spec: Annotated[Path | None, typer.Argument(help="YAML file with the options below.")] = None,
    model: Annotated[
        list[str] | None, typer.Option(help="MODEL, MODEL@QUANT or PROVIDER:NAME[@URL]; may be repeated.")
    ] = None,
    dataset: Annotated[str | None, typer.Option(help="File, folder, or `tickets` for the sample.")] = None,
    benchmark: Annotated[
        str | None, typer.Option(help="Instead: a task of lm-evaluation-harness, such as arc_easy.")
    ] = None,
    benchmark_path: Annotated[
        Path | None, typer.Option(help="Folder with a harness task of your own (YAML).")
    ] = None,
    text_column: Annotated[str | None, typer.Option(help="Where it is not recognised.")] = None,
    label_column: Annotated[str | None, typer.Option(help="That of the right answer.")] = None,
    labels: Annotated[str | None, typer.Option(help="All labels there are, separated by commas.")] = None,
    task: Annotated[
        str | None, typer.Option(help="What the rows ask for, where it is not recognised.")
    ] = None,
    metric: Annotated[str | None, typer.Option(help="The metric that decides.")] = None,
    limit: Annotated[int | None, typer.Option(help="Use that many rows.", min=1)] = None,
    seed: Annotated[int | None, typer.Option(help="Chooses the rows.")] = None,
    full: Annotated[bool, typer.Option("--full", help="Every candidate answers every row.")] = False,
    alpha: Annotated[
        float | None, typer.Option(help="Chance of dropping the best; 0.05 unless given.", min=0.001, max=0.5)
    ] = None,
    delta: Annotated[
        float | None,
        typer.Option(help="Difference too small to matter, on a scale of 0 to 1.", min=0, max=0.5),
    ] = None,
    max_minutes: Annotated[float | None, typer.Option(help="Begin no new batch after so long.")] = None,
    max_usd: Annotated[
        float | None, typer.Option(help="Spend about so much on hosted models at most.")
    ] = None,
    judge: Annotated[
        str | None, typer.Option(help="PROVIDER:NAME[@URL] that compares answers, for --task chat.")
    ] = None,
    instruction: Annotated[str | None, typer.Option(help="What the model is told first.")] = None,
    examples: Annotated[
        int | None, typer.Option(help="Rows shown with their answers first.", min=0, max=32)
    ] = None,
    max_new_tokens: Annotated[int | None, typer.Option(help="Longest answer.", min=1)] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Ask anew what was answered before.")] = False,
    gpus: Gpus = None,
    max_hours: MaxHours = None,
    user: Annotated[str | None, typer.Option(help="Who asks.")] = None,
    estimate: Annotated[
        bool, typer.Option("--estimate", help="Say what memory it takes, and start nothing.")
    ] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Follow it to its end.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Evaluate models on your data."""
    with guarded(Output(json=json)) as output:
        from bot.terminal import open_terminal  # noqa: PLC0415  keeps `--help` quick

        given = {
            "models": model, "dataset": dataset, "benchmark": benchmark, "labels": labels,
            "benchmark_path": benchmark_path, "text_column": text_column, "label_column": label_column,
            "task": task, "metric": metric, "limit": limit, "seed": seed, "full": full,
            "alpha": alpha, "delta": delta, "max_minutes": max_minutes, "max_usd": max_usd, "judge": judge,
            "instruction": instruction, "examples": examples, "max_new_tokens": max_new_tokens, "fresh": fresh,
        }  # fmt: skip
        options = read_spec(spec, given, allowed=set(given))
        terminal = open_terminal()
        jobs = terminal.jobs
        wanted = spec_from(options, jobs)
        if estimate:
            output.emit(*_estimated(jobs, wanted, output.language))
            return
        for line in jobs.describe_dataset(wanted.dataset):
            output.note(line)
        if (sent := jobs.leaving(wanted)) is not None:
            output.note(sent)
        key, terms = f"cli:{uuid.uuid4().hex}", terms_of(gpus, max_hours)
        job = jobs.submit(wanted, dedupe_key=key, owner=terminal.asker(user), terms=terms)
        jobs.ensure_worker()
        output.note(started_line(job, output.language))
        if wait:
            finish(jobs, job.id, output)
        else:
            output.emit(as_json(job), followed_by(job).to(output.language))


def _estimated(jobs: Jobs, spec: EvaluationSpec, language: Language) -> tuple[dict[str, Any], str]:
    """What each candidate needs where jobs run, as JSON and in lines."""
    values, lines = [], []
    for found in jobs.estimate(spec):
        candidate, gib, free_gib = found.candidate, found.memory_gib, found.device.free_gib
        values.append(
            {
                "model": candidate.model, "quantization": candidate.quantization, "adapter": candidate.adapter,
                "kind": found.kind, "stored": found.stored, "memory_gib": gib, "row_tokens": found.row_tokens,
                "free_gib": free_gib, "device": found.device.name, "tokens_per_s": found.tokens_per_s,
                "reason": found.refusal and found.refusal.en, "basis": found.need and found.need.basis,
            }
        )  # fmt: skip
        if found.refusal is not None:
            said = found.refusal
        elif candidate.is_hosted:
            said = Bilingual("hosted, so it takes no memory here", "托管模型，不占用本机内存")
        elif gib is None:
            said = Bilingual("its size is not known, so neither is its memory", "规模未知，无法估算内存")
        else:
            place = "" if found.device.is_here else f" ({found.device.name})"
            said = Bilingual(
                f"about {gib:.1f} GiB of {free_gib:.1f} GiB free{place}",
                f"约需 {gib:.1f} GiB，可用 {free_gib:.1f} GiB{place}",
            )
        lines.append(f"- {candidate.label}: {said.to(language)}")
    last = Bilingual(
        "Time is told once the first rows are answered: `--wait` shows it.",
        "耗时要等最初几行作答后才知道：加 `--wait` 即可看到。",
    )
    return {"candidates": values}, "\n".join([*lines, "", last.to(language)])


def _dataset(options: dict[str, Any], jobs: Jobs, task: DatasetTask | None) -> DatasetRef:
    benchmark, labels = options.get("benchmark"), options.get("labels") or ()
    if benchmark and options["dataset"]:
        raise BadInput(
            Bilingual(
                "Both a data set and a benchmark are named. Leave out --dataset or --benchmark.",
                "同时指定了数据集和基准。请去掉 --dataset 或 --benchmark。",
            )
        )
    if benchmark:
        folder = options.get("benchmark_path")
        return jobs.register_benchmark(str(benchmark), folder=Path(folder) if folder else None)
    listed = labels.split(",") if isinstance(labels, str) else labels
    named = [name for label in listed if (name := str(label).strip())]
    return jobs.register_dataset(
        str(options["dataset"]),
        task=task,
        labels=named,
        text_column=options.get("text_column"),
        label_column=options.get("label_column"),
    )


def spec_from(options: dict[str, Any], jobs: Jobs) -> EvaluationSpec:
    """What the options ask for; BadInput names the option that is wrong."""
    task = known_task(options["task"])
    chosen = {name: options[name] for name in NAMED_OPTIONS if options[name] is not None}
    candidates = tuple(_candidate(value) for value in _listed(options["models"]))
    if options["judge"] is not None:
        chosen["judge"] = _candidate(options["judge"])
    dataset = _dataset(options, jobs, task)
    try:
        return EvaluationSpec(candidates=candidates, dataset=dataset, **chosen)
    except ValidationError as error:
        raise bad_option(error) from None


def _listed(value: Any) -> list[Any]:
    """One model by itself is a list of one."""
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _candidate(value: Any) -> Candidate:
    """MODEL or MODEL@QUANT, or in a spec file the fields of a candidate by name."""
    if not isinstance(value, dict):
        return Candidate.parse(str(value))
    try:
        return Candidate.model_validate(value)
    except ValidationError as error:
        raise bad_option(error, prefix="models.") from None
