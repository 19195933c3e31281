"""Turn a candidate into what it needs, or into the sentence that refuses it, before a weight is loaded.

Refused are models that cannot be asked what the rows ask, checkpoints that cannot be read here, and what does not
fit the memory that is free. The others go on. Imports no torch: `--estimate` is answered by the command line.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from finetune.architecture import Architecture, Kind, architecture_of, fact_of
from finetune.device import Device
from finetune.models import ModelLocation, base_of_adapter, canonical_name, resolve, smollm2_folder
from finetune.spec import Candidate, DatasetRef, DatasetTask
from index.bilingual import Bilingual
from index.catalogue.catalogue import Catalogue
from index.catalogue.gpus import find_gpu
from index.footprint import RESERVED_GIB, Footprint, largest_context, serving
from index.prices import decode_tokens_per_s
from index.records import ModelFact, Quantization

_TASKS: Mapping[Kind, tuple[DatasetTask, ...]] = {
    "causal": (
        "classification", "multiple-choice", "question-answering", "generation", "extraction", "chat",
        "language-modelling",
    ),
    "seq2seq": ("classification", "multiple-choice", "question-answering", "generation", "extraction", "chat"),
    "classifier": ("classification",),
    "encoder": (),
}  # fmt: skip
_PACKAGES: Mapping[str, tuple[str, ...]] = {
    "bitsandbytes": ("bitsandbytes",),
    "gptq": ("gptqmodel", "optimum"),
    "awq": ("gptqmodel",),
    "compressed-tensors": ("compressed_tensors",),
    "fp8": (),
    "fbgemm_fp8": ("fbgemm_gpu",),
    "mxfp4": ("kernels",),
    "torchao": ("torchao",),
    "hqq": ("hqq",),
    "auto-round": ("auto_round",),
    "aqlm": ("aqlm",),
}
"""What transformers needs to read a stored format, by the names under which the packages are imported."""
_LEAST_CAPABILITY: Mapping[str, tuple[int, int]] = {"fp8": (8, 9), "fbgemm_fp8": (9, 0), "mxfp4": (7, 5)}
"""Formats that run as they are on such GPUs only; elsewhere they would be blown up to 16 bits."""
_ANSWER_TOKENS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """What is known of a candidate before it is loaded."""

    candidate: Candidate
    device: Device
    kind: Kind | None = None
    """None for a hosted model, which needs nothing here."""
    stored: str | None = None
    """The format of a checkpoint that was quantized before it was published."""
    row_tokens: int = 0
    """Of the longest row, leaning high."""
    need: Footprint | None = None
    """For one row at a time; None where the size is unknown."""
    tokens_per_s: float | None = None
    """One stream of answers on this device, by bandwidth; None where the device or the size is unknown."""
    refusal: Bilingual | None = None
    """Why it is not even loaded."""

    @property
    def memory_gib(self) -> float | None:
        """What must be free for it; None where that is unknown."""
        return None if self.need is None else self.need.total_gib + RESERVED_GIB


def admission(
    candidate: Candidate, dataset: DatasetRef, texts: Iterable[str], device: Device, *, models: Path
) -> Admission:
    """Look at a candidate; UnknownModel when there is no such model. `models`: where converted ones are kept."""
    if candidate.is_hosted:
        return Admission(candidate=candidate, device=device)
    location = resolve(candidate.model)
    folder = files_of(location, models)
    architecture = architecture_of(location, folder, candidate.adapter)
    stored = str(architecture.stored) if architecture.stored else None
    known = Admission(candidate=candidate, device=device, kind=architecture.kind, stored=stored)
    refusal = (
        _wrong_kind(candidate, architecture, dataset)
        or _wrong_base(candidate, location)
        or _wrong_labels(candidate, architecture, dataset.labels)
        or unreadable(candidate, architecture, device)
    )
    if refusal is not None:
        return replace(known, refusal=refusal)
    fact = fact_of(location, folder, architecture) or Catalogue.load().find(location.id)
    return known if fact is None else _sized(known, fact, _longest(texts, dataset))


def label_numbers(own: Sequence[str], wanted: Iterable[str]) -> dict[str, int] | None:
    """Which output of a classifier stands for each label, whatever its case and spaces; None if one has none."""
    numbers = {_folded(label): number for number, label in enumerate(own)}
    found = {label: numbers.get(_folded(label)) for label in wanted}
    known = {label: number for label, number in found.items() if number is not None}
    return known if len(set(known.values())) == len(found) else None


def tokens_at_most(text: str) -> int:
    """A count that leans high, without the tokenizer: a token has three letters of Latin script, or less than one."""
    n_ascii = sum(character.isascii() for character in text)
    return n_ascii // 3 + (len(text) - n_ascii) * 3 // 2 + 1


def _sized(known: Admission, fact: ModelFact, row_tokens: int) -> Admission:
    """With memory and speed, and refused when it does not fit what is free."""
    device, quantization = known.device, known.candidate.quantization
    tokens = min(row_tokens, fact.max_context_tokens or row_tokens)
    in_32_bits = _computes_in_32_bits(device, quantization) and known.stored is None
    need = serving(fact, quantization=quantization, context_tokens=tokens, computes_in_32_bits=in_32_bits)
    gpu = find_gpu(device.name) if device.is_gpu and known.kind == "causal" else None
    pace = decode_tokens_per_s(fact, quantization, gpu) if gpu else None
    sized = replace(known, row_tokens=tokens, need=need, tokens_per_s=pace)
    if need is None or need.fits(device.free_gib):
        return sized
    others: tuple[Quantization, ...] = () if known.stored else ("int8", "nf4")
    smaller = {
        name: serving(fact, quantization=name, context_tokens=tokens, computes_in_32_bits=not device.is_gpu)
        for name in others
        if name != quantization
    }
    fitting = {name: it.total_gib for name, it in smaller.items() if it and it.fits(device.free_gib)}
    shorter = largest_context(fact, quantization, device.free_gib, computes_in_32_bits=in_32_bits)
    return replace(sized, refusal=_too_large(sized, fitting, shorter))


def _computes_in_32_bits(device: Device, quantization: Quantization) -> bool:
    """As `recipes.loading` does on a CPU, unless asked otherwise."""
    return not device.is_gpu and quantization not in ("bf16", "fp16")


def files_of(location: ModelLocation, models: Path) -> Path | None:
    """The folder with a model's files, where it is on this machine and needs no converting; else None."""
    if location.kind == "embedded":
        converted = smollm2_folder(models)
        return converted if converted.is_dir() else None
    return location.path


def _longest(texts: Iterable[str], dataset: DatasetRef) -> int:
    """Tokens of the longest row with what is asked about it."""
    around = tokens_at_most("".join(dataset.labels)) + _ANSWER_TOKENS
    return tokens_at_most(max(texts, key=len, default="")) + around


def _wrong_kind(candidate: Candidate, architecture: Architecture, dataset: DatasetRef) -> Bilingual | None:
    if dataset.task in _TASKS[architecture.kind]:
        return None
    name, made = candidate.model, architecture.name or architecture.kind
    if architecture.kind == "encoder":
        return Bilingual(
            en=f"{name} ({made}) has no head that answers: it only turns text into vectors. Fine-tune it with a "
            "classification head first, or name a checkpoint that has one (…ForSequenceClassification).",
            zh=f"{name}（{made}）没有输出答案的头，只能把文本变成向量。请先为它微调一个分类头，"
            "或换用带分类头的检查点（…ForSequenceClassification）。",
        )
    if architecture.kind == "classifier":
        return Bilingual(
            en=f"{name} ({made}) can only choose among its own labels, and {dataset.name} asks for "
            f"{dataset.task}. Evaluate it on classification rows, or use a model that writes.",
            zh=f"{name}（{made}）只能在自己的标签中选择，而 {dataset.name} 是 {dataset.task} 任务。"
            "请在分类数据上评测它，或换用能生成文本的模型。",
        )
    return Bilingual(
        en=f"{name} ({made}) reads a text and writes another, so it gives no likelihood of {dataset.name} itself. "
        "Use a causal model for language-modelling.",
        zh=f"{name}（{made}）是读入一段文本再写出另一段，无法给出 {dataset.name} 文本本身的似然。"
        "语言建模请使用因果模型。",
    )


def _wrong_base(candidate: Candidate, location: ModelLocation) -> Bilingual | None:
    """Why an adapter does not belong on this model: it would load, and answer worse than either."""
    said = base_of_adapter(Path(candidate.adapter)) if candidate.adapter else None
    if said is None or _is_same_model(said, location.id):
        return None
    return Bilingual(
        en=f"The adapter {candidate.adapter} was trained on {said}, not on {candidate.model}. Name {said} as its model; if "
        "the two are copies of each other, write the name you use into base_model_name_or_path of its "
        "adapter_config.json.",
        zh=f"适配器 {candidate.adapter} 是在 {said} 上训练的，而不是 {candidate.model}。请把模型改为 {said}；"
        "若两者是同一模型的副本，请在其 adapter_config.json 的 base_model_name_or_path 中写上你使用的名称。",
    )


def _is_same_model(said: str, used: str) -> bool:
    """Equal names; of folders, the last part: they may have been moved."""
    if said == used or canonical_name(said) == canonical_name(used):
        return True
    is_folder = said.startswith(("/", ".", "~")) or Path(used).is_absolute()
    return is_folder and Path(said).name == Path(used).name


def _wrong_labels(
    candidate: Candidate, architecture: Architecture, wanted: Sequence[str]
) -> Bilingual | None:
    """Why a classifier's labels are not those of the rows."""
    own = architecture.labels
    if architecture.kind != "classifier" or (
        architecture.names_its_labels and label_numbers(own, wanted) is not None
    ):
        return None
    theirs, ours = _listed(own) or "—", _listed(wanted)
    if not architecture.names_its_labels:
        return Bilingual(
            en=f"{candidate.model} calls its labels {theirs}, which says nothing about the rows' labels {ours}. "
            "Name them in id2label of its config.json; for an adapter, of a config.json in the adapter's folder.",
            zh=f"{candidate.model} 的标签名为 {theirs}，无法对应数据的标签 {ours}。"
            "请在其 config.json 的 id2label 中写明；若是适配器，则写在适配器文件夹的 config.json 中。",
        )
    return Bilingual(
        en=f"{candidate.model} knows the labels {theirs}, and the rows have {ours}: each of these must be one of its "
        "own. Rename the rows' labels, or its id2label in config.json.",
        zh=f"{candidate.model} 的标签是 {theirs}，而数据的标签是 {ours}：后者必须都在前者之中。"
        "请改名数据的标签，或修改其 config.json 中的 id2label。",
    )


def unreadable(candidate: Candidate, architecture: Architecture, device: Device) -> Bilingual | None:
    """Why a checkpoint that is stored in a format of its own cannot be loaded as asked."""
    stored, name = architecture.stored, candidate.model
    if stored is None:
        return None
    if candidate.quantization != "none":
        return Bilingual(
            en=f"{name} is stored as {stored} already, so it cannot be loaded as {candidate.quantization} on top. "
            "Name it without a quantization, or name its unquantized original.",
            zh=f"{name} 本身已是 {stored} 格式，不能再以 {candidate.quantization} 加载。"
            "请去掉量化方式，或使用未量化的原始模型。",
        )
    missing = _missing(stored.method, device)
    if missing is None:
        return None
    return Bilingual(
        en=f"{name} is stored as {stored}, and here is {missing.en}. Use its unquantized original, as int8 or nf4 "
        "if memory is short.",
        zh=f"{name} 以 {stored} 格式存储，而此处{missing.zh}。请使用未量化的原始模型，内存不足时以 int8 或 nf4 加载。",
    )


def _missing(method: str, device: Device) -> Bilingual | None:
    if method not in _PACKAGES:
        return Bilingual("nothing that reads this format", "没有能读取该格式的组件")
    absent = [package for package in _PACKAGES[method] if importlib.util.find_spec(package) is None]
    if absent:
        names = ", ".join(absent)
        return Bilingual(f"no package {names}", f"缺少软件包 {names}")
    least = _LEAST_CAPABILITY.get(method)
    is_unknown = device.is_gpu and device.compute_capability is None
    if least is not None and not is_unknown and (device.compute_capability or (0, 0)) < least:
        number = ".".join(map(str, least))
        return Bilingual(
            f"no GPU of compute capability {number} or more", f"没有计算能力 {number} 及以上的 GPU"
        )
    return None


def _too_large(sized: Admission, fitting: Mapping[Quantization, float], shorter: int | None) -> Bilingual:
    device, label = sized.device, sized.candidate.label
    here = Bilingual("this machine's memory", "本机内存")
    place = here if device.is_here else Bilingual("a node's memory", "节点内存")
    if device.is_gpu:
        place = Bilingual(f"the GPU ({device.name})", f"GPU（{device.name}）")
    if fitting:
        ways = ", ".join(f"{name} ({gib + RESERVED_GIB:.1f} GiB)" for name, gib in fitting.items())
        advice = Bilingual(f"It would fit as {ways}.", f"以 {ways} 加载则放得下。")
    elif shorter is not None and shorter < sized.row_tokens:
        advice = Bilingual(
            f"It would fit for rows of at most {shorter:,} tokens.",
            f"若每行不超过 {shorter:,} token 则放得下。",
        )
    else:
        advice = Bilingual(
            "Use a smaller model or a device with more memory.", "请换用更小的模型或内存更大的设备。"
        )
    return Bilingual(
        en=f"{label} needs about {sized.memory_gib:.1f} GiB for one row of up to {sized.row_tokens:,} tokens, and "
        f"{place.en} has {device.free_gib:.1f} GiB free. {advice.en}",
        zh=f"{label} 处理一行（至多 {sized.row_tokens:,} token）约需 {sized.memory_gib:.1f} GiB，"
        f"而{place.zh}只剩 {device.free_gib:.1f} GiB。{advice.zh}",
    )


def _folded(label: str) -> str:
    return " ".join(label.replace("_", " ").casefold().split())


def _listed(labels: Sequence[str]) -> str:
    shown = ", ".join(labels[:8])
    return shown + (f", … ({len(labels)})" if len(labels) > 8 else "")
