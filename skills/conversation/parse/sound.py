"""How a turn sounds to an embedding model: for what is said in words that no rule knows.

Rules cannot list all work that people do, nor all ways to ask. Where they leave a turn open, it is embedded
(`index.embed.default_embeddings`), and multinomial logistic regressions over the vector say which task it is about
and which skill it asks for. The weights in `lexicon/sound.safetensors` are learnt from labelled turns by
`benchmarks/teach.py`. An embedding takes 10 to 60 ms, for which a turn that the rules are sure of never waits.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import cast

import numpy as np
from langchain_core.embeddings import Embeddings
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import save_file

from index.records import Task
from skills.conversation.parse.lexicon import FOLDER
from skills.conversation.request import SkillName

logger = logging.getLogger(__name__)

Vector = NDArray[np.float32]

WEIGHTS = FOLDER / "sound.safetensors"
NO_TASK = "none"
CLEARLY = 0.7
"""Probability from which a task is believed; `benchmarks/teach.py` prints what that gives on turns left out."""
_MOST_CHARACTERS = 300
"""The work is told early: what is pasted below it is not read to its end."""


@dataclass(frozen=True)
class Head:
    """A linear model over the vector of a turn."""

    labels: tuple[str, ...]
    weights: Vector
    """Components x labels."""
    bias: Vector

    def probabilities(self, vector: Vector) -> dict[str, float]:
        """Of every label; they add up to one."""
        scores = vector @ self.weights + self.bias
        odds = np.exp(scores - scores.max())
        return dict(zip(self.labels, (odds / odds.sum()).tolist(), strict=True))


@dataclass(frozen=True)
class Ear:
    """What was learnt, by the name of what it tells: "task", "skill"."""

    heads: Mapping[str, Head]
    embedding_model: str
    """Id of the model whose vectors it was learnt from: to those of another it does not apply."""

    def save(self, path: Path) -> None:
        """Write the weights, with what they stand for."""
        about = {name: " ".join(head.labels) for name, head in self.heads.items()}
        tensors = {f"{name}.weights": head.weights for name, head in self.heads.items()}
        tensors |= {f"{name}.bias": head.bias for name, head in self.heads.items()}
        save_file(tensors, path, {**about, "embedding_model": self.embedding_model})

    @classmethod
    def load(cls, path: Path) -> Ear:
        """What `save` wrote."""
        with safe_open(path, framework="numpy") as file:
            about = dict(file.metadata())
            model = about.pop("embedding_model")
            heads = {
                name: Head(
                    tuple(labels.split()), file.get_tensor(f"{name}.weights"), file.get_tensor(f"{name}.bias")
                )
                for name, labels in about.items()
            }
        return cls(heads, model)


class Sound:
    """How one turn sounds; it is embedded when that is first asked."""

    def __init__(self, text: str, *, follows: bool) -> None:
        self._text = text
        self._follows = follows
        self._vector: Vector | None = None

    def task(self) -> Task | None:
        """The task that it clearly is about; None without one."""
        label, probability = max(self._of("task").items(), key=lambda item: item[1], default=(NO_TASK, 1.0))
        return None if label == NO_TASK or probability < CLEARLY else cast(Task, label)

    def skills(self) -> dict[SkillName, float]:
        """Probability of every skill; empty where the embedding model has no wheel."""
        return cast(dict[SkillName, float], self._of("skill"))

    def _of(self, head: str) -> dict[str, float]:
        learnt = _learnt()
        if learnt is None:
            return {}
        ear, embeddings = learnt
        if self._vector is None:
            self._vector = vector_of(embeddings, self._text, follows=self._follows)
        return ear.heads[head].probabilities(self._vector)


def vector_of(embeddings: Embeddings, text: str, *, follows: bool) -> Vector:
    """A turn as the heads are taught with it: its embedding, and whether it follows another turn."""
    embedded = embeddings.embed_query(text[:_MOST_CHARACTERS])
    return np.asarray([*embedded, float(follows)], dtype=np.float32)


@lru_cache(maxsize=1)
def _learnt() -> tuple[Ear, Embeddings] | None:
    """What was learnt, and the embedding model that it belongs to; None where that has no wheel."""
    from index.embed import default_embeddings  # noqa: PLC0415 - it takes a while, and is seldom needed

    embeddings, model_id = default_embeddings()
    ear = Ear.load(WEIGHTS)
    if ear.embedding_model != model_id:
        logger.info("turns are not heard with this embedding model", extra={"model": model_id})
        return None
    return ear, embeddings
