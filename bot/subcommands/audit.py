"""`shortlist audit`: what was done and refused, and whether the trail is whole."""

from __future__ import annotations

from typing import Annotated

import typer
from sqlalchemy import select

from bot.console import EXIT_FAILED, Output, guarded
from bot.terminal import Terminal, open_terminal
from index.audit import Entry, Verdict, as_json
from index.bilingual import Bilingual


def audit(
    limit: Annotated[int, typer.Option(help="How many rows.", min=1, max=100_000)] = 50,
    person: Annotated[str | None, typer.Option(help="Of one person.")] = None,
    action: Annotated[str | None, typer.Option(help="Of one kind, such as launch.")] = None,
    verify: Annotated[bool, typer.Option("--verify", help="Walk the whole chain.")] = False,
    head: Annotated[
        str | None, typer.Option(help="A last hash that was kept elsewhere; it must be in the chain.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show who did what and what was refused, the newest first."""
    with guarded(Output(json=json)) as output:
        terminal = open_terminal()
        terminal.access.require("audit", terminal.person)
        if verify or head is not None:
            _verify(terminal, head, output)
            return
        rows = terminal.trail.newest(limit, person=person, action=action)
        jobs = _jobs_of(terminal, [row.request_id for row in rows if row.request_id])
        value = {"rows": [as_json(row) | {"jobs": jobs.get(row.request_id or "", [])} for row in rows]}
        nothing = Bilingual("Nothing was recorded yet.", "还没有记录。").to(output.language)
        lines = [_line(row, jobs.get(row.request_id or "", [])) for row in rows]
        output.emit(value, "\n".join(lines) or nothing)


def _verify(terminal: Terminal, head: str | None, output: Output) -> None:
    verdict = terminal.trail.verify(head)
    value = {
        "rows": verdict.rows,
        "is_whole": verdict.is_whole,
        "broken_at": verdict.broken_at,
        "holds_head": verdict.holds_head,
        "last_hash": verdict.last_hash,
    }
    output.emit(value, _verdict(verdict).to(output.language))
    if not verdict.is_whole:
        raise typer.Exit(EXIT_FAILED)


def _verdict(verdict: Verdict) -> Bilingual:
    if verdict.broken_at is not None:
        return Bilingual(
            f"The trail is broken at row {verdict.broken_at}: it, or the one before it, was changed or deleted. "
            f"The {verdict.rows - 1} rows before it are whole.",
            f"审计链在第 {verdict.broken_at} 行断开：该行或其前一行被修改或删除。此前的 {verdict.rows - 1} 行完好。",
        )
    if verdict.holds_head is False:
        return Bilingual(
            f"The {verdict.rows} rows follow from each other, but the hash that you kept is not among them: the end "
            "was cut off, or this is another trail.",
            f"{verdict.rows} 行前后相连，但其中没有你保存的哈希：末尾被截断，或这是另一份记录。",
        )
    return Bilingual(
        f"The trail is whole: {verdict.rows} rows. Keep its last hash elsewhere: {verdict.last_hash}",
        f"审计链完整，共 {verdict.rows} 行。请另外保存最后的哈希：{verdict.last_hash}",
    )


def _line(row: Entry, jobs: list[int]) -> str:
    where = " ".join(filter(None, (row.surface, row.channel)))
    what = " ".join(filter(None, (row.action, row.subject, *(f"#{job}" for job in jobs))))
    why = f" ({row.reason})" if row.reason else ""
    return f"- {row.id} {row.at_utc[:19]} **{row.decision}**{why} {row.person}: {what} [{where}] {row.request_id or ''}"


def _jobs_of(terminal: Terminal, request_ids: list[str]) -> dict[str, list[int]]:
    """Which jobs each request started."""
    from index.schema import jobs  # noqa: PLC0415 - read only, to put a number to a launch

    found: dict[str, list[int]] = {}
    query = select(jobs.c.request_id, jobs.c.id).where(jobs.c.request_id.in_(request_ids[:500]))
    with terminal.engine.connect() as connection:
        for request_id, job_id in connection.execute(query):
            found.setdefault(request_id, []).append(job_id)
    return found
