"""Requirements -> what to weigh: skills of the task, and what quality and waiting are worth (criteria.yaml)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from skills.conversation.request import Priority, Requirements

_FILE = Path(__file__).with_name("criteria.yaml")
DEFAULT_PRIORITY: Priority = "balanced"
DEFAULT_CONTEXT_TOKENS = 8192


@dataclass(frozen=True, slots=True, kw_only=True)
class Criteria:
    """How the candidates of one request are weighed."""

    skill_weights: Mapping[str, float]
    alpha_usd_per_mtok: float
    """What a full unit of quality is worth."""
    wait_usd_per_h: float
    context_tokens: int
    """Context that memory is reserved for."""


def criteria_for(requirements: Requirements) -> Criteria:
    """What counts for these requirements."""
    table = _table()
    weights = dict(table["tasks"].get(requirements.task, table["unstated_task"]))
    for language in requirements.languages or ():
        for skill, weight in table["languages"].get(language, table["languages"]["other"]).items():
            weights[skill] = max(weight, weights.get(skill, 0.0))
    preset = table["priorities"][requirements.priority or DEFAULT_PRIORITY]
    return Criteria(
        skill_weights=weights,
        alpha_usd_per_mtok=preset["alpha"] if requirements.alpha is None else requirements.alpha,
        wait_usd_per_h=preset["wait_usd_per_h"],
        context_tokens=requirements.min_context_tokens or DEFAULT_CONTEXT_TOKENS,
    )


@cache
def _table() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(_FILE.read_text(encoding="utf-8"))
    return loaded
