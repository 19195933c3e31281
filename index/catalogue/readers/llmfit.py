"""llmfit's list of models (`llmfit list --json`, or its hf_models.json) -> facts that were unknown.

Its list is scraped: sizes that the name contradicts and placeholder contexts are refused, estimates are not read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from index.catalogue.hub import HUB_LICENCES
from index.catalogue.layers import Facts, Page
from index.catalogue.readers.base import Taken, mapping, number, read_json, unreadable
from index.catalogue.refresh import sound_news
from index.catalogue.soundness import COMMERCIAL_USE, contradicts_context, heads_divide

_PAGE = Page(name="llmfit", url="https://github.com/AlexsJones/llmfit", licence="MIT")
_SIZE = re.compile(r"(?<![a-z0-9.])(\d+(?:\.\d+)?)(b|m)(?![a-z0-9])", re.IGNORECASE)
_SIZE_TOLERANCE = 0.27
_SMALLEST_B = 0.01
"""Below are the toys of test suites."""
_PLACEHOLDERS = (4096, 1_048_576)
_COUNTS = {
    "n_layers": "num_hidden_layers",
    "n_heads": "num_attention_heads",
    "n_kv_heads": "num_key_value_heads",
    "head_dim": "head_dim",
    "hidden_size": "hidden_size",
    "vocab_size": "vocab_size",
}


def read(path: Path, taken: Taken) -> None:
    """Take what the list adds to the facts that are known."""
    data = read_json(path)
    entries = data.get("models") if isinstance(data, dict) else data
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise unreadable(path, "it is no list of models of llmfit", "它不是 llmfit 的模型列表")
    for n, entry in enumerate(entries, start=1):
        name = entry.get("name")
        where = f"{path.name}: entry {n}" + (f" ({name})" if isinstance(name, str) else "")
        _take(taken, where, mapping(entry))


def _take(taken: Taken, where: str, entry: Mapping[str, Any]) -> None:
    name = entry.get("name")
    size = number(entry.get("parameters_raw"))
    if not isinstance(name, str) or not re.fullmatch(r"[^/\s]+/[^/\s]+", name):
        taken.refuse(where, "it has no name of the form organisation/name", "缺少“组织/名称”形式的 name")
        return
    if size is None or size / 1e9 < _SMALLEST_B:
        taken.refuse(
            where, "parameters_raw is missing or below 10 million", "parameters_raw 缺失或低于一千万"
        )
        return
    if _contradicts_name(name, size / 1e9):
        taken.refuse(
            where,
            f"{size / 1e9:.3g}B parameters, but the name says otherwise",
            f"{size / 1e9:.3g}B 参数与名称不符",
        )
        return
    known = taken.catalogue.models.get(name)
    context = number(entry.get("context_length"))
    if known is not None and contradicts_context(known.max_context_tokens, int(context) if context else None):
        taken.refuse(
            where,
            f"context {context:.0f} contradicts the known {known.max_context_tokens}",
            f"上下文 {context:.0f} 与已知的 {known.max_context_tokens} 矛盾",
        )
        return
    try:
        facts = _facts(name, entry, size / 1e9)
    except ValidationError as error:
        field = error.errors()[0]["loc"][0]
        taken.refuse(where, f"{field} has a value that cannot be used", f"{field} 的值不可用")
        return
    if not heads_divide(facts.n_heads, facts.n_kv_heads):
        taken.refuse(
            where,
            f"{facts.n_kv_heads} KV heads do not divide {facts.n_heads} heads",
            f"{facts.n_kv_heads} 个 KV 头不能整除 {facts.n_heads} 个注意力头",
        )
        return
    news = sound_news(known, facts)
    if news is not None and news[1]:
        taken.models.append(news[0])


def _facts(name: str, entry: Mapping[str, Any], params_b: float) -> Facts:
    context = number(entry.get("context_length"))
    tag = entry.get("license")
    licence = HUB_LICENCES.get(tag.casefold()) if isinstance(tag, str) else None
    counts = {
        field: int(value) for field, key in _COUNTS.items() if (value := number(entry.get(key))) is not None
    }
    return Facts(
        id=name,
        organisation=str(entry.get("provider") or name.split("/", maxsplit=1)[0]),
        open_weights=True,
        kind=_kind(entry),
        architecture="moe" if entry.get("is_moe") is True else None,
        params_b=round(params_b, 4),
        max_context_tokens=int(context) if context and context not in _PLACEHOLDERS else None,
        release_date=entry.get("release_date") or None,
        licence=licence,
        commercial_use=COMMERCIAL_USE.get(licence) if licence else None,
        sources=(_PAGE,),
        **counts,
    )


def _kind(entry: Mapping[str, Any]) -> Any:
    tag, use = str(entry.get("pipeline_tag")), str(entry.get("use_case")).casefold()
    if tag in {"feature-extraction", "sentence-similarity"} or "embedding" in use:
        return "embedding"
    if tag == "fill-mask":
        return "encoder"
    return "instruct" if "instruction" in use or "chat" in use else "base"


def _contradicts_name(name: str, params_b: float) -> bool:
    stated = _SIZE.search(name.rsplit("/", 1)[-1])
    if stated is None:
        return False
    named_b = float(stated[1]) / (1000 if stated[2].casefold() == "m" else 1)
    return abs(params_b - named_b) > _SIZE_TOLERANCE * max(named_b, params_b)
