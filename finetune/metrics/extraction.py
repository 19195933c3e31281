"""Turn extracted JSON and the true JSON into how often it is valid, and how many fields are right."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from finetune.metrics.base import Metric, References, Sums, Table, mean_of, require_pairs

_FENCED = re.compile(r"```(?:json)?\s*(.*?)```", re.DOTALL)
_DEEPEST = 50


def parsed(text: str) -> Any:
    """The JSON object or list in a text, bare or in a fence; None where there is none."""
    fenced = _FENCED.search(text)
    try:
        value = json.loads(fenced[1] if fenced else text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict | list) else None


def is_valid(prediction: str, _references: Sequence[str]) -> float:
    """1 for an object or list in JSON, else 0."""
    return float(parsed(prediction) is not None)


def field_f1_of_row(prediction: str, references: Sequence[str]) -> float:
    """F1 of the fields, path and value; the best over the references."""
    return max(_f1(*_counted(prediction, reference)) for reference in references)


def field_f1(predictions: Sequence[str], references: References) -> float:
    """F1 of the fields of all rows together (micro); each row with its nearest reference."""
    require_pairs(predictions, references)
    return float(_of_sums(_of_rows(predictions, references).sum(axis=0)[None, :])[0])


def _of_rows(predictions: Sequence[str], references: References) -> Table:
    nearest = [
        max((_counted(p, reference) for reference in of_row), key=lambda counted: _f1(*counted))
        for p, of_row in zip(predictions, references, strict=True)
    ]
    return np.array(nearest, dtype=float)


def _of_sums(sums: Table) -> Table:
    return np.array([_f1(*of_draw) for of_draw in sums.tolist()])


def _counted(prediction: str, reference: str) -> tuple[int, int, int]:
    said, true = (Counter(_fields(parsed(text))) for text in (prediction, reference))
    return (said & true).total(), said.total(), true.total()


def _fields(value: Any, path: str = "", depth: int = 0) -> Iterator[tuple[str, str]]:
    """Every leaf with its path. The order in a list does not count; 1 and 1.0, and case and spaces, are the same."""
    if isinstance(value, dict) and depth < _DEEPEST:
        for key, item in value.items():
            yield from _fields(item, f"{path}.{key}", depth + 1)
    elif isinstance(value, list) and depth < _DEEPEST:
        for item in value:
            yield from _fields(item, f"{path}[]", depth + 1)
    elif value is not None:
        yield path, _plain(value)


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return f"{float(value):.12g}"
    return " ".join(str(value).split()).casefold()


def _f1(hits: float, said: float, true: float) -> float:
    return 2 * hits / (said + true) if said + true else 1.0


VALIDITY = Metric(
    name="json_validity", unit="frac", higher_is_better=True, compute=mean_of(is_valid), per_item=is_valid
)
FIELD_F1 = Metric(
    name="field_f1",
    unit="frac",
    higher_is_better=True,
    compute=field_f1,
    per_item=field_f1_of_row,
    sums=Sums(of_rows=_of_rows, value=_of_sums),
)
