"""Turn examples or a standard benchmark into a registered data set, and a data set into splits and samples.

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
from dataclasses import asdict, replace
from itertools import zip_longest
from pathlib import Path
from typing import Any

from finetune.atomic import write_bytes, write_text
from finetune.columns import Columns, Found, Row, recognise, rows_of, task_of
from finetune.conversations import ANSWER, PROMPT, Turn, as_prompts, shape_of
from finetune.dataset_errors import HoldsPersonalData, NotRegistered, OneLabelOnly, TooFewRows, TooManyLabels
from finetune.dataset_report import DatasetReport, Lengths, Rows
from finetune.harness import read_benchmark
from finetune.personal_data import Scan
from finetune.policy import PersonalData
from finetune.spec import DatasetRef, DatasetTask
from finetune.table_files import Table
from finetune.table_folder import read_table
from index.sealing import opened, sealed

SAMPLES = {"tickets": Path(__file__).parent / "samples" / "tickets.jsonl"}

_BY_HASH = "sha256:"

MIN_ROWS = 10
MAX_LABELS = 100
_FIRST_ROWS = 20
"""So many row numbers are kept of each thing that is reported."""
_SCRIPTS = {
    "ja": re.compile(r"[\u3040-\u30ff]"),
    "ko": re.compile(r"[\uac00-\ud7af]"),
    "zh": re.compile(r"[\u3400-\u9fff]"),
}
_SCRIPT_FRAC = 0.2


def register(  # noqa: PLR0913  what a form and a command line may say of a file
    path_or_name: str | Path,
    *,
    home: Path,
    text_column: str | None = None,
    label_column: str | None = None,
    task: DatasetTask | None = None,
    labels: Sequence[str] = (),
    personal_data: PersonalData = "keep",
) -> DatasetRef:
    """Check a file or a folder of examples, keep its rows under `home`, and return how jobs refer to it.

    `tickets` is the sample that comes along. `task` is told from columns and answers unless it is given; that
    there is nothing but text to find likely, language-modelling, is never guessed. `labels`: all there are, where
    the rows may lack some. Raises BadDataset, and then nothing was written. Registering the same rows again gives
    the same reference; `describe` tells what was recognised.
    """
    table = read_table(SAMPLES.get(str(path_or_name), Path(path_or_name).expanduser()))
    if str(path_or_name) in SAMPLES:
        table = replace(table, name=str(path_or_name))
    table, scan = _scanned(table, personal_data)
    named = text_column is not None or label_column is not None
    shape = None if named or task == "language-modelling" else shape_of(table.name, table.records)
    if shape is not None:
        table = replace(table, records=as_prompts(table.records, shape))
        text_column, label_column = PROMPT, ANSWER
    columns = recognise(
        table.name,
        table.records,
        text_column=text_column,
        label_column=label_column,
        task=task,
        has_turns=shape is not None,
    )
    return _keep(table, columns, home, task, labels, (scan, personal_data == "redact"))


def _scanned(table: Table, policy: PersonalData) -> tuple[Table, Scan]:
    """The table by the rules of the house, and what was found in it; HoldsPersonalData where that is refused."""
    scan = Scan()
    records = [scan.record(record) for record in table.records]
    if scan.records and policy == "refuse":
        raise HoldsPersonalData(table.name, scan.told())
    return (replace(table, records=records) if policy == "redact" else table), scan


def require_clean(dataset: DatasetRef, home: Path) -> None:
    """HoldsPersonalData for rows that were kept before the house forbade it."""
    scan = Scan()
    for row in load(dataset.sha256, home=home):
        scan.record(asdict(row))
    if scan.records:
        raise HoldsPersonalData(dataset.name, scan.told())


def register_benchmark(name: str, *, home: Path, folder: Path | None = None) -> DatasetRef:
    """Keep the rows of a standard benchmark as lm-evaluation-harness has them, as `register` does.

    `folder` holds a task of one's own as YAML.
    """
    found = read_benchmark(name, folder)
    table = Table(name=name, records=found.records)
    columns = recognise(name, found.records, text_column="text", label_column="answer", task=found.task)
    return _keep(table, columns, home, found.task, ())


def _keep(
    table: Table,
    columns: Columns,
    home: Path,
    task: DatasetTask | None,
    labels: Sequence[str],
    scanned: tuple[Scan, bool] | None = None,
) -> DatasetRef:
    found = rows_of(table.name, table.records, columns, labels)
    task = task or task_of(found.rows, columns)
    once = _without_duplicates(found)
    rows = once.rows
    _check(table.name, rows, columns, task)
    content = "".join(json.dumps(_sparse(row), ensure_ascii=False) + "\n" for row in rows)
    sha256 = hashlib.sha256(content.encode()).hexdigest()
    classes = {row.label for row in rows} | set(labels) if task == "classification" else ()
    report = _report(
        table, columns, task, once, duplicates=len(found.rows) - len(rows), labels=sorted(classes)
    )
    if scanned is not None and scanned[0].records:
        told = scanned[0].told()
        report = report.model_copy(update={"personal_data": (told.en, told.zh), "is_redacted": scanned[1]})
    write_text(_folder(home) / f"{sha256}.meta.json", report.model_dump_json(indent=2))
    write_bytes(_folder(home) / f"{sha256}.jsonl", sealed(content.encode()))
    return DatasetRef(
        name=table.name, sha256=sha256, rows=len(rows), labels=tuple(sorted(classes)), task=task
    )


def describe(dataset: DatasetRef, *, home: Path) -> DatasetReport:
    """What was recognised when the data set was registered."""
    path = _folder(home) / f"{dataset.sha256}.meta.json"
    if not path.is_file():
        return DatasetReport(name=dataset.name, task=dataset.task, rows=dataset.rows)
    report = DatasetReport.model_validate_json(path.read_bytes())
    # The same rows may have been registered under another name or for another task since.
    return report.model_copy(update={"name": dataset.name, "task": dataset.task})


def registered_name(dataset: DatasetRef) -> str:
    """A name by which a set that lies under a home can be asked for again."""
    return f"{_BY_HASH}{dataset.sha256}"


def find_registered(name: str, *, home: Path, task: DatasetTask | None = None) -> DatasetRef | None:
    """Return the registered set of this name, `sha256:…`; None for a name of another kind."""
    sha256 = name.removeprefix(_BY_HASH)
    if sha256 == name:
        return None
    path = _folder(home) / f"{sha256}.meta.json"
    if not re.fullmatch(r"[0-9a-f]{64}", sha256) or not path.is_file():
        raise NotRegistered(sha256, _folder(home))
    meta = json.loads(path.read_text("utf-8"))
    task = task or meta["task"]
    rows = load(sha256, home=home)
    labels = tuple(sorted({row.label for row in rows})) if task == "classification" else ()
    return DatasetRef(name=meta["name"], sha256=sha256, rows=len(rows), labels=labels, task=task)


def load(sha256: str, *, home: Path) -> list[Row]:
    """Return the rows of a registered data set."""
    path = _folder(home) / f"{sha256}.jsonl"
    if not path.is_file():
        raise NotRegistered(sha256, _folder(home))
    text = opened(path.read_bytes()).decode("utf-8")
    return [_row(json.loads(line)) for line in text.split("\n") if line]


def _row(fields: dict[str, Any]) -> Row:
    lists: dict[str, Any] = {
        name: tuple(fields[name]) for name in ("choices", "references") if name in fields
    }
    turns = tuple(Turn(**turn) for turn in fields.get("turns", ()))
    return Row(**{**fields, **lists, "turns": turns})


def split(
    rows: Sequence[Row], held_out_frac: float, seed: int, *, has_classes: bool = True
) -> tuple[list[Row], list[Row]]:
    """Return (train, held-out) rows, decided by a hash of each text alone.

    So a row stays on its side when rows are added, and texts that differ only in case, spaces or
    punctuation go to the same side: the held-out rows were never seen in training. Where labels are classes, every
    label is on both sides, except that a label with a single text is in train only; answers in free words have no sides.
    """
    position = {row.id: _hash_frac(text_key(row.text), f"split {seed}") for row in rows}
    held_out_keys = {text_key(row.text) for row in rows if position[row.id] < held_out_frac}
    for label in sorted({row.label for row in rows}) if has_classes else ():
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
    return {name: field for name, field in asdict(value).items() if field not in (None, (), False)}


def _without_duplicates(found: Found) -> Found:
    """The first of rows that are the same in all that is asked and answered."""
    first: dict[Any, int] = {}
    for index, row in enumerate(found.rows):
        first.setdefault((row.text, row.label, row.choices, row.references, row.turns), index)
    return replace(
        found,
        rows=[found.rows[index] for index in first.values()],
        numbers=[found.numbers[index] for index in first.values()],
    )


def _report(
    table: Table, columns: Columns, task: DatasetTask, found: Found, *, duplicates: int, labels: Sequence[str]
) -> DatasetReport:
    rows = found.rows
    counts = Counter(row.label for row in rows)
    several = _with_several_labels(found) if task == "classification" else []
    lengths = sorted(len(row.text) for row in rows)
    return DatasetReport(
        name=table.name,
        task=task,
        rows=len(rows),
        columns=_sparse(columns),
        labels={label: counts[label] for label in labels},
        languages=_languages(rows),
        duplicates=duplicates,
        repeated_ids=Rows(count=len(found.repeated_ids), first=tuple(found.repeated_ids[:_FIRST_ROWS])),
        texts_with_several_labels=len(several),
        contradictions=tuple(several[:_FIRST_ROWS]),
        left_out={
            reason: Rows(count=len(numbers), first=tuple(numbers[:_FIRST_ROWS]))
            for reason, numbers in found.left_out.items()
        },
        characters=Lengths(
            p50=lengths[len(lengths) // 2], p95=lengths[len(lengths) * 95 // 100], longest=lengths[-1]
        ),
        encodings=table.encodings,
        files=table.files,
        ignored_files=table.ignored,
    )


def _with_several_labels(found: Found) -> list[tuple[int, ...]]:
    """Numbers of the rows whose texts, up to case and punctuation, are the same, and their labels are not."""
    by_text: dict[str, list[tuple[int, str]]] = {}
    for number, row in zip(found.numbers, found.rows, strict=True):
        by_text.setdefault(text_key(row.text), []).append((number, row.label))
    return [
        tuple(number for number, _ in of_text)
        for of_text in by_text.values()
        if len({label for _, label in of_text}) > 1
    ]


def _languages(rows: Sequence[Row]) -> dict[str, int]:
    counts = Counter(row.language or script_of(row.text) for row in rows)
    return dict(sorted(counts.items())) if set(counts) != {"other"} else {}


def script_of(text: str) -> str:
    """The language where the script tells it, else `other`."""
    for language, letters in _SCRIPTS.items():
        if len(letters.findall(text)) > _SCRIPT_FRAC * len(text):
            return language
    return "other"


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
