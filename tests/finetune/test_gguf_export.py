"""GGUF export with a converter on the PATH that works, fails, or writes another model: what is kept and what is said."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from finetune.recipes.gguf_export import NotExported, export_gguf

TEMPLATE = "{% for message in messages %}{{ message.content }}!{% endfor %}"


@pytest.fixture(scope="module")
def merged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Llama that reads bytes, as a fine-tune leaves it once merged."""
    folder = tmp_path_factory.mktemp("merged")
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    pairs = [("i", "n"), ("in", "v"), ("Ġ", "i")]
    vocabulary = {token: n for n, token in enumerate([*alphabet, *("".join(pair) for pair in pairs)])}
    bytes_ = Tokenizer(models.BPE(vocabulary, pairs))
    bytes_.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bytes_.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bytes_, bos_token="!", eos_token="!", unk_token="!", chat_template=TEMPLATE
    )
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(vocabulary), hidden_size=64, intermediate_size=96, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=256,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


def converter_with(fault: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.mkdir()
    script = folder / "convert_hf_to_gguf.py"
    source = Path(__file__).with_name("tiny_converter.py").read_text()
    script.write_text(f"#!{sys.executable}\n{source}")
    script.chmod(0o755)
    (folder / "fault.py").write_text(f"FAULT = {fault!r}\n")
    monkeypatch.setenv("PATH", str(folder))
    # As the worker starts its children: with this, a script does not find what lies beside it.
    monkeypatch.setenv("PYTHONSAFEPATH", "1")


def test_a_file_that_is_the_merged_model_is_kept(
    merged: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    converter_with("", tmp_path / "bin", monkeypatch)
    file = tmp_path / "model.gguf"
    found = export_gguf(merged, file, "causal")
    assert file.read_bytes().startswith(b"GGUF")
    assert (found["chat_template"], found["converter"]) == ("kept", "convert_hf_to_gguf.py")
    assert found["weights"] == len(LlamaForCausalLM.from_pretrained(merged).state_dict())
    assert found["max_abs_logit_difference"] < 0.01


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("weight", "its weight model.layers.0.self_attn.v_proj.weight is not that of the merged model"),
        ("template", "its chat template is not that of the merged model"),
        ("fails", "the converter failed (NotImplementedError: BPE pre-tokenizer was not recognized)"),
        ("garbage", "could not be read back"),
    ],
)
def test_any_other_file_is_not_kept_and_the_reason_is_said(
    merged: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str, said: str
) -> None:
    converter_with(fault, tmp_path / "bin", monkeypatch)
    with pytest.raises(NotExported) as refused:
        export_gguf(merged, tmp_path / "model.gguf", "causal")
    assert said in refused.value.reason.en
    assert "GGUF" in refused.value.reason.zh
    assert [file.name for file in tmp_path.iterdir()] == ["bin"]


def test_without_a_converter_the_merged_model_is_pointed_to(
    merged: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotExported, match=r"neither convert_hf_to_gguf\.py .* is on the PATH"):
        export_gguf(merged, tmp_path / "model.gguf", "causal")


def test_a_classifier_is_refused_before_anything_is_converted(
    merged: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    converter_with("", tmp_path / "bin", monkeypatch)
    with pytest.raises(NotExported, match="only causal models"):
        export_gguf(merged, tmp_path / "model.gguf", "classifier")
    assert shutil.which("convert_hf_to_gguf.py")
