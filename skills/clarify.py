"""Clarify: one question with choices, when the answer would change what is done."""

from __future__ import annotations

from index.bilingual import Bilingual
from skills.conversation.answer import Action, Answer
from skills.conversation.request import Request
from skills.desk import Desk
from skills.skill import Skill

TASK = Bilingual(
    en="Gladly. What should the model do? For example: summarise support chats, classify tickets, write code, "
    "answer from our documents, translate.",
    zh="好的。模型主要用来做什么？比如：客服摘要、工单分类、写代码、基于文档问答、翻译。",
)
_CHOICES = (
    (Bilingual("Summarise", "摘要"), Bilingual("which model for summarization?", "摘要用哪个模型？")),
    (Bilingual("Classify", "分类"), Bilingual("which model for classification?", "分类用哪个模型？")),
    (Bilingual("Code", "代码"), Bilingual("which model for code?", "写代码用哪个模型？")),
    (Bilingual("Our documents", "文档问答"), Bilingual("which model for RAG?", "RAG 用哪个模型？")),
)


def run(request: Request, _desk: Desk) -> Answer:
    """Ask for the task."""
    language = request.language
    actions = [Action(id="ask", label=a.to(language), value={"say": b.to(language)}) for a, b in _CHOICES]
    return ask(request, TASK).model_copy(update={"actions": tuple(actions)})


def ask(request: Request, question: Bilingual) -> Answer:
    """One question back to the person."""
    return Answer.to(request, question.to(request.language), skill="clarify")


SKILL = Skill(name="clarify", when=Bilingual("", ""), run=run)
