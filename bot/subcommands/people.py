"""`shortlist people`: what is held on a person, as JSON; and deleting it."""

from __future__ import annotations

import json as jsonlib
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from bot.console import EXIT_FAILED, Output, guarded
from bot.grants import subject_named
from bot.holdings import Forgotten, Holdings
from bot.terminal import Terminal, open_terminal
from index.bilingual import Bilingual
from index.errors import BadInput
from index.files import replacing
from skills.conversation.threads import Threads

app = typer.Typer(help="What is held on a person: export it, delete it.", no_args_is_help=True)
Person = Annotated[str, typer.Argument(help="Slack user id, os:NAME, or the name given by --user.")]


@app.command()
def export(
    person: Person,
    output_file: Annotated[Path | None, typer.Option("--output", help="Write it here.")] = None,
) -> None:
    """Print everything that is held on a person, as one JSON object."""
    with guarded(Output(json=True)) as output:
        terminal = open_terminal()
        value = _holdings(terminal).export(_named(person), by=terminal.person)
        if output_file is None:
            output.emit(value, "")
            return
        with replacing(output_file) as temporary:
            temporary.touch(mode=0o600)
            temporary.write_text(jsonlib.dumps(value, ensure_ascii=False, indent=2), encoding="utf-8")
        output.emit({"written": str(output_file)}, "")


@app.command()
def forget(
    person: Person,
    yes: Annotated[bool, typer.Option("--yes", help="Do it: it cannot be undone.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Delete what is held on a person; their running jobs are stopped."""
    with guarded(Output(json=json)) as output:
        terminal, who = open_terminal(), _named(person)
        holdings = _holdings(terminal)
        if not yes:
            raise _say_yes(who, *holdings.count(who))
        done = holdings.forget(who, by=terminal.person)
        output.emit({"person": who, **asdict(done)}, told(done).to(output.language))
        if done.still_running:
            raise typer.Exit(EXIT_FAILED)


def told(done: Forgotten) -> Bilingual:
    """What was deleted, in a sentence."""
    en = (
        f"Deleted: {done.turns} turns and what {done.jobs} jobs held. The audit trail keeps that it was done."
    )
    zh = f"已删除：{done.turns} 轮对话，以及 {done.jobs} 个任务的数据。审计记录只保留这一事实。"
    if done.still_running:
        en += f" {done.still_running} jobs are still being stopped: do it again in a minute."
        zh += f"还有 {done.still_running} 个任务正在停止，请一分钟后再执行一次。"
    return Bilingual(en, zh)


def _say_yes(person: str, turns: int, jobs: int) -> BadInput:
    return BadInput(
        Bilingual(
            f"This deletes {turns} turns of {person} and what {jobs} jobs hold, stops those that run, and cannot be "
            "undone. Add --yes to do it.",
            f"这将删除 {person} 的 {turns} 轮对话和 {jobs} 个任务的数据，停止正在运行的任务，且无法撤销。加 --yes 执行。",
        )
    )


def _named(person: str) -> str:
    """A mention is read as its id; other names are taken as they are."""
    return subject_named(person) if person.startswith("<") else person


def _holdings(terminal: Terminal) -> Holdings:
    threads = Threads(terminal.engine)
    return Holdings(terminal.engine, terminal.jobs, threads, terminal.access, terminal.trail)
