"""Lexicon files (YAML) into plain values: the words that the parsers know are data, not code."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parent.parent / "lexicon"

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The C loader is ten times faster, which is felt at start-up."""


@lru_cache
def load(name: str) -> dict[str, Any]:
    """The mapping in `lexicon/<name>.yaml`."""
    text = (FOLDER / f"{name}.yaml").read_text(encoding="utf-8")
    content = yaml.load(text, Loader=_Loader)  # noqa: S506 - both loaders are the safe ones
    if not isinstance(content, dict):
        raise TypeError(f"lexicon {name!r} must be a mapping, not {type(content).__name__}")
    return content


@lru_cache
def words(name: str, key: str) -> frozenset[str]:
    """One list of words of a lexicon, for membership tests."""
    return frozenset(str(word) for word in load(name)[key])
