"""The skills, as an explicit tuple. A new skill is one file and one line here."""

from __future__ import annotations

from skills import answer, clarify, compare, decline, evaluate, explain, finetune, help, jobs, recommend
from skills.conversation.request import SkillName
from skills.skill import Skill

SKILLS: tuple[Skill, ...] = (
    recommend.SKILL,
    answer.SKILL,
    explain.SKILL,
    compare.SKILL,
    evaluate.SKILL,
    finetune.SKILL,
    jobs.SKILL,
    help.SKILL,
    clarify.SKILL,
    decline.SKILL,
)

BY_NAME: dict[SkillName, Skill] = {skill.name: skill for skill in SKILLS}
