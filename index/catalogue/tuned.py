"""The team's tuned models: a fine-tune that ended well leaves a file beside its adapter, and the catalogue shows it.

The file lies in the job's folder, so a tuned model is known for as long as its adapter is there. It has the facts of its
base, the licence with them: an adapter is of no use without the weights that it was made for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from index.bilingual import Bilingual
from index.files import replacing
from index.records import CommercialUse, ModelFact, Quantization, Source

FILE = "tuned.json"
ORGANISATION = "tuned"
_NOT_IN_NAMES = re.compile(r"[\s/@:\\]+")
_ENDS_IN_JOB = re.compile(r"-\d+[`\"'\s]*$")
_TOLD = (
    "kind", "architecture", "params_b", "active_params_b", "n_layers", "n_kv_heads", "head_dim", "hidden_size",
    "vocab_size", "max_context_tokens",
)  # fmt: skip
"""Facts that a recipe reads from the files of a base."""
_ADAPTED = re.compile(r"\s*\+\s*")


class MeasuredHere(BaseModel):
    """One metric on rows that were never learned from, before and after."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    metric: str
    before: float | None
    """None for an encoder without a head, which answered nothing before."""
    after: float
    n_items: int


class TunedModel(BaseModel):
    """tuned.json: an adapter and its base as one model that can be asked for by name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    form: Literal[1] = 1
    id: str = Field(pattern=r"^tuned/[^/\s]+$")
    based_on: str
    """The base, as evaluations name it."""
    job_id: str
    quantization: Quantization
    """How the base was loaded in training."""
    dataset: str
    task: str
    verdict: Literal["better", "worse", "no clear difference"]
    measured: tuple[MeasuredHere, ...]
    licence: str | None = None
    """Of the base as its own files state it, where the catalogue does not know the base."""
    facts: dict[str, Any] = Field(default_factory=dict)
    """What memory depends on, where the catalogue does not know the base."""
    made_on: str

    @property
    def aliases(self) -> tuple[str, ...]:
        """Other names: as recommendations call the adapter, with and without its base."""
        short = self.based_on.rstrip("/").rsplit("/", 1)[-1]
        return (self.id.partition("/")[2], f"job-{self.job_id}", f"{short} + job-{self.job_id}")

    @property
    def source(self) -> Source:
        """The job that made and measured it."""
        return Source(name=f"job {self.job_id}", url=f"shortlist jobs show {self.job_id}")

    def fact(self, base: ModelFact | None) -> ModelFact:
        """What is known of it: all that is known of its base, under its own name."""
        name = self.id.partition("/")[2]
        sources = (self.source, *(base.sources if base else ()))
        if base is not None:
            return replace(
                base,
                id=self.id,
                name=name,
                organisation=ORGANISATION,
                release_date=self.made_on,
                sources=sources,
            )
        known = {key: value for key, value in self.facts.items() if key in _TOLD}
        return ModelFact(
            **{"kind": "instruct", "architecture": "dense", **known},
            id=self.id, name=name, organisation=ORGANISATION, release_date=self.made_on, open_weights=True,
            licence=self.licence, sources=sources,
        )  # fmt: skip

    def implies(self, base: ModelFact | None) -> Bilingual:
        """What the licence of the base means for this model."""
        licence = (base.licence if base else None) or self.licence
        if licence is None:
            return Bilingual(
                f"The licence of {self.based_on} is not known: keep the adapter to yourselves until you know it.",
                f"{self.based_on} 的许可证未知：在确认之前请只在内部使用该适配器。",
            )
        use = _USE[base.commercial_use if base else "unknown"]
        return Bilingual(
            f"It has the licence of its base, {licence}: {use.en} Whoever gets the adapter needs the base under the same "
            "terms, and your data must allow it.",
            f"沿用基座的许可证 {licence}：{use.zh}分发适配器时，对方须按同样条款取得基座，且你的数据也须允许。",
        )


_USE: Mapping[CommercialUse, Bilingual] = {
    "yes": Bilingual("commercial use is allowed.", "允许商用。"),
    "no": Bilingual("commercial use is not allowed, tuned or not.", "不允许商用，微调后也一样。"),
    "conditional": Bilingual(
        "commercial use is allowed on conditions; read them.", "有条件允许商用，请阅读条款。"
    ),
    "unknown": Bilingual("whether commercial use is allowed is not known here.", "能否商用未知。"),
}


def name_of(based_on: str, dataset: str, job_id: str) -> str:
    """`tuned/Qwen3-8B-tickets-7`."""
    short = based_on.rstrip("/").rsplit("/", 1)[-1]
    parts = (short, PurePath(dataset).stem, job_id)
    return f"{ORGANISATION}/" + "-".join(_NOT_IN_NAMES.sub("-", part).strip("-") for part in parts)


def write_tuned(folder: Path, model: TunedModel) -> None:
    """Leave the file in the folder of its job."""
    with replacing(folder / FILE) as temporary:
        temporary.write_text(model.model_dump_json(indent=1) + "\n", encoding="utf-8")


def read_tuned(home: Path) -> tuple[TunedModel, ...]:
    """The tuned models of a home whose adapters are there, the newest last; a damaged file is passed over."""
    return tuple(sorted(_found(home), key=lambda model: (len(model.job_id), model.job_id)))


def adapter_of(home: Path, model: TunedModel) -> Path:
    """The folder with its adapter."""
    return home / "jobs" / model.job_id / "adapter"


def may_be_tuned(name: str) -> bool:
    """Whether a name could be one of a tuned model: all of theirs end in the number of their job."""
    return _ENDS_IN_JOB.search(name) is not None


def find_tuned(models: Sequence[TunedModel], name: str) -> TunedModel | None:
    """The tuned model of this name, whatever its case; None for any other name."""
    wanted = _ADAPTED.sub(" + ", name.strip().strip("`\"'").casefold())
    return next(
        (m for m in reversed(models) if wanted in {m.id.casefold(), *map(str.casefold, m.aliases)}), None
    )


def _found(home: Path) -> Iterator[TunedModel]:
    for file in (home / "jobs").glob(f"*/{FILE}"):
        try:
            model = TunedModel.model_validate_json(file.read_bytes())
        except (OSError, ValidationError):
            continue
        if (adapter_of(home, model) / "adapter_config.json").is_file():
            yield model
