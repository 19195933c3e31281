"""Decline: what is not about language models is refused kindly, in a line, with what to ask instead."""

from __future__ import annotations

from index.bilingual import Bilingual
from skills.conversation.answer import Answer
from skills.conversation.request import Request
from skills.desk import Desk
from skills.skill import Skill

WORDS = Bilingual(
    en="I only know about choosing, testing and tuning language models, and the documents your team gave me; "
    'none of them answers this. Try: "which model for …", "evaluate … on …", "how much memory does … need".',
    zh="我只了解语言模型的选择、评测和微调，以及团队交给我的文档，其中没有这个问题的答案。"
    "可以试试：“……用哪个模型”“在……上评测……”“……需要多少显存”。",
)


def run(request: Request, _desk: Desk) -> Answer:
    """Say what the bot is for."""
    return Answer.to(request, WORDS.to(request.language), skill="decline")


SKILL = Skill(name="decline", when=Bilingual("", ""), run=run)
