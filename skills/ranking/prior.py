"""What is known of a model without any figure -> one row of numbers that abilities are predicted from.

Date, size, maker, family, hosted or open, reasoning or not; for hosted models of unknown size, what the name says of it.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from index.records import ModelFact

Floats = NDArray[np.float64]

_LARGE_B, _SMALL_B = 30.0, 5.0
"""Beyond these, more or fewer parameters tell less or more than in between."""
_REASONING_YEAR = 2025.5
"""From here on ability grows at another pace."""
_GROUP_SCALE = 0.3
"""Makers and families move a prediction less than date and size do."""
_GROUP_MIN = 3
_MEDIUM_NAME = re.compile("mini|nano|flash|lite|haiku|air|small|tiny|micro|fast|ministral|-8b|turbo|instant")
_TINY_NAME = re.compile("nano|lite|micro|ministral|-8b|tiny")
_LARGE_NAME = re.compile(r"opus|ultra|max|large|pro\b|heavy|premier|preview")


def prior_design(models: Sequence[ModelFact]) -> Floats:
    """One row per model; the first column is 1."""
    sizes = [math.log(model.params_b) for model in models if model.params_b]
    typical = float(np.median(sizes)) if sizes else 0.0
    known = np.array([_known_of(model, typical) for model in models], dtype=np.float64)
    groups = [
        _members([model.organisation for model in models]),
        _members([model.family for model in models]),
    ]
    return np.column_stack([known, *groups])


def _known_of(model: ModelFact, typical: float) -> tuple[float, ...]:
    is_encoder = model.kind in {"encoder", "embedding"}
    size = math.log(model.params_b) if model.params_b else typical
    year = release_year(model)
    generator = float(not is_encoder)
    return (
        1.0,
        year - 2024.0,
        min(year - 2024.0, 0.0) ** 2 / 3.0,
        max(year - _REASONING_YEAR, 0.0),
        float(not model.release_date),
        generator * (size - typical),
        generator * max(size - math.log(_LARGE_B), 0.0),
        generator * max(math.log(_SMALL_B) - size, 0.0),
        (1.0 - generator) * (size - typical),
        math.log(model.active_params_b / model.params_b) if model.active_params_b and model.params_b else 0.0,
        float(not model.open_weights),
        _reasoning_share(model, year),
        float(model.kind == "base"),
        float(is_encoder),
        float(model.kind == "embedding"),
        *_size_in_name(model),
    )


def _reasoning_share(model: ModelFact, year: float) -> float:
    """1 when the model reasons before it answers; a guess by date and size where no source says."""
    if model.reasoning is not None or model.kind != "instruct":
        return float(bool(model.reasoning))
    is_large = model.params_b is None or model.params_b >= 8
    since = max(year - 2025.0, 0.0)
    return min(since, 0.9) if is_large else min(since / 2, 0.5)


def _size_in_name(model: ModelFact) -> tuple[float, float, float, float]:
    """Of models whose size is not published: mini, nano, large, and open weights all the same."""
    if model.params_b:
        return (0.0, 0.0, 0.0, 0.0)
    name = model.id.rsplit("/", 1)[-1].lower()
    marks = (bool(pattern.search(name)) for pattern in (_MEDIUM_NAME, _TINY_NAME, _LARGE_NAME))
    medium, tiny, large = (float(mark) for mark in marks)
    return (medium, tiny, large, float(model.open_weights))


def _members(names: Sequence[str | None]) -> Floats:
    """One column per name that several models share."""
    counts = Counter(name for name in names if name)
    shared = sorted(name for name, count in counts.items() if count >= _GROUP_MIN)
    return _GROUP_SCALE * np.array([[float(name == other) for other in shared] for name in names])


def release_year(model: ModelFact) -> float:
    """Release date as a decimal year; mid-2024 when unknown."""
    if not model.release_date:
        return 2024.5
    parts = [int(part) for part in model.release_date.split("-")]
    month = parts[1] if len(parts) > 1 else 7
    return parts[0] + (month - 0.5) / 12
