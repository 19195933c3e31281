"""The rules of the house for people: which roles there are, what each may do, and the file that gives them.

Values only. Roles rise: each may do what those before it may. Nothing here knows Slack or the store.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from index.bilingual import Bilingual
from index.errors import BadInput, BadSetting

EVERYBODY = "*"


class Role(IntEnum):
    """What a person is trusted with."""

    NOBODY = 0
    ASKER = 1
    RUNNER = 2
    APPROVER = 3
    ADMINISTRATOR = 4

    @property
    def word(self) -> str:
        """Its name in files, commands and messages, the same in both languages."""
        return self.name.lower()


ROLES = tuple(role.word for role in Role if role)

NEEDED: Mapping[str, Role] = {
    "ask": Role.ASKER,
    "launch": Role.RUNNER,
    "others' jobs": Role.APPROVER,
    "approve": Role.APPROVER,
    "knowledge": Role.APPROVER,
    "priority": Role.ADMINISTRATOR,
    "defaults": Role.ADMINISTRATOR,
    "roles": Role.ADMINISTRATOR,
    "audit": Role.ADMINISTRATOR,
    "people": Role.ADMINISTRATOR,
    "backup": Role.ADMINISTRATOR,
}
"""What can be done, and the least role that may. Stopping one's own job, and seeing or deleting what is held on
oneself, need no role."""

ACTIONS: Mapping[str, Bilingual] = {
    "ask": Bilingual("Asking", "提问"),
    "launch": Bilingual("Starting a job", "启动任务"),
    "others' jobs": Bilingual("Acting on somebody else's job", "操作他人的任务"),
    "approve": Bilingual("Approving a job", "批准任务"),
    "knowledge": Bilingual("Adding or removing documents", "添加或移除文档"),
    "priority": Bilingual("Changing the order of jobs", "调整任务顺序"),
    "defaults": Bilingual("Changing defaults", "修改默认设置"),
    "roles": Bilingual("Seeing and changing roles and quotas", "查看和修改角色与配额"),
    "audit": Bilingual("Reading the audit trail", "查看审计记录"),
    "people": Bilingual("Seeing or deleting what is held on somebody else", "查看或删除他人的数据"),
    "backup": Bilingual("Making or restoring a backup", "备份与恢复"),
}


def role_named(word: str) -> Role:
    """The role of that name; BadInput when there is none."""
    if word.strip().lower() not in ROLES:
        known = ", ".join(ROLES)
        raise BadInput(
            Bilingual(
                f"There is no role {word!r}. Use one of: {known}.", f"没有角色 {word!r}。可用：{known}。"
            )
        )
    return Role[word.strip().upper()]


class Quota(BaseModel):
    """Most that may be used in a calendar month (UTC). None means no limit."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    gpu_minutes: float | None = Field(default=None, ge=0)
    """Time on devices, times their number."""
    usd: float | None = Field(default=None, ge=0)
    """Hosted models as they were billed, and device time at the house's rate."""


class Quotas(BaseModel):
    """Who may use how much."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    person: Quota = Quota()
    """Everybody who is not listed."""
    people: Mapping[str, Quota] = Field(default_factory=dict)
    teams: Mapping[str, Quota] = Field(default_factory=dict)
    """User groups and channels: what their members, or the jobs begun there, use together."""
    everybody: Quota = Quota()
    """All together."""


class Approval(BaseModel):
    """Above which expected cost a job needs an approver. None means never."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    gpu_minutes: float | None = Field(default=None, ge=0)
    usd: float | None = Field(default=None, ge=0)


class Rules(BaseModel):
    """What SHORTLIST_ACCESS_FILE says."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    roles: Mapping[str, tuple[str, ...]] = Field(default_factory=dict)
    """Role -> Slack users (U…), user groups (S…), channels (C…), `os:NAME`, or `*`. Asker is everybody unless given."""
    quotas: Quotas = Quotas()
    approval: Approval = Approval()
    usd_per_gpu_hour: float = Field(default=0.0, ge=0)
    """What an hour of one device costs the team; 0 lets only hosted models cost dollars."""

    @field_validator("roles")
    @classmethod
    def _are_roles(cls, given: Mapping[str, tuple[str, ...]]) -> Mapping[str, tuple[str, ...]]:
        for word in given:
            if word not in ROLES:
                raise ValueError(f"there is no role {word!r}, only {', '.join(ROLES)}")
        return given

    def given(self) -> dict[str, Role]:
        """Subject -> the highest role that the file gives it."""
        found: dict[str, Role] = {}
        for word, subjects in self.roles.items():
            for subject in subjects:
                found[subject] = max(found.get(subject, Role.NOBODY), Role[word.upper()])
        return found


def read_rules(path: Path) -> Rules:
    """Read the file, or say what is wrong at which place; BadSetting either way."""
    try:
        given: Any = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "not UTF-8"
        raise _unusable(path, f"it cannot be read ({why})", f"无法读取（{why}）") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else "?"
        raise _unusable(path, f"line {line} is no YAML", f"第 {line} 行不是 YAML") from None
    except (ValueError, RecursionError, OverflowError):  # what looks like a number or a date, and is none
        raise _unusable(path, "it holds a number or date that is none", "含有无法解析的数字或日期") from None
    try:
        return Rules.model_validate({} if given is None else given)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the file"
        said = first["msg"].removeprefix("Value error, ")
        raise _unusable(path, f"{place}: {said}", f"{place}：{said}") from None


def _unusable(path: Path, en: str, zh: str) -> BadSetting:
    return BadSetting(
        Bilingual(
            f"The access file {path} (SHORTLIST_ACCESS_FILE) cannot be used: {en}. docs/security.md shows one.",
            f"权限文件 {path}（SHORTLIST_ACCESS_FILE）不可用：{zh}。docs/security.md 有示例。",
        )
    )
