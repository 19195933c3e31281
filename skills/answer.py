"""Answer: a question -> what was measured here, facts of the catalogue, or passages of the knowledge base, cited.

What is said is a figure or a fact of a record, or the words of a source, so nothing can be said that is not in them.
"""

from __future__ import annotations

from index.bilingual import Bilingual
from skills import facts, measured
from skills.conversation.answer import Answer
from skills.conversation.parse.asked import facts_asked
from skills.conversation.parse.composed import read_message
from skills.conversation.parse.statement import state
from skills.conversation.request import Request
from skills.decline import WORDS as NOT_KNOWN
from skills.desk import Desk
from skills.quoting import quoted
from skills.recommend import refuse_unknown
from skills.skill import Skill

_LOOKED_AT = 5


def run(request: Request, desk: Desk) -> Answer:
    """Tell what was measured, or look the models up that are named, or quote the passages that answer."""
    statement = state(read_message(request.turn.text), desk.names, (), ())
    request = _without_benchmarks(request, desk)
    if set(facts_asked(statement.reading.tokens)) - {"scores"}:
        refuse_unknown(request, desk)
    if measured.is_asked(request, statement, desk):
        return measured.answer(request, statement, desk)
    asked = dict.fromkeys((*request.references, *request.mentioned))
    models = [desk.catalogue.models[name] for name in asked if name in desk.catalogue.models]
    if models:
        return facts.answer(request, statement, desk, models)
    hits = desk.knowledge.search(
        request.turn.text, k=_LOOKED_AT, language=request.language, audience=request.turn.channel
    )
    if not desk.knowledge.answerable(request.turn.text, hits, request.turn.channel):
        refuse_unknown(request, desk)
        return Answer.to(request, NOT_KNOWN.to(request.language))
    return quoted(request, hits)


def _without_benchmarks(request: Request, desk: Desk) -> Request:
    """C-Eval and MT-Bench look like names of models, and are none."""
    known = {_letters(figure.benchmark.name) for figure in desk.catalogue.evidence}
    unknown = tuple(n for n in request.unknown_models if not any(k.startswith(_letters(n)) for k in known))
    return request.model_copy(update={"unknown_models": unknown})


def _letters(name: str) -> str:
    return "".join(character for character in name.casefold() if character.isalnum())


SKILL = Skill(
    name="answer",
    when=Bilingual(
        "a question about models, metrics, memory, tuning: *why can't I compare perplexity across models?*",
        "关于模型、指标、显存、微调的问题：*为什么不能跨模型比较困惑度？*",
    ),
    run=run,
)
