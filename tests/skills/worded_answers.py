"""Answers without a model, and what a chat model says about them: the scripted lies and truths that tests share."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from index.catalogue import Catalogue
from skills.conversation.answer import Answer
from skills.conversation.models_named import ModelNames
from skills.grounding import Evidence, evidence_of

FOLDER = Path(__file__).parent / "worded"


def scripted(name: str = "scripted") -> list[dict[str, Any]]:
    return list(_yaml(name))


def answer_about(name: str) -> Answer:
    return Answer.model_validate(_yaml("answers")[name]["answer"])


@lru_cache
def evidence_about(name: str) -> Evidence:
    return evidence_of(answer_about(name), _yaml("answers")[name]["question"], names())


@lru_cache
def names() -> ModelNames:
    return ModelNames.from_ids(Catalogue.load().models)


@lru_cache
def _yaml(name: str) -> Any:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"), Loader=loader)  # noqa: S506
