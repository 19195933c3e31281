"""What makes a fact or figure unsound, as small rules that convert.py drops by and check.py checks by.

Each rule is here because the source tables held a case of it, or forbid it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping

from index.records import Benchmark, CommercialUse, ModelFact

EXCLUDED_SOURCES = re.compile(
    r"livebench|artificial ?analysis|chatbot arena|lmarena|arena-elo|aa-index|whichllm|llm_d_planner",
    re.IGNORECASE,
)
"""Publishers whose terms do not let their figures be carried over."""

COMMERCIAL_USE: Mapping[str, CommercialUse] = {
    "Apache-2.0": "yes",
    "MIT": "yes",
    "CC-BY-4.0": "yes",
    "BSD-3-Clause": "yes",
    "CC-BY-NC-4.0": "no",
    "CC-BY-NC-SA-4.0": "no",
    "MRL": "no",
    "EXAONE": "no",
    "Qwen-Research": "no",
    "proprietary": "conditional",
    "Gemma": "conditional",
    "Llama-2": "conditional",
    "Llama-3": "conditional",
    "Llama-3.1": "conditional",
    "Llama-3.2": "conditional",
    "Llama-3.3": "conditional",
    "Llama-4": "conditional",
}
"""What the licences that were read say. A licence that is not here keeps what its source says."""

LICENCES = frozenset(
    {
        *COMMERCIAL_USE,
        "BigScience-RAIL-1.0",
        "DeepSeek",
        "Falcon-LLM",
        "GLM-4",
        "GLM-5.3",
        "HAI-DEF",
        "Jamba-Open",
        "K-EXAONE",
        "Katanemo-Research",
        "Kimi-K3",
        "LFM-1.0",
        "MNPL-0.1",
        "MiniMax-Community",
        "Modified-MIT",
        "NVIDIA-Nemotron-Open",
        "NVIDIA-Open",
        "OpenMDW",
        "OpenMDW-1.0",
        "OpenMDW-1.1",
        "Qwen",
        "Qwen-Community-1.0",
        "Qwen3.8-Max",
        "Tencent-Hunyuan-Community",
        "Tongyi-Qianwen",
        "tencent-hunyuan-a13b",
    }
)
"""Every licence name that the catalogue may use; another is a misspelling until somebody adds it here."""

_DATE = re.compile(r"20[12]\d(-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01]))?)?")

_RANGES: Mapping[str, tuple[float, float]] = {
    "params_b": (0.001, 6000),
    "active_params_b": (0.001, 500),
    "n_layers": (1, 200),
    "n_attention_layers": (1, 200),
    "n_kv_heads": (1, 256),
    "head_dim": (16, 1024),
    "hidden_size": (64, 32768),
    "vocab_size": (1000, 600_000),
    "sliding_window": (64, 65_536),
    "kv_lora_rank": (64, 4096),
    "max_context_tokens": (128, 12_000_000),
}

LONG_CONTEXT_TOKENS = 1_000_000
"""Contexts from here on are often a placeholder, so they need somebody to confirm them."""

_BROKEN_FORMAT_SHARE_OF_MEDIAN = 0.25
_BROKEN_FORMAT_MIN_PARAMS_B = 3.0


def unsound_fields(model: ModelFact) -> Iterator[tuple[str, str]]:
    """Yield (field, why) for every figure of the model that cannot be right."""
    for field, (low, high) in _RANGES.items():
        value = getattr(model, field)
        if value is not None and not low <= value <= high:
            yield field, f"{value} is outside {low} to {high}"
    if model.active_params_b and model.params_b and model.active_params_b >= model.params_b:
        yield "active_params_b", "not below the total"
    if wider_than_hidden(model):
        yield "n_kv_heads", "KV heads x head_dim exceed the hidden size: query heads were read as KV heads"
    elif not _shares_out_heads(model):
        yield "n_kv_heads", "do not divide the heads that hidden size / head_dim gives"
    for part in ("n_attention_layers", "n_global_layers"):
        count = getattr(model, part)
        if count is not None and model.n_layers is not None and count > model.n_layers:
            yield part, "more than there are layers"
    embedding = (model.vocab_size or 0) * (model.hidden_size or 0)
    if model.params_b and embedding > model.params_b * 1e9:
        yield "vocab_size", "the embedding alone would exceed the parameters"


def fact_problems(model: ModelFact, *, today: str, n_heads: int | None = None) -> list[str]:
    """Everything that cannot be right about a model somebody hands in; `n_heads` are its query heads."""
    problems = [f"{field}: {why}" for field, why in unsound_fields(model)]
    if not heads_divide(n_heads, model.n_kv_heads):
        problems.append(f"n_kv_heads: {model.n_kv_heads} KV heads do not divide {n_heads} heads")
    if model.release_date is not None and not is_past_date(model.release_date, today):
        problems.append(f"release_date: {model.release_date!r} is no date up to {today}")
    if (model.architecture == "api") is model.open_weights:
        problems.append(f"open_weights: does not go with architecture {model.architecture!r}")
    return problems


def heads_divide(n_heads: int | None, n_kv_heads: int | None) -> bool:
    """True unless both counts are known and the query heads cannot be shared out among the KV heads."""
    return not n_heads or not n_kv_heads or n_heads % n_kv_heads == 0


def contradicts_context(known_tokens: int | None, stated_tokens: int | None) -> bool:
    """True when a stated context is a placeholder's million beside a known, far shorter one."""
    if not known_tokens or not stated_tokens:
        return False
    return stated_tokens >= LONG_CONTEXT_TOKENS and known_tokens <= LONG_CONTEXT_TOKENS / 3.5


def is_past_date(text: str, today: str) -> bool:
    """True for YYYY, YYYY-MM or YYYY-MM-DD that is not after `today`."""
    return bool(_DATE.fullmatch(text)) and text <= today


def wider_than_hidden(model: ModelFact) -> bool:
    """True when keys would be wider than the hidden state, which no grouped attention is.

    The narrower test, that KV heads divide hidden_size / head_dim, would accuse the many sound models
    whose head size is set apart from the hidden size (Qwen3-4B, Gemma, gpt-oss).
    """
    if model.n_kv_heads is None or model.head_dim is None or model.hidden_size is None:
        return False
    return model.kv_lora_rank is None and model.n_kv_heads * model.head_dim > model.hidden_size


def _shares_out_heads(model: ModelFact) -> bool:
    """True unless hidden size / head size is a number of heads that the KV heads cannot share.

    Where the head size is set apart from the hidden size (Qwen3-4B, Gemma, gpt-oss) the quotient is not the
    number of heads; in those models it is no power of two, so only such a quotient is taken for the heads.
    """
    if model.n_kv_heads is None or model.head_dim is None or model.hidden_size is None or model.kv_lora_rank:
        return True
    heads, rest = divmod(model.hidden_size, model.head_dim)
    is_power_of_two = heads > 0 and heads & (heads - 1) == 0
    return bool(rest) or not is_power_of_two or heads_divide(heads, model.n_kv_heads)


def why_unsound(
    model: ModelFact, benchmark: Benchmark, score: float, setting: str, *, median: float, source: str
) -> str | None:
    """Say why a figure must be left out, or return None when it is sound."""
    takes_images = "image" in model.input_modalities
    reasons = {
        "source left out on purpose": EXCLUDED_SOURCES.search(f"{benchmark.name} {source}"),
        "off the scale of its benchmark": not on_scale(benchmark, score),
        "zero on images for a model that takes none": benchmark.task == "vision"
        and score == 0
        and not takes_images,
        "judged by the model itself": _is_own_judge(model.id, benchmark.name),
        "reasoning model that broke the short-answer format": _broke_short_answers(
            model, benchmark, score, setting, median
        ),
        "leaderboard zero for a format that the grader could not read": _broke_leaderboard_format(
            model, benchmark, score
        ),
    }
    return next((reason for reason, holds in reasons.items() if holds), None)


def on_scale(benchmark: Benchmark, score: float) -> bool:
    """True when the score is a number within the benchmark's scale."""
    low = -math.inf if benchmark.scale_min is None else benchmark.scale_min
    high = math.inf if benchmark.scale_max is None else benchmark.scale_max
    return math.isfinite(score) and low <= score <= high


def _is_own_judge(model_id: str, benchmark_name: str) -> bool:
    judge = re.search(r"GEMBA-ESA \((.+?)(?: judge)?\)", benchmark_name)
    return judge is not None and model_id.rsplit("/", 1)[-1].casefold() == judge[1].casefold()


def _broke_short_answers(
    model: ModelFact, benchmark: Benchmark, score: float, setting: str, median: float
) -> bool:
    """EuroEval reads a few tokens: a model that thinks first or cannot stop scores near chance."""
    if not benchmark.name.startswith("EuroEval") or (model.params_b or 0) < _BROKEN_FORMAT_MIN_PARAMS_B:
        return False
    thinks = bool(model.reasoning) or "reasoning" in setting or "thinking" in setting
    return thinks and score < _BROKEN_FORMAT_SHARE_OF_MEDIAN * median


def _broke_leaderboard_format(model: ModelFact, benchmark: Benchmark, score: float) -> bool:
    graded_by_format = benchmark.name in {"MATH Lvl 5 (Open LLM v2)", "IFEval (Open LLM v2)"}
    return graded_by_format and model.kind == "instruct" and (model.params_b or 0) >= 2 and score < 0.5
