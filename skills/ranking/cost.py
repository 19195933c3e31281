"""A way of running a model -> USD per million tokens, with the arithmetic in words.

Hosted: the provider's price, blended over an assumed mix of tokens. Own hardware: the hourly rate of the
accelerators over the tokens that they produce in an hour, an estimate from bandwidth and arithmetic.
"""

from __future__ import annotations

from dataclasses import dataclass

from index.bilingual import Bilingual
from index.prices import GpuFact, HostingCost, decode_tokens_per_s, hosted_price, self_hosted_usd_per_mtok
from index.records import ModelFact, Quantization

INPUT_SHARE = 0.75
"""Assumed mix of tokens: three read for each one written."""
_BATCHES = (16, 8, 4, 2, 1)
"""Requests served at once: the largest that still fits the accelerators."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UsdPerMtok:
    """Cost of a million tokens."""

    value: float
    basis: Bilingual
    source: str
    """Link to where the price, or the accelerator's figures, were read."""
    tokens_per_s: float | None = None
    """Single-stream speed, an estimate; None when hosted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hardware:
    """What a model would run on."""

    gpu: GpuFact
    count: int
    wait_usd_per_h: float = 0.0
    """What an hour of waiting for one answer stream is worth to the asker."""


def hosted_cost(model: ModelFact) -> UsdPerMtok | None:
    """What the provider asks; None when the price is not known."""
    price = hosted_price(model.id)
    if price is None:
        return None
    read, written = price.input_usd_per_mtok, price.output_usd_per_mtok
    out_en, out_zh = ("", "") if written is None else (f" and ${written:g} out", f"、输出 {written:g} 美元")
    return UsdPerMtok(
        value=price.blended_usd_per_mtok(INPUT_SHARE),
        basis=Bilingual(
            f"{price.provider} asks ${read:g} in{out_en} per million tokens, three read for each one written",
            f"{price.provider} 报价：每百万 token 输入 {read:g} 美元{out_zh}，按输入输出 3:1 折算",
        ),
        source=price.source.url,
    )


def own_hardware_cost(model: ModelFact, quantization: Quantization, hardware: Hardware) -> UsdPerMtok | None:
    """Rate of the accelerators over their throughput, plus what waiting is worth to the asker.

    None when the model's size or the rate is unknown.
    """
    gpu, wait = hardware.gpu, hardware.wait_usd_per_h
    stream = decode_tokens_per_s(model, quantization, gpu)
    rented = _rent(model, quantization, hardware)
    if rented is None or stream is None or gpu.usd_per_hour is None:
        return None
    batch, rent = rented
    per_h = gpu.usd_per_hour * rent.gpu_count
    cards = f"{rent.gpu_count} × {gpu.name}" if rent.gpu_count > 1 else gpu.name
    return UsdPerMtok(
        value=(1 - INPUT_SHARE) * rent.usd_per_mtok + wait / (stream * 3600) * 1e6,
        basis=Bilingual(
            f"{cards} at an assumed ${per_h:.2f}/h, busy with {batch} requests at once, "
            f"about {rent.tokens_per_s:.0f} tokens/s in all (estimate), three tokens read for each one written",
            f"{cards} 按每小时 {per_h:.2f} 美元（假设）、{batch} 路并发计，合计约 {rent.tokens_per_s:.0f} token/s（估算），"
            f"输入输出 3:1",
        ),
        source=gpu.source.url,
        tokens_per_s=stream,
    )


def _rent(model: ModelFact, quantization: Quantization, hardware: Hardware) -> tuple[int, HostingCost] | None:
    """The largest batch that fits the accelerators there are, and what it costs; one request in any case."""
    for batch in _BATCHES:
        rent = self_hosted_usd_per_mtok(model, quantization, hardware.gpu, concurrency=batch)
        if rent is None:
            return None
        if rent.gpu_count <= hardware.count or batch == _BATCHES[-1]:
            return batch, rent
    return None
