"""`shortlist jobs`: what is queued, running and finished."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Annotated, Any

import typer
import yaml

from bot.console import EXIT_FAILED, Output, guarded
from bot.watch import watch as watch_job
from finetune.jobs import Jobs
from finetune.state import ORDINARY, DeviceUse, Job, Outlook, Spent, Terms
from index.bilingual import Bilingual
from index.errors import BadInput
from skills.outlook import device_lines, job_lines, outlook_words, spent_line
from skills.report import job_line, result_markdown, started_line, where_markdown

app = typer.Typer(help="Evaluations and fine-tunes: list, watch, cancel.", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Limit = Annotated[int | None, typer.Option(help="Use that many rows.")]
Seed = Annotated[int | None, typer.Option(help="Another choice of rows.")]
Change = Annotated[list[str] | None, typer.Option("--set", help="NAME=VALUE of the spec; may be repeated.")]
Gpus = Annotated[int | None, typer.Option(help="Lease that many devices.", min=1, max=64)]
MaxHours = Annotated[float | None, typer.Option(help="End it after so long.", min=0.001)]
_ALL = 1000


@app.command("list")
def list_jobs(
    everything: Annotated[
        bool, typer.Option("--all", help="All that have not ended, and the devices.")
    ] = False,
    owner: Annotated[str | None, typer.Option(help="Of one person.")] = None,
    limit: Annotated[int, typer.Option(help="How many.", min=1, max=1000)] = 20,
    json: Json = False,
) -> None:
    """List the latest jobs, or with --all everything that waits and runs."""
    with guarded(Output(json=json)) as output:
        jobs = _jobs()
        found = jobs.list(owner=owner, limit=_ALL if everything else limit, unfinished_only=everything)
        outlooks = jobs.outlooks(found)
        broken = jobs.unreadable(limit=limit)
        lines = job_lines(found, outlooks, output.language, with_owner=True) + [
            error.to(output.language) for error in broken
        ]
        value: dict[str, Any] = {
            "jobs": [as_json(job) | _outlook_json(outlooks.get(job.id)) for job in found],
            "unreadable": [{"job_id": error.job_id, "reason": error.message.en} for error in broken],
        }
        if everything:
            devices, spent = jobs.devices(), jobs.spent()
            lines += ["", *device_lines(devices, spent, output.language)]
            value |= _devices_json(devices, spent)
        nothing = Bilingual("No jobs yet.", "还没有任务。").to(output.language)
        output.emit(value, "\n".join(lines) if any(lines) else nothing)


@app.command()
def devices(json: Json = False) -> None:
    """Show who has which device, and how much device time everybody used."""
    with guarded(Output(json=json)) as output:
        jobs = _jobs()
        found, spent = jobs.devices(), jobs.spent()
        text = "\n".join(device_lines(found, spent, output.language))
        output.emit(_devices_json(found, spent), text)


@app.command()
def show(job_id: str, json: Json = False) -> None:
    """Show one job and its result."""
    with guarded(Output(json=json)) as output:
        jobs = _jobs()
        job = jobs.status(job_id)
        outlook = jobs.outlooks([job]).get(job.id)
        result = jobs.result(job.id)
        text = _result_text(job, result, output) + outlook_words(outlook, output.language)
        text += f"\n\n{spent_line(job, output.language)}"
        output.emit(result if job.is_finished else result | _outlook_json(outlook), text)


@app.command()
def watch(job_id: str, json: Json = False) -> None:
    """Follow a job to its end."""
    with guarded(Output(json=json)) as output:
        jobs = _jobs()
        jobs.status(job_id)
        finish(jobs, job_id, output)


@app.command()
def logs(job_id: str, lines: Annotated[int, typer.Option(help="How many.", min=1)] = 50) -> None:
    """Print the end of a job's log."""
    with guarded(Output(json=False)) as output:
        jobs = _jobs()
        job = jobs.status(job_id)
        if tail := jobs.log_tail(job_id, lines):
            print(tail)  # noqa: T201
        else:
            output.note(_nothing_printed(job))


@app.command()
def cancel(job_id: str, json: Json = False) -> None:
    """Stop a job. What it finished is kept."""
    with guarded(Output(json=json)) as output:
        jobs = _jobs()
        job = jobs.cancel(job_id)
        if not job.is_finished:  # somebody has to end it, and its worker may be gone
            jobs.ensure_worker()
        output.emit(as_json(job), job_line(job, output.language))


@app.command()
def retry(  # noqa: PLR0913, PLR0917  one parameter per option
    job_id: str,
    limit: Limit = None,
    seed: Seed = None,
    change: Change = None,
    gpus: Gpus = None,
    max_hours: MaxHours = None,
    json: Json = False,
) -> None:
    """Start a failed or cancelled job again, the same or changed."""
    with guarded(Output(json=json)) as output:
        jobs = _jobs()
        changes, terms = _changes(limit, seed, change), terms_of(gpus, max_hours, jobs.status(job_id).terms)
        key = f"retry:{uuid.uuid4().hex}"
        _tell_queued(jobs, jobs.retry(job_id, dedupe_key=key, changes=changes, terms=terms), output)


@app.command()
def repeat(  # noqa: PLR0913, PLR0917  one parameter per option
    job_id: str,
    limit: Limit = None,
    seed: Seed = None,
    change: Change = None,
    gpus: Gpus = None,
    max_hours: MaxHours = None,
    wait: Annotated[bool, typer.Option("--wait", help="Follow it to its end.")] = False,
    json: Json = False,
) -> None:
    """Start any job once more, the same or changed, also one that succeeded."""
    with guarded(Output(json=json)) as output:
        jobs = _jobs()
        changes, terms = _changes(limit, seed, change), terms_of(gpus, max_hours, jobs.status(job_id).terms)
        key = f"repeat:{uuid.uuid4().hex}"
        job = jobs.repeat(job_id, dedupe_key=key, changes=changes, terms=terms)
        _tell_queued(jobs, job, output, wait=wait)


@app.command()
def priority(
    job_id: str, level: Annotated[str, typer.Argument(help="high, normal or low.")], json: Json = False
) -> None:
    """Let a waiting job go before or behind the others."""
    with guarded(Output(json=json)) as output:
        jobs = _jobs()
        job = jobs.prioritise(job_id, level)
        outlook = jobs.outlooks([job]).get(job.id)
        text = job_line(job, output.language) + outlook_words(outlook, output.language)
        output.emit(as_json(job) | _outlook_json(outlook), text)


def terms_of(gpus: int | None, max_hours: float | None, otherwise: Terms = ORDINARY) -> Terms:
    """What the job may take: what is given, and the rest as before."""
    return replace(
        otherwise,
        gpus=otherwise.gpus if gpus is None else gpus,
        max_hours=otherwise.max_hours if max_hours is None else max_hours,
    )


def _changes(limit: int | None, seed: int | None, given: list[str] | None) -> dict[str, Any]:
    """`limit=50` and the like as values of the spec."""
    changes: dict[str, Any] = {}
    for text in given or []:
        name, equals, value = text.partition("=")
        if not equals:
            raise BadInput(
                Bilingual(
                    f"--set takes NAME=VALUE, as limit=50, not {text!r}.",
                    f"--set 的写法是 NAME=VALUE，例如 limit=50，而不是 {text!r}。",
                )
            )
        changes[name.strip().replace("-", "_")] = _value(value)
    named = {"limit": limit, "seed": seed}
    return changes | {name: value for name, value in named.items() if value is not None}


def _value(text: str) -> Any:
    """A number, true or false, null, or the words as they are."""
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return text


def _tell_queued(jobs: Jobs, job: Job, output: Output, *, wait: bool = False) -> None:
    jobs.ensure_worker()
    output.note(started_line(job, output.language))
    if wait:
        finish(jobs, job.id, output)
    else:
        output.emit(as_json(job), followed_by(job).to(output.language))


def finish(jobs: Jobs, job_id: str, output: Output) -> None:
    """Follow a job to its end, print its result, and exit 1 when it did not succeed."""
    job = watch_job(jobs, job_id, output)
    _emit_result(jobs, job, output)
    if job.state != "succeeded":
        raise typer.Exit(EXIT_FAILED)


def followed_by(job: Job) -> Bilingual:
    """How to follow or stop a job from here."""
    return Bilingual(
        f"`shortlist jobs watch {job.id}` follows it, `shortlist jobs cancel {job.id}` stops it.",
        f"`shortlist jobs watch {job.id}` 查看进度，`shortlist jobs cancel {job.id}` 停止。",
    )


def _nothing_printed(job: Job) -> Bilingual:
    if job.attempts == 0:
        return Bilingual(
            f"Job {job.id} has not begun, so it has no log.", f"任务 {job.id} 还没有开始，没有日志。"
        )
    return Bilingual(
        f"The log of job {job.id} is empty: nothing went wrong, or SHORTLIST_KEEP_DAYS had it deleted.",
        f"任务 {job.id} 的日志为空：没有出错，或已按 SHORTLIST_KEEP_DAYS 清理。",
    )


def as_json(job: Job) -> dict[str, Any]:
    """A job as JSON values."""
    return {
        "job_id": job.id,
        "kind": job.spec.kind,
        "state": job.state,
        "reason": job.reason.en if job.reason else None,
        "owner": job.owner,
        "attempts": job.attempts,
        "priority": job.priority,
        "gpus": job.terms.gpus,
        "memory_gib": job.terms.memory_gib,
        "max_hours": job.terms.max_hours,
        "ran_s": round(job.ran_s, 2),
        "created_at_utc": job.created_at_utc,
        "started_at_utc": job.started_at_utc,
        "ended_at_utc": job.ended_at_utc,
        "spec": job.spec.model_dump(mode="json"),
    }


def _outlook_json(outlook: Outlook | None) -> dict[str, Any]:
    return {} if outlook is None else {"outlook": asdict(outlook)}


def _devices_json(devices: Sequence[DeviceUse], spent: Sequence[Spent]) -> dict[str, Any]:
    return {"devices": [asdict(use) for use in devices], "spent": [asdict(person) for person in spent]}


def _emit_result(jobs: Jobs, job: Job, output: Output) -> None:
    result = jobs.result(job.id)
    output.emit(result, _result_text(job, result, output))


def _result_text(job: Job, result: dict[str, Any], output: Output) -> str:
    parts = (result_markdown(job, result, output.language), where_markdown(job, result, output.language))
    return "\n\n".join(filter(None, parts))


def _jobs() -> Jobs:
    from bot.terminal import open_jobs  # noqa: PLC0415  keeps `--help` quick

    return open_jobs()
