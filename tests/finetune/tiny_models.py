"""Builders of tiny models of real architectures, with random weights and a tokenizer of whole words."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, pre_tokenizers
from tokenizers.models import WordLevel
from tokenizers.processors import TemplateProcessing
from transformers import (
    BartConfig,
    BartForConditionalGeneration,
    BertConfig,
    BertForSequenceClassification,
    BertModel,
    DistilBertConfig,
    DistilBertModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaForSequenceClassification,
    RobertaModel,
    T5Config,
    T5ForConditionalGeneration,
)

LABELS = ("billing", "bug", "how to")
WORDS = re.findall(
    r"\w+",
    "my invoice is wrong the app crashes on start where do i find a button please and then again "
    "billing bug how to say it red green",
)
SPECIAL = ("<pad>", "<s>", "</s>", "<unk>", "<mask>")
VOCABULARY = {word: number for number, word in enumerate((*SPECIAL, *dict.fromkeys(WORDS)))}
SIZE = {"hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
IDS = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}


def tokenizer(template: str = "<s> $A </s>") -> Any:
    words = Tokenizer(WordLevel(VOCABULARY, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    if template:
        ends = [(token, VOCABULARY[token]) for token in ("<s>", "</s>")]
        words.post_processor = TemplateProcessing(single=template, special_tokens=ends)
    return PreTrainedTokenizerFast(
        tokenizer_object=words, pad_token="<pad>", bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    )


def classifier(labels: tuple[str, ...] = LABELS, kind: str = "bert", seed: int = 0) -> Any:
    torch.manual_seed(seed)
    names = {"id2label": dict(enumerate(labels)), "label2id": {label: n for n, label in enumerate(labels)}}
    shape = {**SIZE, **IDS, **names, "vocab_size": len(VOCABULARY), "max_position_embeddings": 64}
    if kind == "roberta":
        return RobertaForSequenceClassification(RobertaConfig(**shape)).eval()
    return BertForSequenceClassification(BertConfig(**shape)).eval()


def bare_encoder() -> Any:
    torch.manual_seed(0)
    return BertModel(BertConfig(**SIZE, **IDS, vocab_size=len(VOCABULARY), max_position_embeddings=64)).eval()


def encoder_without_pooler() -> Any:
    """As many are published that were made for vectors."""
    torch.manual_seed(0)
    config = BertConfig(**SIZE, **IDS, vocab_size=len(VOCABULARY), max_position_embeddings=64)
    return BertModel(config, add_pooling_layer=False).eval()


def distilled_encoder() -> Any:
    torch.manual_seed(0)
    config = DistilBertConfig(
        dim=64, hidden_dim=64, n_layers=2, n_heads=4, pad_token_id=0,
        vocab_size=len(VOCABULARY), max_position_embeddings=64,
    )  # fmt: skip
    return DistilBertModel(config).eval()


def roberta_encoder() -> Any:
    torch.manual_seed(0)
    config = RobertaConfig(**SIZE, **IDS, vocab_size=len(VOCABULARY), max_position_embeddings=64)
    return RobertaModel(config, add_pooling_layer=False).eval()


def t5(seed: int = 0) -> Any:
    torch.manual_seed(seed)
    shape = {"d_model": 64, "d_kv": 16, "d_ff": 64, "num_layers": 2, "num_heads": 4}
    config = T5Config(**shape, vocab_size=len(VOCABULARY), pad_token_id=0, eos_token_id=2)
    config.decoder_start_token_id = 0
    return T5ForConditionalGeneration(config).eval()


def bart(seed: int = 0) -> Any:
    torch.manual_seed(seed)
    sides = {
        f"{side}_{name}": value
        for side in ("encoder", "decoder")
        for name, value in {"layers": 2, "attention_heads": 4, "ffn_dim": 64}.items()
    }
    config = BartConfig(
        **sides, **IDS, d_model=64, vocab_size=len(VOCABULARY), max_position_embeddings=128, num_beams=4
    )
    config.decoder_start_token_id = 2
    return BartForConditionalGeneration(config).eval()


def causal(seed: int = 0, hidden: int = 64) -> Any:
    torch.manual_seed(seed)
    shape = {**SIZE, "hidden_size": hidden, "num_key_value_heads": 2, "max_position_embeddings": 128}
    return LlamaForCausalLM(LlamaConfig(**shape, **IDS, vocab_size=len(VOCABULARY))).eval()


def saved(folder: Path, model: Any, template: str = "<s> $A </s>") -> Path:
    model.save_pretrained(folder)
    tokenizer(template).save_pretrained(folder)
    return folder


def rows_of(n: int) -> list[dict[str, str]]:
    """Rows of the label set: words in another order and number each time."""
    return [
        {
            "text": " ".join(WORDS[(row * 7 + i) % len(WORDS)] for i in range(3 + row % 9)) + f" {row}",
            "label": LABELS[row % 3],
        }
        for row in range(n)
    ]
