"""`shortlist jobs`: what is queued, running and finished."""

from __future__ import annotations

import uuid
from typing import Annotated, Any

import typer

from bot.console import EXIT_FAILED, Output, guarded
from bot.watch import watch as watch_job
from finetune.jobs import Jobs
from finetune.state import Job
from index.bilingual import Bilingual
from skills.report import job_line, result_markdown, started_line, where_markdown

app = typer.Typer(help="Evaluations and fine-tunes: list, watch, cancel.", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@app.command("list")
def list_jobs(json: Json = False) -> None:
    """List the latest jobs."""
    with guarded(Output(json=json)) as output:
        found = _jobs().list()
        nothing = Bilingual("No jobs yet.", "还没有任务。").to(output.language)
        lines = [job_line(job, output.language) for job in found]
        output.emit({"jobs": [as_json(job) for job in found]}, "\n".join(lines) or nothing)


@app.command()
def show(job_id: str, json: Json = False) -> None:
    """Show one job and its result."""
    with guarded(Output(json=json)) as output:
        jobs = _jobs()
        _emit_result(jobs, jobs.status(job_id), output)


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
    with guarded(Output(json=False)):
        jobs = _jobs()
        jobs.status(job_id)
        print(jobs.log_tail(job_id, lines))  # noqa: T201


@app.command()
def cancel(job_id: str, json: Json = False) -> None:
    """Stop a job. What it finished is kept."""
    with guarded(Output(json=json)) as output:
        job = _jobs().cancel(job_id)
        output.emit(as_json(job), job_line(job, output.language))


@app.command()
def retry(job_id: str, json: Json = False) -> None:
    """Start a failed or cancelled job again."""
    with guarded(Output(json=json)) as output:
        job = _jobs().retry(job_id, dedupe_key=f"retry:{uuid.uuid4().hex}")
        output.emit(as_json(job), job_line(job, output.language))


@app.command()
def repeat(
    job_id: str,
    wait: Annotated[bool, typer.Option("--wait", help="Follow it to its end.")] = False,
    json: Json = False,
) -> None:
    """Run a job again with the same spec, seed and rows."""
    with guarded(Output(json=json)) as output:
        jobs = _jobs()
        job = jobs.repeat(job_id, dedupe_key=f"repeat:{uuid.uuid4().hex}")
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


def as_json(job: Job) -> dict[str, Any]:
    """A job as JSON values."""
    return {
        "job_id": job.id,
        "kind": job.spec.kind,
        "state": job.state,
        "reason": job.reason.en if job.reason else None,
        "owner": job.owner,
        "attempts": job.attempts,
        "created_at_utc": job.created_at_utc,
        "started_at_utc": job.started_at_utc,
        "ended_at_utc": job.ended_at_utc,
        "spec": job.spec.model_dump(mode="json"),
    }


def _emit_result(jobs: Jobs, job: Job, output: Output) -> None:
    result = jobs.result(job.id)
    parts = (result_markdown(job, result, output.language), where_markdown(job, result, output.language))
    output.emit(result, "\n\n".join(filter(None, parts)))


def _jobs() -> Jobs:
    from bot.app import open_jobs  # noqa: PLC0415  keeps `--help` quick

    return open_jobs()
