"""Turn a model's architecture into the accelerator memory that serving or tuning it takes.

Formulas, not a table: weights + KV cache + what the kernels keep, each calibrated on published measurements
(`benchmarks/footprint.py` prints the errors). Figures are what the allocator holds; the CUDA context and
fragmentation come on top, see RESERVED_GIB. Where a fact is unknown the estimate leans high, and `basis`
says so.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from index.bilingual import Bilingual
from index.errors import BadInput
from index.records import ModelFact

GIB = 2**30
RESERVED_GIB = 0.6
"""Keep this much of a card free: the CUDA context and fragmentation are outside every estimate here."""

LONGEST_CONTEXT_TOKENS = 1_048_576
"""Where `largest_context` stops for a model whose own limit is unknown."""

_TIED_UP_TO_B = 4.5
"""Models up to this size mostly share one matrix for input and output (Qwen, Llama 3.2); larger ones not."""
_MLA_ROPE_DIM = 64
_ASSUMED_VOCABULARY = 150_000
_ENCODERS = frozenset({"embedding", "encoder"})
_KV_8_BIT_FRAC = 0.516
"""An 8-bit cache beside a 16-bit one: half, and a scale and a zero point for each head of 128."""
_KV_KIB_PER_ROOT_B = 64.0
"""KV cache per token, in KiB per square root of (active) billions: three in four known models need less."""

Method = Literal["lora", "qlora", "full"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightFormat:
    """How one way of storing weights costs memory."""

    bits: float
    """Per weight of the body, scales included."""
    kept_bits: int = 16
    """Per weight of the embeddings, which no format quantizes."""
    separate_head: bool = False
    """A model with tied embeddings gets a 16-bit output head of its own."""
    dequantizes: bool = False
    """One matrix at a time is blown up to 16 bits while it computes (bitsandbytes)."""
    kv_workspace_frac: float = 0.0
    """Kernel workspace that grows with the context, as a share of the KV cache."""


FORMATS: Mapping[str, WeightFormat] = {
    "none": WeightFormat(bits=16),
    "bf16": WeightFormat(bits=16),
    "fp16": WeightFormat(bits=16),
    "fp8": WeightFormat(bits=8, separate_head=True),
    "int8": WeightFormat(bits=8.03, dequantizes=True),
    "nf4": WeightFormat(bits=4.127, dequantizes=True),
    "nf4-plain": WeightFormat(bits=4.5, dequantizes=True),
    "gptq-int8": WeightFormat(bits=8.19),
    "gptq-int4": WeightFormat(bits=4.156),
    "awq-int4": WeightFormat(bits=4.156, kv_workspace_frac=0.125),
    "mxfp4": WeightFormat(bits=4.25),
}
"""none: as published; int8 and nf4: bitsandbytes; nf4 is double-quantized, nf4-plain is not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Footprint:
    """Memory of one use of one model, by part."""

    model: str
    weights_gib: float
    kv_cache_gib: float = 0.0
    activations_gib: float = 0.0
    adapters_gib: float = 0.0
    optimizer_gib: float = 0.0
    """Gradients and optimizer state."""
    overhead_gib: float = 0.0
    """What the kernels keep for themselves."""
    total_gib: float
    basis: str
    """What was computed from which facts, and what had to be assumed."""

    def fits(self, memory_gib: float) -> bool:
        """True when it runs in that much memory, with room for the CUDA context."""
        return self.total_gib + RESERVED_GIB <= memory_gib


@dataclass(frozen=True, slots=True, kw_only=True)
class TuningPlan:
    """One way to tune a model."""

    method: Method = "lora"
    seq_tokens: int = 1024
    batch: int = 1
    rank: int = 16
    checkpointing: bool = True
    """Recompute activations in the backward pass and keep only each layer's input."""
    adapted: Literal["all-linear", "attention"] = "all-linear"
    """Where the adapters sit: on every linear layer, or on queries and values only."""
    weight_format: str | None = None
    """How the frozen weights are kept; None is nf4 for qlora and 16 bits for the others."""
    logit_bytes: float = 14
    """Per token and word of the vocabulary. 14: logits with 32-bit copies and gradient; about 7 where all is 16-bit."""
    state_bytes: float = 16
    """Per adapter parameter: the parameter, its gradient, and Adam's two moments in 32 bits."""
    computes_in_32_bits: bool = False
    """As a CPU does: weights that are not quantized, and activations, take twice as much."""
    engine_gib: float = 0.5
    """What the framework keeps: buckets, workspaces, and the CUDA context where a measurement counts it."""


def serving(
    model: ModelFact,
    *,
    quantization: str = "none",
    context_tokens: int = 8192,
    batch: int = 1,
    kv_bits: Literal[16, 8] = 16,
    computes_in_32_bits: bool = False,
) -> Footprint | None:
    """Memory to generate with `batch` requests of `context_tokens` each; None when the size is unknown.

    `computes_in_32_bits`, as a CPU does: what is not quantized takes twice as much, the KV cache too.
    """
    weight_format = format_of(model, quantization)
    if model.params_b is None:
        return None
    if computes_in_32_bits:
        bits = 32 if weight_format.bits == 16 else weight_format.bits
        weight_format = replace(weight_format, bits=bits, kept_bits=32)
    weights = _weights(model, weight_format)
    cache = kv_cache(model, context_tokens)
    kv_bytes = cache.bytes * batch * (_KV_8_BIT_FRAC if kv_bits == 8 else weight_format.kept_bits / 16)
    return _footprint(
        model,
        weights=weights.bytes,
        kv_cache=kv_bytes,
        activations=batch * 6 * (model.vocab_size or 0) + kv_bytes * weight_format.kv_workspace_frac,
        overhead=_working_copy(model, weight_format),
        notes=(*weights.notes, *cache.notes),
    )


def tuning(
    model: ModelFact,
    *,
    method: Method,
    seq_tokens: int = 1024,
    batch: int = 1,
    rank: int = 16,
    checkpointing: bool = True,
) -> Footprint | None:
    """Memory to tune with Adam and adapters on all linear layers; None when the size is unknown."""
    plan = TuningPlan(
        method=method, seq_tokens=seq_tokens, batch=batch, rank=rank, checkpointing=checkpointing
    )
    return tuning_by(model, plan)


def tuning_by(model: ModelFact, plan: TuningPlan) -> Footprint | None:
    """Memory to tune a model by `plan`; None when the size is unknown."""
    if model.params_b is None:
        return None
    weight_format = FORMATS[plan.weight_format or ("nf4" if plan.method == "qlora" else "bf16")]
    if plan.computes_in_32_bits:
        bits = 32 if weight_format.bits == 16 else weight_format.bits
        weight_format = replace(weight_format, bits=bits, kept_bits=32)
    weights = _weights(model, weight_format)
    shape = _layer_shape(model)
    trained = model.params_b * 1e9 if plan.method == "full" else _adapter_params(model, shape, plan)
    is_full = plan.method == "full"
    return _footprint(
        model,
        weights=weights.bytes,
        activations=_tuning_activations(model, shape, plan) * (2 if plan.computes_in_32_bits else 1),
        adapters=0.0 if is_full else 4 * trained,
        optimizer=(16 if is_full else plan.state_bytes - 4) * trained,
        overhead=plan.engine_gib * GIB + _working_copy(model, weight_format),
        notes=(*weights.notes, *shape.notes, _OPTIMIZER_NOTE[is_full]),
    )


def largest_context(
    model: ModelFact, quantization: str, memory_gib: float, *, computes_in_32_bits: bool = False
) -> int | None:
    """The longest context that fits for one request; None when the size is unknown or nothing fits."""

    def fits(context_tokens: int) -> bool:
        footprint = serving(
            model,
            quantization=quantization,
            context_tokens=context_tokens,
            computes_in_32_bits=computes_in_32_bits,
        )
        return footprint is not None and footprint.fits(memory_gib)

    low, high = 1, model.max_context_tokens or LONGEST_CONTEXT_TOKENS
    if not fits(low):
        return None
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low


def format_of(model: ModelFact, quantization: str) -> WeightFormat:
    """The format that `quantization` loads this model in: "none" is the format that it was published in."""
    name = quantization.casefold()
    if name == "none" and model.native_format:
        name = model.native_format
    if name not in FORMATS:
        raise BadInput(
            Bilingual(
                en=f"I do not know the quantization {quantization!r}. Use one of: {', '.join(FORMATS)}.",
                zh=f"未知的量化方式 {quantization!r}。可用：{'、'.join(FORMATS)}。",
            )
        )
    return FORMATS[name]


def weight_bytes(model: ModelFact, quantization: str) -> float:
    """Bytes of the loaded weights; 0 when the size is unknown."""
    return _weights(model, format_of(model, quantization)).bytes


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number of bytes and what it rests on."""

    bytes: float
    notes: tuple[str, ...] = ()


def kv_cache(model: ModelFact, context_tokens: int) -> Estimate:
    """Bytes of the 16-bit KV cache of one request."""
    if model.kind in _ENCODERS:
        return Estimate(0.0, ("no KV cache: it does not generate",))
    layers = model.n_attention_layers or model.n_layers
    if layers and model.kv_lora_rank:
        width = model.kv_lora_rank + _MLA_ROPE_DIM
        return Estimate(2 * width * layers * context_tokens, ("KV: latent attention",))
    if not (layers and model.n_kv_heads and model.head_dim):
        size_b = model.active_params_b or model.params_b or 0.0
        per_token = _KV_KIB_PER_ROOT_B * 1024 * math.sqrt(size_b)
        return Estimate(
            per_token * context_tokens, ("KV assumed from the size: layers or KV heads are unknown",)
        )
    per_layer_token = 2 * model.n_kv_heads * model.head_dim * 2
    tokens, notes = _cached_tokens(model, layers, context_tokens)
    return Estimate(per_layer_token * tokens, notes)


def _cached_tokens(model: ModelFact, layers: int, context_tokens: int) -> tuple[int, tuple[str, ...]]:
    """Tokens held, summed over layers."""
    heads = f"KV: {layers} layers x {model.n_kv_heads} heads x {model.head_dim}"
    if model.sliding_window and model.n_global_layers is not None:
        windowed = min(context_tokens, model.sliding_window) * (layers - model.n_global_layers)
        note = f"{heads}, {layers - model.n_global_layers} of them within {model.sliding_window} tokens"
        return windowed + context_tokens * model.n_global_layers, (note,)
    if model.sliding_window:
        return layers * context_tokens, (f"{heads}, all assumed to see the whole context",)
    if model.architecture == "hybrid" and model.n_attention_layers is None:
        return layers * context_tokens, (f"{heads}, all assumed to be attention layers",)
    return layers * context_tokens, (heads,)


def _weights(model: ModelFact, weight_format: WeightFormat) -> Estimate:
    params = (model.params_b or 0.0) * 1e9
    if weight_format.bits >= 16:
        note = f"{model.params_b:g}B parameters at {weight_format.bits:g} bits"
        return Estimate(params * weight_format.bits / 8, (note,))
    embedding, tied, notes = _embeddings(model)
    kept = min(embedding * (1 if tied else 2), params)
    extra_head = embedding if tied and weight_format.separate_head else 0.0
    body_bytes = (params - kept) * weight_format.bits / 8
    note = f"{model.params_b:g}B parameters at {weight_format.bits:g} bits, embeddings at {weight_format.kept_bits}"
    return Estimate(body_bytes + weight_format.kept_bits / 8 * (kept + extra_head), (note, *notes))


def _embeddings(model: ModelFact) -> tuple[float, bool, tuple[str, ...]]:
    """Parameters of one embedding matrix, whether it serves as the output head too, and what was assumed."""
    params_b = model.params_b or 0.0
    notes: tuple[str, ...] = ()
    tied = True if model.kind in _ENCODERS else model.tied_embeddings
    if tied is None:
        tied = params_b <= _TIED_UP_TO_B and not model.id.startswith(_UNTIED_IDS)
        notes = (f"embeddings assumed {'tied' if tied else 'untied'} at this size",)
    if model.vocab_size and model.hidden_size:
        return model.vocab_size * model.hidden_size, tied, notes
    share = min(0.3, 0.35 / math.sqrt(params_b)) if params_b else 0.0
    return params_b * 1e9 * share / (1 if tied else 2), tied, (*notes, "embedding size assumed")


def _working_copy(model: ModelFact, weight_format: WeightFormat) -> float:
    """Bytes of the largest matrix as it is computed with, where the kernels blow up one at a time."""
    if not weight_format.dequantizes:
        return 0.0
    embedding, _tied, _notes = _embeddings(model)
    return weight_format.kept_bits / 8 * max(embedding, 4.0 * (model.hidden_size or 0) ** 2)


_OPTIMIZER_NOTE = {
    False: "adapters in 32 bits with Adam",
    True: "mixed precision Adam: 18 bytes a parameter; pure 16-bit training takes 8",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layer:
    """The sizes of one transformer layer."""

    count: int
    hidden: float
    kv_width: float
    inner: float
    """Width between the two halves of a gated MLP."""
    notes: tuple[str, ...] = field(default=())


def _layer_shape(model: ModelFact) -> _Layer:
    """The sizes of a layer, from the facts where they are known and from the parameter count where not."""
    params = (model.active_params_b or model.params_b or 0.0) * 1e9
    notes = []
    if model.hidden_size and model.n_layers:
        hidden, count = float(model.hidden_size), model.n_layers
    else:
        hidden = (params / 0.105) ** (1 / 3)
        count = max(1, round(hidden / 114))
        notes.append("layer sizes assumed from the parameter count")
    if not model.vocab_size and model.kind not in _ENCODERS:
        notes.append(f"vocabulary assumed to be {_ASSUMED_VOCABULARY}")
    kv_width = float(model.n_kv_heads * model.head_dim) if model.n_kv_heads and model.head_dim else hidden / 4
    embedding, tied, _notes = _embeddings(model)
    body = max(params - embedding * (1 if tied else 2), 0.0)
    attention = 2 * hidden * (hidden + kv_width)
    inner = max((body / count - attention) / (3 * hidden), hidden)
    return _Layer(count=count, hidden=hidden, kv_width=kv_width, inner=inner, notes=tuple(notes))


def _adapter_params(model: ModelFact, layer: _Layer, plan: TuningPlan) -> float:
    """Parameters of the LoRA matrices. Experts of a mixture are fused tensors that adapters leave alone."""
    query_value = (layer.hidden + layer.hidden) + (layer.hidden + layer.kv_width)
    if plan.adapted == "attention":
        return plan.rank * layer.count * query_value
    attention = 2 * query_value
    mlp = 0.0 if model.active_params_b else 3 * (layer.hidden + layer.inner)
    return plan.rank * layer.count * (attention + mlp)


def _tuning_activations(model: ModelFact, layer: _Layer, plan: TuningPlan) -> float:
    """Bytes kept for the backward pass, plus the logits with their copies and gradient."""
    tokens = plan.seq_tokens * plan.batch
    keeps_inputs = plan.adapted == "all-linear" or plan.method != "lora"
    ratio = layer.inner / layer.hidden
    if _has_plain_mlp(model):
        per_token_layer = layer.hidden * (34 if keeps_inputs else 24)
    else:
        per_token_layer = layer.hidden * (30 + 8 * ratio if keeps_inputs else 26 + 6 * ratio)
    if plan.checkpointing:
        kept = tokens * (2 * layer.hidden * layer.count + per_token_layer)
    else:
        kept = tokens * per_token_layer * layer.count
    vocabulary = 0 if model.kind in _ENCODERS else model.vocab_size or _ASSUMED_VOCABULARY
    return kept + plan.logit_bytes * tokens * vocabulary


def _has_plain_mlp(model: ModelFact) -> bool:
    """True for LayerNorm and an ungated MLP: they keep less for the backward pass than RMSNorm and SwiGLU."""
    return model.kind == "encoder" or model.id.startswith(_PLAIN_MLP_IDS)


_UNTIED_IDS = ("microsoft/phi-1", "microsoft/phi-2", "stabilityai/stablelm-base-alpha")
"""Small, and yet with an output head of their own."""
_PLAIN_MLP_IDS = (
    "microsoft/phi-1",
    "microsoft/phi-2",
    "openai-community/gpt2",
    "stabilityai/stablelm-base-alpha",
    "tiiuae/falcon-7b",
    "tiiuae/falcon-40b",
    "bigscience/bloom",
)


def _footprint(model: ModelFact, *, notes: tuple[str, ...], **parts_bytes: float) -> Footprint:
    gib = {f"{part}_gib": size / GIB for part, size in parts_bytes.items()}
    return Footprint(model=model.id, **gib, total_gib=sum(gib.values()), basis="; ".join(notes))
