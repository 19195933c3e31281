"""Requirements -> a breath of words: what was understood, so that the person can correct it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from index.bilingual import Bilingual, Language
from skills.conversation.request import Conflict, Requirements

PRIORITY_NAMES = {
    "quality": Bilingual("quality first", "质量优先"),
    "balanced": Bilingual("quality and cost in balance", "质量与成本均衡"),
    "cost": Bilingual("low cost first", "成本优先"),
    "speed": Bilingual("speed first", "速度优先"),
}
_TASK_NAMES = {
    "chat": Bilingual("chat", "对话"),
    "summarization": Bilingual("summarization", "摘要"),
    "translation": Bilingual("translation", "翻译"),
    "question-answering": Bilingual("question answering", "问答"),
    "rag": Bilingual("answering from documents (RAG)", "基于文档的问答（RAG）"),
    "classification": Bilingual("classification", "分类"),
    "extraction": Bilingual("extraction", "信息抽取"),
    "code": Bilingual("code", "代码"),
    "math": Bilingual("mathematics", "数学"),
    "reasoning": Bilingual("reasoning", "推理"),
    "creative-writing": Bilingual("creative writing", "写作"),
    "agents": Bilingual("agents and tools", "智能体与工具调用"),
    "embedding": Bilingual("embeddings", "向量"),
    "vision": Bilingual("vision", "视觉"),
}
_LANGUAGE_NAMES = {
    "en": Bilingual("English", "英文"),
    "zh": Bilingual("Chinese", "中文"),
    "ja": Bilingual("Japanese", "日文"),
    "ko": Bilingual("Korean", "韩文"),
    "de": Bilingual("German", "德文"),
    "fr": Bilingual("French", "法文"),
    "es": Bilingual("Spanish", "西班牙文"),
}
_HOSTING_NAMES = {
    "self": Bilingual("open weights, on your own hardware", "开放权重，自行部署"),
    "api": Bilingual("through an API", "通过 API 调用"),
    "any": Bilingual("hosted or on your own hardware", "托管或自行部署均可"),
}


_ARCHITECTURE_NAMES = {
    "dense": Bilingual("dense, no mixture of experts", "稠密模型（非 MoE）"),
    "moe": Bilingual("a mixture of experts", "混合专家（MoE）"),
}
_PLACE_NAMES = {
    "CN": Bilingual("China", "中国"),
    "US": Bilingual("the US", "美国"),
    "EU": Bilingual("Europe", "欧洲"),
    "FR": Bilingual("France", "法国"),
    "KR": Bilingual("Korea", "韩国"),
    "RU": Bilingual("Russia", "俄罗斯"),
    "DE": Bilingual("Germany", "德国"),
    "GB": Bilingual("Britain", "英国"),
    "JP": Bilingual("Japan", "日本"),
    "IN": Bilingual("India", "印度"),
    "IL": Bilingual("Israel", "以色列"),
    "AE": Bilingual("the Emirates", "阿联酋"),
    "CA": Bilingual("Canada", "加拿大"),
}


def in_conflict(conflict: Conflict, requirements: Requirements, language: Language) -> str:
    """Both sides of a contradiction and what was assumed, in one line."""
    first, second = (
        f"“{said}”" if said else _earlier(field, requirements).to(language)
        for field, said in zip(conflict.fields, conflict.said, strict=True)
    )
    if conflict.kept == "both":
        return Bilingual(
            f"{first} and {second} do not go together: I assumed that both will do.",
            f"{first}与{second}互相矛盾：我按两者都可以处理。",
        ).to(language)
    kept = first if conflict.kept == "first" else second
    return Bilingual(
        f"{first} and {second} contradict each other: I assumed {kept}. Tell me if you meant the other.",
        f"{first}与{second}互相矛盾：我按{kept}处理。如果不是，请告诉我。",
    ).to(language)


def _earlier(field: str, requirements: Requirements) -> Bilingual:
    """What the thread said before, which is not in this turn's words."""
    value = requirements.stated().get(field)
    shown = _WORDS[field](value) if value is not None else Bilingual("a model that you named", "你点名的模型")
    return Bilingual(f"{shown.en} (said before)", f"{shown.zh}（之前说的）")


def stated(requirements: Requirements, language: Language) -> str:
    """Everything that was stated so far, in a breath."""
    values = requirements.stated()
    if "gpus" in values:
        values.pop("max_memory_gib", None)
    parts = [_WORDS[field](value).to(language) for field, value in values.items()]
    nothing = Bilingual("nothing in particular", "没有特别的要求").to(language)
    return ("、" if language == "zh" else ", ").join(parts) or nothing


def _named(names: dict[str, Bilingual]) -> Callable[[Any], Bilingual]:
    return lambda value: names.get(str(value), Bilingual(str(value), str(value)))


def _number(en: str, zh: str) -> Callable[[Any], Bilingual]:
    """A sentence with one number in it, where `{}` stands."""

    def words(value: Any) -> Bilingual:
        shown = f"{value:,.0f}" if value == int(value) else f"{value:,g}"
        return Bilingual(en.format(shown), zh.format(shown))

    return words


def _listed(en: str, zh: str) -> Callable[[Any], Bilingual]:
    return lambda value: Bilingual(en.format(" or ".join(value)), zh.format("、".join(value)))


def _none_of(en: str, zh: str) -> Callable[[Any], Bilingual]:
    return lambda value: Bilingual(en.format(" or ".join(value)), zh.format("、".join(value)))


def _places(en: str, zh: str) -> Callable[[Any], Bilingual]:
    def words(value: Any) -> Bilingual:
        names = [_PLACE_NAMES.get(code, Bilingual(code, code)) for code in value]
        return Bilingual(
            en.format(" or ".join(n.en for n in names)), zh.format("、".join(n.zh for n in names))
        )

    return words


def _reasoning(value: Any) -> Bilingual:
    if value:
        return Bilingual("a model known to think before it answers", "思考（推理）模型")
    return Bilingual("no reasoning model, as far as cards say", "不要推理模型（以模型卡所写为准）")


def _languages(codes: Any) -> Bilingual:
    names = [_named(_LANGUAGE_NAMES)(code) for code in codes]
    return Bilingual(f"text in {' and '.join(n.en for n in names)}", f"{'、'.join(n.zh for n in names)}文本")


def _gpus(value: Any) -> Bilingual:
    memory = f" {value['memory_gib']:g} GiB" if value.get("memory_gib") else ""
    shown = f"{value['count']} × {value.get('name') or 'GPU'}{memory}"
    return Bilingual(shown, shown)


def _finetune(value: Any) -> Bilingual:
    return Bilingual("to be fine-tuned", "用于微调") if value else Bilingual("as published", "不做微调")


_WORDS: dict[str, Callable[[Any], Bilingual]] = {
    "task": _named(_TASK_NAMES),
    "languages": _languages,
    "max_memory_gib": _number("{} GiB of accelerator memory", "显存 {} GiB"),
    "gpus": _gpus,
    "licences": _listed("licence {}", "许可证 {}"),
    "min_context_tokens": _number("a context of at least {} tokens", "上下文不少于 {} token"),
    "min_params_b": _number("at least {}B parameters", "参数不少于 {}B"),
    "max_params_b": _number("at most {}B parameters", "参数不超过 {}B"),
    "hosting": _named(_HOSTING_NAMES),
    "max_usd_per_mtok": _number("at most ${} per million tokens", "每百万 token 不超过 {} 美元"),
    "budget_usd_per_month": _number("at most ${} a month", "每月不超过 {} 美元"),
    "tokens_per_month": _number("{} tokens a month", "每月 {} token"),
    "modalities": _listed("reading {}", "支持 {}"),
    "priority": _named(PRIORITY_NAMES),
    "alpha": _number("alpha {}", "alpha {}"),
    "finetune": _finetune,
    "candidates": _listed("among {}", "限于 {}"),
    "quantization": lambda value: Bilingual(f"loaded in {value}", f"以 {value} 加载"),
    "excluded_licences": _none_of("no {} licence", "不要 {} 许可证"),
    "vendors": _listed("made by {}", "厂商限 {}"),
    "excluded_vendors": _none_of("nothing by {}", "不要 {} 的模型"),
    "origins": _places("from {} only", "仅限{}模型"),
    "excluded_origins": _places("nothing from {}", "不要{}模型"),
    "reasoning": _reasoning,
    "architecture": _named(_ARCHITECTURE_NAMES),
    "max_latency_s": _number(
        "an answer within {} s (by estimated speed; hosted models not checked)",
        "{} 秒内答完（按估算速度；托管模型未核实）",
    ),
    "max_first_token_s": _number(
        "a first token within {} s (not checked: only a test here can tell)",
        "{} 秒内出首个 token（未核实：需实测）",
    ),
    "peak_requests_per_min": _number(
        "{} requests a minute at the peak (not checked)", "峰值每分钟 {} 次请求（未核实）"
    ),
    "min_tokens_per_s": _number(
        "at least {} tokens/s (by estimate; hosted models not checked)",
        "每秒不少于 {} token（按估算；托管模型未核实）",
    ),
    "requests_per_month": _number(
        "{} requests a month (their length was not said, so not priced)",
        "每月 {} 次请求（未说明每次长度，未计入费用）",
    ),
}
