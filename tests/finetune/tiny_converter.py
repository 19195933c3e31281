"""A converter with the shape of llama.cpp's, for tiny Llamas: a folder of safetensors in, a GGUF file in f16 out.

Copied beside a module `fault` and run as a command of its own; `fault.FAULT` names what it does wrong.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import gguf
import numpy as np
from fault import FAULT  # type: ignore[import-not-found]
from safetensors.numpy import load_file


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("model", type=Path)
    parser.add_argument("--outtype")
    parser.add_argument("--outfile", type=Path)
    given = parser.parse_args()
    if FAULT == "fails":
        sys.exit("NotImplementedError: BPE pre-tokenizer was not recognized")
    config = json.loads((given.model / "config.json").read_text())
    writer = gguf.GGUFWriter(given.outfile, "llama")
    write_shape(writer, config)
    write_tokenizer(writer, given.model)
    write_weights(writer, given.model, config)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    if FAULT == "garbage":
        given.outfile.write_bytes(b"GGUF of something else")


def write_shape(writer: gguf.GGUFWriter, config: dict[str, int]) -> None:
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_freq_base(10_000.0)
    writer.add_vocab_size(config["vocab_size"])


def write_tokenizer(writer: gguf.GGUFWriter, folder: Path) -> None:
    model = json.loads((folder / "tokenizer.json").read_text())["model"]
    tokens = sorted(model["vocab"], key=model["vocab"].__getitem__)
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(tokens)
    writer.add_token_types([1] * len(tokens))
    writer.add_token_merges([" ".join(merge) for merge in model["merges"]])
    for add in (writer.add_bos_token_id, writer.add_eos_token_id, writer.add_unk_token_id):
        add(model["vocab"]["!"])
    template = folder / "chat_template.jinja"
    if template.is_file() and FAULT != "template":
        writer.add_chat_template(template.read_text())


def write_weights(writer: gguf.GGUFWriter, folder: Path, config: dict[str, int]) -> None:
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, config["num_hidden_layers"])
    heads = {"q_proj": config["num_attention_heads"], "k_proj": config["num_key_value_heads"]}
    for name, weight in load_file(folder / "model.safetensors").items():
        part = name.split(".")[-2]
        stored = rotated(weight, heads[part]) if part in heads else weight
        if FAULT == "weight" and part == "v_proj":
            stored = stored * 1.01
        told = names.get_name(name, try_suffixes=(".weight",))
        writer.add_tensor(told, stored.astype(np.float16 if weight.ndim > 1 else np.float32))


def rotated(weight: np.ndarray, heads: int) -> np.ndarray:
    """llama.cpp rotates neighbours, transformers halves."""
    halves = weight.reshape(heads, 2, -1, weight.shape[-1])
    return halves.swapaxes(1, 2).reshape(weight.shape)


if __name__ == "__main__":
    main()
