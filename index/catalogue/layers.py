"""What is laid over the shipped catalogue: facts and figures with their sources, as checked data.

A refresh, an import and the team's file all become these; the shipped files themselves are never written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, fields, replace
from types import MappingProxyType
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from index.catalogue.catalogue import Catalogue
from index.records import CommercialUse, Evidence, ModelFact, ModelKind, Source

REQUIRED = ("kind", "architecture", "open_weights")
"""What a model that the catalogue does not hold yet must state."""


class Page(BaseModel):
    """A Source that was read from a file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    url: str
    licence: str | None = None

    def source(self) -> Source:
        """The page as the rest of the program knows it."""
        return Source(name=self.name, url=self.url, licence=self.licence)


class Facts(BaseModel):
    """Some facts of one model; None means "nothing said", which leaves what was known."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(pattern=r"^[^/\s]+/[^/\s]+$")
    name: str | None = None
    organisation: str | None = None
    family: str | None = None
    release_date: str | None = None
    open_weights: bool | None = None
    kind: ModelKind | None = None
    architecture: Literal["dense", "moe", "hybrid", "encoder", "encoder-decoder", "api"] | None = None
    params_b: float | None = None
    active_params_b: float | None = None
    n_layers: int | None = None
    n_attention_layers: int | None = None
    n_heads: int | None = None
    """Query heads: not kept, but KV heads are checked against them."""
    n_kv_heads: int | None = None
    head_dim: int | None = None
    hidden_size: int | None = None
    vocab_size: int | None = None
    sliding_window: int | None = None
    n_global_layers: int | None = None
    kv_lora_rank: int | None = None
    tied_embeddings: bool | None = None
    native_format: str | None = None
    max_context_tokens: int | None = None
    input_modalities: tuple[str, ...] | None = None
    languages: tuple[str, ...] | None = None
    licence: str | None = None
    commercial_use: CommercialUse | None = None
    tool_calling: bool | None = None
    reasoning: bool | None = None
    knowledge_cutoff: str | None = None
    sources: tuple[Page, ...] = ()

    def stated(self) -> dict[str, Any]:
        """What it says, by the field of ModelFact."""
        known = self.model_dump(exclude_none=True, exclude={"sources", "n_heads"})
        return {name: tuple(value) if isinstance(value, list) else value for name, value in known.items()}

    def over(self, model: ModelFact | None) -> ModelFact:
        """These facts on top of what was known; without a model, the facts that REQUIRED names must be here."""
        sources = tuple(page.source() for page in self.sources)
        if model is None:
            stated = self.stated()
            stated.setdefault("name", self.id.rsplit("/", 1)[-1])
            return ModelFact(**stated, sources=sources)
        return replace(model, **self.stated(), sources=tuple(dict.fromkeys((*model.sources, *sources))))


class Figure(BaseModel):
    """One score of one model, as a file or the model hub states it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    benchmark: str
    score: float
    kind: Literal["published", "self-reported"]
    setting: str | None = None
    date: str | None = None
    source: Page


class Layer(BaseModel):
    """Facts and figures that came together, and when."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    form: Literal[1] = 1
    made_at_utc: str
    models: tuple[Facts, ...] = ()
    figures: tuple[Figure, ...] = ()


def lay_over(catalogue: Catalogue, models: Iterable[Facts], figures: Iterable[Figure] = ()) -> Catalogue:
    """The catalogue with these on top; a figure from the same page and setting takes the place of the old one.

    What fits no model or benchmark of this catalogue is passed over: it was checked when it came, so a newer
    package has dropped the model since.
    """
    known = dict(catalogue.models)
    for facts in models:
        model = known.get(facts.id)
        if model is not None or all(getattr(facts, name) is not None for name in REQUIRED):
            known[facts.id] = facts.over(model)
    evidence = {_key(figure): figure for figure in catalogue.evidence}
    evidence |= {_key(figure): figure for figure in _evidence(figures, catalogue, known)}
    return replace(catalogue, models=MappingProxyType(known), evidence=tuple(evidence.values()))


def facts_of(model: ModelFact) -> Facts:
    """A model's facts in the form of this module."""
    values = {name: value for name, value in asdict(model).items() if value not in (None, (), [])}
    return Facts(**values)


def changed_fields(before: ModelFact, after: ModelFact) -> list[str]:
    """The names of the facts that differ, sources aside."""
    names = [item.name for item in fields(ModelFact) if item.name != "sources"]
    return [name for name in names if getattr(before, name) != getattr(after, name)]


def _evidence(
    figures: Iterable[Figure], catalogue: Catalogue, models: dict[str, ModelFact]
) -> Iterator[Evidence]:
    for figure in figures:
        benchmark = catalogue.benchmarks.get(figure.benchmark)
        if benchmark is not None and figure.model in models:
            yield Evidence(
                model_id=figure.model,
                benchmark=benchmark,
                score=figure.score,
                kind=figure.kind,
                setting=figure.setting,
                date=figure.date,
                source=figure.source.source(),
            )


def _key(figure: Evidence) -> tuple[str, str, str | None, Source]:
    return figure.model_id, figure.benchmark.name, figure.setting, figure.source
