"""Answer: a question -> what was measured here, facts of the catalogue, or passages of the knowledge base, cited.

What is said is a figure or a fact of a record, or the words of a source, so nothing can be said that is not in them.
"""

from __future__ import annotations

from collections.abc import Sequence

from index.bilingual import Bilingual
from index.retrieve import Hit
from skills import facts, measured
from skills.conversation.answer import Answer, Citation
from skills.conversation.parse.reading import read_turn
from skills.conversation.parse.statement import state
from skills.conversation.request import Request
from skills.decline import WORDS as NOT_KNOWN
from skills.desk import Desk
from skills.recommend import refuse_unknown
from skills.skill import Skill

_LOOKED_AT = 5
_QUOTED = 2
_CLOSE_BEHIND = 0.85
"""A second passage is quoted when it scores at least this share of the first."""


def run(request: Request, desk: Desk) -> Answer:
    """Tell what was measured, or look the models up that are named, or quote the passages that answer."""
    refuse_unknown(request, desk)
    statement = state(read_turn(request.turn.text), desk.names, (), ())
    if measured.is_asked(request, statement, desk):
        return measured.answer(request, statement, desk)
    asked = dict.fromkeys((*request.references, *request.mentioned))
    models = [desk.catalogue.models[name] for name in asked if name in desk.catalogue.models]
    if models:
        return facts.answer(request, statement, desk, models)
    hits = desk.knowledge.search(request.turn.text, k=_LOOKED_AT, language=request.language)
    if not desk.knowledge.answerable(request.turn.text, hits):
        return Answer.to(request, NOT_KNOWN.to(request.language))
    return _quoted(request, hits)


def _quoted(request: Request, hits: Sequence[Hit]) -> Answer:
    best = hits[0].score
    chosen = [hit for hit in hits[:_QUOTED] if hit.score >= _CLOSE_BEHIND * best]
    citations = tuple(
        Citation(
            n=n,
            title=hit.passage.title,
            source=hit.passage.url or hit.passage.source,
            locator=hit.passage.locator,
            quote=hit.passage.text,
        )
        for n, hit in enumerate(chosen, start=1)
    )
    body = "\n\n".join(
        f"{hit.passage.text.strip()} [{c.n}]" for hit, c in zip(chosen, citations, strict=True)
    )
    marks = "\n".join(f"[{c.n}] {c.title} › {c.locator} ({c.source})" for c in citations)
    return Answer.to(request, f"{body}\n\n{marks}", citations=citations)


SKILL = Skill(
    name="answer",
    when=Bilingual(
        "a question about models, metrics, memory, tuning: *why can't I compare perplexity across models?*",
        "关于模型、指标、显存、微调的问题：*为什么不能跨模型比较困惑度？*",
    ),
    run=run,
)
