"""The skills, as an explicit tuple. A new skill is one file and one line here."""

from __future__ import annotations

from skills import (
    answer,
    clarify,
    compare,
    decline,
    evaluate,
    explain,
    finetune,
    jobs,
    recommend,
    select_base,
)
from skills.conversation.request import SkillName
from skills.help import help_for
from skills.skill import Skill

_SKILLS: tuple[Skill, ...] = (
    recommend.SKILL,
    answer.SKILL,
    explain.SKILL,
    compare.SKILL,
    evaluate.SKILL,
    finetune.SKILL,
    select_base.SKILL,
    jobs.SKILL,
    clarify.SKILL,
    decline.SKILL,
)

SKILLS: tuple[Skill, ...] = (*_SKILLS, help_for(_SKILLS))

BY_NAME: dict[SkillName, Skill] = {skill.name: skill for skill in SKILLS}
