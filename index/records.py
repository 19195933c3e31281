"""The shared vocabulary: what is known about models, and where each fact comes from.

Plain frozen values. Unknown is None, never 0 or "". Every figure carries its Source.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from index.bilingual import Language

EvidenceKind = Literal["measured", "published", "self-reported", "estimated"]
"""measured: here, on the asker's data; published: by somebody independent; self-reported: by the vendor."""

Task = Literal[
    "chat",
    "summarization",
    "translation",
    "question-answering",
    "rag",
    "classification",
    "extraction",
    "code",
    "math",
    "reasoning",
    "creative-writing",
    "agents",
    "embedding",
    "vision",
]

Quantization = Literal["none", "bf16", "fp16", "int8", "nf4"]
"""none: the weights as published, computed in what suits the device; bf16 and fp16: computed in exactly that;
int8 and nf4: bitsandbytes, on loading."""

QUANTIZATIONS: tuple[Quantization, ...] = ("none", "int8", "nf4")
"""Those between which a recommendation chooses: bf16 and fp16 take the memory of "none" and answer as it does."""
LOADINGS: tuple[Quantization, ...] = ("none", "bf16", "fp16", "int8", "nf4")
"""Those in which a candidate can be loaded."""

ModelKind = Literal["instruct", "base", "embedding", "encoder"]
CommercialUse = Literal["yes", "no", "conditional", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a fact was read."""

    name: str
    url: str
    licence: str | None = None
    """Licence of the source itself, not of the model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFact:
    """One checkpoint or hosted model, as the catalogue knows it. None means unknown."""

    id: str
    """Hugging Face repository id, or provider/model for hosted ones."""
    name: str
    organisation: str | None = None
    family: str | None = None
    release_date: str | None = None
    """YYYY, YYYY-MM or YYYY-MM-DD: as much as the sources share."""
    open_weights: bool
    kind: ModelKind
    architecture: Literal["dense", "moe", "hybrid", "encoder", "encoder-decoder", "api"]
    params_b: float | None = None
    active_params_b: float | None = None
    """Parameters used per token, for mixtures of experts."""
    n_layers: int | None = None
    n_attention_layers: int | None = None
    """Layers that keep a KV cache, where only some do (hybrids)."""
    n_kv_heads: int | None = None
    head_dim: int | None = None
    hidden_size: int | None = None
    vocab_size: int | None = None
    sliding_window: int | None = None
    n_global_layers: int | None = None
    """Where there is a sliding window: layers that see the whole context all the same."""
    kv_lora_rank: int | None = None
    tied_embeddings: bool | None = None
    """One matrix serves as input embedding and output head."""
    native_format: str | None = None
    """The format of the published weights where it is not 16-bit: mxfp4, fp8."""
    max_context_tokens: int | None = None
    input_modalities: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    """ISO 639-1. Empty means unknown, not unsupported."""
    licence: str | None = None
    commercial_use: CommercialUse = "unknown"
    tool_calling: bool | None = None
    reasoning: bool | None = None
    knowledge_cutoff: str | None = None
    sources: tuple[Source, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """What a figure is a figure of."""

    name: str
    task: str
    """A Task, or a broader skill: knowledge, long-context, instruction-following, faithfulness, multilingual, chinese."""
    language: str
    """ISO 639-1 code, or "multi"."""
    metric: str
    scale_min: float | None
    scale_max: float | None
    higher_is_better: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One figure about one model, with its kind and source."""

    model_id: str
    benchmark: Benchmark
    score: float
    """On the benchmark's own scale."""
    kind: EvidenceKind
    setting: str | None = None
    """Shots, prompt, variant: compare only within one setting."""
    date: str | None = None
    source: Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One figure measured here by a finished job, with all that is needed to trust or repeat it."""

    job_id: str
    model_id: str
    adapter: str | None = None
    """Name of the tuned adapter that was loaded on top, None for the model as published."""
    quantization: Quantization
    task: str
    metric: str
    value: float
    ci95_low: float | None = None
    ci95_high: float | None = None
    n_items: int
    dataset_name: str
    dataset_sha256: str
    tokens_per_s: float | None = None
    latency_p50_s: float | None = None
    peak_memory_gib: float | None = None
    device: str
    environment: dict[str, str]
    """Package versions, seed, model revision."""
    created_at_utc: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A piece of a document that can be quoted, small enough to stand alone."""

    id: str
    """Content hash: the same text at the same place is the same passage."""
    source: str
    """Path or URL of the document, or of the article inside the package."""
    title: str
    locator: str
    """Where in the document: "Heading › Subheading", or "page 4"."""
    text: str
    language: Language
    topic: str | None = None
    url: str | None = None
    """A link that a person can open, when there is one."""
    asks: tuple[str, ...] = ()
    """Questions that it answers, in other words than its own: searched, never shown."""
