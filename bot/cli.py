"""The `shortlist` command: the same program as the Slack bot, for a terminal and for scripts.

With --json, standard output carries one JSON object and nothing else; progress and logs go to standard error.
Exit codes: 0 done, 1 the job or question failed, 2 bad usage or bad input.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from bot.console import Output, guarded
from bot.subcommands import (
    access,
    audit,
    backup,
    catalogue,
    data,
    evaluate,
    finetune,
    index,
    jobs,
    measure,
    people,
    predict,
    race,
    select_base,
)

app = typer.Typer(
    name="shortlist",
    help="Choose a language model for your task, hardware, licence and budget, and prove the choice.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(index.app, name="index")
app.add_typer(catalogue.app, name="catalogue")
app.add_typer(jobs.app, name="jobs")
app.add_typer(access.app, name="access")
app.add_typer(people.app, name="people")
app.add_typer(select_base.app, name="select-base")
app.add_typer(data.app, name="data")
app.command("audit")(audit.audit)
app.command("backup")(backup.backup)
app.command("restore")(backup.restore)
app.command("evaluate")(evaluate.evaluate)
app.command("finetune")(finetune.finetune)
app.command("footprint")(measure.footprint)
app.command("compare")(measure.compare)
app.command("race")(race.race)
app.command("predict")(predict.predict)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@app.command()
def ask(
    text: Annotated[str, typer.Argument(help="What to ask, in English or Chinese.")],
    thread: Annotated[str | None, typer.Option(help="Continue this conversation.")] = None,
    user: Annotated[str | None, typer.Option(help="Who asks.")] = None,
    chart: Annotated[Path | None, typer.Option(help="Draw cost against quality into this PNG file.")] = None,
    json: Json = False,
) -> None:
    """Ask one question."""
    from bot.conversation import ask_once  # noqa: PLC0415  keeps `--help` quick

    with guarded(Output(json=json), text=text) as output:
        ask_once(text, thread=thread, person=user, output=output, chart_file=chart)


@app.command()
def chat(
    thread: Annotated[str | None, typer.Option(help="Continue this conversation.")] = None,
    user: Annotated[str | None, typer.Option(help="Who asks.")] = None,
) -> None:
    """Have a conversation in the terminal."""
    from bot.conversation import converse  # noqa: PLC0415

    with guarded(Output(json=False)) as output:
        converse(thread=thread, person=user, output=output, lines=sys.stdin)


@app.command()
def serve(
    socket: Annotated[bool, typer.Option("--socket", help="Connect by Socket Mode.")] = False,
    http: Annotated[bool, typer.Option("--http", help="Listen for signed HTTP requests.")] = False,
    port: Annotated[int, typer.Option(help="Port for --http.", min=0, max=65535)] = 3000,
) -> None:
    """Run the Slack app."""
    from bot.serve import serve as run  # noqa: PLC0415

    with guarded(Output(json=False)):
        run(mode="socket" if socket and not http else "http" if http and not socket else None, port=port)


@app.command()
def worker(
    name: Annotated[str, typer.Option(help="Tells several workers of one home apart.")] = "",
) -> None:
    """Run queued jobs in the foreground. Other commands start a worker by themselves when there is none."""
    from bot.terminal import open_terminal  # noqa: PLC0415
    from bot.worker import rounds_within_quotas  # noqa: PLC0415

    with guarded(Output(json=False)) as output:
        terminal = open_terminal()
        file = terminal.settings.access_file
        gate_of = rounds_within_quotas(file and file.expanduser())
        output.note(terminal.jobs.run_worker(name, gate_of))


@app.command()
def doctor(json: Json = False) -> None:
    """Say what is configured, what is missing, and what to do."""
    from bot.doctor import examine, render  # noqa: PLC0415

    with guarded(Output(json=json)) as output:
        findings = examine()
        output.emit(
            {"findings": [finding.as_json() for finding in findings]}, render(findings, output.language)
        )


def main() -> None:
    """Entry point of the `shortlist` command."""
    app()


if __name__ == "__main__":
    main()
