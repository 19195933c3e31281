"""Turn the built-in GGUF model into a folder of safetensors: `python -m finetune.recipes.convert HOME`.

Loading the GGUF file takes about 20 seconds, the folder a tenth of one. The other recipes convert on first
use; run this beforehand to have it done, as an installation does.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import torch
from filelock import FileLock
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging

from finetune.models import SMOLLM2, models_folder, resolve, smollm2_folder


def converted(gguf: Path, models: Path) -> Path:
    """Return the folder with the built-in model, converted from `gguf` if nobody has done so before."""
    folder = smollm2_folder(models)
    models.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not folder.is_dir():
            unfinished = folder.with_name(f".{folder.name}.unfinished")
            shutil.rmtree(unfinished, ignore_errors=True)
            _convert(gguf, unfinished)
            unfinished.rename(folder)
    return folder


def _convert(gguf: Path, folder: Path) -> None:
    logging.disable_progress_bar()
    place = {"pretrained_model_name_or_path": gguf.parent, "gguf_file": gguf.name}
    tokenizer = AutoTokenizer.from_pretrained(**place)
    model = AutoModelForCausalLM.from_pretrained(**place, dtype=torch.float32)
    # The weights are plain fp32 by now, but the model still says that it is quantized and refuses to be saved.
    model.hf_quantizer = None
    del model.config.quantization_config
    model.is_quantized, model.quantization_method = False, None
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


if __name__ == "__main__":
    location = resolve(SMOLLM2)
    if location.path is not None:
        print(converted(location.path, models_folder(Path(sys.argv[1]))))  # noqa: T201 - the answer of a command
