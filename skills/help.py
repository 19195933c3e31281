"""Help: what the bot can do, with an example of each."""

from __future__ import annotations

from index.bilingual import Bilingual
from skills import registry
from skills.conversation.answer import Answer
from skills.conversation.request import Request
from skills.desk import Desk
from skills.skill import Skill


def run(request: Request, _desk: Desk) -> Answer:
    """List the skills."""
    head = Bilingual(
        "I help a team choose its language model, and prove the choice. I speak English and Chinese:",
        "我帮团队选语言模型，并用数据证明。我会说中文和英文：",
    )
    lines = [
        f"- **{skill.name}**: {skill.when.to(request.language)}" for skill in registry.SKILLS if skill.when.en
    ]
    return Answer(
        thread=request.turn.thread,
        skill="help",
        language=request.language,
        requirements=request.requirements,
        text="\n".join([head.to(request.language), *lines]),
    )


SKILL: Skill = Skill(name="help", when=Bilingual("this list.", "显示本列表。"), run=run)
