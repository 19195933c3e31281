"""Turn a folder of source tables (CSV) into the catalogue's own compact files.

`python -m index.catalogue.convert FOLDER [INTO]`. Kept because the tables will be converted again: the output
is sorted and keyed by content, so that a diff shows what changed. Unsound figures are left out and counted.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import json
import re
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from fnmatch import fnmatchcase
from pathlib import Path
from statistics import median
from typing import Any

import yaml

from index.catalogue.read import SourceBook, model_from
from index.catalogue.soundness import COMMERCIAL_USE, unsound_fields, why_unsound
from index.records import Benchmark, ModelFact, Source

_PACKAGE = Path(__file__).parent
_HUB = "https://huggingface.co/"

Row = Mapping[str, str]
"""One line of a source table."""

Reading = tuple[str, str, str]
"""Setting, date and source key: what all the figures of one table on one page share."""


@dataclass(frozen=True, slots=True)
class Tables:
    """The source tables as read, and the facts that were read by hand."""

    models: list[Row]
    evidence: list[Row]
    benchmarks: list[Row]
    quantization: list[Row]
    additions: Mapping[str, Any]
    updated: str
    """Day on which the tables were built."""


@dataclass(frozen=True, slots=True)
class Files:
    """The catalogue's files as text, by name, and what was left out of them."""

    text: dict[str, str]
    left_out: Counter[str] = field(default_factory=Counter)


def read_tables(folder: Path) -> Tables:
    """Read the tables of `folder` and our additions to them."""
    built = re.search(r"Built (\d{4}-\d\d-\d\d)", (folder / "NOTE.md").read_text(encoding="utf-8"))
    if built is None:
        raise ValueError(f"{folder / 'NOTE.md'} does not say when the tables were built: 'Built YYYY-MM-DD'")
    return Tables(
        models=_read_csv(folder / "models.csv"),
        evidence=_read_csv(folder / "evidence.csv"),
        benchmarks=_read_csv(folder / "benchmarks.csv"),
        quantization=_read_csv(folder / "quantization.csv"),
        additions=yaml.safe_load((_PACKAGE / "additions.yaml").read_text(encoding="utf-8")),
        updated=built[1],
    )


def convert(tables: Tables) -> Files:
    """Turn the source tables into the catalogue's files."""
    left_out: Counter[str] = Counter()
    keys = SourceKeys(tables)
    lines = [_model_line(row, tables.additions["models"], keys, left_out) for row in tables.models]
    lines += _new_lines(tables.additions.get("new_models", ()), {line["id"] for line in lines})
    models = {line["id"]: model_from(line, keys.book()) for line in lines}
    benchmarks = {row["benchmark"]: _benchmark(row, tables.additions) for row in tables.benchmarks}
    evidence = _sound_evidence(tables.evidence, models, benchmarks, left_out)
    readings = _reading_keys({_reading(row, keys) for row in evidence})
    pairs = [row for row in tables.quantization if row["benchmark"] in benchmarks]
    used = {row["benchmark"] for row in (*evidence, *pairs)}
    return Files(
        text={
            "models.jsonl": _models_text(lines),
            "evidence.csv": _evidence_text(evidence, readings, keys),
            "readings.csv": _readings_text(readings),
            "benchmarks.csv": _benchmarks_text(benchmarks[name] for name in sorted(used)),
            "quantization.csv": _quantization_text(pairs, keys),
            "sources.csv": keys.text(),
            "catalogue.yaml": _manifest(tables.updated, left_out),
        },
        left_out=left_out,
    )


class SourceKeys:
    """A short, stable key for every page that a figure was read on."""

    def __init__(self, tables: Tables) -> None:
        self._by_hand = {
            key: Source(name=entry["name"], url=entry["url"], licence=entry["licence"])
            for key, entry in tables.additions["sources"].items()
        }
        pages = sorted(
            {_page(row) for row in tables.evidence}, key=lambda page: (page.url, page.name, page.licence)
        )
        taken = Counter([*self._by_hand, *(_slug(page) for page in pages)])
        self._keys = {page: _page_key(page, alone=taken[_slug(page)] == 1) for page in pages}
        if len({*self._keys.values(), *self._by_hand}) != len(self._keys) + len(self._by_hand):
            raise ValueError("two sources would share a key: lengthen the digest in _page_key")
        self._by_url = {page.url: key for page, key in self._keys.items()}

    def of_row(self, row: Row) -> str:
        """The key of the page that an evidence row was read on."""
        return self._keys[_page(row)]

    def of_url(self, url: str) -> str:
        """The shortest reference that stands for `url`: a key, `key:tail`, or the URL itself."""
        exact: dict[str, str] = {source.url: key for key, source in self._by_hand.items()} | self._by_url
        if url in exact:
            return exact[url]
        for key, source in self._by_hand.items():
            if source.url.endswith("/") and url.startswith(source.url):
                return f"{key}:{url.removeprefix(source.url)}"
        return url

    def book(self) -> SourceBook:
        """All sources by key."""
        return SourceBook(self._by_hand | {key: page for page, key in self._keys.items()})

    def text(self) -> str:
        """The sources as a file."""
        known = {**self._by_hand, **{key: page for page, key in self._keys.items()}}
        rows = [(key, known[key].name, known[key].licence or "", known[key].url) for key in sorted(known)]
        return _csv_text(("key", "name", "licence", "url"), rows)


def _page(row: Row) -> Source:
    return Source(name=row["source"], url=row["source_url"], licence=row["licence"])


def _slug(page: Source) -> str:
    words = re.sub(r"\(.*?\)", " ", page.name.casefold())
    return "-".join(re.findall(r"[a-z0-9.]+", words))[:24].strip("-.")


def _page_key(page: Source, *, alone: bool) -> str:
    if alone:
        return _slug(page)
    digest = hashlib.sha256(f"{page.name} {page.url} {page.licence}".encode()).hexdigest()
    return f"{_slug(page)[:14].strip('-.')}-{digest[:5]}"


def _model_line(
    row: Row, additions: Sequence[Mapping[str, Any]], keys: SourceKeys, left_out: Counter[str]
) -> dict[str, Any]:
    """One model with only its known fields; figures that cannot be right are taken out and counted."""
    line = {name: value for name, value in _model_values(row).items() if value not in (None, [], "")}
    references = [keys.of_url(url) for url in row["source_urls"].split(";")]
    for addition in additions:
        if any(fnmatchcase(row["id"], pattern) for pattern in addition["ids"]):
            line.update(addition["set"])
            references.append(addition["source"])
    line = {name: value for name, value in line.items() if value is not None}
    line["sources"] = list(dict.fromkeys(references))
    for name, _why in list(unsound_fields(model_from(line, keys.book()))):
        left_out[f"model fact: {name}"] += 1
        del line[name]
    return {name: line[name] for name in _FIELD_ORDER if name in line}


def _new_lines(entries: Iterable[Mapping[str, Any]], held: set[str]) -> list[dict[str, Any]]:
    """Models that only we added; the tables' own line is kept once they hold such a model too."""
    lines = []
    for entry in entries:
        commercial_use = COMMERCIAL_USE.get(entry["set"].get("licence"), "unknown")
        for id_, name in entry["ids"].items():
            line = {
                **entry["set"],
                "id": id_,
                "name": name,
                "input_modalities": ["text"],
                "commercial_use": commercial_use,
                "sources": [entry["source"]],
            }
            if id_ not in held:
                lines.append({field: line[field] for field in _FIELD_ORDER if field in line})
    return lines


_FIELD_ORDER = tuple(item.name for item in fields(ModelFact))
_COUNTS = (
    "n_layers",
    "n_attention_layers",
    "n_kv_heads",
    "head_dim",
    "hidden_size",
    "vocab_size",
    "sliding_window",
    "kv_lora_rank",
    "max_context_tokens",
)
_WORDS = ("organisation", "family", "release_date", "architecture", "knowledge_cutoff")


def _model_values(row: Row) -> dict[str, Any]:
    licence = row["licence"]
    values: dict[str, Any] = {"id": row["id"], "kind": row["chat"], "licence": licence}
    values |= {name: row[name] for name in _WORDS}
    values |= {name: int(row[name]) if row[name] else None for name in _COUNTS}
    values |= {name: float(row[name]) if row[name] else None for name in ("params_b", "active_params_b")}
    values |= {name: _truth(row[name]) for name in ("open_weights", "tool_calling", "reasoning")}
    values |= {name: _parts(row[name]) for name in ("input_modalities", "languages")}
    values["name"] = row["name"] if row["name"] != row["id"].rsplit("/", 1)[-1] else None
    values["commercial_use"] = COMMERCIAL_USE.get(licence, row["commercial_use"])
    return values


def _benchmark(row: Row, additions: Mapping[str, Any]) -> Benchmark:
    name = row["benchmark"]
    corrected = additions["benchmarks"].get(name, {})
    return Benchmark(
        name=name,
        task=corrected.get("task", row["task"]),
        language=corrected.get("language", row["language"]),
        metric=row["metric"],
        scale_min=float(row["scale_min"]) if row["scale_min"] else None,
        scale_max=float(row["scale_max"]) if row["scale_max"] else None,
        higher_is_better=row["higher_is_better"] == "true",
    )


def _sound_evidence(
    rows: Iterable[Row],
    models: Mapping[str, ModelFact],
    benchmarks: Mapping[str, Benchmark],
    left_out: Counter[str],
) -> list[Row]:
    rows = list(rows)
    medians = _medians(rows)
    sound = []
    for row in rows:
        name = row["benchmark"]
        why = why_unsound(
            models[row["model_id"]],
            benchmarks[name],
            float(row["score"]),
            row["setting"],
            median=medians[name],
            source=f"{row['source']} {row['source_url']}",
        )
        if why is None:
            sound.append(row)
        else:
            left_out[f"figure: {why}"] += 1
    return sound


def _medians(rows: Iterable[Row]) -> dict[str, float]:
    scores: dict[str, list[float]] = {}
    for row in rows:
        scores.setdefault(row["benchmark"], []).append(float(row["score"]))
    return {name: median(values) for name, values in scores.items()}


def _reading(row: Row, keys: SourceKeys) -> Reading:
    return row["setting"], row["date"], keys.of_row(row)


def _reading_keys(readings: Iterable[Reading]) -> dict[Reading, str]:
    """A digest for each reading, as short as keeps all of them apart."""
    digests = {reading: hashlib.sha256("|".join(reading).encode()).hexdigest() for reading in readings}
    length = next(n for n in range(4, 64) if len({digest[:n] for digest in digests.values()}) == len(digests))
    return {reading: digest[:length] for reading, digest in digests.items()}


def _models_text(lines: Iterable[Mapping[str, Any]]) -> str:
    ordered = sorted(lines, key=lambda line: (line["id"].casefold(), line["id"]))
    return "".join(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n" for line in ordered)


def _evidence_text(rows: Iterable[Row], readings: Mapping[Reading, str], keys: SourceKeys) -> str:
    return _csv_text(
        ("model", "benchmark", "score", "kind", "reading"),
        sorted(
            (
                row["model_id"],
                row["benchmark"],
                f"{float(row['score']):.10g}",
                # Not stated counts as the vendor's own: the careful reading.
                "published" if row["self_reported"] == "false" else "self-reported",
                readings[_reading(row, keys)],
            )
            for row in rows
        ),
    )


def _readings_text(readings: Mapping[Reading, str]) -> str:
    rows = [(key, source, date, setting) for (setting, date, source), key in readings.items()]
    return _csv_text(
        ("key", "source", "date", "setting"), sorted(rows, key=lambda row: (row[1], row[3], row[2]))
    )


def _benchmarks_text(benchmarks: Iterable[Benchmark]) -> str:
    return _csv_text(
        ("benchmark", "task", "language", "metric", "scale_min", "scale_max", "higher_is_better"),
        [
            (
                item.name,
                item.task,
                item.language,
                item.metric,
                "" if item.scale_min is None else f"{item.scale_min:g}",
                "" if item.scale_max is None else f"{item.scale_max:g}",
                str(item.higher_is_better).lower(),
            )
            for item in benchmarks
        ],
    )


def _quantization_text(rows: Iterable[Row], keys: SourceKeys) -> str:
    columns = ("model_id", "quant_format", "benchmark", "score_base", "score_quant", "base_precision")
    return _csv_text(
        ("model", "format", "benchmark", "score_base", "score_quantized", "base_precision", "source"),
        sorted((*(row[name] for name in columns), keys.of_url(row["source_url"])) for row in rows),
    )


def _manifest(updated: str, left_out: Mapping[str, int]) -> str:
    counted = dict(sorted(left_out.items()))
    return yaml.safe_dump({"updated": updated, "left_out": counted}, sort_keys=False, allow_unicode=True)


def _csv_text(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    return text.getvalue()


def _read_csv(path: Path) -> list[Row]:
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def _truth(text: str) -> bool | None:
    return {"true": True, "false": False}.get(text)


def _parts(text: str) -> list[str]:
    return text.split(";") if text else []


def main() -> None:
    """Convert the tables of a folder and say what was left out."""
    parser = argparse.ArgumentParser(description="Convert source tables into the catalogue's files.")
    parser.add_argument("folder", type=Path, help="where models.csv, evidence.csv and the others are")
    parser.add_argument("into", type=Path, nargs="?", default=_PACKAGE, help="default: the package itself")
    arguments = parser.parse_args()
    files = convert(read_tables(arguments.folder))
    for name, text in files.text.items():
        (arguments.into / name).write_text(text, encoding="utf-8", newline="\n")
        sys.stdout.write(f"{name}: {text.count(chr(10))} lines, {len(text.encode()) / 1e3:.0f} kB\n")
    for why, count in sorted(files.left_out.items()):
        sys.stdout.write(f"left out {count}: {why}\n")


if __name__ == "__main__":
    main()
