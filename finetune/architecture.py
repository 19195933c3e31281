"""Turn a model's config.json and the headers of its weights into what kind of model it is, and how large.

Imports no torch and loads no weights, so a candidate that cannot be asked what the data set asks, or that is stored
in a format that this machine cannot read, is refused in moments.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from huggingface_hub import (
    get_local_safetensors_metadata,
    get_safetensors_metadata,
    hf_hub_download,
)
from huggingface_hub.errors import HTTPError, NotASafetensorsRepoError, SafetensorsParsingError

from finetune.models import ModelLocation
from index.catalogue.hub import architecture_from
from index.records import ModelFact

Kind = Literal["causal", "seq2seq", "classifier", "encoder"]
"""causal: goes on with a text; seq2seq: reads a text and writes another; classifier: gives one of its own labels;
encoder: makes vectors and answers nothing."""

_KIND_OF_ADAPTER: Mapping[str, Kind] = {
    "SEQ_CLS": "classifier",
    "SEQ_2_SEQ_LM": "seq2seq",
    "CAUSAL_LM": "causal",
}
_NUMBERED_LABEL = re.compile(r"LABEL_\d+")
_WITHOUT_ANSWERS = re.compile(
    r"(?<!LMHead)Model$|ForMaskedLM$|ForPreTraining$|ForTokenClassification$|ForQuestionAnswering$"
)
_STORED_BYTES = {"F64": 8, "I64": 8, "U64": 8, "F32": 4, "I32": 4, "U32": 4, "F16": 2, "BF16": 2, "I16": 2}
"""Bytes of one stored number; all other kinds are packed into single bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFormat:
    """How a checkpoint that was quantized before it was published is stored."""

    method: str
    """As transformers calls it: gptq, awq, fp8, compressed-tensors, bitsandbytes, ..."""
    bits: int | None = None

    def __str__(self) -> str:
        """`gptq 4-bit`."""
        return self.method if self.bits is None else f"{self.method} {self.bits}-bit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """What is known of a checkpoint before it is loaded."""

    kind: Kind
    name: str | None = None
    """The class that transformers loads, as config.json names it; None when it names none."""
    labels: tuple[str, ...] = ()
    """A classifier's own labels, in the order of its outputs."""
    stored: StoredFormat | None = None
    """None: at full precision."""
    has_new_head: bool = False
    """The labels are not those of the checkpoint: a head for them is made up on loading, to be trained."""
    config: Mapping[str, Any] | None = None

    @property
    def names_its_labels(self) -> bool:
        """False where nobody told the labels of a classifier: transformers then numbers them."""
        return bool(self.labels) and not all(_NUMBERED_LABEL.fullmatch(label) for label in self.labels)


def architecture_of(location: ModelLocation, folder: Path | None, adapter: str | None = None) -> Architecture:
    """What the checkpoint is; with an adapter, what the two are together.

    `folder`: where the files lie; None while they are on the hub or still to be converted.
    """
    base = architecture_from_config(read_config(location, folder))
    of_adapter = _json(Path(adapter, "adapter_config.json")) if adapter else {}
    kind = _KIND_OF_ADAPTER.get(str(of_adapter.get("task_type")), base.kind)
    # A tuned head knows labels that its base does not.
    own = architecture_from_config(_json(Path(adapter, "config.json"))).labels if adapter else ()
    return Architecture(
        kind=kind, name=base.name, labels=own or base.labels, stored=base.stored, config=base.config
    )


def architecture_from_config(config: Mapping[str, Any]) -> Architecture:
    """Read what config.json says; where it says nothing the model is taken for a causal one, as most are."""
    names = config.get("architectures")
    name = str(names[0]) if isinstance(names, list) and names else None
    return Architecture(
        kind=_kind(name, config), name=name, labels=_labels(config), stored=_stored(config), config=config
    )


def read_config(location: ModelLocation, folder: Path | None) -> Mapping[str, Any]:
    """The model's config.json; empty where there is none or the hub does not answer."""
    if folder is not None:
        return _json(folder / "config.json")
    if location.kind != "hub":
        return {}
    try:
        return _json(Path(hf_hub_download(location.id, "config.json")))
    except (OSError, HTTPError, ValueError):
        return {}


def fact_of(location: ModelLocation, folder: Path | None, architecture: Architecture) -> ModelFact | None:
    """What memory depends on, from the files; None where the number of parameters is not to be had."""
    numbers = _stored_numbers(location, folder)
    if not numbers:
        return None
    n_bytes = sum(_STORED_BYTES.get(kind, 1) * count for kind, count in numbers.items())
    # Packed weights hold several parameters in a number, so their bytes are counted as if of 16-bit parameters.
    params = sum(numbers.values()) if architecture.stored is None else n_bytes / 2
    found = architecture_from(architecture.config or {})
    fields = {name: value for name, value in found.items() if name in ModelFact.__dataclass_fields__}
    is_encoder = architecture.kind in ("classifier", "encoder")
    return ModelFact(
        id=location.id,
        name=location.id,
        open_weights=True,
        kind="encoder" if is_encoder else "instruct",
        params_b=params / 1e9,
        **{"architecture": "dense", **fields},
    )


def _kind(name: str | None, config: Mapping[str, Any]) -> Kind:
    if name is None:
        return "seq2seq" if config.get("is_encoder_decoder") else "causal"
    if name.endswith("ForSequenceClassification"):
        return "classifier"
    if config.get("is_encoder_decoder") and not name.endswith("EncoderModel"):
        return "seq2seq"
    return "encoder" if _WITHOUT_ANSWERS.search(name) else "causal"


def _labels(config: Mapping[str, Any]) -> tuple[str, ...]:
    """`id2label` by number; JSON has its keys as text."""
    labels = config.get("id2label")
    if not isinstance(labels, dict) or not all(re.fullmatch(r"[0-9]{1,9}", key) for key in labels):
        return ()
    return tuple(str(label) for _, label in sorted(labels.items(), key=lambda pair: int(pair[0])))


def _stored(config: Mapping[str, Any]) -> StoredFormat | None:
    said = config.get("quantization_config")
    if not isinstance(said, dict):
        return None
    method = str(said.get("quant_method") or ("bitsandbytes" if "load_in_4bit" in said else "unknown"))
    bits = said.get("bits")
    if method == "bitsandbytes":
        bits = 4 if said.get("load_in_4bit") else 8
    groups = said.get("config_groups")
    for group in groups.values() if isinstance(groups, dict) else ():
        weights = group.get("weights") if isinstance(group, dict) else None
        bits = bits or (weights.get("num_bits") if isinstance(weights, dict) else None)
    return StoredFormat(method=method, bits=bits if isinstance(bits, int) else None)


def _stored_numbers(location: ModelLocation, folder: Path | None) -> Mapping[str, int]:
    """How many numbers of each kind the files hold, from their headers."""
    try:
        if folder is not None:
            metadata = get_local_safetensors_metadata(folder)
        elif location.kind == "hub":
            metadata = get_safetensors_metadata(location.id)
        else:
            return {}
        counts: Mapping[str, int] = metadata.parameter_count
    except (OSError, HTTPError, NotASafetensorsRepoError, SafetensorsParsingError, ValueError):
        return {}
    except (AttributeError, KeyError, TypeError, RecursionError, OverflowError):
        return {}  # a header of another shape is no reason to end
    return counts


def _json(file: Path) -> Mapping[str, Any]:
    """A JSON object; empty where there is none."""
    try:
        value = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
