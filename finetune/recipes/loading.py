"""Turn a candidate's name, quantization and adapter into a model that is ready to be asked.

Weights come from safetensors only and no code of a model's own is run. Unless asked otherwise a model computes in
bf16 on a GPU and in fp32 on a CPU: bf16 is several times slower on CPUs without instructions for it. A checkpoint
that was quantized before it was published stays as it is stored.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import logging
import os
import platform
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
import transformers
from huggingface_hub.utils import disable_progress_bars
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BitsAndBytesConfig,
)

from finetune.architecture import Architecture, Kind, architecture_of
from finetune.models import ModelLocation, models_folder
from finetune.recipes.convert import converted
from finetune.recipes.job_dir import Context
from index.bilingual import Bilingual
from index.errors import BadInput, JobFailed
from index.records import Quantization

logger = logging.getLogger(__name__)

TRAINING_TEXTS = "training_texts.json"
"""In an adapter's folder: hashes of the texts that it was trained on."""

_AUTO: dict[Kind, Any] = {
    "causal": AutoModelForCausalLM,
    "seq2seq": AutoModelForSeq2SeqLM,
    "classifier": AutoModelForSequenceClassification,
}
_LAST_LAYERS = ("classifier", "score")
"""What transformers calls the last layer of a classifier; PEFT learns and keeps these by itself."""
_HEADS = ("pre_classifier", "pooler", "head")
"""What may stand before it."""
PACKAGES = ("torch", "transformers", "peft", "bitsandbytes", "accelerate", "tokenizers")
_SAMPLED_BYTES = 2**20


def prepare_libraries(context: Context) -> torch.device:
    """Quieten the libraries, limit the threads, and return the device to work on."""
    warnings.filterwarnings("ignore", module="transformers|peft|bitsandbytes|torch|accelerate")
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    disable_progress_bars()
    torch.set_num_threads(context.threads)
    return torch.device("cuda", 0) if torch.cuda.is_available() else torch.device("cpu")


def load_tokenizer(location: ModelLocation, context: Context) -> Any:
    """Load the tokenizer that belongs to the model."""
    return AutoTokenizer.from_pretrained(
        _place(location, context), trust_remote_code=False, **_pinned(location)
    )


def load_model(
    location: ModelLocation,
    context: Context,
    quantization: Quantization,
    device: torch.device,
    *,
    adapter: str | None = None,
    architecture: Architecture | None = None,
) -> Any:
    """Load a model, quantized on loading, with a tuned adapter on top if given; a causal one unless told."""
    made = architecture or Architecture(kind="causal")
    try:
        model, found = _AUTO[made.kind].from_pretrained(
            _place(location, context),
            dtype="auto" if made.stored else dtype_for(quantization, device),
            device_map={"": device},
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
            ignore_mismatched_sizes=made.has_new_head,
            **_quantized(quantization, device, made.kind),
            **_head(made),
            **_pinned(location),
        )
        _forbid_repacking(model)
        model.made_up = made_up_modules(found["missing_keys"])
        if adapter is None and not made.has_new_head:
            _require_weights(location.id, model, found["missing_keys"])
        return (with_adapter(model, adapter) if adapter else model).eval()
    except torch.OutOfMemoryError as error:
        raise _no_room(location.id, quantization) from error
    # What an incomplete or unsupported checkpoint raises is as varied as checkpoints are.
    except (OSError, ValueError, KeyError, RuntimeError, ImportError, AttributeError) as error:
        logger.exception("model not loaded", extra={"model": location.id})
        raise _not_loaded(location.id, quantization, adapter) from error


def architecture_for(location: ModelLocation, context: Context, adapter: str | None) -> Architecture:
    """What kind of model it is; one that is built in is converted first."""
    place = Path(_place(location, context))
    return architecture_of(location, place if place.is_dir() else None, adapter)


def with_adapter(model: Any, adapter: str) -> Any:
    """Put a tuned adapter on top of its base."""
    from peft import PeftModel  # noqa: PLC0415 - takes seconds to import, and few candidates need it

    folder = Path(adapter)
    if not (folder / "adapter_config.json").is_file() or not (folder / "adapter_model.safetensors").is_file():
        raise BadInput(
            Bilingual(
                en=f"{adapter!r} is no adapter: I need a folder with adapter_config.json and "
                "adapter_model.safetensors, as a finished fine-tune leaves it.",
                zh=f"{adapter!r} 不是适配器：需要包含 adapter_config.json 和 adapter_model.safetensors 的文件夹，"
                "即微调任务完成后留下的文件夹。",
            )
        )
    return PeftModel.from_pretrained(model, adapter)


def texts_seen_in_training(adapter: str | None) -> frozenset[str]:
    """Hashes of the texts that an adapter was trained on: evaluating it on them would flatter it."""
    file = Path(adapter, TRAINING_TEXTS) if adapter else None
    return frozenset(json.loads(file.read_text("utf-8"))) if file and file.is_file() else frozenset()


def compute_dtype(device: torch.device) -> torch.dtype:
    """The precision to compute in."""
    return torch.bfloat16 if device.type == "cuda" else torch.float32


def dtype_for(quantization: Quantization, device: torch.device) -> torch.dtype:
    """The precision that was asked for, or the one that suits the device."""
    return {"bf16": torch.bfloat16, "fp16": torch.float16}.get(quantization, compute_dtype(device))


def max_tokens(model: Any) -> float:
    """The longest input that the model was made for; no limit where its configuration names none."""
    config = model.config.get_text_config()
    names = ("max_position_embeddings", "max_encoder_position_embeddings", "n_positions")
    length = next((value for name in names if (value := getattr(config, name, None))), None)
    return float(length - _reserved_positions(model)) if length else float("inf")


def _reserved_positions(model: Any) -> int:
    """RoBERTa and its kin count positions from behind the one of padding."""
    for name, module in model.named_modules():
        if name.endswith("position_embeddings") and getattr(module, "padding_idx", None) is not None:
            return int(module.padding_idx) + 1
    return 0


def revision_of(location: ModelLocation, model: Any) -> str:
    """Which weights exactly: the hub's commit, or a hash of the files."""
    if location.kind in ("hub", "cache") or location.path is None:
        return str(getattr(model.config, "_commit_hash", None) or "unknown")
    files = sorted(location.path.glob("*.safetensors")) if location.path.is_dir() else [location.path]
    return "sampled-sha256:" + sampled_hash(files)


def environment(context: Context, device: torch.device, *, seed: int) -> dict[str, str]:
    """All that is needed to trust or repeat a measurement, beside the spec."""
    cpu = f"CPU ({platform.machine()}), {context.threads} of {os.cpu_count()} threads"
    return {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else cpu,
        "dtype": str(compute_dtype(device)).removeprefix("torch."),
        "threads": str(context.threads),
        "seed": str(seed),
        "platform": platform.platform(),
        "python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in PACKAGES},
    }


def _place(location: ModelLocation, context: Context) -> str:
    """What `from_pretrained` is given: a folder on this machine, or a hub id to download."""
    if location.kind == "embedded" and location.path is not None:
        return str(converted(location.path, models_folder(context.home, shared=context.models)))
    return str(location.path or location.id)


def _pinned(location: ModelLocation) -> dict[str, Any]:
    """The commit that was looked at before the launch, so that what is pushed since is not run."""
    return {"revision": location.revision} if location.path is None and location.revision else {}


def made_up_modules(missing: Iterable[str]) -> list[str]:
    """The modules whose weights no file had, beside the last layer of a head: they are random, so they must be learned
    and kept whole. A pooler is one, where an encoder was published without."""
    modules = {weight.rpartition(".")[0] for weight in missing}
    return sorted(module for module in modules if module.split(".")[0] not in _LAST_LAYERS)


def _head(made: Architecture) -> dict[str, Any]:
    """A classifier's outputs by name, so that a tuned head finds as many as it has labels."""
    if made.kind != "classifier":
        return {}
    names = dict(enumerate(made.labels))
    return {"id2label": names, "label2id": {label: number for number, label in names.items()}}


def _quantized(quantization: Quantization, device: torch.device, kind: Kind) -> dict[str, Any]:
    """How weights are quantized on loading; no word of it where they are not.

    Even None would make transformers forget how a stored checkpoint was quantized, and take its integers for weights.
    """
    # What is learned whole cannot be stored in few bits. None: the library's own choice.
    heads = [rf".*\b{name}" for name in (*_LAST_LAYERS, *_HEADS)]
    whole = heads if kind == "classifier" else None
    if quantization == "int8":
        return {"quantization_config": BitsAndBytesConfig(load_in_8bit=True, llm_int8_skip_modules=whole)}
    if quantization != "nf4":
        return {}
    config = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=compute_dtype(device),
        llm_int8_skip_modules=whole,
    )
    return {"quantization_config": config}


def _require_weights(name: str, model: Any, missing: Iterable[str]) -> None:
    """Refuse a model whose files lack weights: transformers makes up random ones and goes on."""
    weights = dict(model.named_parameters())
    lacking = sorted(weight for weight in missing if weight in weights)
    if lacking:
        shown = ", ".join(lacking[:3]) + (", …" if len(lacking) > 3 else "")
        raise JobFailed(
            Bilingual(
                en=f"The files of {name} lack {len(lacking)} weights ({shown}), so it would answer at random. "
                "Use a complete checkpoint, or one that was trained for this kind of task.",
                zh=f"{name} 的文件缺少 {len(lacking)} 个权重（{shown}），其回答将是随机的。"
                "请使用完整的检查点，或为此类任务训练过的模型。",
            )
        )


def _forbid_repacking(model: Any) -> None:
    """Keep 4-bit weights as they are on CPUs that compute in bf16: bitsandbytes would lay them out anew at the first
    answer, and after that no gradient passes through them."""
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False


def sampled_hash(files: list[Path]) -> str:
    """Hash sizes, first and last mebibyte: enough to tell checkpoints apart, quick for many gigabytes."""
    digest = hashlib.sha256()
    for file in files:
        size_bytes = file.stat().st_size
        digest.update(f"{file.name} {size_bytes}\n".encode())
        with file.open("rb") as content:
            digest.update(content.read(_SAMPLED_BYTES))
            content.seek(max(0, size_bytes - _SAMPLED_BYTES))
            digest.update(content.read())
    return digest.hexdigest()[:16]


def _no_room(model: str, quantization: Quantization) -> JobFailed:
    return JobFailed(
        Bilingual(
            en=f"{model} ({quantization}) does not fit into the memory of this GPU. "
            "Try nf4, a smaller model, or a larger GPU.",
            zh=f"{model}（{quantization}）超出了这块 GPU 的显存。请尝试 nf4、更小的模型或更大的 GPU。",
        )
    )


def _not_loaded(model: str, quantization: Quantization, adapter: str | None) -> JobFailed:
    what = f"{model} ({quantization})" + (f" with the adapter {adapter}" if adapter else "")
    what_zh = f"{model}（{quantization}）" + (f"及适配器 {adapter}" if adapter else "")
    return JobFailed(
        Bilingual(
            en=f"{what} could not be loaded: its files are incomplete, do not belong together, or are of an "
            "architecture that is not supported here. The job's log has the details.",
            zh=f"无法加载 {what_zh}：文件不完整、互不匹配，或其架构在此不受支持。详情见任务日志。",
        )
    )
