"""Desk: all that a skill may touch, handed over by the composition root in `bot/app.py`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from sqlalchemy import Engine

from finetune.jobs import Jobs
from finetune.selections import Selections
from index import measurements
from index.catalogue import Catalogue
from index.records import Measurement
from index.retrieve import KnowledgeBase
from skills.chat_model import ChatModel
from skills.conversation.models_named import ModelNames
from skills.conversation.threads import Threads
from skills.ranking.ability import Abilities, fit


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass
class Desk:
    """What is known, what is running, and what was said."""

    engine: Engine
    home: Path
    catalogue: Catalogue
    knowledge: KnowledgeBase
    jobs: Jobs
    threads: Threads
    clock: Callable[[], datetime] = _now
    """The current time, in UTC."""
    chat_model: ChatModel | None = None
    """Fills what the rules left open and words answers; everything works without it."""

    @cached_property
    def selections(self) -> Selections:
        """Races of base models over the jobs."""
        return Selections(self.engine, self.jobs)

    @cached_property
    def abilities(self) -> Abilities:
        """What each model can do, fitted to the published evidence once per process."""
        return fit(list(self.catalogue.models.values()), self.catalogue.evidence)

    def measurements(self, task: str | None, dataset: str | None = None) -> list[Measurement]:
        """What was measured here for a task, on one data set when it is named; newest first."""
        found = measurements.find(self.engine, task=task) if task else []
        return [row for row in found if dataset is None or row.dataset_name == dataset]

    def measured_here(self, model_id: str | None = None) -> list[Measurement]:
        """All that was measured here, or all of one model; newest first."""
        return measurements.find(self.engine, model_id=model_id)

    @property
    def names(self) -> ModelNames:
        """The model names that people may say, those of the team's tuned models as of now among them."""
        return self._published_names.knowing(model.id for model in self.catalogue.tuned)

    @cached_property
    def _published_names(self) -> ModelNames:
        return ModelNames.from_ids(self.catalogue.models)
