"""team.yaml: the team's own models, prices and accelerators, and clear words about what is wrong in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from index.catalogue.gpus import find_gpu, gpus, use_gpus
from index.catalogue.home import open_catalogue
from index.errors import BadInput
from index.prices import hosted_price, use_prices
from skills.conversation.request import Requirements
from skills.ranking.ability import fit
from skills.ranking.shortlist import build

OWN_MODEL = """
models:
  - id: acme/support-8b
    based_on: Qwen/Qwen3-8B
    licence: Apache-2.0
    url: https://wiki.example/support-8b
"""


@pytest.fixture(autouse=True)
def nothing_in_force() -> Iterator[None]:
    yield
    use_prices({})
    use_gpus(())


def a_home(folder: Path, text: str) -> Path:
    (folder / "team.yaml").write_text(text, encoding="utf-8")
    return folder


def refusal(home: Path) -> str:
    with pytest.raises(BadInput) as raised:
        open_catalogue(home)
    assert "无法使用" in raised.value.to("zh")
    return raised.value.to("en")


def test_an_own_model_has_the_architecture_of_what_it_is_based_on(tmp_path: Path) -> None:
    catalogue = open_catalogue(a_home(tmp_path, OWN_MODEL))
    model = catalogue.require("support 8b")
    assert (model.id, model.n_layers, model.n_kv_heads) == ("acme/support-8b", 36, 8)
    assert model.sources[0].url == "https://wiki.example/support-8b"
    assert catalogue.evidence_of(model.id) == ()


def test_an_own_model_may_state_everything_itself(tmp_path: Path) -> None:
    text = """
models:
  - id: acme/tiny
    kind: encoder
    architecture: encoder
    open_weights: true
    params_b: 0.1
    n_layers: 12
    n_heads: 12
    n_kv_heads: 12
"""
    assert open_catalogue(a_home(tmp_path, text)).models["acme/tiny"].n_layers == 12


def test_an_own_model_is_ranked(tmp_path: Path) -> None:
    catalogue = open_catalogue(a_home(tmp_path, OWN_MODEL))
    abilities = fit(list(catalogue.models.values()), catalogue.evidence)
    asked = Requirements(
        task="summarization", max_memory_gib=24.0, candidates=("acme/support-8b", "Qwen/Qwen3-4B")
    )
    ranked = build(asked, catalogue=catalogue, abilities=abilities).ranked
    assert "acme/support-8b" in {item.option.model.id for item in ranked}


def test_an_own_price_comes_before_the_list_price(tmp_path: Path) -> None:
    text = """
prices:
  - model: gpt-4.1
    input_usd_per_mtok: 1.1
    output_usd_per_mtok: 4.4
    provider: our contract
"""
    open_catalogue(a_home(tmp_path, text))
    price = hosted_price("openai/gpt-4.1")
    assert price is not None
    assert (price.provider, price.input_usd_per_mtok, price.source.name) == ("our contract", 1.1, "team.yaml")


def test_an_own_rate_is_laid_over_a_known_accelerator(tmp_path: Path) -> None:
    open_catalogue(a_home(tmp_path, "gpus:\n  - {name: '4090', usd_per_hour: 0.11}\n"))
    card = find_gpu("RTX 4090")
    assert card is not None
    assert (card.usd_per_hour, card.memory_gib) == (0.11, 24)
    assert [gpu.name for gpu in gpus()].count("RTX 4090") == 1


def test_an_accelerator_of_ones_own_is_known(tmp_path: Path) -> None:
    text = "gpus:\n  - {name: Rack Card, memory_gib: 48, bandwidth_gb_s: 900, usd_per_hour: 0.8}\n"
    open_catalogue(a_home(tmp_path, text))
    assert find_gpu("rack card") is not None


def test_another_home_does_not_inherit_prices_or_accelerators(tmp_path: Path) -> None:
    open_catalogue(a_home(tmp_path, "gpus:\n  - {name: '4090', usd_per_hour: 0.11}\n"))
    (tmp_path / "other").mkdir()
    open_catalogue(tmp_path / "other")
    card = find_gpu("RTX 4090")
    assert card is not None
    assert card.usd_per_hour != 0.11


def test_no_file_and_an_empty_file_add_nothing(tmp_path: Path) -> None:
    shipped = open_catalogue(tmp_path)
    empty = open_catalogue(a_home(tmp_path, "# nothing yet\n"))
    assert list(empty.models) == list(shipped.models)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "prices:\n  - {model: gpt-4.1, input_usd_per_mtok: 0}",
            ["line 2", "input_usd_per_mtok", "above zero, not 0"],
        ),
        ("prices:\n  - {model: gpt-4.1, input_usd_per_mtok: -2}", ["above zero, not -2"]),
        ("prices:\n  - {model: gpt-4.1, input_usd_per_mtok: .inf}", ["above zero, not inf"]),
        (
            "prices:\n  - {model: gpt-4.1, input_usd_per_mtok: cheap}",
            ["input_usd_per_mtok cannot be 'cheap'"],
        ),
        ("prices:\n  - {model: gpt-4.1}", ["'input_usd_per_mtok' is missing"]),
        (
            "prices:\n  - {model: no-such-model-9b, input_usd_per_mtok: 1}",
            ["unknown model 'no-such-model-9b'"],
        ),
        ("gpus:\n  - {name: RTX 9999, usd_per_hour: 1}", ["line 2", "unknown accelerator 'RTX 9999'"]),
        ("gpus:\n  - {name: L4, usd_per_hour: 0}", ["usd_per_hour must be above zero"]),
        (
            "gpus:\n  - {name: L4, usd_per_hour: 1}\n  - {name: l4, usd_per_hour: 2}",
            ["'l4' is there 2 times"],
        ),
        ("gpus:\n  - {name: L4, price: 1}", ["unknown field 'price'"]),
        ("models:\n  - {id: support-8b}", ["organisation/name"]),
        ("models:\n  - {id: acme/support-8b}", ["needs kind, architecture, open_weights"]),
        ("models:\n  - {id: acme/x, based_on: no-such-7b}", ["unknown model 'no-such-7b'"]),
        ("models:\n  - {id: acme/x, based_on: Qwen/Qwen3-8B, kind: clever}", ["kind must be", "'clever'"]),
        (
            "models:\n  - {id: acme/x, based_on: Qwen/Qwen3-8B, n_heads: 32, n_kv_heads: 6}",
            ["6 KV heads do not divide 32 heads"],
        ),
        ("models:\n  - {id: acme/x, based_on: Qwen/Qwen3-8B, release_date: '2999-01-01'}", ["no date up to"]),
        ("models: [", ["line 1", "not valid YAML"]),
        ("- a list", ["cannot be"]),
        ("modles: []", ["unknown field 'modles'"]),
    ],
)
def test_what_is_wrong_is_said_with_its_line_and_value(tmp_path: Path, text: str, words: list[str]) -> None:
    said = refusal(a_home(tmp_path, text))
    for word in words:
        assert word in said


def test_all_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    said = refusal(a_home(tmp_path, "gpus:\n  - {name: RTX 9999}\n  - {name: RTX 8888}\n"))
    assert "RTX 9999" in said
    assert "RTX 8888" in said


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "team.yaml").write_bytes(b"\xff\xfe\x00")
    assert "UTF-8" in refusal(tmp_path)


def test_a_damaged_file_of_an_earlier_refresh_is_named(tmp_path: Path) -> None:
    (tmp_path / "catalogue").mkdir()
    (tmp_path / "catalogue" / "refreshed.json").write_text("{", encoding="utf-8")
    assert "refreshed.json is damaged" in refusal(tmp_path)
