"""Turn the catalogue's files into facts, benchmarks and evidence, each figure with its full source.

A source reference is a key of sources.csv, or `key:tail`, whose URL is the key's with the tail appended,
or a URL of its own.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from index.records import Benchmark, Evidence, EvidenceKind, ModelFact, Source

DATA_FILES = (
    "models.jsonl",
    "evidence.csv",
    "readings.csv",
    "benchmarks.csv",
    "quantization.csv",
    "sources.csv",
    "catalogue.yaml",
)
"""What convert.py writes and this module reads."""

_LISTS = ("input_modalities", "languages")


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantizationPair:
    """The same model on the same benchmark, before and after its weights were quantized."""

    model_id: str
    format: str
    """As the source writes it: bnb-4bit, gptq-int8, awq, gguf q4_k_m, ..."""
    benchmark: Benchmark
    score_base: float
    score_quantized: float
    base_precision: str
    source: Source


class SourceBook:
    """Source references and what they stand for."""

    def __init__(self, known: Mapping[str, Source]) -> None:
        self._sources = dict(known)

    def source(self, reference: str) -> Source:
        """The page that a reference stands for."""
        source = self._sources.get(reference)
        if source is None:
            source = self._sources[reference] = self._resolve(reference)
        return source

    def _resolve(self, reference: str) -> Source:
        if reference.startswith("http"):
            return Source(name=urlsplit(reference).netloc, url=reference)
        key, _, tail = reference.partition(":")
        prefix = self._sources[key]
        return replace(prefix, url=prefix.url + tail)


def read_sources(folder: Path) -> SourceBook:
    """Read sources.csv."""
    return SourceBook(
        {
            key: Source(name=name, url=url, licence=licence or None)
            for key, name, licence, url in _rows(folder / "sources.csv")
        }
    )


def read_models(folder: Path, sources: SourceBook) -> dict[str, ModelFact]:
    """Read models.jsonl: one model a line, only what is known of it."""
    with (folder / "models.jsonl").open(encoding="utf-8") as lines:
        models = [model_from(json.loads(line), sources) for line in lines]
    return {model.id: model for model in models}


def model_from(known: dict[str, Any], sources: SourceBook) -> ModelFact:
    """Build one fact from the values of its line."""
    values = dict(known)
    for name in _LISTS:
        values[name] = tuple(values.get(name, ()))
    values["sources"] = tuple(sources.source(reference) for reference in values.get("sources", ()))
    values.setdefault("name", values["id"].rsplit("/", 1)[-1])
    return ModelFact(**values)


def read_benchmarks(folder: Path) -> dict[str, Benchmark]:
    """Read benchmarks.csv by name."""
    return {
        name: Benchmark(
            name=name,
            task=task,
            language=language,
            metric=metric,
            scale_min=_number(low),
            scale_max=_number(high),
            higher_is_better=better == "true",
        )
        for name, task, language, metric, low, high, better in _rows(folder / "benchmarks.csv")
    }


def read_evidence(
    folder: Path, benchmarks: Mapping[str, Benchmark], sources: SourceBook
) -> tuple[Evidence, ...]:
    """Read evidence.csv; where, when and under what setting a figure was read is in readings.csv."""
    readings = {
        key: (sources.source(source), date or None, setting or None)
        for key, source, date, setting in _rows(folder / "readings.csv")
    }
    kinds: dict[str, EvidenceKind] = {"published": "published", "self-reported": "self-reported"}
    evidence = []
    for model, name, score, kind, key in _rows(folder / "evidence.csv"):
        source, date, setting = readings[key]
        evidence.append(
            Evidence(
                model_id=model,
                benchmark=benchmarks[name],
                score=float(score),
                setting=setting,
                kind=kinds[kind],
                date=date,
                source=source,
            )
        )
    return tuple(evidence)


def read_quantization(
    folder: Path, benchmarks: Mapping[str, Benchmark], sources: SourceBook
) -> tuple[QuantizationPair, ...]:
    """Read quantization.csv."""
    return tuple(
        QuantizationPair(
            model_id=model,
            format=weights,
            benchmark=benchmarks[benchmark],
            score_base=float(base),
            score_quantized=float(quantized),
            base_precision=precision,
            source=sources.source(source),
        )
        for model, weights, benchmark, base, quantized, precision, source in _rows(
            folder / "quantization.csv"
        )
    )


def _rows(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.reader(lines))[1:]


def _number(text: str) -> float | None:
    return float(text) if text else None
