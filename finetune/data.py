"""Turn a file of examples into a registered data set, and a data set into splits and samples.

A registered set lies under HOME/datasets by the hash of its rows, so a job does not depend on a file
that somebody may edit. Nothing is written before everything was checked.
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from itertools import zip_longest
from pathlib import Path
from typing import Any

from finetune.atomic import write_text
from finetune.columns import Columns, Row, recognise, rows_of, task_of
from finetune.errors import NotRegistered, OneLabelOnly, TooFewRows, TooManyLabels
from finetune.spec import DatasetRef, DatasetTask
from finetune.table_files import read_records

SAMPLES = {"tickets": Path(__file__).parent / "samples" / "tickets.jsonl"}

MIN_ROWS = 10
MAX_LABELS = 100


def register(
    path_or_name: str | Path,
    *,
    home: Path,
    text_column: str | None = None,
    label_column: str | None = None,
    task: DatasetTask | None = None,
) -> DatasetRef:
    """Check a file of examples, keep its rows under `home`, and return how jobs refer to it.

    `tickets` is the sample that comes along. `task` is told from columns and answers unless it is given; that
    there is nothing but text to find likely, language-modelling, is never guessed. Raises BadDataset, and then
    nothing was written. Registering the same rows again gives the same reference.
    """
    path = SAMPLES.get(str(path_or_name), Path(path_or_name).expanduser())
    records = read_records(path)
    columns = recognise(path.name, records, text_column=text_column, label_column=label_column, task=task)
    rows = rows_of(path.name, records, columns)
    task = task or task_of(rows, columns)
    _check(path.name, rows, columns, task)
    content = "".join(json.dumps(_sparse(row), ensure_ascii=False) + "\n" for row in rows)
    sha256 = hashlib.sha256(content.encode()).hexdigest()
    name = str(path_or_name) if str(path_or_name) in SAMPLES else path.name
    meta = {"name": name, "task": task, "columns": _sparse(columns), **_counts(rows, task)}
    write_text(_folder(home) / f"{sha256}.meta.json", json.dumps(meta, ensure_ascii=False, indent=2))
    write_text(_folder(home) / f"{sha256}.jsonl", content)
    labels = tuple(sorted({row.label for row in rows})) if task == "classification" else ()
    return DatasetRef(name=name, sha256=sha256, rows=len(rows), labels=labels, task=task)


def load(sha256: str, *, home: Path) -> list[Row]:
    """Return the rows of a registered data set."""
    path = _folder(home) / f"{sha256}.jsonl"
    if not path.is_file():
        raise NotRegistered(sha256, _folder(home))
    return [_row(json.loads(line)) for line in path.read_text("utf-8").split("\n") if line]


def _row(fields: dict[str, Any]) -> Row:
    lists: dict[str, Any] = {
        name: tuple(fields[name]) for name in ("choices", "references") if name in fields
    }
    return Row(**{**fields, **lists})


def split(rows: Sequence[Row], held_out_frac: float, seed: int) -> tuple[list[Row], list[Row]]:
    """Return (train, held-out) rows, decided by a hash of each text alone.

    So a row stays on its side when rows are added, and texts that differ only in case, spaces or
    punctuation go to the same side: the held-out rows were never seen in training. Every label is on both
    sides, except that a label with a single text is in train only.
    """
    position = {row.id: _hash_frac(text_key(row.text), f"split {seed}") for row in rows}
    held_out_keys = {text_key(row.text) for row in rows if position[row.id] < held_out_frac}
    for label in sorted({row.label for row in rows}):
        ordered = sorted((position[row.id], text_key(row.text)) for row in rows if row.label == label)
        keys = [key for _, key in ordered]
        held_out_keys.add(keys[0])
        held_out_keys.discard(keys[-1])
    train = [row for row in rows if text_key(row.text) not in held_out_keys]
    return train, [row for row in rows if text_key(row.text) in held_out_keys]


def sample(rows: Sequence[Row], limit: int | None, seed: int) -> list[Row]:
    """Return up to `limit` rows in a random order fixed by `seed`, labels in turn as far as they last.

    A smaller sample is the beginning of a larger one.
    """
    by_label: dict[str, list[Row]] = {}
    for row in sorted(rows, key=lambda row: (_hash_frac(text_key(row.text), f"sample {seed}"), row.id)):
        by_label.setdefault(row.label, []).append(row)
    rounds = zip_longest(*by_label.values())
    return [row for one_round in rounds for row in one_round if row is not None][:limit]


def text_key(text: str) -> str:
    """What stays of a text when case, width, spaces and punctuation do not count."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(re.findall(r"\w+", folded)) or folded.strip()


def text_hash(text: str) -> str:
    """A short name for a text, equal for texts that differ only in case, spaces or punctuation."""
    return hashlib.sha256(text_key(text).encode()).hexdigest()[:16]


def _hash_frac(key: str, purpose: str) -> float:
    """A number from 0 to 1 that depends on the text and the purpose only.

    Were a sample and a split to use the same numbers, a small sample would lie on one side of the split.
    """
    digest = hashlib.sha256(f"{purpose}: {key}".encode()).digest()
    return int.from_bytes(digest[:8]) / 2**64


def _folder(home: Path) -> Path:
    return home / "datasets"


def _sparse(value: Row | Columns) -> dict[str, Any]:
    return {name: field for name, field in asdict(value).items() if field not in (None, ())}


def _counts(rows: Sequence[Row], task: DatasetTask) -> dict[str, Any]:
    keys = Counter(text_key(row.text) for row in rows)
    labels_of_key: dict[str, set[str]] = {}
    for row in rows:
        labels_of_key.setdefault(text_key(row.text), set()).add(row.label)
    labels = Counter(row.label for row in rows) if task == "classification" else Counter[str]()
    return {
        "rows": len(rows),
        "labels": dict(sorted(labels.items())),
        "languages": dict(sorted(Counter(row.language for row in rows if row.language).items())),
        "duplicates": len(rows) - len(keys),
        "texts_with_several_labels": sum(len(labels) > 1 for labels in labels_of_key.values()),
    }


def _check(name: str, rows: Sequence[Row], columns: Columns, task: DatasetTask) -> None:
    if len(rows) < MIN_ROWS:
        raise TooFewRows(name, rows=len(rows), least=MIN_ROWS)
    if task != "classification":
        return
    labels = {row.label for row in rows}
    if len(labels) == 1:
        raise OneLabelOnly(name, label=rows[0].label)
    if len(labels) > MAX_LABELS or len(labels) == len(rows):
        raise TooManyLabels(
            name, column=columns.label or "", labels=len(labels), rows=len(rows), limit=MAX_LABELS
        )
