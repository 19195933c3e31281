"""Answer: a question about models or the trade -> facts from the catalogue or passages of the knowledge base, cited.

Words come from the sources themselves, so nothing can be said that is not in them.
"""

from __future__ import annotations

from collections.abc import Sequence

from index.bilingual import Bilingual
from index.footprint import serving
from index.records import QUANTIZATIONS, ModelFact
from index.retrieve import Hit
from skills import wording
from skills.conversation.answer import Answer, Citation
from skills.conversation.request import Request
from skills.decline import WORDS as NOT_KNOWN
from skills.desk import Desk
from skills.ranking.criteria import DEFAULT_CONTEXT_TOKENS
from skills.recommend import refuse_unknown
from skills.skill import Skill

_LOOKED_AT = 5
_QUOTED = 2
_LANGUAGES_SHOWN = 12
_CLOSE_BEHIND = 0.85
"""A second passage is quoted when it scores at least this share of the first."""


def run(request: Request, desk: Desk) -> Answer:
    """Look the models up that are named; otherwise quote the passages that answer, or say that none does."""
    refuse_unknown(request, desk)
    asked = dict.fromkeys((*request.references, *request.mentioned))
    models = [desk.catalogue.models[name] for name in asked if name in desk.catalogue.models]
    if models:
        return _facts(request, models)
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


def _facts(request: Request, models: Sequence[ModelFact]) -> Answer:
    citations: list[Citation] = []
    blocks = []
    for model in models:
        marks = []
        for source in model.sources[:2]:
            citations.append(
                Citation(
                    n=len(citations) + 1,
                    title=model.id,
                    source=source.url,
                    locator=source.name,
                    quote=model.name,
                )
            )
            marks.append(f"[{len(citations)}]")
        blocks.append(_fact_card(request, model, "".join(marks)))
    links = "\n".join(f"[{c.n}] {c.title} › {c.locator} ({c.source})" for c in citations)
    return Answer.to(request, "\n\n".join([*blocks, links]), citations=tuple(citations))


def _fact_card(request: Request, model: ModelFact, marks: str) -> str:
    language = request.language
    lines = [f"**{model.id}** {marks}"]
    for label, value in _fields(model):
        lines.append(f"- {label.to(language)}: {value}")
    lines += _memory_lines(request, model)
    return "\n".join(lines)


def _fields(model: ModelFact) -> list[tuple[Bilingual, str]]:
    found: list[tuple[Bilingual, str]] = []
    if model.params_b is not None:
        active = f" ({model.active_params_b:g}B active)" if model.active_params_b else ""
        found.append((Bilingual("Parameters", "参数"), f"{model.params_b:.3g}B{active}"))
    if model.max_context_tokens is not None:
        found.append((Bilingual("Context", "上下文"), f"{model.max_context_tokens:,} tokens"))
    if model.licence is not None:
        found.append((Bilingual("Licence", "许可证"), model.licence))
    if model.languages:
        more = f" … ({len(model.languages)})" if len(model.languages) > _LANGUAGES_SHOWN else ""
        found.append((Bilingual("Languages", "语言"), ", ".join(model.languages[:_LANGUAGES_SHOWN]) + more))
    if model.release_date is not None:
        found.append((Bilingual("Released", "发布"), model.release_date))
    return found


def _memory_lines(request: Request, model: ModelFact) -> list[str]:
    language = request.language
    tokens = request.requirements.min_context_tokens or DEFAULT_CONTEXT_TOKENS
    tokens = min(tokens, model.max_context_tokens or tokens)
    needs = [(q, serving(model, quantization=q, context_tokens=tokens)) for q in QUANTIZATIONS]
    shown = [
        f"{wording.quantization_name(q, language)} {n.total_gib:.1f} GiB" for q, n in needs if n is not None
    ]
    if not shown:
        return []
    label = Bilingual(
        f"Memory to serve it at {tokens:,} tokens (computed from its architecture)",
        f"部署所需显存（{tokens:,} token 上下文，按架构计算）",
    ).to(language)
    return [f"- {label}: {', '.join(shown)}"]


SKILL = Skill(
    name="answer",
    when=Bilingual(
        "a question about models, metrics, memory, tuning: *why can't I compare perplexity across models?*",
        "关于模型、指标、显存、微调的问题：*为什么不能跨模型比较困惑度？*",
    ),
    run=run,
)
