"""Ask a model hub about one model, and turn its answer into facts and figures.

Reads JSON only: metadata, config.json and the results on the card. Nothing of a repository is executed, and no
token is sent.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import httpx2
from huggingface_hub import HfApi, constants, hf_hub_url
from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError
from huggingface_hub.utils import get_session

from index.catalogue.benchmark_names import find_benchmark, shots
from index.catalogue.layers import Facts, Figure, Page
from index.catalogue.soundness import COMMERCIAL_USE, EXCLUDED_SOURCES, on_scale
from index.records import Benchmark

_EXPAND = [
    "cardData",
    "config",
    "createdAt",
    "evalResults",
    "model-index",
    "pipeline_tag",
    "safetensors",
    "sha",
]
_LONGEST_CONFIG_BYTES = 1_000_000
_TOO_MANY_REQUESTS = 429

HUB_LICENCES = {
    "apache-2.0": "Apache-2.0",
    "mit": "MIT",
    "bsd-3-clause": "BSD-3-Clause",
    "cc-by-4.0": "CC-BY-4.0",
    "cc-by-nc-4.0": "CC-BY-NC-4.0",
    "cc-by-nc-sa-4.0": "CC-BY-NC-SA-4.0",
    "gemma": "Gemma",
    "llama2": "Llama-2",
    "llama3": "Llama-3",
    "llama3.1": "Llama-3.1",
    "llama3.2": "Llama-3.2",
    "llama3.3": "Llama-3.3",
    "llama4": "Llama-4",
}
_WHOLE_NUMBERS = frozenset({"F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2"})
"""One stored number is one parameter; packed formats (U8, I32) hold several."""
_CONFIG_NAMES = {
    "n_layers": ("num_hidden_layers", "n_layer", "num_layers", "n_layers", "decoder_layers"),
    "n_heads": ("num_attention_heads", "n_head", "num_heads", "n_heads", "decoder_attention_heads"),
    "n_kv_heads": ("num_key_value_heads",),
    "head_dim": ("head_dim", "d_kv"),
    "hidden_size": ("hidden_size", "n_embd", "d_model", "dim"),
    "vocab_size": ("vocab_size",),
    "kv_lora_rank": ("kv_lora_rank",),
    "max_context_tokens": ("max_position_embeddings", "n_positions"),
}

Why = Literal["no answer", "no such model", "too many requests", "not understood"]


class HubFailed(Exception):
    """The hub gave no usable answer about a model; never shown by itself."""

    def __init__(self, why: Why) -> None:
        super().__init__(why)
        self.why: Why = why


@dataclass(frozen=True, slots=True, kw_only=True)
class HubRecord:
    """What the hub says of one model."""

    id: str
    sha: str
    facts: Facts
    figures: tuple[Figure, ...] = ()


class Hub:
    """A model hub: huggingface.co, or the one that HF_ENDPOINT names."""

    def __init__(self, *, endpoint: str | None = None, timeout_s: float = 10.0) -> None:
        self._endpoint = endpoint or constants.ENDPOINT
        self._api = HfApi(endpoint=self._endpoint, token=False)
        self._timeout_s = timeout_s

    def record(
        self, model_id: str, benchmarks: Mapping[str, Benchmark], *, held_sha: str | None
    ) -> HubRecord | None:
        """What the hub says of a model; None when it still is what `held_sha` was. One or two requests."""
        try:
            info = self._api.model_info(model_id, expand=_EXPAND, timeout=self._timeout_s)
            if info.sha is not None and info.sha == held_sha:
                return None
            config = self._config(model_id, info.sha)
            url = f"https://huggingface.co/{model_id}"
            return HubRecord(
                id=model_id,
                sha=info.sha or "",
                facts=facts_from(model_id, info, config, Page(name="Hugging Face hub", url=url)),
                figures=tuple(figures_from(model_id, info, benchmarks)),
            )
        except RepositoryNotFoundError as error:
            raise HubFailed("no such model") from error
        except HfHubHTTPError as error:
            limited = error.response is not None and error.response.status_code == _TOO_MANY_REQUESTS
            raise HubFailed("too many requests" if limited else "no answer") from error
        except (httpx2.HTTPError, OSError) as error:
            raise HubFailed("no answer") from error
        except (ValueError, TypeError, KeyError, AttributeError) as error:  # some other shape than documented
            raise HubFailed("not understood") from error

    def _config(self, model_id: str, sha: str | None) -> Mapping[str, Any]:
        """The repository's config.json; nothing when there is none or it is not open to everybody."""
        url = hf_hub_url(model_id, "config.json", revision=sha, endpoint=self._endpoint)
        answer = get_session().get(url, timeout=self._timeout_s, follow_redirects=True)
        if answer.status_code == _TOO_MANY_REQUESTS:
            raise HubFailed("too many requests")
        if answer.status_code >= 500:
            raise HubFailed("no answer")
        if answer.status_code >= 400:
            return {}
        if len(answer.content) > _LONGEST_CONFIG_BYTES:
            raise HubFailed("not understood")
        config = answer.json()
        if not isinstance(config, dict):
            raise HubFailed("not understood")
        return config


def facts_from(model_id: str, info: Any, config: Mapping[str, Any], page: Page) -> Facts:
    """Facts of a model from its metadata and its configuration; what neither states stays unsaid."""
    licence = _licence(info.card_data)
    created = info.created_at.date().isoformat() if info.created_at else None
    return Facts(
        id=model_id,
        organisation=model_id.split("/", maxsplit=1)[0],
        # Hugging Face's first day of records is no release.
        release_date=created if created and created > "2022-03-02" else None,
        open_weights=True,
        kind=_kind(info.pipeline_tag, info.config),
        params_b=_params_b(info.safetensors),
        licence=licence,
        commercial_use=COMMERCIAL_USE.get(licence) if licence else None,
        **architecture_from(config),
        sources=(page,),
    )


def architecture_from(config: Mapping[str, Any]) -> dict[str, Any]:
    """Numbers of an architecture from a config.json, by the field of Facts."""
    text = config.get("text_config")
    config = {**config, **text} if isinstance(text, dict) else config
    found: dict[str, Any] = {}
    for field, names in _CONFIG_NAMES.items():
        value = next((config[name] for name in names if _is_count(config.get(name))), None)
        if value is not None:
            found[field] = value
    if not config:
        return found
    heads, hidden = found.get("n_heads"), found.get("hidden_size")
    if heads and "n_kv_heads" not in found and "kv_lora_rank" not in found and not _groups_its_heads(config):
        found["n_kv_heads"] = heads
    if "kv_lora_rank" in found:
        found.pop("head_dim", None)
    elif heads and hidden and "head_dim" not in found and hidden % heads == 0:
        found["head_dim"] = hidden // heads
    if config.get("use_sliding_window") is not False and _is_count(config.get("sliding_window")):
        found["sliding_window"] = config["sliding_window"]
    if isinstance(config.get("tie_word_embeddings"), bool):
        found["tied_embeddings"] = config["tie_word_embeddings"]
    if any(name in config for name in ("num_experts", "num_local_experts", "n_routed_experts")):
        found["architecture"] = "moe"
    return found


def figures_from(model_id: str, info: Any, benchmarks: Mapping[str, Benchmark]) -> Iterator[Figure]:
    """The results on a model's card that are of a benchmark we know, on its scale."""
    for name, value, setting, date, page in [
        *_index_results(model_id, info),
        *_entry_results(model_id, info),
    ]:
        benchmark = find_benchmark(name, benchmarks)
        if benchmark is None or EXCLUDED_SOURCES.search(f"{name} {page.name} {page.url}"):
            continue
        score = value * 100 if benchmark.scale_max == 100 and 0 < value <= 1 else value
        if on_scale(benchmark, score):
            yield Figure(
                model=model_id,
                benchmark=benchmark.name,
                score=score,
                kind="self-reported",
                setting=setting,
                date=date,
                source=page,
            )


Result = tuple[str, float, str | None, str | None, Page]


def _index_results(model_id: str, info: Any) -> Iterator[Result]:
    """Results in the older form, `model-index`."""
    for entry in info.model_index or []:
        for result in entry.get("results") or []:
            name = str((result.get("dataset") or {}).get("name") or "")
            source = result.get("source") or {}
            page = _page(model_id, source.get("name"), source.get("url"))
            for metric in result.get("metrics") or []:
                value = _number(metric.get("value"))
                if name and value is not None:
                    kind = str(metric.get("name") or metric.get("type") or "")
                    setting = ", ".join(part for part in (shots(name), kind) if part)
                    yield name, value, setting or None, None, page


def _entry_results(model_id: str, info: Any) -> Iterator[Result]:
    """Results in the newer form, `.eval_results/*.yaml`."""
    for entry in info.eval_results or []:
        value = _number(entry.value)
        if value is not None:
            date = str(entry.date)[:10] if entry.date else None
            page = _page(model_id, entry.source_name, entry.source_url)
            yield entry.dataset_id, value, entry.notes or entry.task_id, date, page


def _page(model_id: str, name: object, url: object) -> Page:
    link = str(url) if url and re.match(r"https?://", str(url)) else f"https://huggingface.co/{model_id}"
    return Page(name=str(name or "Hugging Face model card"), url=link, licence="facts only")


def _licence(card: Any) -> str | None:
    tag = getattr(card, "license", None)
    return HUB_LICENCES.get(tag) if isinstance(tag, str) else None


def _kind(pipeline: object, config: Any) -> Literal["instruct", "base", "embedding", "encoder"]:
    if pipeline in {"feature-extraction", "sentence-similarity"}:
        return "embedding"
    if pipeline == "fill-mask":
        return "encoder"
    tokenizer = (config or {}).get("tokenizer_config") or {}
    return (
        "instruct" if tokenizer.get("chat_template") or (config or {}).get("chat_template_jinja") else "base"
    )


def _params_b(safetensors: Any) -> float | None:
    if safetensors is None or not set(safetensors.parameters) <= _WHOLE_NUMBERS:
        return None
    return round(float(safetensors.total) / 1e9, 4)


def _groups_its_heads(config: Mapping[str, Any]) -> bool:
    """Some families name their groups of heads otherwise: then the KV heads are unknown, not all heads."""
    return any(
        name in config for name in ("multi_query_group_num", "multi_query", "num_kv_heads", "n_head_kv")
    )


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if math.isfinite(value) else None


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0
