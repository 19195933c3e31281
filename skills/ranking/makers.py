"""Which country or region the maker of a model is of, as far as `makers.yaml` knows."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml

_FILE = Path(__file__).with_name("makers.yaml")


def places_of(organisation: str | None) -> frozenset[str]:
    """The country of an organisation and its region, or nothing where that is not known."""
    return _places().get(organisation or "", frozenset())


@cache
def _places() -> dict[str, frozenset[str]]:
    table: dict[str, Any] = yaml.safe_load(_FILE.read_text(encoding="utf-8"))
    regions = table["regions"].items()
    found = {
        str(name): frozenset({country, *(region for region, members in regions if country in members)})
        for country, names in table["countries"].items()
        for name in names
    }
    return found | {
        name: frozenset({region}) for region, names in table["regional"].items() for name in names
    }
