"""Explain: walk through the sum for one model, or say why another was left out or stands lower."""

from __future__ import annotations

from index.bilingual import Bilingual, Language
from skills import wording
from skills.conversation.answer import Answer
from skills.conversation.request import Request, Requirements
from skills.desk import Desk
from skills.evidence import citations_for
from skills.ranking import options
from skills.ranking.constraints import Excluded, breaks
from skills.ranking.rank import Option, Ranked, rank
from skills.ranking.relax import without
from skills.ranking.shortlist import Shortlist
from skills.recommend import shortlist_answer, shortlist_for
from skills.skill import Skill

_ASKED = 3
_LEFT_OUT_SHOWN = 12


def run(request: Request, desk: Desk) -> Answer:
    """Explain the models that the turn is about; the first of the ranking when it names none."""
    asked = request.references or request.mentioned
    ranking = request.model_copy(
        update={"requirements": request.requirements.model_copy(update={"candidates": None})}
    )
    shortlist = shortlist_for(ranking, desk)
    base = shortlist_answer(ranking, shortlist, desk)
    about = asked[:_ASKED] or tuple(item.option.model.id for item in shortlist.ranked[:1])
    blocks = [_explain(model_id, shortlist, request.language) for model_id in about]
    if request.about_excluded or not shortlist.ranked:
        about, blocks = (), [_left_out(shortlist, request.language)]
    blocks.append(_rule(shortlist, request.language))
    shown = tuple(item for item in base.recommendations if item.model in about)
    citations = citations_for(shown, request.language)
    text = "\n\n".join([*blocks, wording.sources(citations)]).strip()
    return base.model_copy(update={"skill": "explain", "text": text, "citations": citations})


def _explain(model_id: str, shortlist: Shortlist, language: Language) -> str:
    for place, item in enumerate(shortlist.ranked, start=1):
        if item.option.model.id == model_id:
            return _ranked(place, item, shortlist, language)
    for left_out in shortlist.excluded:
        if left_out.model.id == model_id:
            return _excluded(left_out, shortlist, language)
    name = wording.short_name(model_id)
    return Bilingual(
        f"**{name}** was no candidate: it is made for another kind of work.",
        f"**{name}** 不在候选之列：它不是为这类任务设计的。",
    ).to(language)


def _excluded(item: Excluded, shortlist: Shortlist, language: Language) -> str:
    name, reason = wording.short_name(item.model.id), item.reason
    head = Bilingual(
        f"**{name}** was left out by a hard constraint: {reason.en}.",
        f"**{name}** 因硬性条件被排除：{reason.zh}。",
    ).to(language)
    return "\n".join([head, *_if_it_were_let_in(item, shortlist, language)])


def _if_it_were_let_in(item: Excluded, shortlist: Shortlist, language: Language) -> list[str]:
    """The same sum without the limit that it breaks, or the other limits that stand in its way."""
    others = [c for c in breaks(item.model, shortlist.requirements) if c != item.constraint]
    if others:
        names = [wording.constraint_name(other, language) for other in others]
        listed = ("、" if language == "zh" else ", ").join(dict.fromkeys(names))
        return [Bilingual(f"- It also breaks: {listed}.", f"- 它还不满足：{listed}。").to(language)]
    if item.constraint not in Requirements.model_fields:
        return []
    usable, _ = options.build([item.model], without(shortlist.context, item.constraint))
    if not usable:
        return []
    alpha = shortlist.criteria.alpha_usd_per_mtok
    found = rank(usable, alpha)[0]
    place = 1 + sum(other.score < found.score for other in shortlist.ranked)
    loaded = found.option.quantization
    return [
        Bilingual(
            f"- Without that limit ({wording.quantization_name(loaded, 'en')}): {_sum(found.option, alpha)}, "
            f"number {place}.",
            f"- 若无此限制（{wording.quantization_name(loaded, 'zh')}）：{_sum(found.option, alpha)}，排第 {place}。",
        ).to(language)
    ]


def _sum(option: Option, alpha: float) -> str:
    cost, loss = option.cost.value, option.loss.value
    return f"{cost:.3f} + {alpha:g} × {loss:.3f} = {option.score(alpha):.3f}"


def _ranked(place: int, item: Ranked, shortlist: Shortlist, language: Language) -> str:
    option, alpha = item.option, shortlist.criteria.alpha_usd_per_mtok
    name = f"{wording.short_name(option.model.id, option.adapter)}, "
    name += wording.quantization_name(option.quantization, language)
    terms = _sum(option, alpha)
    head = Bilingual(
        f"**{name}** is number {place}: cost + alpha × loss = {terms} (USD per million tokens; smaller is better).",
        f"**{name}** 排第 {place}：成本 + alpha × 损失 = {terms}（美元 / 百万 token，越小越好）。",
    ).to(language)
    lines = [f"- {reason}" for reason in wording.reasons(item, shortlist, language)]
    return "\n".join([head, *lines, *_against_first(place, item, shortlist, language)])


def _against_first(place: int, item: Ranked, shortlist: Shortlist, language: Language) -> list[str]:
    """Where the answer would flip: the alpha at which this model and its nearest rival are even."""
    if len(shortlist.ranked) < 2:
        return []
    rival = shortlist.ranked[1] if place == 1 else shortlist.ranked[0]
    name = wording.short_name(rival.option.model.id, rival.option.adapter)
    cost = item.option.cost.value - rival.option.cost.value
    loss = item.option.loss.value - rival.option.loss.value
    difference = Bilingual(
        f"- Against {name}: {cost:+.3f} in cost, {loss:+.3f} in loss.",
        f"- 与 {name} 相比：成本 {cost:+.3f}，损失 {loss:+.3f}。",
    ).to(language)
    if cost * loss >= 0:
        return [difference]
    flip = -cost / loss
    even = Bilingual(
        f"- They are even at alpha = {flip:.2f}: larger alpha favours the better one, smaller the cheaper one.",
        f"- alpha = {flip:.2f} 时两者持平：更大偏向质量好的，更小偏向便宜的。",
    ).to(language)
    return [difference, even]


def _left_out(shortlist: Shortlist, language: Language) -> str:
    """The models that were left out, the most capable first, as they are the ones that people ask about."""

    def ability(item: Excluded) -> float:
        return shortlist.losses.abilities.of(item.model.id, shortlist.criteria.skill_weights).value

    best = sorted(shortlist.excluded, key=ability, reverse=True)[:_LEFT_OUT_SHOWN]
    lines = [f"- {wording.short_name(item.model.id)}: {item.reason.to(language)}" for item in best]
    return "\n".join([wording.left_out(shortlist, language), *lines])


def _rule(shortlist: Shortlist, language: Language) -> str:
    worth = f"{shortlist.criteria.alpha_usd_per_mtok:g}"
    return Bilingual(
        f"The rule: the smallest cost + alpha × loss among the models that meet every constraint; alpha = {worth} "
        "USD per million tokens for a full unit of quality.",
        f"规则：在满足全部条件的模型里取“成本 + alpha × 损失”最小者；alpha = {worth} 美元 / 百万 token，"
        "即一个完整单位的质量值多少钱。",
    ).to(language)


SKILL = Skill(
    name="explain",
    when=Bilingual(
        "why a model ranks where it does, or was left out: *why not Llama?*, *why is the first better?*",
        "解释排名或排除的原因：*为什么不选 Llama？*、*为什么第一个更好？*",
    ),
    run=run,
)
