"""What a model needs: memory to serve or tune it, computed from its architecture, and what its tokens cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from index.bilingual import Bilingual
from index.footprint import LONGEST_CONTEXT_TOKENS, largest_context, serving, tuning
from index.prices import TokenPrice, hosted_price
from index.records import QUANTIZATIONS, ModelFact, Quantization
from skills.cited import Sources
from skills.fact import Found, Question
from skills.ranking.cost import INPUT_SHARE
from skills.ranking.criteria import DEFAULT_CONTEXT_TOKENS
from skills.wording import quantization_name, short_name, usd_amount

_TUNED_TOKENS = 1024


def memory(question: Question, model: ModelFact, sources: Sources) -> Found | None:
    """What it takes to serve the model, or to tune it when that is what is asked about."""
    limit_gib = question.stated("max_memory_gib")
    if question.statement.reading.has_any("finetune"):
        found = _to_tune(model)
    elif limit_gib and "context" in question.fields:
        found = _room(question, model, limit_gib)
    else:
        found = _to_serve(question, model, limit_gib)
    return replace(found, marks=sources.marks_of(model)) if found else None


def _to_serve(question: Question, model: ModelFact, limit_gib: float | None) -> Found | None:
    tokens = question.stated("min_context_tokens") or question.request.requirements.min_context_tokens
    tokens = min(tokens or DEFAULT_CONTEXT_TOKENS, model.max_context_tokens or LONGEST_CONTEXT_TOKENS)
    asked = question.statement.quantizations or QUANTIZATIONS
    needs = {q: need for q in asked if (need := serving(model, quantization=q, context_tokens=tokens))}
    if not needs:
        return None
    name = short_name(model.id)
    english = _or([f"{need.total_gib:.1f} GiB in {quantization_name(q, 'en')}" for q, need in needs.items()])
    chinese = "、".join(f"{quantization_name(q, 'zh')} {need.total_gib:.1f} GiB" for q, need in needs.items())
    fitting = [q for q, need in needs.items() if limit_gib and need.fits(limit_gib)]
    room = _fitting(fitting, limit_gib) if limit_gib and len(needs) > len(fitting) > 0 else Bilingual("", "")
    return Found(
        says=Bilingual(
            f"{name} needs {english} to serve {tokens:,} tokens of context (computed from its architecture){room.en}",
            f"{name} 在 {tokens:,} token 上下文下部署需要 {chinese}（按架构计算）{room.zh}",
        ),
        verdict=bool(fitting) if limit_gib else None,
    )


def _fitting(fitting: Sequence[Quantization], limit_gib: float) -> Bilingual:
    english = " and ".join(quantization_name(q, "en") for q in fitting)
    chinese = "、".join(quantization_name(q, "zh") for q in fitting)
    return Bilingual(f"; {limit_gib:g} GiB hold it in {english}", f"；{limit_gib:g} GiB 放得下的是 {chinese}")


def _or(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} or {parts[-1]}"


def _room(question: Question, model: ModelFact, limit_gib: float) -> Found | None:
    """The longest context that a memory has room for."""
    asked = question.statement.quantizations or QUANTIZATIONS
    rooms = [(q, room) for q in asked if (room := largest_context(model, q, limit_gib))]
    if not rooms:
        return None
    name = short_name(model.id)
    english = _or([f"{room:,} tokens in {quantization_name(q, 'en')}" for q, room in rooms])
    chinese = "、".join(f"{quantization_name(q, 'zh')} {room:,} token" for q, room in rooms)
    return Found(
        says=Bilingual(
            f"in {limit_gib:g} GiB {name} has room for one request of {english} (computed from its architecture)",
            f"{limit_gib:g} GiB 显存可容纳 {name} 的一个请求：{chinese}（按架构计算）",
        )
    )


def _to_tune(model: ModelFact) -> Found | None:
    needs = [(way, tuning(model, method=way, seq_tokens=_TUNED_TOKENS)) for way in ("qlora", "lora", "full")]
    sizes = [f"{need.total_gib:.1f} GiB ({way})" for way, need in needs if need]
    if not sizes:
        return None
    name = short_name(model.id)
    return Found(
        says=Bilingual(
            f"to tune {name} takes {_or(sizes)}, one row of {_TUNED_TOKENS:,} tokens at a time "
            "(computed from its architecture)",
            f"微调 {name} 需要 {'、'.join(sizes)}，每次一条 {_TUNED_TOKENS:,} token（按架构计算）",
        )
    )


def price(question: Question, model: ModelFact, sources: Sources) -> Found | None:
    """The list price of a million tokens, and of a month where the question says how many those are."""
    offer = hosted_price(model.id)
    if offer is None:
        return None
    mark = sources.mark(title=model.id, source=offer.source.url, locator=offer.source.name, quote=offer.date)
    name, reading = short_name(model.id), usd_amount(offer.input_usd_per_mtok)
    if offer.output_usd_per_mtok is None:
        parts = Bilingual(f"${reading}", f"{reading} 美元")
    else:
        writing = usd_amount(offer.output_usd_per_mtok)
        parts = Bilingual(f"${reading} in and ${writing} out", f"输入 {reading} 美元、输出 {writing} 美元")
    month = _month(question.stated("tokens_per_month"), offer)
    return Found(
        says=Bilingual(
            f"{name} costs {parts.en} per million tokens at {offer.provider} (list price, data of {offer.date})"
            f"{month.en}",
            f"{name} 在 {offer.provider} 的标价为每百万 token {parts.zh}（数据日期 {offer.date}）{month.zh}",
        ),
        marks=mark,
    )


def _month(tokens: float | None, offer: TokenPrice) -> Bilingual:
    """What the tokens of a month come to, and the mix of tokens that was assumed."""
    if tokens is None:
        return Bilingual("", "")
    usd = f"{tokens / 1e6 * offer.blended_usd_per_mtok(INPUT_SHARE):,.2f}"
    mix = Bilingual(", assuming three tokens read for each one written", "（假设输入输出 3:1）")
    if offer.output_usd_per_mtok is None:
        mix = Bilingual("", "")
    return Bilingual(
        f"; {tokens:,.0f} tokens a month come to ${usd}{mix.en}",
        f"；每月 {tokens:,.0f} token 合计 {usd} 美元{mix.zh}",
    )
