"""What a skill is: a name, when it is picked, and a function from a request to an answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from index.bilingual import Bilingual
from skills.conversation.answer import Answer
from skills.conversation.request import Request, SkillName
from skills.desk import Desk


@dataclass(frozen=True, slots=True, kw_only=True)
class Skill:
    """One thing the bot can do."""

    name: SkillName
    when: Bilingual
    """When it is picked, and an example: `help` shows this."""
    run: Callable[[Request, Desk], Answer]
