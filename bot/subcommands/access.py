"""`shortlist access`: who may do what, and how much; changed by administrators while it runs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from bot.access import Access
from bot.administration import Administration
from bot.console import Output, guarded
from bot.grants import Grants
from bot.quotas import Limit, limits_of
from bot.roles import ACTIONS, NEEDED, Quota
from bot.terminal import Terminal, open_terminal
from index.bilingual import Bilingual

app = typer.Typer(help="Roles and quotas: see and change them.", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Subject = Annotated[str, typer.Argument(help="U…, S… or C… of Slack, os:NAME, or * for everybody.")]


@app.command("list")
def list_roles(json: Json = False) -> None:
    """Say who has which role, and from where."""
    with guarded(Output(json=json)) as output:
        terminal = open_terminal()
        terminal.access.require("roles", terminal.person)
        rows = _roles(terminal.access)
        lines = [f"- {row['subject']}: **{row['role']}** ({row['from']})" for row in rows]
        value = {"roles": rows, "approval": terminal.access.rules.approval.model_dump()}
        output.emit(value, "\n".join([*lines, "", _HOW.to(output.language)]))


@app.command()
def show(
    person: Annotated[str | None, typer.Argument(help="Yourself unless given.")] = None,
    channel: Annotated[str | None, typer.Option(help="As seen in this Slack channel.")] = None,
    json: Json = False,
) -> None:
    """Say what one person may do, and what is left of their quotas."""
    with guarded(Output(json=json)) as output:
        terminal = open_terminal()
        who = person or terminal.person
        if who != terminal.person:
            terminal.access.require("roles", terminal.person)
        role = terminal.access.role_of(who, channel)
        may = [action for action, needed in NEEDED.items() if role >= needed]
        limits = _limits(terminal, who, channel)
        value = {"person": who, "role": role.word, "may": may, "quotas": [_limit_json(one) for one in limits]}
        lines = [f"**{who}**: {role.word}", *(f"- {ACTIONS[action].to(output.language)}" for action in may)]
        lines += [f"- {one.whose}: {one.amount(one.used)} / {one.amount(one.most)}" for one in limits]
        output.emit(value, "\n".join(lines))


@app.command()
def grant(
    subject: Subject,
    role: Annotated[str, typer.Argument(help="asker, runner, approver or administrator.")],
    json: Json = False,
) -> None:
    """Give a role; it holds at once, also for a bot that runs."""
    with guarded(Output(json=json)) as output:
        terminal = open_terminal()
        given = _administration(terminal).grant(subject, role, by=terminal.person)
        told = Bilingual(f"{subject} is {given.word} from now on.", f"{subject} 现在是 {given.word}。")
        output.emit({"subject": subject, "role": given.word}, told.to(output.language))


@app.command()
def revoke(subject: Subject, json: Json = False) -> None:
    """Take a granted role back."""
    with guarded(Output(json=json)) as output:
        terminal = open_terminal()
        _administration(terminal).revoke(subject, by=terminal.person)
        told = Bilingual(f"{subject} has no granted role any more.", f"{subject} 不再有授予的角色。")
        output.emit({"subject": subject, "role": None}, told.to(output.language))


@app.command()
def quota(
    subject: Subject,
    gpu_minutes: Annotated[float | None, typer.Option(help="Device time a month.", min=0)] = None,
    usd: Annotated[float | None, typer.Option(help="Dollars a month.", min=0)] = None,
    reset: Annotated[bool, typer.Option("--reset", help="Let the access file's quota hold again.")] = False,
    json: Json = False,
) -> None:
    """Limit what a person, a group, a channel or everybody may use in a month; without limits: lift them."""
    with guarded(Output(json=json)) as output:
        terminal = open_terminal()
        wanted = None if reset else Quota(gpu_minutes=gpu_minutes, usd=usd)
        _administration(terminal).limit(subject, wanted, by=terminal.person)
        told = Bilingual(f"The quota of {subject} is changed.", f"{subject} 的配额已修改。")
        value = {"subject": subject, "quota": wanted.model_dump() if wanted else None}
        output.emit(value, told.to(output.language))


_HOW = Bilingual(
    "`shortlist access grant SUBJECT ROLE` changes it, `shortlist access show PERSON` says what somebody may do.",
    "用 `shortlist access grant SUBJECT ROLE` 修改，用 `shortlist access show PERSON` 查看某人的权限。",
)


def _roles(access: Access) -> list[dict[str, str]]:
    granted = {grant.subject: grant for grant in access.grants.all()} if access.grants else {}
    rows = []
    for subject, role in sorted(access.given().items(), key=lambda item: (-item[1], item[0])):
        grant = granted.get(subject)
        is_grant = grant is not None and grant.role == role
        source = f"granted by {grant.granted_by}" if is_grant and grant else "settings or file"
        source = "owner of this home" if subject == access.owner else source
        rows.append({"subject": subject, "role": role.word, "from": source})
    return rows


def _limits(terminal: Terminal, person: str, channel: str | None) -> list[Limit]:
    thread = f":{channel}" if channel else None
    return limits_of(terminal.access, terminal.jobs, owner=person, thread=thread, now=datetime.now(UTC))


def _limit_json(limit: Limit) -> dict[str, Any]:
    return {"of": limit.whose, "unit": limit.unit, "limit": limit.most, "used": round(limit.used, 3)}


def _administration(terminal: Terminal) -> Administration:
    return Administration(terminal.access, Grants(terminal.engine), terminal.trail)
