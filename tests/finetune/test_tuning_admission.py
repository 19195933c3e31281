"""Fine-tunes that can never end well, refused in a sentence before a weight is loaded."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from finetune.admission import admission
from finetune.architecture import Architecture, StoredFormat
from finetune.device import Device
from finetune.models import resolve
from finetune.spec import Candidate, DatasetRef, TuningSpec
from finetune.tuning_admission import (
    context_tokens,
    require_learner,
    require_tunable,
    tuning_need,
    ways_that_fit,
    would_fit,
)
from index.catalogue import Catalogue
from index.errors import BadInput
from tests.finetune import tiny_models as tiny

GPU = Device(name="NVIDIA GeForce RTX 4090", free_gib=23.0, is_gpu=True, compute_capability=(8, 9))
SMALL_GPU = replace(GPU, name="NVIDIA T4", free_gib=14.5)


def spec(rows: int = 200, model: str = "acme/m", task: Any = "classification", **settings: Any) -> TuningSpec:
    labels = tiny.LABELS if task == "classification" else ()
    dataset = DatasetRef(name="tickets.csv", sha256="0" * 64, rows=rows, labels=labels, task=task)
    return TuningSpec(base_model=model, dataset=dataset, **settings)


@pytest.fixture(scope="module")
def causal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.saved(tmp_path_factory.mktemp("causal") / "model", tiny.causal(), template="")


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.saved(tmp_path_factory.mktemp("encoder") / "model", tiny.bare_encoder())


def refusal(folder: Path, **settings: Any) -> BadInput:
    with pytest.raises(BadInput) as caught:
        require_tunable(spec(model=str(folder), **settings), resolve(str(folder)), folder)
    assert caught.value.message.zh != caught.value.message.en
    return caught.value


def test_twelve_rows_are_too_few_and_what_to_do_instead_is_said(causal: Path) -> None:
    said = refusal(causal, rows=12).message
    assert said.en.startswith("tickets.csv has 12 rows, and a fine-tune needs at least 20")
    assert "--examples" in said.en
    assert "12 行" in said.zh
    assert "has 15 rows" in refusal(causal, rows=900, limit=15).message.en
    require_tunable(spec(rows=20, model=str(causal)), resolve(str(causal)), causal)


def test_a_search_needs_rows_to_choose_by(causal: Path) -> None:
    assert "40 rows to learn from are too few" in refusal(causal, rows=50, search=3).message.en
    require_tunable(spec(rows=80, model=str(causal), search=3), resolve(str(causal)), causal)


def test_a_folder_without_a_tokenizer_is_refused(causal: Path, tmp_path: Path) -> None:
    folder = tmp_path / "bare"
    shutil.copytree(causal, folder, ignore=shutil.ignore_patterns("tokenizer*"))
    assert "has no tokenizer" in refusal(folder).message.en


def test_rows_may_not_be_longer_than_the_context(causal: Path) -> None:
    assert "max_tokens is 4000 and" in refusal(causal, max_tokens=4000).message.en
    assert "takes at most 128" in refusal(causal, max_tokens=129).message.en
    require_tunable(spec(model=str(causal), max_tokens=128), resolve(str(causal)), causal)
    roberta = Architecture(kind="encoder", config={"max_position_embeddings": 514, "model_type": "roberta"})
    assert context_tokens(roberta) == 512
    assert context_tokens(Architecture(kind="seq2seq", config={"n_positions": 512})) is None


def test_an_encoder_learns_labels_only(encoder: Path) -> None:
    assert "can learn labels, not generation" in refusal(encoder, task="generation").message.en


def test_qlora_needs_weights_that_are_not_quantized_yet() -> None:
    stored = Architecture(kind="causal", stored=StoredFormat(method="gptq", bits=4))
    with pytest.raises(BadInput, match="is stored as gptq 4-bit already"):
        require_learner(stored, spec(method="qlora"))


def test_what_does_not_fit_comes_with_what_would() -> None:
    fact = Catalogue.load().require("Qwen/Qwen3-8B")
    need = tuning_need(spec(), fact, SMALL_GPU, row_tokens=512)
    assert need.cannot_fit
    ways = would_fit(ways_that_fit(spec(), fact, SMALL_GPU, row_tokens=512))
    assert "the method qlora" in ways.en
    assert "the smaller model Qwen/Qwen3-" in ways.en
    assert "qlora" in ways.zh
    assert not tuning_need(spec(method="qlora"), fact, SMALL_GPU, row_tokens=512).cannot_fit


def test_rows_that_are_too_long_for_the_memory_are_told_a_length_that_fits() -> None:
    fact = Catalogue.load().require("Qwen/Qwen3-8B")
    long = spec(gradient_checkpointing=False)
    said = would_fit(ways_that_fit(long, fact, GPU, row_tokens=16_384)).en
    assert "max_tokens of " in said
    assert (
        "gradient_checkpointing left to itself"
        in would_fit(ways_that_fit(long, fact, GPU, row_tokens=2048)).en
    )


def test_a_cpu_computes_in_32_bits_and_needs_twice_as_much() -> None:
    fact = Catalogue.load().require("Qwen/Qwen3-0.6B")
    cpu = Device(name="CPU", free_gib=20.0)
    on_cpu = tuning_need(spec(), fact, cpu, row_tokens=256).least
    on_gpu = tuning_need(spec(), fact, GPU, row_tokens=256).least
    assert on_cpu is not None
    assert on_gpu is not None
    assert on_cpu.weights_gib == pytest.approx(2 * on_gpu.weights_gib)


def test_nothing_is_claimed_of_a_model_of_unknown_size() -> None:
    need = tuning_need(spec(), None, GPU, row_tokens=512)
    assert (need.asked, need.least, need.cannot_fit) == (None, None, False)
    assert "smaller model" in would_fit(ways_that_fit(spec(), None, GPU, row_tokens=512)).en


def test_an_adapter_is_not_put_on_another_base(causal: Path, tmp_path: Path) -> None:
    def found(base: str, model: Path) -> Any:
        (tmp_path / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": base}))
        candidate = Candidate(model=str(model), adapter=str(tmp_path))
        return admission(candidate, spec().dataset, ["a text"], GPU, models=tmp_path).refusal

    other = found("Qwen/Qwen3-8B", causal)
    assert "was trained on Qwen/Qwen3-8B, not on" in other.en
    assert "Qwen/Qwen3-8B" in other.zh
    assert found(str(causal), causal) is None
    assert found(f"/somewhere/else/{causal.name}", causal) is None, "a folder that was moved"
