"""Roles and quotas that administrators changed while it runs <-> rows of the store. Every replica sees them at once."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sqlalchemy import Engine, delete, insert, select

from bot.roles import EVERYBODY, Quota, Role
from index.bilingual import Bilingual
from index.errors import BadInput
from index.schema import grants, quotas
from index.store import utc_now

_SUBJECT = re.compile(r"[UWSCGD][A-Z0-9]{2,}|os:[^\s,]{1,60}|\*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """One role that was given to a person, a group, a channel or everybody."""

    subject: str
    role: Role
    granted_by: str
    granted_at_utc: str


def subject_named(text: str) -> str:
    """The subject as it is kept: `<@U0ANA>`, `<#C0ML|ml>` and `<!subteam^S0ML>` are read too; BadInput otherwise."""
    marked = re.fullmatch(r"<(?:@|#|!subteam\^)([A-Z0-9]+)(?:\|[^>]*)?>", text.strip())
    name = marked[1] if marked else text.strip()
    if _SUBJECT.fullmatch(name) is None:
        raise BadInput(
            Bilingual(
                f"{text!r} is nobody I can give a role to. Name a Slack user (U…), user group (S…) or channel (C…) by "
                "its id, `os:NAME` for somebody at a terminal, or `*` for everybody.",
                f"{text!r} 不是可以授予角色的对象。请用 Slack 用户（U…）、用户组（S…）或频道（C…）的 ID，"
                "终端用户写作 `os:NAME`，`*` 表示所有人。",
            )
        )
    return name


class Grants:
    """The tables `grants` and `quotas`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def all(self) -> list[Grant]:
        """Every grant, by subject."""
        query = select(grants).order_by(grants.c.subject)
        with self._engine.connect() as connection:
            return [
                Grant(
                    subject=row.subject,
                    role=Role[row.role.upper()],
                    granted_by=row.granted_by,
                    granted_at_utc=row.granted_at_utc,
                )
                for row in connection.execute(query)
                if row.role.upper() in Role.__members__
            ]

    def give(self, subject: str, role: Role, *, by: str) -> None:
        """Let the subject have this role, and no other by grant."""
        values = {"subject": subject, "role": role.word, "granted_by": by, "granted_at_utc": utc_now()}
        with self._engine.begin() as connection:
            connection.execute(delete(grants).where(grants.c.subject == subject))
            connection.execute(insert(grants).values(values))

    def take(self, subject: str) -> bool:
        """Take the subject's grant back; False when it had none."""
        with self._engine.begin() as connection:
            return connection.execute(delete(grants).where(grants.c.subject == subject)).rowcount == 1

    def quotas(self) -> dict[str, Quota]:
        """Subject -> the quota that was set while it runs."""
        with self._engine.connect() as connection:
            rows = connection.execute(select(quotas.c.subject, quotas.c.gpu_minutes, quotas.c.usd)).all()
        return {row.subject: Quota(gpu_minutes=row.gpu_minutes, usd=row.usd) for row in rows}

    def limit(self, subject: str, quota: Quota, *, by: str) -> None:
        """Set the subject's quota. One without limits lifts what a file or a default says."""
        values = quota.model_dump() | {"subject": subject, "set_by": by, "set_at_utc": utc_now()}
        with self._engine.begin() as connection:
            connection.execute(delete(quotas).where(quotas.c.subject == subject))
            connection.execute(insert(quotas).values(values))

    def forget_limit(self, subject: str) -> bool:
        """Let the file's quota hold again; False when none was set."""
        with self._engine.begin() as connection:
            return connection.execute(delete(quotas).where(quotas.c.subject == subject)).rowcount == 1


def kind_of(subject: str) -> str:
    """person, group, channel or everybody."""
    if subject == EVERYBODY:
        return "everybody"
    return {"S": "group", "C": "channel", "G": "channel", "D": "channel"}.get(subject[0], "person")
