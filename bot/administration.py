"""What administrators change while it runs: roles and quotas. Each change is checked, stored and recorded.

For the command line, for `/shortlist roles` and for a form of the Home tab: all call these functions.
"""

from __future__ import annotations

from dataclasses import dataclass

from bot.access import Access
from bot.grants import Grants, subject_named
from bot.roles import Quota, Role, role_named
from index.audit import Trail
from index.bilingual import Bilingual
from index.errors import BadInput


@dataclass(frozen=True, slots=True)
class Administration:
    """Changes of roles and quotas, on behalf of whoever asks."""

    access: Access
    grants: Grants
    trail: Trail

    def grant(self, subject: str, role: str, *, by: str) -> Role:
        """Give a role to a person, group, channel or everybody; it holds at once, everywhere."""
        name, wanted = subject_named(subject), role_named(role)
        self.access.require("roles", by, subject=f"{wanted.word} {name}")
        self.grants.give(name, wanted, by=by)
        self.trail.record("change roles", f"{wanted.word} {name}", "allowed", person=by)
        return wanted

    def revoke(self, subject: str, *, by: str) -> None:
        """Take a granted role back. One that a setting or the file gives is told where it comes from."""
        name = subject_named(subject)
        self.access.require("roles", by, subject=f"nothing {name}")
        if not self.grants.take(name):
            raise self._not_granted(name)
        self.trail.record("change roles", f"nothing {name}", "allowed", person=by)

    def limit(self, subject: str, quota: Quota | None, *, by: str) -> None:
        """Set a monthly quota; None lets the access file's hold again."""
        name = subject_named(subject)
        self.access.require("roles", by, subject=f"quota {name}")
        if quota is None:
            self.grants.forget_limit(name)
        else:
            self.grants.limit(name, quota, by=by)
        said = "of the file" if quota is None else quota.model_dump_json(exclude_none=True)
        self.trail.record("change quota", f"{name} {said}", "allowed", person=by)

    def _not_granted(self, name: str) -> BadInput:
        if name in self.access.given():
            return BadInput(
                Bilingual(
                    f"The role of {name} was not granted here: it comes from SHORTLIST_RUNNERS, SHORTLIST_ADMINS or the "
                    "access file. Change it there.",
                    f"{name} 的角色不是在这里授予的，而是来自 SHORTLIST_RUNNERS、SHORTLIST_ADMINS 或权限文件，"
                    "请在那里修改。",
                )
            )
        return BadInput(Bilingual(f"{name} has no role to take back.", f"{name} 没有可收回的角色。"))
