"""Turn a catalogue into a list of what is wrong with it: impossible facts, scores off scale, loose ends."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator

from index.catalogue.catalogue import Catalogue
from index.catalogue.soundness import COMMERCIAL_USE, EXCLUDED_SOURCES, on_scale, unsound_fields
from index.records import Evidence, ModelFact, Source

_DATE = re.compile(r"20[12]\d(-(0[1-9]|1[0-2])(-([0-2]\d|3[01]))?)?")
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
        *_quantization_problems(catalogue),
    ]


def model_problems(model: ModelFact, updated: str) -> Iterator[str]:
    """What is wrong with one model's facts."""
    for field, why in unsound_fields(model):
        yield f"{model.id}: {field}: {why}"
    if (model.architecture == "api") is model.open_weights:
        yield f"{model.id}: open_weights and architecture {model.architecture!r} disagree"
    if COMMERCIAL_USE.get(model.licence or "", model.commercial_use) != model.commercial_use:
        yield f"{model.id}: licence {model.licence} does not mean commercial use {model.commercial_use!r}"
    if model.release_date is not None and not _is_past_date(model.release_date, updated):
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


def _figure_problems(figure: Evidence, catalogue: Catalogue) -> Iterator[str]:
    label = f"{figure.model_id} on {figure.benchmark.name}"
    if figure.model_id not in catalogue.models:
        yield f"{label}: no such model"
    if catalogue.benchmarks.get(figure.benchmark.name) != figure.benchmark:
        yield f"{label}: no such benchmark"
    if not on_scale(figure.benchmark, figure.score):
        yield f"{label}: score {figure.score} is off the scale"
    if figure.date is not None and not _DATE.fullmatch(figure.date):
        yield f"{label}: date {figure.date!r} is no date"
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


def _quantization_problems(catalogue: Catalogue) -> Iterator[str]:
    for pair in catalogue.quantization:
        label = f"{pair.model_id} {pair.format} on {pair.benchmark.name}"
        if pair.model_id not in catalogue.models:
            yield f"{label}: no such model"
        if not (on_scale(pair.benchmark, pair.score_base) and on_scale(pair.benchmark, pair.score_quantized)):
            yield f"{label}: a score is off the scale"


def _is_past_date(text: str, updated: str) -> bool:
    return bool(_DATE.fullmatch(text)) and text <= updated
