"""Values -> the sentences of answers, English and Chinese: short first, every figure with its kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from index.bilingual import Bilingual, Language
from index.records import Quantization
from skills.conversation.answer import Citation, Recommendation
from skills.conversation.request import Currency, Request, Requirements
from skills.conversation.threads import Exchange
from skills.ranking.criteria import DEFAULT_PRIORITY
from skills.ranking.rank import Option, Ranked
from skills.ranking.shortlist import Shortlist
from skills.stated import PRIORITY_NAMES, stated

_QUANTIZATION_NAMES: dict[Quantization | None, Bilingual] = {
    None: Bilingual("hosted", "托管 API"),
    "none": Bilingual("16-bit", "16 位"),
    "bf16": Bilingual("bf16", "bf16"),
    "fp16": Bilingual("fp16", "fp16"),
    "int8": Bilingual("int8", "int8"),
    "nf4": Bilingual("nf4 (4-bit)", "nf4（4 位）"),
}
_CONSTRAINT_NAMES = {
    "candidates": Bilingual("not named by you", "不在点名之列"),
    "rejected": Bilingual("ruled out by you", "被你排除"),
    "hosting": Bilingual("hosting", "部署方式"),
    "licences": Bilingual("licence", "许可证"),
    "excluded_licences": Bilingual("licence", "许可证"),
    "vendors": Bilingual("maker", "厂商"),
    "excluded_vendors": Bilingual("maker", "厂商"),
    "origins": Bilingual("maker's country", "厂商国别"),
    "excluded_origins": Bilingual("maker's country", "厂商国别"),
    "reasoning": Bilingual("kind of model", "模型类型"),
    "architecture": Bilingual("kind of model", "模型类型"),
    "languages": Bilingual("language", "语言"),
    "min_context_tokens": Bilingual("context", "上下文"),
    "min_params_b": Bilingual("size", "规模"),
    "max_params_b": Bilingual("size", "规模"),
    "modalities": Bilingual("modalities", "模态"),
    "max_memory_gib": Bilingual("memory", "显存"),
    "max_usd_per_mtok": Bilingual("price", "价格"),
    "budget_usd_per_month": Bilingual("budget", "预算"),
    "price": Bilingual("price unknown", "价格未知"),
    "min_tokens_per_s": Bilingual("speed", "速度"),
    "max_latency_s": Bilingual("speed", "速度"),
}


def quantization_name(quantization: Quantization | None, language: Language) -> str:
    """How a way of loading is called."""
    return _QUANTIZATION_NAMES[quantization].to(language)


def constraint_name(constraint: str, language: Language) -> str:
    """How a hard constraint is called in a sentence."""
    return _CONSTRAINT_NAMES[constraint].to(language)


def short_name(model_id: str, adapter: str | None = None) -> str:
    """The model without its organisation, with the adapter of ours on top when there is one."""
    name = model_id.rsplit("/", 1)[-1]
    return f"{name} + {adapter}" if adapter else name


def option_name(option: Option) -> str:
    """Model id and how it is loaded, for values that a program reads."""
    parts = [option.model.id, option.adapter and f"+ {option.adapter}", option.quantization]
    return " ".join(part for part in parts if part)


def recommendation(
    request: Request,
    shortlist: Shortlist,
    shown: Sequence[Recommendation],
    citations: Sequence[Citation],
    closing: Sequence[str] = (),
) -> str:
    """The whole text of a recommendation; `closing` are the blocks before the sources."""
    language = request.language
    blocks = [
        _headline(shortlist, shown, language),
        _table(request, shown, citations),
        _evidence_line(shown, language),
        assumptions(request, shortlist),
        *closing,
        sources(citations),
    ]
    return "\n\n".join(block for block in blocks if block)


def since_last(last: Exchange | None, shortlist: Shortlist, request: Request) -> str:
    """In a follow-up: whether the first is still the first, and if not, what became of it."""
    if last is None or not request.is_follow_up or not shortlist.ranked:
        return ""
    before, now = last.answer.recommendations[0], shortlist.ranked[0].option
    name = short_name(before.model, before.adapter)
    if (before.model, before.adapter) == (now.model.id, now.adapter):
        if before.quantization == now.quantization:
            return Bilingual(f"Still **{name}**.", f"还是 **{name}**。").to(request.language)
        loaded = quantization_name(now.quantization, request.language)
        return Bilingual(f"Still **{name}**, now {loaded}.", f"还是 **{name}**，改为 {loaded}。").to(
            request.language
        )
    reason = next((item.reason for item in shortlist.excluded if item.model.id == before.model), None)
    if reason is None:
        return Bilingual(f"**{name}** is no longer the first.", f"**{name}** 不再排第一。").to(
            request.language
        )
    return Bilingual(f"**{name}** is out ({reason.en}).", f"**{name}** 出局（{reason.zh}）。").to(
        request.language
    )


def _headline(shortlist: Shortlist, shown: Sequence[Recommendation], language: Language) -> str:
    first = shown[0]
    name = f"**{short_name(first.model, first.adapter)}, {quantization_name(first.quantization, language)}**"
    fit = _fit(first.vram_gib, shortlist.available_gib)
    setting = _setting(shortlist.requirements).to(language)
    lead = Bilingual(f"{name}: the best fit with {setting}{fit.en}.", f"{name}：{setting}时最合适{fit.zh}。")
    measured = _measured_sentence(first)
    closeness = _closeness(shortlist, first)
    joint = "" if language == "zh" else " "
    return joint.join(part.to(language) for part in (lead, measured, closeness) if part)


def _setting(requirements: Requirements) -> Bilingual:
    """What the sum looks at first: an alpha overrides the preset of a priority."""
    if requirements.alpha is not None and requirements.priority is None:
        return Bilingual(f"alpha {requirements.alpha:g}", f"alpha 为 {requirements.alpha:g} ")
    return PRIORITY_NAMES[requirements.priority or DEFAULT_PRIORITY]


def _fit(vram_gib: float | None, available_gib: float | None) -> Bilingual:
    if vram_gib is None:
        return Bilingual("", "")
    if available_gib is None:
        return Bilingual(f"; it needs {vram_gib:.1f} GiB", f"，需要 {vram_gib:.1f} GiB")
    return Bilingual(
        f"; {vram_gib:.1f} of {available_gib:g} GiB", f"，占 {vram_gib:.1f} / {available_gib:g} GiB"
    )


def _measured_sentence(first: Recommendation) -> Bilingual | None:
    line = next((item for item in first.evidence if item.kind == "measured"), None)
    if line is None:
        return None
    job = line.source.removeprefix("job ")
    return Bilingual(
        f"Measured here: {line.score:.2f} {line.benchmark} ({line.detail}, job {job}).",
        f"本地实测：{line.benchmark} {line.score:.2f}（{line.detail}，任务 {job}）。",
    )


def _closeness(shortlist: Shortlist, first: Recommendation) -> Bilingual | None:
    if len(shortlist.ranked) == 1:
        return Bilingual("It is the only one that meets all you asked for.", "满足全部条件的只有它。")
    chance = percent(first.p_best)
    if not shortlist.is_close:
        return Bilingual(f"It is the best with {chance} probability.", f"它是最优的概率为 {chance}。")
    count = len(shortlist.ranked)
    return Bilingual(
        f"Too close to call ({chance} likely the best of {count} candidates): an evaluation on your own data "
        "would settle it.",
        f"与后面几名差距很小（在 {count} 个候选中最优的概率为 {chance}）：用你自己的数据评测一次就能定下来。",
    )


def _table(request: Request, shown: Sequence[Recommendation], citations: Sequence[Citation]) -> str:
    head = Bilingual(
        "| | model | memory | context | licence | expected quality | cost / 1M tokens | best? | sources |",
        "| | 模型 | 显存 | 上下文 | 许可证 | 预期质量 | 每百万 token 成本 | 最优概率 | 来源 |",
    )
    rows = [head.to(request.language), "| --- | --- | --- | --- | --- | --- | --- | --- | --- |"]
    rows += [_row(request, item, citations) for item in shown]
    return "\n".join(rows)


def _row(request: Request, item: Recommendation, citations: Sequence[Citation]) -> str:
    language = request.language
    name = f"{short_name(item.model, item.adapter)} {quantization_name(item.quantization, language)}"
    memory = "–" if item.vram_gib is None else f"{item.vram_gib:.1f} GiB"
    quality = f"{1 - item.loss.value:.2f} ± {1.96 * item.loss.se:.2f}"
    cited_as = short_name(item.model, item.adapter) + ":"
    marks = "".join(f"[{c.n}]" for c in citations if c.title.startswith(cited_as))
    cost = "–" if item.cost.value is None else money(item.cost.value, request.currency)
    context = "–" if item.context_tokens is None else f"{item.context_tokens:,}"
    facts = f"{name} | {memory} | {context} | {item.licence or '–'}"
    return f"| {item.rank} | {facts} | {quality} | {cost} | {percent(item.p_best)} | {marks} |"


def money(usd: float, currency: Currency | None) -> str:
    """An amount of dollars, in the team's own currency where it has said one."""
    return f"${usd_amount(usd)}" if currency is None else f"{currency.code} {usd_amount(currency.of(usd))}"


def usd_amount(value: float) -> str:
    """Dollars to the cent, or to two digits where a cent is too coarse."""
    return f"{value:.2f}" if value >= 0.1 else f"{value:.2g}"


def percent(chance: float) -> str:
    """A chance that never claims certainty."""
    if chance > 0.99:
        return ">99%"
    return "<1%" if chance < 0.01 else f"{chance:.0%}"


def _evidence_line(shown: Sequence[Recommendation], language: Language) -> str:
    kinds = Counter(line.kind for item in shown for line in item.evidence)
    return Bilingual(
        f"Evidence shown: measured here {kinds['measured']}, published {kinds['published']}, "
        f"vendor-reported {kinds['self-reported']}, estimated {kinds['estimated']}.",
        f"所列证据：本地实测 {kinds['measured']} 条，第三方发布 {kinds['published']} 条，"
        f"厂商自报 {kinds['self-reported']} 条，估计 {kinds['estimated']} 条。",
    ).to(language)


def assumptions(request: Request, shortlist: Shortlist) -> str:
    """What was understood, and what was assumed because it was not said."""
    language, criteria = request.language, shortlist.criteria
    unsaid = dict.fromkeys(request.assumed)
    asked_for = stated(shortlist.requirements.model_copy(update=unsaid), language)
    assumed = _from_defaults(request)
    if shortlist.requirements.task is None:
        assumed.append(Bilingual("general chat", "通用对话"))
    if shortlist.requirements.min_context_tokens is None:
        assumed.append(
            Bilingual(
                f"{criteria.context_tokens:,} tokens of context", f"上下文 {criteria.context_tokens:,} token"
            )
        )
    if shortlist.requirements.alpha is None:
        worth = f"${criteria.alpha_usd_per_mtok:g}"
        assumed.append(
            Bilingual(
                f"a full unit of quality is worth {worth} per million tokens",
                f"一个完整单位的质量值每百万 token {criteria.alpha_usd_per_mtok:g} 美元",
            )
        )
    if shortlist.ranked:
        assumed.append(shortlist.ranked[0].option.cost.basis)
    separator = "；" if language == "zh" else "; "
    guessed = separator.join(item.to(language) for item in assumed)
    return Bilingual(
        f"You asked for: {asked_for}. I assumed: {guessed}. Catalogue of {shortlist.data_updated}.",
        f"你的条件：{asked_for}。我的假设：{guessed}。目录日期 {shortlist.data_updated}。",
    ).to(language)


def _from_defaults(request: Request) -> list[Bilingual]:
    """What the team takes for granted, named as that."""
    found = []
    if request.assumed:
        held = {field: getattr(request.requirements, field) for field in request.assumed}
        en, zh = (stated(Requirements(**held), language) for language in ("en", "zh"))
        found.append(Bilingual(f"your defaults ({en})", f"你们的默认设置（{zh}）"))
    if request.currency is not None:
        code, rate = request.currency.code, f"{request.currency.per_usd:g}"
        found.append(Bilingual(f"{rate} {code} for 1 USD", f"1 美元合 {rate} {code}"))
    return found


def left_out(shortlist: Shortlist, language: Language) -> str:
    """How many models were left out by which constraint, and the nearest miss on memory."""
    told = [item for item in shortlist.excluded if item.constraint != "candidates"]
    counts = Counter(constraint_name(item.constraint, language) for item in told)
    if not counts:
        return ""
    parts = [f"{count} {name}" for name, count in counts.most_common()]
    joined = ("、" if language == "zh" else ", ").join(parts)
    return Bilingual(f"Left out {len(told)}: {joined}.", f"排除 {len(told)} 个：{joined}。").to(language)


def sources(citations: Sequence[Citation]) -> str:
    """The numbered sources."""
    return "\n".join(f"[{c.n}] {c.title} ({c.locator}) {c.source}" for c in citations)


def reasons(item: Ranked, shortlist: Shortlist, language: Language) -> tuple[str, ...]:
    """Why this option stands where it stands, a sentence each."""
    option = item.option
    found = [_memory_reason(option, shortlist), _quality_reason(option, shortlist), _cost_reason(option)]
    if option.model.licence:
        found.append(Bilingual(f"Licence {option.model.licence}.", f"许可证 {option.model.licence}。"))
    return tuple(reason.to(language) for reason in found if reason)


def _memory_reason(option: Option, shortlist: Shortlist) -> Bilingual | None:
    if option.vram_gib is None:
        return None
    tokens = shortlist.criteria.context_tokens
    fit = _fit(option.vram_gib, shortlist.available_gib)
    return Bilingual(
        f"Computed from its architecture at {tokens:,} tokens of context{fit.en}.",
        f"按架构在 {tokens:,} token 上下文下计算{fit.zh}。",
    )


def _quality_reason(option: Option, shortlist: Shortlist) -> Bilingual:
    score, half = 1 - option.loss.value, 1.96 * option.loss.se
    measured = option.loss.measured
    if measured is not None:
        return Bilingual(
            f"Measured here: {measured.metric} {score:.2f} ± {half:.2f} on {measured.dataset_name}, "
            f"{measured.n_items} items, job {measured.job_id}.",
            f"本地实测：{measured.dataset_name} 上 {measured.metric} {score:.2f} ± {half:.2f}，"
            f"{measured.n_items} 条，任务 {measured.job_id}。",
        )
    near = option.loss.near
    if near is not None:
        loaded_en, loaded_zh = (quantization_name(near.quantization, to) for to in ("en", "zh"))
        return Bilingual(
            f"Expected {score:.2f} ± {half:.2f} on {near.dataset_name}: it scored {near.value:.2f} here in "
            f"{loaded_en} (job {near.job_id}).",
            f"预计在 {near.dataset_name} 上得 {score:.2f} ± {half:.2f}：它以 {loaded_zh} 在本地实测为 {near.value:.2f}"
            f"（任务 {near.job_id}）。",
        )
    if shortlist.losses.measurements:
        name = shortlist.losses.measurements[0].dataset_name
        return Bilingual(
            f"Expected {score:.2f} ± {half:.2f} on {name}, predicted from published figures (not measured).",
            f"预计在 {name} 上得 {score:.2f} ± {half:.2f}，由公开数据推算（未实测）。",
        )
    count = option.loss.n_figures
    if not count:
        return Bilingual(
            f"No evidence for this task: expected score {score:.2f} ± {half:.2f}, predicted from its size, date and "
            "other figures.",
            f"该任务没有证据：预期得分 {score:.2f} ± {half:.2f}，由规模、日期和其他数据推算。",
        )
    return Bilingual(
        f"Expected score {score:.2f} ± {half:.2f} over {len(shortlist.losses.battery)} benchmarks of this task, "
        f"from {count} figures of its own in these skills and the rest of its record.",
        f"在该任务的 {len(shortlist.losses.battery)} 个基准上预期得分 {score:.2f} ± {half:.2f}，"
        f"依据它在这些能力上的 {count} 条数据及其余记录。",
    )


def _cost_reason(option: Option) -> Bilingual:
    usd = usd_amount(option.cost.value)
    return Bilingual(
        f"${usd} per million tokens: {option.cost.basis.en}.",
        f"每百万 token {usd} 美元：{option.cost.basis.zh}。",
    )
