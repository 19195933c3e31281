"""Turn a model, and perhaps an accelerator, into what its tokens cost: list prices or a self-hosted estimate.

Hosted prices come from the data inside genai-prices, unless `use_prices` put a refreshed or a team's own price
in force; nothing here goes to the network. Self-hosted figures are estimates from bandwidth and arithmetic, and
each carries its formula and assumptions in `basis`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache, cached_property
from importlib.metadata import version

from genai_prices.data_snapshot import get_snapshot
from genai_prices.types import ModelInfo, Provider, StartDateConstraint, TieredPrices

from index.bilingual import Bilingual
from index.catalogue.gpus import GpuFact, find_gpu, gpus
from index.footprint import RESERVED_GIB, kv_cache, serving, weight_bytes
from index.records import ModelFact, Source

__all__ = [
    "GpuFact",
    "HostingCost",
    "PriceList",
    "TokenPrice",
    "decode_tokens_per_s",
    "find_gpu",
    "gpus",
    "hosted_price",
    "price_at",
    "self_hosted_usd_per_mtok",
    "shipped_prices",
    "use_prices",
]

DEFAULT_CONTEXT_TOKENS = 2048
"""Prompt and answer so far, when no other length is asked about."""
DEFAULT_CONCURRENCY = 16
"""Requests in one batch, when no other number is asked about."""
COMPUTE_EFFICIENCY = 0.4
"""Share of the peak arithmetic that a batch of decoding reaches: an assumption."""

STEP_FLOOR_S = 0.002
"""What a step costs beside reading and arithmetic, however small the model: an assumption."""

_EFFICIENCY = 0.6
_WEIGHT_EFFICIENCY: Mapping[str, float] = {"int8": 0.2, "nf4": 0.22, "nf4-plain": 0.22}
"""Share of the peak bandwidth that reading weights reaches: assumptions. bitsandbytes formats save memory,
not time: nf4 runs about as fast as 16 bits, int8 slower, so their share is set lower."""

_PROVIDER_OF = {"xai": "x-ai", "amazon": "aws"}
_NAMED_AS = {"amazon": "amazon.{name}-v1:0"}
_OPENROUTER_NAME_OF = {
    "alibaba": "qwen",
    "amazon": "amazon",
    "mistral": "mistralai",
    "xai": "x-ai",
    "zhipuai": "z-ai",
    "meta-llama": "meta-llama",
    "deepseek-ai": "deepseek",
    "MiniMaxAI": "minimax",
    "moonshotai": "moonshotai",
    "zai-org": "z-ai",
    "CohereLabs": "cohere",
    "XiaomiMiMo": "xiaomi",
    "stepfun-ai": "stepfun",
}
"""The maker's name in a catalogue id -> the one that OpenRouter uses, where the two differ."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenPrice:
    """What a provider charges for one model."""

    model_id: str
    provider: str
    input_usd_per_mtok: float
    output_usd_per_mtok: float | None = None
    """None for embedding models, which return no tokens."""
    source: Source
    date: str
    """Newest day that the price data speaks of; the price is no older than the data."""

    def blended_usd_per_mtok(self, input_frac: float = 0.75) -> float:
        """Price of a million tokens of which `input_frac` are input."""
        if self.output_usd_per_mtok is None:
            return self.input_usd_per_mtok
        return input_frac * self.input_usd_per_mtok + (1 - input_frac) * self.output_usd_per_mtok


@dataclass(frozen=True, slots=True, kw_only=True)
class HostingCost:
    """What a million generated tokens cost on rented accelerators, with how that was reckoned."""

    usd_per_mtok: float
    tokens_per_s: float
    """Of the whole batch."""
    gpu_count: int
    basis: Bilingual


_in_force: Mapping[str, TokenPrice] = {}


def use_prices(prices: Mapping[str, TokenPrice]) -> None:
    """Put these prices before the package's own, in the whole process; an empty mapping undoes it."""
    global _in_force  # noqa: PLW0603 - one process serves one home, and every reckoning must use its prices
    _in_force = dict(prices)


def hosted_price(model_id: str) -> TokenPrice | None:
    """The price of a model: the one in force, else its maker's own, else the lowest asked; None if unknown."""
    return _in_force.get(model_id) or shipped_prices().price(model_id)


def price_at(name: str, provider_id: str | None, catalogue_id: str | None) -> TokenPrice | None:
    """What one provider takes for a model asked by `name`, as in `openai:gpt-4.1-mini`; None if unknown.

    A price in force, under that name or the catalogue's, goes before the list price of this very provider: what
    others ask for the same model does not count. `provider_id` is that of genai-prices, None for an own server.
    """
    stated = _in_force.get(name) or (_in_force.get(catalogue_id) if catalogue_id else None)
    if stated is not None or provider_id is None:
        return stated
    return shipped_prices().price_at(provider_id, name.partition(":")[2])


@cache
def shipped_prices() -> PriceList:
    """The prices that travel with genai-prices."""
    return PriceList(get_snapshot().providers, label=f"genai-prices {version('genai-prices')}")


def decode_tokens_per_s(
    model: ModelFact, quantization: str, gpu: GpuFact, *, context_tokens: int = DEFAULT_CONTEXT_TOKENS
) -> float | None:
    """Estimate of the speed of one stream: efficiency x bandwidth / (active weight bytes + KV cache bytes).

    Every token reads all active weights and the cache once, and that bounds a single stream; a small fixed
    cost a step comes on top. None when the size is unknown.
    """
    if model.params_b is None:
        return None
    read = _effective_bytes(model, quantization, 1, context_tokens)
    return 1 / (STEP_FLOOR_S + read / (gpu.bandwidth_gb_s * 1e9))


def self_hosted_usd_per_mtok(
    model: ModelFact,
    quantization: str,
    gpu: GpuFact,
    *,
    concurrency: int = DEFAULT_CONCURRENCY,
    context_tokens: int = DEFAULT_CONTEXT_TOKENS,
) -> HostingCost | None:
    """Estimate what a million generated tokens cost on rented `gpu`s kept busy with `concurrency` requests.

    None when the model's size, the rate or the accelerator's memory is unknown.
    """
    count = _gpus_needed(model, quantization, gpu, concurrency, context_tokens)
    if count is None or gpu.usd_per_hour is None:
        return None
    read = _effective_bytes(model, quantization, concurrency, context_tokens)
    step_s = read / (count * gpu.bandwidth_gb_s * 1e9)
    if gpu.bf16_tflops is not None:
        active = (model.active_params_b or model.params_b or 0.0) * 1e9
        step_s = max(step_s, concurrency * 2 * active / (count * gpu.bf16_tflops * 1e12 * COMPUTE_EFFICIENCY))
    tokens_per_s = concurrency / (STEP_FLOOR_S + step_s)
    return HostingCost(
        usd_per_mtok=count * gpu.usd_per_hour / (tokens_per_s * 3600) * 1e6,
        tokens_per_s=tokens_per_s,
        gpu_count=count,
        basis=_basis(gpu, count, concurrency, context_tokens),
    )


class PriceList:
    """What all providers ask, ready to be looked up by a catalogue id."""

    def __init__(self, providers: Sequence[Provider], *, label: str) -> None:
        self._providers = {provider.id: provider for provider in providers}
        self._label = label
        self._by_id: dict[str, dict[str, list[ModelInfo]]] = {}
        for provider in providers:
            models = self._by_id[provider.id] = {}
            for model in provider.models:
                models.setdefault(model.id.casefold(), []).append(model)
        self._found: dict[str, TokenPrice | None] = {}

    def price(self, model_id: str) -> TokenPrice | None:
        """The list price of a model: its maker's own, else the lowest that anybody asks; None if unknown."""
        if model_id not in self._found:
            offers = list(self._makers_offer(model_id)) or list(self._offers_by_id(model_id))
            self._found[model_id] = min(offers, key=TokenPrice.blended_usd_per_mtok) if offers else None
        return self._found[model_id]

    def price_at(self, provider_id: str, name: str) -> TokenPrice | None:
        """The list price of one provider for the model that it calls `name`."""
        provider = self._providers.get(provider_id)
        model = provider.find_model(name) if provider is not None else None
        if provider is None or model is None:
            return None
        return next(iter(self._offer(f"{provider_id}/{name}", provider, model)), None)

    @cached_property
    def date(self) -> str:
        """The newest past day on which a price in the data began: the data is at least that recent."""
        today = datetime.now(UTC).date()
        starts = {start for provider in self._providers.values() for start in _start_dates(provider)}
        return max((start for start in starts if start <= today), default=today).isoformat()

    def _makers_offer(self, model_id: str) -> Iterable[TokenPrice]:
        organisation, _, name = model_id.partition("/")
        provider = self._providers.get(_PROVIDER_OF.get(organisation, organisation))
        if provider is not None:
            model = provider.find_model(_NAMED_AS.get(organisation, "{name}").format(name=name))
            if model is not None:
                yield from self._offer(model_id, provider, model)

    def _offers_by_id(self, model_id: str) -> Iterable[TokenPrice]:
        """Offers of everybody who lists the model under its own id."""
        organisation, _, name = model_id.partition("/")
        router = f"{_OPENROUTER_NAME_OF.get(organisation, organisation)}/{name}".casefold()
        for provider in self._providers.values():
            wanted = router if provider.id == "openrouter" else model_id.casefold()
            for model in self._by_id[provider.id].get(wanted, ()):
                yield from self._offer(model_id, provider, model)

    def _offer(self, model_id: str, provider: Provider, model: ModelInfo) -> Iterable[TokenPrice]:
        prices = model.get_prices(datetime.now(UTC))
        input_usd = _usd(prices.input_mtok)
        if not input_usd or input_usd < 0:  # Not stated, or a free trial that says nothing about its cost.
            return
        yield TokenPrice(
            model_id=model_id,
            provider=provider.name,
            input_usd_per_mtok=input_usd,
            output_usd_per_mtok=_usd(prices.output_mtok),
            source=Source(
                name=f"{provider.name} list price ({self._label})",
                url=(provider.pricing_urls or ["https://github.com/pydantic/genai-prices"])[0],
                licence="MIT",
            ),
            date=self.date,
        )


def _usd(price: object) -> float | None:
    """The price for short requests, where it rises with the length."""
    if isinstance(price, TieredPrices):
        price = price.base
    return None if price is None else float(str(price))


def _start_dates(provider: Provider) -> Iterable[date]:
    return (
        item.constraint.start_date
        for model in provider.models
        if isinstance(model.prices, list)
        for item in model.prices
        if isinstance(item.constraint, StartDateConstraint)
    )


def _effective_bytes(model: ModelFact, quantization: str, concurrency: int, context_tokens: int) -> float:
    """Bytes that one step reads, each divided by the share of the bandwidth that its kernels reach."""
    weights = _active_weight_bytes(model, quantization, concurrency)
    cache_bytes = concurrency * kv_cache(model, context_tokens).bytes
    return weights / _WEIGHT_EFFICIENCY.get(quantization.casefold(), _EFFICIENCY) + cache_bytes / _EFFICIENCY


def _active_weight_bytes(model: ModelFact, quantization: str, concurrency: int) -> float:
    """Weight bytes that one step reads; a batch wakes more of the experts, as 1 - (1 - share) ^ batch."""
    total = weight_bytes(model, quantization)
    if not (model.active_params_b and model.params_b):
        return total
    share = model.active_params_b / model.params_b
    return total * (1 - (1 - share) ** concurrency)


def _gpus_needed(
    model: ModelFact, quantization: str, gpu: GpuFact, concurrency: int, context_tokens: int
) -> int | None:
    footprint = serving(model, quantization=quantization, context_tokens=context_tokens, batch=concurrency)
    if footprint is None or gpu.available_gib is None:
        return None
    return max(1, math.ceil(footprint.total_gib / (gpu.available_gib - RESERVED_GIB)))


def _basis(gpu: GpuFact, count: int, concurrency: int, context_tokens: int) -> Bilingual:
    rate = gpu.rate_basis or Bilingual(en="assumed", zh="假设值")
    return Bilingual(
        en=f"Estimate: {count} x {gpu.name} at ${gpu.usd_per_hour:.2f} an hour ({rate.en}), kept busy with "
        f"{concurrency} requests of {context_tokens} tokens; rate / tokens an hour, where a step takes 2 ms "
        "and the longer of bytes read / usable bandwidth and arithmetic / usable FLOP/s. Reading prompts and "
        "idle time are not counted.",
        zh=f"估算：{count} 张 {gpu.name}，每小时 ${gpu.usd_per_hour:.2f}（{rate.zh}），"
        f"持续处理 {concurrency} 个 {context_tokens} token 的请求；"
        "单价 = 租金 ÷ 每小时生成的 token 数，每步耗时为 2 毫秒加上"
        "“读取字节 ÷ 有效带宽”与“计算量 ÷ 有效算力”中的较大者。未计入读取提示词和空闲的时间。",
    )
