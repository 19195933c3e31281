"""Decline: what neither is about language models nor stands in the team's documents is refused kindly, in a line."""

from __future__ import annotations

from index.bilingual import Bilingual
from skills.conversation.answer import Answer
from skills.conversation.request import Request
from skills.desk import Desk
from skills.quoting import quoted
from skills.skill import Skill

WORDS = Bilingual(
    en="I only know about choosing, testing and tuning language models, and the documents your team gave me; "
    'none of them answers this. Try: "which model for …", "evaluate … on …", "how much memory does … need".',
    zh="我只了解语言模型的选择、评测和微调，以及团队交给我的文档，其中没有这个问题的答案。"
    "可以试试：“……用哪个模型”“在……上评测……”“……需要多少显存”。",
)


def run(request: Request, desk: Desk) -> Answer:
    """Quote the team's own documents when they answer what is not our subject; else say what the bot is for."""
    text = request.turn.text
    theirs = [
        hit
        for hit in desk.knowledge.search(text, language=request.language, audience=request.turn.channel)
        if not hit.is_ours
    ]
    if desk.knowledge.answerable(text, theirs, request.turn.channel):
        return quoted(request, theirs)
    return Answer.to(request, WORDS.to(request.language), skill="decline")


SKILL = Skill(name="decline", when=Bilingual("", ""), run=run)
