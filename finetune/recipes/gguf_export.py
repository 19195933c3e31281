"""Turn a merged model into a GGUF file by llama.cpp's own converter, and prove that the file is that model.

The file is read back: every weight must be the merged one as rounded to 16 bits, the chat template must still be there,
the same text must give the same tokens and logits within rounding. What is not so is not kept, and the reason is said.
"""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from gguf import GGUFReader
from transformers import AutoModelForCausalLM, AutoTokenizer

from finetune.architecture import Kind
from index.bilingual import Bilingual
from index.sealing import DATA_KEY

logger = logging.getLogger(__name__)

CONVERTERS = ("convert_hf_to_gguf.py", "convert-hf-to-gguf")
"""llama.cpp's script, and the command of the package that carries it."""
_HALF_ROUNDING = 2.0**-11
_HALF_SMALLEST = 2.0**-24
_LOGITS_APART = 0.2
"""Logits reach tens; these are of weights that are rounded to 11 bits."""
_TIME_LIMIT_S = 3600


class NotExported(Exception):
    """No GGUF file was kept, and this is why."""

    def __init__(self, reason: Bilingual) -> None:
        super().__init__(reason.en)
        self.reason = reason


def export_gguf(merged: Path, file: Path, kind: Kind) -> dict[str, Any]:
    """Convert the folder of a merged model, compare, and say how it compares; NotExported when there is no file."""
    if kind != "causal":
        raise NotExported(_only_writers())
    converter = find_converter()
    if converter is None:
        raise NotExported(_no_converter())
    unfinished = file.with_name(f".unfinished-{file.name}")
    try:
        _convert(converter, merged, unfinished)
        found = _compared(merged, unfinished)
        unfinished.rename(file)
    finally:
        unfinished.unlink(missing_ok=True)
    return {**found, "converter": Path(converter).name, "bytes": file.stat().st_size}


def find_converter() -> str | None:
    """The converter on the PATH."""
    return next((found for name in CONVERTERS if (found := shutil.which(name))), None)


def _convert(converter: str, merged: Path, file: Path) -> None:
    # The script imports what lies beside it, and its own version of gguf: ours must not lead.
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in ("PYTHONSAFEPATH", "PYTHONPATH", DATA_KEY)
    }
    try:
        ended = subprocess.run(
            [converter, str(merged), "--outtype", "f16", "--outfile", str(file)],
            check=False, capture_output=True, text=True, env=kept, timeout=_TIME_LIMIT_S,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotExported(_not_converted(str(error))) from error
    if ended.returncode != 0 or not file.is_file():
        logger.warning("converter failed: %s", ended.stderr[-2000:])
        raise NotExported(_not_converted((ended.stderr.strip() or "it gave no reason").splitlines()[-1]))


def _compared(merged: Path, file: Path) -> dict[str, Any]:
    """Weights, chat template, tokens and logits of the file against those of the folder."""
    try:
        place = {"pretrained_model_name_or_path": file.parent, "gguf_file": file.name}
        read = AutoModelForCausalLM.from_pretrained(**place, dtype=torch.float32)
        tokenizer = AutoTokenizer.from_pretrained(**place)
        template = GGUFReader(file).get_field("tokenizer.chat_template")
    except Exception as error:  # readers of a format raise whatever they like
        logger.warning("the GGUF file was not read back", exc_info=True)
        raise NotExported(_not_readable(type(error).__name__)) from error
    model = AutoModelForCausalLM.from_pretrained(merged, dtype=torch.float32, use_safetensors=True)
    theirs = AutoTokenizer.from_pretrained(merged)
    weights = _weights_apart(model.state_dict(), read.state_dict())
    if (template.contents() if template else None) != theirs.chat_template:
        raise NotExported(_other("chat template", "对话模板"))
    return {"weights": weights, "chat_template": "kept" if template else None} | _answers_apart(
        (model, theirs), (read, tokenizer)
    )


def _weights_apart(ours: Mapping[str, torch.Tensor], theirs: Mapping[str, torch.Tensor]) -> int:
    """How many weights are the same but for their rounding; NotExported when one is not."""
    for name, weight in ours.items():
        other = theirs.get(name)
        allowed = weight.abs() * _HALF_ROUNDING + _HALF_SMALLEST
        if other is None or other.shape != weight.shape or bool(((weight - other).abs() > allowed).any()):
            raise NotExported(_other(f"weight {name}", f"权重 {name}"))
    return len(ours)


@torch.inference_mode()
def _answers_apart(ours: tuple[Any, Any], theirs: tuple[Any, Any]) -> dict[str, float]:
    ids, other_ids = (pair[1](_PROBE)["input_ids"] for pair in (ours, theirs))
    if ids != other_ids:
        raise NotExported(_other("tokenizer", "分词器"))
    logits, other = (pair[0](input_ids=torch.tensor([ids])).logits[0] for pair in (ours, theirs))
    difference = float((logits - other).abs().max())
    if difference > _LOGITS_APART:
        raise NotExported(_other("next tokens of a text", "下一词元的预测"))
    return {"max_abs_logit_difference": difference}


_PROBE = "The invoice of March is wrong: 1,234.50 instead of 234.50. 请问如何申请退款？\n  def add(a, b):\n\treturn a + b"


def _no_converter() -> Bilingual:
    return Bilingual(
        en=f"No GGUF file was made: neither {CONVERTERS[0]} of llama.cpp nor {CONVERTERS[1]} is on the PATH of the "
        "worker. The merged model in safetensors is there to be converted.",
        zh=f"未生成 GGUF 文件：worker 的 PATH 中既没有 llama.cpp 的 {CONVERTERS[0]}，也没有 {CONVERTERS[1]}。"
        "已保留 safetensors 格式的合并模型，可自行转换。",
    )


def _only_writers() -> Bilingual:
    return Bilingual(
        en="No GGUF file was made: only causal models can be compared in that format here. "
        "The merged model in safetensors is there.",
        zh="未生成 GGUF 文件：该格式目前只能校验因果语言模型。已保留 safetensors 格式的合并模型。",
    )


def _not_converted(why: str) -> Bilingual:
    return Bilingual(
        en=f"No GGUF file was made: the converter failed ({why}). The merged model in safetensors is there.",
        zh=f"未生成 GGUF 文件：转换失败（{why}）。已保留 safetensors 格式的合并模型。",
    )


def _not_readable(why: str) -> Bilingual:
    return Bilingual(
        en=f"No GGUF file was kept: it could not be read back to be compared ({why}). "
        "The merged model in safetensors is there.",
        zh=f"未保留 GGUF 文件：无法读回校验（{why}）。已保留 safetensors 格式的合并模型。",
    )


def _other(what: str, what_zh: str) -> Bilingual:
    return Bilingual(
        en=f"No GGUF file was kept: its {what} is not that of the merged model. The merged model in safetensors is "
        "there.",
        zh=f"未保留 GGUF 文件：其{what_zh}与合并模型不一致。已保留 safetensors 格式的合并模型。",
    )
