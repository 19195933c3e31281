"""Turn the catalogue's files into facts, benchmarks and evidence, each figure with its full source.

A source reference is a key of sources.csv, or `key:tail`, whose URL is the key's with the tail appended,
or a URL of its own.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from index.bilingual import Bilingual
from index.errors import BadInput
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
    with sound(folder / "sources.csv") as path:
        known = {
            key: Source(name=name, url=url, licence=licence or None)
            for key, name, licence, url in _rows(path)
        }
        if not known:
            raise ValueError("it holds no source")
        return SourceBook(known)


def read_models(folder: Path, sources: SourceBook) -> dict[str, ModelFact]:
    """Read models.jsonl: one model a line, only what is known of it."""
    models = {}
    with (folder / "models.jsonl").open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            with sound(folder / "models.jsonl", line=number):
                model = model_from(json.loads(line), sources)
                models[model.id] = model
    return models


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
    with sound(folder / "benchmarks.csv") as path:
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
            for name, task, language, metric, low, high, better in _rows(path)
        }


def read_evidence(
    folder: Path, benchmarks: Mapping[str, Benchmark], sources: SourceBook
) -> tuple[Evidence, ...]:
    """Read evidence.csv; where, when and under what setting a figure was read is in readings.csv."""
    with sound(folder / "readings.csv") as path:
        readings = {
            key: (sources.source(source), day or None, setting or None)
            for key, source, day, setting in _rows(path)
        }
    kinds: dict[str, EvidenceKind] = {"published": "published", "self-reported": "self-reported"}
    evidence = []
    with sound(folder / "evidence.csv") as path:
        for model, name, score, kind, key in _rows(path):
            source, day, setting = readings[key]
            evidence.append(
                Evidence(
                    model_id=model,
                    benchmark=benchmarks[name],
                    score=float(score),
                    setting=setting,
                    kind=kinds[kind],
                    date=day,
                    source=source,
                )
            )
    return tuple(evidence)


def read_quantization(
    folder: Path, benchmarks: Mapping[str, Benchmark], sources: SourceBook
) -> tuple[QuantizationPair, ...]:
    """Read quantization.csv."""
    with sound(folder / "quantization.csv") as path:
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
            for model, weights, benchmark, base, quantized, precision, source in _rows(path)
        )


def read_manifest(folder: Path) -> tuple[str, dict[str, int]]:
    """Read catalogue.yaml: the day of the source tables, and what was left out of them."""
    with sound(folder / "catalogue.yaml") as path:
        manifest = yaml.safe_load(path.read_text(encoding="utf-8"))
        return date.fromisoformat(manifest["updated"]).isoformat(), dict(manifest["left_out"])


@contextmanager
def sound(path: Path, *, line: int | None = None) -> Iterator[Path]:
    """Turn whatever a damaged file brings about into one sentence that names the file."""
    try:
        yield path
    except (OSError, ValueError, KeyError, TypeError, AttributeError, csv.Error, yaml.YAMLError) as error:
        at = Bilingual("", "") if line is None else Bilingual(f", line {line}", f"第 {line} 行")
        value = f" ({str(error)[:80]})" if isinstance(error, KeyError | ValueError) else ""
        raise BadInput(
            Bilingual(
                en=f"The catalogue file {path.name}{at.en} is damaged{value}. "
                "Install the package again, or restore the file from git.",
                zh=f"目录文件 {path.name}{at.zh} 已损坏{value}。请重新安装本软件包，或从 git 恢复该文件。",
            )
        ) from error


def _rows(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as lines:
        header, *rows = csv.reader(lines)
    for number, row in enumerate(rows, start=2):
        if len(row) != len(header):
            raise ValueError(f"row {number} has {len(row)} cells, not {len(header)}")
    return rows


def _number(text: str) -> float | None:
    return float(text) if text else None
