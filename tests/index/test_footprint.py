"""Memory formulas: against published measurements, and by the properties that they must have."""

from __future__ import annotations

import pytest

from index.catalogue import Catalogue
from index.errors import BadInput
from index.footprint import (
    FORMATS,
    GIB,
    RESERVED_GIB,
    TuningPlan,
    largest_context,
    serving,
    tuning,
    tuning_by,
)
from index.records import ModelFact


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return Catalogue.load()


def a_model(**known: object) -> ModelFact:
    """Like Qwen3-8B."""
    values: dict[str, object] = {
        "id": "lab/Model-8B",
        "name": "Model-8B",
        "open_weights": True,
        "kind": "instruct",
        "architecture": "dense",
        "params_b": 8.191,
        "n_layers": 36,
        "n_kv_heads": 8,
        "head_dim": 128,
        "hidden_size": 4096,
        "vocab_size": 151936,
        "max_context_tokens": 40960,
        "tied_embeddings": False,
    }
    return ModelFact(**(values | known))  # type: ignore[arg-type]


def total(model: ModelFact, **use: object) -> float:
    footprint = serving(model, **use)  # type: ignore[arg-type]
    assert footprint is not None
    return footprint.total_gib


@pytest.mark.parametrize(
    ("model_id", "quantization", "context_tokens", "measured_gib"),
    [
        ("Qwen/Qwen3-0.6B", "bf16", 32768, 4.644),
        ("Qwen/Qwen3-0.6B", "gptq-int8", 2049, 0.963),
        ("Qwen/Qwen3-1.7B", "fp8", 8192, 3.381),
        ("Qwen/Qwen3-4B", "awq-int4", 32768, 7.561),
        ("Qwen/Qwen3-8B", "bf16", 8192, 16.417),
        ("Qwen/Qwen3-8B", "awq-int4", 8192, 6.946),
        ("Qwen/Qwen3-14B", "fp8", 2049, 15.637),
        ("Qwen/Qwen3-32B", "bf16", 16384, 65.07),
        ("Qwen/Qwen3-30B-A3B", "fp8", 32768, 32.399),
        ("meta-llama/Llama-2-7b-hf", "nf4", 256, 3.967),
        ("meta-llama/Llama-2-13b-hf", "nf4-plain", 256, 7.749),
        ("tiiuae/falcon-7b", "int8", 256, 8.103),
    ],
)
def test_serving_is_within_four_percent_of_what_was_measured(
    catalogue: Catalogue, model_id: str, quantization: str, context_tokens: int, measured_gib: float
) -> None:
    model = catalogue.models[model_id]
    assert total(model, quantization=quantization, context_tokens=context_tokens) == pytest.approx(
        measured_gib, rel=0.04
    )


@pytest.mark.parametrize(
    ("model_id", "method", "batch", "measured_gib"),
    [
        ("meta-llama/Llama-2-7b-hf", "lora", 1, 19.837),
        ("meta-llama/Llama-2-7b-hf", "lora", 2, 27.074),
        ("meta-llama/Llama-2-7b-hf", "qlora", 1, 12.89),
        ("meta-llama/Llama-2-13b-hf", "lora", 1, 35.502),
        ("meta-llama/Llama-2-13b-hf", "qlora", 1, 21.001),
    ],
)
def test_tuning_is_within_four_percent_of_what_was_measured(
    catalogue: Catalogue, model_id: str, method: str, batch: int, measured_gib: float
) -> None:
    plan = TuningPlan(
        method=method,  # type: ignore[arg-type]
        seq_tokens=1304,
        batch=batch,
        rank=8,
        checkpointing=False,
        adapted="attention",
    )
    footprint = tuning_by(catalogue.models[model_id], plan)
    assert footprint is not None
    assert footprint.total_gib == pytest.approx(measured_gib, rel=0.04)


def test_the_total_is_the_sum_of_the_parts() -> None:
    footprint = tuning(a_model(), method="qlora")
    assert footprint is not None
    assert footprint.total_gib == pytest.approx(
        footprint.weights_gib
        + footprint.kv_cache_gib
        + footprint.activations_gib
        + footprint.adapters_gib
        + footprint.optimizer_gib
        + footprint.overhead_gib
    )


def test_a_model_of_unknown_size_has_no_footprint() -> None:
    hosted = a_model(params_b=None)
    assert serving(hosted) is None
    assert tuning(hosted, method="lora") is None
    assert largest_context(hosted, "none", 24) is None


def test_an_unknown_quantization_is_refused_with_the_ones_there_are() -> None:
    with pytest.raises(BadInput) as raised:
        serving(a_model(), quantization="int3")
    assert "'int3'" in raised.value.to("en")
    assert all(name in raised.value.to("zh") for name in FORMATS)


def test_fewer_bits_take_less_memory() -> None:
    sizes = [total(a_model(), quantization=name) for name in ("none", "int8", "nf4-plain", "nf4")]
    assert sizes == sorted(sizes, reverse=True)


def test_embeddings_stay_at_16_bits() -> None:
    footprint = serving(a_model(), quantization="gptq-int4")
    embeddings_gib = 2 * 151936 * 4096 * 2 / GIB
    body_gib = (8.191e9 - 2 * 151936 * 4096) * 4.156 / 8 / GIB
    assert footprint is not None
    assert footprint.weights_gib == pytest.approx(embeddings_gib + body_gib)


def test_tied_embeddings_are_counted_once() -> None:
    tied = serving(a_model(tied_embeddings=True), quantization="gptq-int4")
    untied = serving(a_model(tied_embeddings=False), quantization="gptq-int4")
    assert tied is not None
    assert untied is not None
    assert untied.weights_gib - tied.weights_gib == pytest.approx(151936 * 4096 * (16 - 4.156) / 8 / GIB)


def test_what_is_assumed_is_said() -> None:
    footprint = serving(a_model(tied_embeddings=None), quantization="nf4")
    assert footprint is not None
    assert "embeddings assumed untied" in footprint.basis


def test_the_cache_grows_with_context_and_batch() -> None:
    one = serving(a_model(), context_tokens=8192)
    eight = serving(a_model(), context_tokens=8192, batch=8)
    assert one is not None
    assert eight is not None
    assert one.kv_cache_gib == pytest.approx(2 * 36 * 8 * 128 * 2 * 8192 / GIB)
    assert eight.kv_cache_gib == pytest.approx(8 * one.kv_cache_gib)


@pytest.mark.parametrize(
    ("known", "share_of_full_cache"),
    [
        ({"architecture": "hybrid", "n_attention_layers": 9}, 9 / 36),
        ({"sliding_window": 1024, "n_global_layers": 6}, (6 + 30 * 1024 / 8192) / 36),
        ({"sliding_window": 1024}, 1.0),
        ({"kv_lora_rank": 512}, (512 + 64) / (2 * 8 * 128)),
        ({"kind": "embedding"}, 0.0),
    ],
)
def test_the_cache_holds_only_what_the_architecture_keeps(
    known: dict[str, object], share_of_full_cache: float
) -> None:
    full, other = serving(a_model()), serving(a_model(**known))
    assert full is not None
    assert other is not None
    assert other.kv_cache_gib == pytest.approx(share_of_full_cache * full.kv_cache_gib)


def test_an_unknown_cache_is_assumed_on_the_high_side() -> None:
    known, unknown = serving(a_model()), serving(a_model(n_kv_heads=None))
    assert known is not None
    assert unknown is not None
    assert unknown.kv_cache_gib > known.kv_cache_gib
    assert "KV assumed" in unknown.basis


def test_a_mixture_of_experts_is_sized_by_all_its_parameters() -> None:
    dense, mixture = serving(a_model()), serving(a_model(architecture="moe", active_params_b=1.0))
    assert dense is not None
    assert mixture is not None
    assert mixture.weights_gib == dense.weights_gib


def test_a_model_published_in_four_bits_is_served_in_four_bits(catalogue: Catalogue) -> None:
    footprint = serving(catalogue.models["openai/gpt-oss-20b"])
    assert footprint is not None
    assert footprint.total_gib == pytest.approx(12.8, rel=0.05)


def test_the_largest_context_just_fits() -> None:
    model = a_model(max_context_tokens=1_000_000)
    tokens = largest_context(model, "none", 24)
    assert tokens is not None
    assert total(model, context_tokens=tokens) + RESERVED_GIB <= 24
    assert total(model, context_tokens=tokens + 1) + RESERVED_GIB > 24


def test_the_largest_context_is_no_longer_than_the_model_takes() -> None:
    assert largest_context(a_model(), "nf4", 80) == 40960


def test_no_context_fits_where_the_weights_do_not() -> None:
    assert largest_context(a_model(), "none", 12) is None


def test_a_card_must_have_room_for_the_cuda_context_too() -> None:
    footprint = serving(a_model())
    assert footprint is not None
    assert not footprint.fits(footprint.total_gib)
    assert footprint.fits(footprint.total_gib + RESERVED_GIB)


def test_checkpointing_trades_activations_for_time() -> None:
    kept = tuning(a_model(), method="lora", checkpointing=False)
    recomputed = tuning(a_model(), method="lora", checkpointing=True)
    assert kept is not None
    assert recomputed is not None
    assert recomputed.activations_gib < kept.activations_gib / 2


def test_full_tuning_takes_18_bytes_a_parameter() -> None:
    footprint = tuning(a_model(), method="full")
    assert footprint is not None
    assert footprint.adapters_gib == 0
    assert footprint.weights_gib + footprint.optimizer_gib == pytest.approx(18 * 8.191e9 / GIB)


def test_adapters_grow_with_the_rank() -> None:
    low, high = tuning(a_model(), method="lora", rank=8), tuning(a_model(), method="lora", rank=64)
    assert low is not None
    assert high is not None
    assert high.adapters_gib == pytest.approx(8 * low.adapters_gib)


def test_adapters_on_every_linear_layer_have_the_published_size() -> None:
    """Rank 16 on all linear layers of Qwen3-8B is 43.6 million parameters, at 4 bytes."""
    footprint = tuning(a_model(), method="lora", rank=16)
    assert footprint is not None
    assert footprint.adapters_gib == pytest.approx(43.6e6 * 4 / GIB, rel=0.03)


def test_layer_sizes_are_assumed_where_unknown_and_said_to_be() -> None:
    known = tuning(a_model(), method="qlora")
    unknown = tuning(a_model(n_layers=None, hidden_size=None, n_kv_heads=None), method="qlora")
    assert known is not None
    assert unknown is not None
    assert unknown.total_gib == pytest.approx(known.total_gib, rel=0.25)
    assert "layer sizes assumed" in unknown.basis


def test_every_model_of_known_size_has_a_plausible_footprint(catalogue: Catalogue) -> None:
    for model in catalogue.models.values():
        footprint = serving(model, quantization="nf4")
        if footprint is not None and model.params_b:
            assert footprint.weights_gib <= 2 * model.params_b * 1e9 / GIB * 1.001, model.id
            assert footprint.weights_gib >= 0.5 * model.params_b * 1e9 / GIB, model.id
