"""`shortlist evaluate`: score models on a labelled data set, each under one or more quantizations."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Annotated, cast

import typer

from bot.console import Output, guarded
from bot.spec_file import read_spec
from bot.subcommands.jobs import as_json, finish, followed_by
from finetune.jobs import Jobs
from finetune.spec import Candidate, EvaluationSpec
from index.bilingual import Bilingual
from index.errors import BadInput
from skills.report import started_line


def evaluate(  # noqa: PLR0913, PLR0917  one parameter per option
    spec: Annotated[Path | None, typer.Argument(help="YAML file with the options below.")] = None,
    model: Annotated[list[str] | None, typer.Option(help="MODEL or MODEL@QUANT; may be repeated.")] = None,
    dataset: Annotated[str | None, typer.Option(help="File, or `tickets` for the sample.")] = None,
    metric: Annotated[str, typer.Option(help="What to measure.")] = "accuracy",
    limit: Annotated[int | None, typer.Option(help="Use that many rows.", min=1)] = None,
    seed: Annotated[int, typer.Option(help="Chooses the rows.")] = 0,
    user: Annotated[str, typer.Option(help="Who asks.")] = "terminal",
    wait: Annotated[bool, typer.Option("--wait", help="Follow it to its end.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Evaluate models on your data."""
    with guarded(Output(json=json)) as output:
        from bot.app import open_jobs  # noqa: PLC0415  keeps `--help` quick

        given = {"models": model, "dataset": dataset, "metric": metric, "limit": limit, "seed": seed}
        options = read_spec(spec, given, allowed=set(given))
        jobs = open_jobs()
        job = jobs.submit(_spec(options, jobs), dedupe_key=f"cli:{uuid.uuid4().hex}", owner=user)
        jobs.ensure_worker()
        output.note(started_line(job, output.language))
        if wait:
            finish(jobs, job.id, output)
        else:
            output.emit(as_json(job), followed_by(job).to(output.language))


def _spec(options: dict[str, object], jobs: Jobs) -> EvaluationSpec:
    candidates = tuple(Candidate.parse(str(text)) for text in cast("list[str]", options["models"]))
    if options["metric"] != "accuracy":
        raise BadInput(
            Bilingual(
                f"The metric {options['metric']!r} is not one I can measure yet. Use accuracy: "
                "balanced accuracy and macro F1 are reported with it.",
                f"暂不支持指标 {options['metric']!r}。请用 accuracy，平衡准确率和宏平均 F1 会一并报告。",
            )
        )
    return EvaluationSpec(
        candidates=candidates,
        dataset=jobs.register_dataset(str(options["dataset"])),
        limit=cast("int | None", options["limit"]),
        seed=cast("int", options["seed"]),
    )
