"""Clarify: one question with choices, when the answer would change what is done."""

from __future__ import annotations

from index.bilingual import Bilingual
from skills.conversation.answer import Action, Answer
from skills.conversation.parse.composed import read_message
from skills.conversation.parse.pointers import has_rank
from skills.conversation.request import Request
from skills.desk import Desk
from skills.skill import Skill

TASK = Bilingual(
    en="Gladly. What should the model do? For example: summarise support chats, classify tickets, write code, "
    "answer from our documents, translate.",
    zh="好的。模型主要用来做什么？比如：客服摘要、工单分类、写代码、基于文档问答、翻译。",
)
WHICH = Bilingual(
    en="Which one do you mean? Nothing has been recommended here that I could point at. Name a model, or say what "
    "it should do, for example: which model for summaries?",
    zh="你指的是哪一个？这里还没有推荐过可以指的模型。请说出模型名，或者告诉我用来做什么，比如：摘要用哪个模型？",
)
WHICH_OF_THESE = Bilingual(
    en="Which one do you mean? Say for example: the second one, or its name.",
    zh="你指的是哪一个？可以说“第二个”，或者直接说名字。",
)
TAKE_YOUR_TIME = Bilingual(
    en="Take your time. Tell me what the model should do, or what to change: hardware, licence, budget, languages.",
    zh="不急。可以告诉我模型用来做什么，或者要改什么：硬件、许可证、预算、语言。",
)
_CHOICES = (
    (Bilingual("Summarise", "摘要"), Bilingual("which model for summarization?", "摘要用哪个模型？")),
    (Bilingual("Classify", "分类"), Bilingual("which model for classification?", "分类用哪个模型？")),
    (Bilingual("Code", "代码"), Bilingual("which model for code?", "写代码用哪个模型？")),
    (Bilingual("Our documents", "文档问答"), Bilingual("which model for RAG?", "RAG 用哪个模型？")),
)


def run(request: Request, _desk: Desk) -> Answer:
    """Ask what is meant by a pointer at nothing, or for the task."""
    reading = read_message(request.turn.text)
    if reading.has("hesitation"):
        return ask(request, TAKE_YOUR_TIME)
    if has_rank(reading) or reading.has("pronoun"):
        return ask(request, WHICH_OF_THESE if request.requirements.stated() else WHICH)
    language = request.language
    actions = [Action(id="ask", label=a.to(language), value={"say": b.to(language)}) for a, b in _CHOICES]
    return ask(request, TASK).model_copy(update={"actions": tuple(actions)})


def ask(request: Request, question: Bilingual) -> Answer:
    """One question back to the person."""
    return Answer.to(request, question.to(request.language), skill="clarify")


SKILL = Skill(name="clarify", when=Bilingual("", ""), run=run)
