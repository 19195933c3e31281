"""Recommend: requirements -> a ranked shortlist, explained, with what was left out and why."""

from __future__ import annotations

from index.bilingual import Bilingual, Language
from index.errors import BadInput
from skills import wording
from skills.changes import nothing_left, said_of_changes
from skills.conversation.answer import (
    Action,
    Answer,
    Citation,
    Cost,
    Exclusion,
    FrontierPiece,
    Loss,
    Recommendation,
)
from skills.conversation.request import Request, Requirements
from skills.desk import Desk
from skills.evidence import citations_for, evidence_lines
from skills.ranking.rank import FINALISTS, Ranked
from skills.ranking.shortlist import Shortlist, build
from skills.skill import Skill


def run(request: Request, desk: Desk) -> Answer:
    """Rank the models that meet every hard constraint."""
    refuse_unknown(request, desk)
    shortlist = shortlist_for(request, desk)
    answer = shortlist_answer(request, shortlist, desk)
    before = desk.threads.last_ranking(request.turn.thread, up_to=request.turn.after)
    since = wording.since_last(before, shortlist, request)
    return answer.model_copy(update={"text": f"{since}\n\n{answer.text}"}) if since else answer


def refuse_unknown(request: Request, desk: Desk) -> None:
    """Raise UnknownModel, with the nearest names, for the first name that fits no model."""
    for name in request.unknown_models:
        desk.catalogue.require(name)


def shortlist_for(request: Request, desk: Desk) -> Shortlist:
    """Build the shortlist from what the desk knows and has measured."""
    return build(
        _with_bases(request.requirements, desk),
        catalogue=desk.catalogue,
        abilities=desk.abilities,
        measurements=desk.measurements(request.requirements.task, request.dataset),
        rejected=request.rejected,
    )


def _with_bases(requirements: Requirements, desk: Desk) -> Requirements:
    """A tuned model that was named is weighed as a way of running its base, by what was measured here."""
    named = requirements.candidates or ()
    tuned = {name: found.based_on for name in named if (found := desk.catalogue.find_tuned(name))}
    if not tuned:
        return requirements
    bases = tuple(dict.fromkeys(tuned.get(name, name) for name in named))
    return requirements.model_copy(update={"candidates": bases})


def shortlist_answer(request: Request, shortlist: Shortlist, desk: Desk) -> Answer:
    """Put a shortlist into words and values."""
    language = request.language
    shown = shortlist.ranked[:FINALISTS]
    recommendations = tuple(
        _recommendation(rank, item, shortlist, desk, language) for rank, item in enumerate(shown, start=1)
    )
    citations = citations_for(recommendations, language)
    return Answer.to(
        request,
        _text(request, shortlist, recommendations, citations),
        recommendations=recommendations,
        excluded=tuple(
            Exclusion(model=item.model.id, reason=item.reason.to(language), constraint=item.constraint)
            for item in shortlist.excluded
        ),
        frontier=tuple(
            FrontierPiece(
                model=wording.option_name(piece.option), alpha_from=piece.alpha_from, alpha_to=piece.alpha_to
            )
            for piece in shortlist.pieces
        ),
        citations=citations,
        actions=_actions(recommendations, language),
    )


def chart(answer: Answer, desk: Desk) -> bytes:
    """The candidates of a recommendation as a picture: cost against expected quality, a PNG."""
    if not answer.recommendations:
        raise BadInput(
            Bilingual(
                "There is no ranking to draw: ask for a recommendation, such as “which model for code on a 4090?”.",
                "没有可画的排名：请先要一个推荐，例如“4090 上写代码用哪个模型？”。",
            )
        )
    from skills.ranking.pareto import picture  # noqa: PLC0415  matplotlib is slow to load

    shortlist = build(
        answer.requirements,
        catalogue=desk.catalogue,
        abilities=desk.abilities,
        measurements=desk.measurements(answer.requirements.task),
        rejected=[item.model for item in answer.excluded if item.constraint == "rejected"],
    )
    return picture(shortlist.ranked, shortlist.options)


def _text(
    request: Request,
    shortlist: Shortlist,
    shown: tuple[Recommendation, ...],
    citations: tuple[Citation, ...],
) -> str:
    if not shown:
        return nothing_left(shortlist, request.language)
    closing = said_of_changes(shortlist, request.language)
    return wording.recommendation(request, shortlist, shown, citations, closing)


def _recommendation(
    rank: int, item: Ranked, shortlist: Shortlist, desk: Desk, language: Language
) -> Recommendation:
    option = item.option
    return Recommendation(
        rank=rank,
        model=option.model.id,
        adapter=option.adapter,
        quantization=option.quantization,
        score=round(item.score, 4),
        cost=Cost(
            value=round(option.cost.value, 4),
            unit="USD per million tokens",
            basis=option.cost.basis.to(language),
        ),
        loss=Loss(value=round(option.loss.value, 4), se=round(option.loss.se, 4)),
        p_best=round(item.p_best, 3),
        vram_gib=None if option.vram_gib is None else round(option.vram_gib, 2),
        tokens_per_s=None if option.tokens_per_s is None else round(option.tokens_per_s, 1),
        licence=option.model.licence,
        context_tokens=option.model.max_context_tokens,
        params_b=option.model.params_b,
        reasons=wording.reasons(item, shortlist, language),
        evidence=evidence_lines(option, shortlist, desk.catalogue, language),
    )


def _actions(recommendations: tuple[Recommendation, ...], language: Language) -> tuple[Action, ...]:
    if not recommendations:
        return ()
    models = [item.model for item in recommendations[:3]]
    asks = [
        (
            "explain",
            Bilingual("Why?", "为什么？"),
            Bilingual("Why is the first one first?", "为什么第一个排第一？"),
        ),
        ("cheaper", Bilingual("Cheaper", "更便宜"), Bilingual("cheaper please", "便宜一点")),
        ("better", Bilingual("Better", "质量更好"), Bilingual("quality first please", "质量优先")),
        ("faster", Bilingual("Faster", "更快"), Bilingual("faster please", "速度优先")),
        *_less_memory(recommendations[0].vram_gib),
        (
            "compare",
            Bilingual("Compare", "对比"),
            Bilingual("Compare the first two", "对比前两名"),
        ),
        (
            "excluded",
            Bilingual("Left out", "排除了谁"),
            Bilingual("What was left out, and why?", "排除了哪些，为什么？"),
        ),
    ]
    evaluate = Bilingual(f"Evaluate top {len(models)}", f"评测前 {len(models)} 名").to(language)
    tune = Bilingual("Fine-tune 1", "微调第 1 名").to(language)
    return (
        Action(id="evaluate", label=evaluate, value={"models": models}),
        Action(id="finetune", label=tune, value={"model": models[0]}),
        *(
            Action.model_validate(
                {"id": id_, "label": label.to(language), "value": {"say": say.to(language)}}
            )
            for id_, label, say in asks
        ),
    )


_MEMORY_SIZES_GIB = (80, 48, 40, 32, 24, 16, 12, 8, 6, 4, 2, 1)
"""What accelerators have, the largest first."""


def _less_memory(vram_gib: float | None) -> list[tuple[str, Bilingual, Bilingual]]:
    """The wish for the next smaller accelerator, unless the first fits the smallest already."""
    smaller = next((size for size in _MEMORY_SIZES_GIB if vram_gib is not None and size < vram_gib), None)
    if smaller is None:
        return []
    say = Bilingual(f"What if we only have {smaller} GB?", f"如果只有 {smaller}GB 呢？")
    return [("less_memory", Bilingual("Less memory", "更省显存"), say)]


SKILL = Skill(
    name="recommend",
    when=Bilingual(
        "which model for your task, hardware, licence and budget: "
        "*Which open model for Chinese summarisation on one 24 GB GPU? Apache or MIT only.*",
        "按任务、硬件、许可证和预算选模型：*中文客服摘要用哪个开源模型？单张 24GB 显卡，只要 Apache 或 MIT。*",
    ),
    run=run,
)
