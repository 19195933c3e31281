"""Help: what the bot can do, with an example of each."""

from __future__ import annotations

from collections.abc import Sequence

from index.bilingual import Bilingual
from skills.conversation.answer import Answer
from skills.conversation.request import Request
from skills.desk import Desk
from skills.skill import Skill

_HEAD = Bilingual(
    "I help a team choose its language model, and prove the choice. I speak English and Chinese:",
    "我帮团队选语言模型，并用数据证明。我会说中文和英文：",
)


def help_for(skills: Sequence[Skill]) -> Skill:
    """The skill that lists these skills and itself."""

    def run(request: Request, _desk: Desk) -> Answer:
        listed = [f"- **{s.name}**: {s.when.to(request.language)}" for s in (*skills, skill) if s.when.en]
        return Answer.to(request, "\n".join([_HEAD.to(request.language), *listed]), skill="help")

    skill = Skill(name="help", when=Bilingual("this list.", "显示本列表。"), run=run)
    return skill
