"""Turn a catalogue into a list of what is wrong with it: impossible facts, scores off scale, loose ends."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

from index.catalogue.catalogue import Catalogue
from index.catalogue.gpus import GpuFact
from index.catalogue.soundness import (
    COMMERCIAL_USE,
    EXCLUDED_SOURCES,
    LICENCES,
    LONG_CONTEXT_TOKENS,
    contradicts_context,
    is_past_date,
    on_scale,
    unsound_fields,
)
from index.prices import TokenPrice
from index.records import Evidence, ModelFact, Source

_MODALITIES = frozenset({"text", "image", "audio", "video", "pdf"})


def problems(catalogue: Catalogue) -> list[str]:
    """Everything wrong with the data, one sentence each; empty when it is sound."""
    return [
        *_double_ids(catalogue.models),
        *(
            problem
            for model in catalogue.models.values()
            for problem in model_problems(model, catalogue.updated)
        ),
        *(problem for figure in catalogue.evidence for problem in _figure_problems(figure, catalogue)),
        *_double_figures(catalogue.evidence),
        *_lonely_long_contexts(catalogue),
        *_quantization_problems(catalogue),
    ]


def model_problems(model: ModelFact, updated: str) -> Iterator[str]:
    """What is wrong with one model's facts."""
    for field, why in unsound_fields(model):
        yield f"{model.id}: {field}: {why}"
    if (model.architecture == "api") is model.open_weights:
        yield f"{model.id}: open_weights and architecture {model.architecture!r} disagree"
    yield from _licence_problems(model)
    if model.release_date is not None and not is_past_date(model.release_date, updated):
        yield f"{model.id}: release_date {model.release_date!r} is no date up to {updated}"
    for code in model.languages:
        if not re.fullmatch("[a-z]{2}", code):
            yield f"{model.id}: language {code!r} is not ISO 639-1"
    for modality in set(model.input_modalities) - _MODALITIES:
        yield f"{model.id}: modality {modality!r} is unknown"
    if not model.sources:
        yield f"{model.id}: no source"
    for source in model.sources:
        yield from _source_problems(model.id, source)


def _licence_problems(model: ModelFact) -> Iterator[str]:
    if COMMERCIAL_USE.get(model.licence or "", model.commercial_use) != model.commercial_use:
        yield f"{model.id}: licence {model.licence} does not mean commercial use {model.commercial_use!r}"
    if model.licence is not None and model.licence not in LICENCES:
        yield f"{model.id}: licence {model.licence!r} is no licence that we know"
    if model.licence is None and model.commercial_use in {"yes", "no"}:
        yield f"{model.id}: commercial use {model.commercial_use!r} without a licence"


def price_problems(prices: Iterable[TokenPrice]) -> Iterator[str]:
    """What is wrong with hosted prices: zero and below say nothing about a cost."""
    for price in prices:
        for side, value in (("input", price.input_usd_per_mtok), ("output", price.output_usd_per_mtok)):
            if value is not None and not 0 < value < float("inf"):
                yield f"{price.model_id}: {side} price {value} of {price.provider} is not above zero"


def gpu_problems(gpus: Iterable[GpuFact]) -> Iterator[str]:
    """What is wrong with accelerators: sizes and rates must be above zero, names must differ."""
    gpus = list(gpus)
    for gpu in gpus:
        for field in ("memory_gib", "usable_gib", "bandwidth_gb_s", "bf16_tflops", "usd_per_hour"):
            value = getattr(gpu, field)
            if value is not None and not 0 < value < float("inf"):
                yield f"{gpu.name}: {field} {value} is not above zero"
        if gpu.usable_gib and gpu.memory_gib and gpu.usable_gib > gpu.memory_gib:
            yield f"{gpu.name}: usable_gib {gpu.usable_gib} exceeds memory_gib {gpu.memory_gib}"
    for name, count in Counter(gpu.name.casefold() for gpu in gpus).items():
        if count > 1:
            yield f"{name}: {count} accelerators of this name"


def _figure_problems(figure: Evidence, catalogue: Catalogue) -> Iterator[str]:
    label = f"{figure.model_id} on {figure.benchmark.name}"
    if figure.model_id not in catalogue.models:
        yield f"{label}: no such model"
    if catalogue.benchmarks.get(figure.benchmark.name) != figure.benchmark:
        yield f"{label}: no such benchmark"
    if not on_scale(figure.benchmark, figure.score):
        yield f"{label}: score {figure.score} is off the scale"
    if figure.date is not None and not is_past_date(figure.date, catalogue.updated):
        yield f"{label}: date {figure.date!r} is no date up to {catalogue.updated}"
    if figure.source.licence is None:
        yield f"{label}: source {figure.source.name!r} states no licence"
    if EXCLUDED_SOURCES.search(f"{figure.benchmark.name} {figure.source.name} {figure.source.url}"):
        yield f"{label}: source {figure.source.name!r} is left out on purpose"
    yield from _source_problems(label, figure.source)


def _source_problems(label: str, source: Source) -> Iterator[str]:
    if not re.match(r"https?://[^/\s]+", source.url):
        yield f"{label}: source {source.name!r} has no URL: {source.url!r}"


def _double_ids(ids: Iterable[str]) -> Iterator[str]:
    for id_, count in Counter(id_.casefold() for id_ in ids).items():
        if count > 1:
            yield f"{id_}: ids differ only by case"


def _double_figures(evidence: Iterable[Evidence]) -> Iterator[str]:
    keys = Counter((item.model_id, item.benchmark.name, item.setting, item.source) for item in evidence)
    for (model_id, benchmark, setting, source), count in keys.items():
        if count > 1:
            yield f"{model_id} on {benchmark}: {count} figures for {setting!r} from {source.name}"


def _lonely_long_contexts(catalogue: Catalogue) -> Iterator[str]:
    """A million tokens where every model of the same generation has far less, and the name does not say it."""
    generations: dict[tuple[str | None, str], list[ModelFact]] = defaultdict(list)
    for model in catalogue.models.values():
        if model.open_weights and model.max_context_tokens:
            generations[model.organisation, _generation(model)].append(model)
    for models in generations.values():
        for model in models:
            context = model.max_context_tokens or 0
            others = [other.max_context_tokens or 0 for other in models if other is not model]
            if context < LONG_CONTEXT_TOKENS or not others or re.search(r"(?<!\d)1m\b", model.id.casefold()):
                continue
            if contradicts_context(sorted(others)[len(others) // 2], context):
                yield (
                    f"{model.id}: max_context_tokens {context}, but its relatives have {max(others)}: "
                    "a placeholder, until a source confirms it"
                )


def _generation(model: ModelFact) -> str:
    """The name up to its first number: "Llama-3.1-8B" is of "llama-3.1"."""
    name = model.id.rsplit("/", 1)[-1].casefold()
    return re.split(r"(?<=\d)(?=[^\d.]|$)", name)[0]


def _quantization_problems(catalogue: Catalogue) -> Iterator[str]:
    for pair in catalogue.quantization:
        label = f"{pair.model_id} {pair.format} on {pair.benchmark.name}"
        if pair.model_id not in catalogue.models:
            yield f"{label}: no such model"
        if not (on_scale(pair.benchmark, pair.score_base) and on_scale(pair.benchmark, pair.score_quantized)):
            yield f"{label}: a score is off the scale"
