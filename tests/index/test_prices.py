"""Prices of hosted tokens, accelerators by name, and the estimate of hosting a model oneself."""

from __future__ import annotations

import socket

import pytest

from index.catalogue import Catalogue
from index.catalogue.gpus import GpuFact
from index.prices import (
    STEP_FLOOR_S,
    decode_tokens_per_s,
    find_gpu,
    gpus,
    hosted_price,
    self_hosted_usd_per_mtok,
)
from index.records import ModelFact, Source


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return Catalogue.load()


def a_model(**known: object) -> ModelFact:
    values: dict[str, object] = {
        "id": "lab/Model-8B",
        "name": "Model-8B",
        "open_weights": True,
        "kind": "instruct",
        "architecture": "dense",
        "params_b": 8.0,
        "n_layers": 36,
        "n_kv_heads": 8,
        "head_dim": 128,
        "hidden_size": 4096,
        "vocab_size": 151936,
    }
    return ModelFact(**(values | known))  # type: ignore[arg-type]


def a_gpu(**known: object) -> GpuFact:
    values: dict[str, object] = {
        "name": "Card",
        "memory_gib": 80.0,
        "bandwidth_gb_s": 1000.0,
        "bf16_tflops": 300.0,
        "usd_per_hour": 2.0,
        "source": Source(name="maker", url="https://example.org"),
    }
    return GpuFact(**(values | known))  # type: ignore[arg-type]


def test_a_hosted_model_has_its_makers_price() -> None:
    price = hosted_price("anthropic/claude-sonnet-4-5")
    assert price is not None
    assert (price.provider, price.input_usd_per_mtok, price.output_usd_per_mtok) == ("Anthropic", 3.0, 15.0)
    assert price.source.url.startswith("https://")
    assert price.date >= "2026-01-01"


@pytest.mark.parametrize(
    "model_id",
    ["xai/grok-4", "amazon/nova-pro", "alibaba/qwen3-max", "openai/gpt-5", "google/gemini-2.5-pro"],
)
def test_makers_whose_names_differ_between_catalogues_are_found(model_id: str) -> None:
    assert hosted_price(model_id) is not None


def test_an_open_model_has_the_lowest_price_that_is_asked_for_it() -> None:
    price = hosted_price("Qwen/Qwen3-32B")
    assert price is not None
    assert 0 < price.input_usd_per_mtok < 1
    assert price.output_usd_per_mtok is not None


def test_an_embedding_model_has_no_output_price() -> None:
    price = hosted_price("openai/text-embedding-3-small")
    assert price is not None
    assert price.output_usd_per_mtok is None
    assert price.blended_usd_per_mtok() == price.input_usd_per_mtok


def test_the_blended_price_weighs_input_and_output() -> None:
    price = hosted_price("anthropic/claude-sonnet-4-5")
    assert price is not None
    assert price.blended_usd_per_mtok(0.75) == pytest.approx(0.75 * 3 + 0.25 * 15)


def test_a_model_that_nobody_lists_has_no_price() -> None:
    assert hosted_price("lab/never-heard-of-it") is None


def test_most_hosted_models_of_the_catalogue_have_a_price(catalogue: Catalogue) -> None:
    hosted = [model.id for model in catalogue.models.values() if not model.open_weights]
    assert sum(hosted_price(id_) is not None for id_ in hosted) >= 0.9 * len(hosted)


def test_no_price_is_zero(catalogue: Catalogue) -> None:
    prices = [hosted_price(id_) for id_ in catalogue.models]
    assert all(price.input_usd_per_mtok > 0 for price in prices if price is not None)


def test_prices_need_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object, **_options: object) -> None:
        raise AssertionError("a price went to the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert hosted_price("mistral/magistral-medium") is not None


@pytest.mark.parametrize(
    ("spelling", "name"),
    [
        ("4090", "RTX 4090"),
        ("rtx4090", "RTX 4090"),
        ("NVIDIA GeForce RTX 4090", "RTX 4090"),
        ("RTX 4090 24GB", "RTX 4090"),
        ("英伟达 4090 显卡", "RTX 4090"),
        ("3060", "RTX 3060 12GB"),
        ("4060ti", "RTX 4060 Ti 16GB"),
        ("a100", "A100 80GB"),
        ("A100-40G", "A100 40GB"),
        ("NVIDIA A100-SXM4-80GB", "A100 80GB"),
        ("NVIDIA H100 80GB HBM3", "H100 SXM"),
        ("Tesla T4", "T4"),
        ("L40S", "L40S"),
        ("RTX 6000 Ada", "RTX 6000 Ada"),
        ("A6000", "RTX A6000"),
        ("昇腾910B", "Ascend 910B"),
        ("mi300x", "Instinct MI300X"),
        ("7900xtx", "Radeon RX 7900 XTX"),
        ("M3 Max", "Apple M3 Max"),
    ],
)
def test_an_accelerator_is_found_however_it_is_spelled(spelling: str, name: str) -> None:
    found = find_gpu(spelling)
    assert found is not None
    assert found.name == name


@pytest.mark.parametrize("spelling", ["", "gpu", "24GB", "some card"])
def test_what_names_no_accelerator_finds_none(spelling: str) -> None:
    assert find_gpu(spelling) is None


def test_every_accelerator_finds_itself_and_has_its_source() -> None:
    assert len(gpus()) >= 45
    for gpu in gpus():
        assert find_gpu(gpu.name) is gpu
        assert gpu.source.url.startswith("https://")


def test_every_assumed_rate_says_so_in_both_languages() -> None:
    rented = [gpu for gpu in gpus() if gpu.usd_per_hour is not None]
    assert len(rented) > 20
    for gpu in rented:
        assert gpu.rate_basis is not None
        assert gpu.rate_basis.en.startswith("assumed")
        assert gpu.rate_basis.zh.startswith("假设")


def test_memory_under_error_correction_is_less_than_the_label() -> None:
    card = find_gpu("L4")
    assert card is not None
    assert card.memory_gib == 24
    assert card.available_gib == 22.5


def test_one_stream_is_bound_by_bandwidth() -> None:
    slow = decode_tokens_per_s(a_model(), "none", a_gpu())
    fast = decode_tokens_per_s(a_model(), "none", a_gpu(bandwidth_gb_s=2000.0))
    assert slow is not None
    assert fast is not None
    assert 1 / fast - STEP_FLOOR_S == pytest.approx((1 / slow - STEP_FLOOR_S) / 2)


def test_a_mixture_of_experts_decodes_as_fast_as_its_active_parameters() -> None:
    mixture = decode_tokens_per_s(
        a_model(params_b=80.0, active_params_b=8.0), "none", a_gpu(), context_tokens=1
    )
    dense = decode_tokens_per_s(a_model(), "none", a_gpu(), context_tokens=1)
    assert mixture == pytest.approx(dense)


def test_bitsandbytes_saves_memory_and_hardly_time() -> None:
    full = decode_tokens_per_s(a_model(), "none", a_gpu())
    four_bit = decode_tokens_per_s(a_model(), "nf4", a_gpu())
    assert full is not None
    assert four_bit == pytest.approx(full, rel=0.25)


def test_unknown_size_gives_no_speed_and_no_cost() -> None:
    hosted = a_model(params_b=None)
    assert decode_tokens_per_s(hosted, "none", a_gpu()) is None
    assert self_hosted_usd_per_mtok(hosted, "none", a_gpu()) is None


def test_an_accelerator_that_nobody_rents_out_has_no_cost() -> None:
    assert self_hosted_usd_per_mtok(a_model(), "none", a_gpu(usd_per_hour=None)) is None


def test_the_cost_is_the_rate_over_the_tokens_of_an_hour() -> None:
    cost = self_hosted_usd_per_mtok(a_model(), "none", a_gpu())
    assert cost is not None
    assert cost.gpu_count == 1
    assert cost.usd_per_mtok == pytest.approx(2.0 / (cost.tokens_per_s * 3600) * 1e6)


def test_more_requests_at_once_make_tokens_cheaper() -> None:
    one = self_hosted_usd_per_mtok(a_model(), "none", a_gpu(), concurrency=1)
    many = self_hosted_usd_per_mtok(a_model(), "none", a_gpu(), concurrency=32)
    assert one is not None
    assert many is not None
    assert many.usd_per_mtok < one.usd_per_mtok / 5


def test_a_model_too_large_for_one_card_takes_several() -> None:
    cost = self_hosted_usd_per_mtok(a_model(params_b=70.0), "none", a_gpu())
    assert cost is not None
    assert cost.gpu_count == 2


def test_the_basis_states_formula_and_assumptions_in_both_languages() -> None:
    cost = self_hosted_usd_per_mtok(a_model(), "none", a_gpu(), concurrency=4)
    assert cost is not None
    for text in (cost.basis.en, cost.basis.zh):
        assert "Card" in text
        assert "$2.00" in text
        assert "4" in text
    assert "Estimate" in cost.basis.en
    assert "估算" in cost.basis.zh
