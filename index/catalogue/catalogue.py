"""The catalogue in memory: what is known of every model, and the published figures, each with its source."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from pathlib import Path
from types import MappingProxyType

from index.bilingual import Bilingual
from index.catalogue.names import NameIndex
from index.catalogue.read import (
    DATA_FILES,
    QuantizationPair,
    read_benchmarks,
    read_evidence,
    read_manifest,
    read_models,
    read_quantization,
    read_sources,
    sound,
)
from index.catalogue.tuned import TunedModel, find_tuned, may_be_tuned, read_tuned
from index.errors import UnknownModel
from index.records import Benchmark, Evidence, ModelFact

_PACKAGE = Path(__file__).parent


@dataclass(frozen=True, kw_only=True)
class Catalogue:
    """Everything that is known without having measured it here."""

    models: Mapping[str, ModelFact]
    """By id."""
    benchmarks: Mapping[str, Benchmark]
    """By name."""
    evidence: tuple[Evidence, ...]
    quantization: tuple[QuantizationPair, ...] = ()
    """What quantizing cost, where somebody published both scores."""
    version: str = ""
    """Digest of the files: equal versions hold equal facts."""
    updated: str = ""
    """Day on which the source tables were built."""
    refreshed: str | None = None
    """Day of the latest refresh from the model hub; None for the catalogue as shipped."""
    jobs_home: Path | None = None
    """Where the folders of jobs lie, with the team's tuned models."""
    left_out: Mapping[str, int] = field(default_factory=dict)
    """Unsound figures that were not carried over, counted by reason."""

    @classmethod
    def load(cls, folder: Path = _PACKAGE) -> Catalogue:
        """Read the catalogue that travels with the package, or the one in `folder`."""
        missing = next((name for name in DATA_FILES if not (folder / name).is_file()), None)
        if missing is not None:
            with sound(folder / missing):
                raise FileNotFoundError(missing)
        sources = read_sources(folder)
        benchmarks = read_benchmarks(folder)
        updated, left_out = read_manifest(folder)
        return cls(
            models=MappingProxyType(read_models(folder, sources)),
            benchmarks=MappingProxyType(benchmarks),
            evidence=read_evidence(folder, benchmarks, sources),
            quantization=read_quantization(folder, benchmarks, sources),
            version=_digest(folder),
            updated=updated,
            left_out=MappingProxyType(left_out),
        )

    def evidence_of(self, model_id: str) -> tuple[Evidence, ...]:
        """The figures about one model; none for an unknown id."""
        return self._evidence_by_model.get(model_id, ())

    def find(self, name: str) -> ModelFact | None:
        """The model that `name` stands for, however it is spelled, or None when none is clearly meant."""
        tuned = self.find_tuned(name)
        if tuned is not None:
            return tuned.fact(self.models.get(tuned.based_on))
        id_ = self._names.find(name)
        return None if id_ is None else self.models[id_]

    def find_tuned(self, name: str) -> TunedModel | None:
        """The team's tuned model of this name, or None."""
        return find_tuned(self.tuned, name) if may_be_tuned(name) else None

    @property
    def tuned(self) -> tuple[TunedModel, ...]:
        """The team's tuned models as of now, each a base with an adapter.

        Not among `models`: a ranking weighs them as a way of running their base.
        """
        return () if self.jobs_home is None else read_tuned(self.jobs_home)

    def require(self, name: str) -> ModelFact:
        """Like `find`, but raise UnknownModel with the nearest names."""
        model = self.find(name)
        if model is None:
            raise unknown_model(name, self.nearest(name))
        return model

    def nearest(self, name: str, count: int = 3) -> list[str]:
        """The ids most like `name`, best first."""
        near = self._names.nearest(name, count)
        own = [model.id for model in self.tuned if name.casefold() in model.id.casefold()]
        return [*own, *near][:count]

    def age_days(self, today: date) -> int:
        """How old the published figures are: days since the source tables were built."""
        return max(0, (today - date.fromisoformat(self.updated)).days)

    @cached_property
    def _names(self) -> NameIndex:
        return NameIndex(self.models.values())

    @cached_property
    def _evidence_by_model(self) -> dict[str, tuple[Evidence, ...]]:
        grouped: dict[str, list[Evidence]] = defaultdict(list)
        for figure in self.evidence:
            grouped[figure.model_id].append(figure)
        return {model_id: tuple(figures) for model_id, figures in grouped.items()}


def unknown_model(name: str, nearest: list[str]) -> UnknownModel:
    """The error for a name that fits no model, with what was perhaps meant."""
    known_en = f" The nearest names I know: {', '.join(nearest)}." if nearest else ""
    known_zh = f"最接近的已知名称：{'、'.join(nearest)}。" if nearest else ""
    return UnknownModel(
        Bilingual(
            en=f"I do not know the model {name!r}.{known_en} "
            "Use a name that `shortlist catalogue list` shows, or the full Hugging Face id.",
            zh=f"我不认识模型 {name!r}。{known_zh}"
            "请使用 `shortlist catalogue list` 列出的名称，或完整的 Hugging Face 模型 ID。",
        )
    )


def _digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for name in DATA_FILES:
        digest.update((folder / name).read_bytes())
    return digest.hexdigest()[:12]
