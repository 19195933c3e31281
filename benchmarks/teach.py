"""Learn from labelled turns what rules do not say, and how well that does on turns left out.

    PYTHONPATH=. python benchmarks/teach.py [--left-out]

Writes `lexicon/heard.yaml`, the turns by skill that `parse/likeness.py` counts, and `lexicon/sound.safetensors`, the
weights of `parse/sound.py`; with `--left-out` it prints first what comes of each file of turns that is not learnt
from, which takes minutes. A turn of a thread that names no task teaches what none sounds like;
`lexicon/task_examples.yaml` teaches tasks alone.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import yaml
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from benchmarks.understanding import OWN
from index.embed import default_embeddings
from skills.conversation.parse.lexicon import FOLDER, load
from skills.conversation.parse.sound import CLEARLY, NO_TASK, WEIGHTS, Ear, Head, vector_of
from skills.conversation.request import SkillName
from tests.skills.conversation import test_understand as own

_ASKING = frozenset({"recommend", "compare", "evaluate", "finetune", "clarify"})
_TOLD = frozenset({"recommend", "clarify"})
"""Skills of the turns that a task is heard in."""
_INVERSE_PENALTIES = {"task": 0.3, "skill": 0.1}
_EXAMPLES = "task_examples.yaml"
_HEARD = "# Turns that people put, by the skill that they meant, which likeness.py counts. Written by benchmarks/teach.py.\n"


@dataclass(frozen=True)
class Example:
    """A text, and what it is meant to be heard as."""

    text: str
    skill: SkillName
    task: str
    """Or `NO_TASK`."""
    file: str
    follows: bool = False

    @property
    def teaches_tasks(self) -> bool:
        return self.follows or self.skill in _ASKING


@dataclass(frozen=True)
class Taught:
    """Examples with the vectors of one embedding model, row by row."""

    examples: Sequence[Example]
    vectors: NDArray[np.float32]
    embedding_model: str

    def only(self, wanted: Callable[[Example], bool]) -> Taught:
        chosen = [i for i, example in enumerate(self.examples) if wanted(example)]
        return replace(self, examples=[self.examples[i] for i in chosen], vectors=self.vectors[chosen])

    def ear(self) -> Ear:
        tasks = self.only(lambda example: example.teaches_tasks)
        skills = self.only(lambda example: example.file != _EXAMPLES)
        heads = {
            "task": _learn(tasks.vectors, [e.task for e in tasks.examples], _INVERSE_PENALTIES["task"]),
            "skill": _learn(skills.vectors, [e.skill for e in skills.examples], _INVERSE_PENALTIES["skill"]),
        }
        return Ear(heads, self.embedding_model)


def main() -> None:
    examples = [*_of_turns(), *_of_lexicon()]
    write_heard(examples)
    embeddings, model_id = default_embeddings()
    vectors = np.array([vector_of(embeddings, e.text, follows=e.follows) for e in examples])
    taught = Taught(examples, vectors, model_id)
    for name in OWN if "--left-out" in sys.argv[1:] else ():
        print(f"{name}: {_left_out(taught, name)}", flush=True)
    taught.ear().save(WEIGHTS)


def write_heard(examples: Sequence[Example]) -> None:
    """Every turn once, by its skill."""
    by_skill: dict[str, dict[str, None]] = defaultdict(dict)
    for example in examples:
        if example.file != _EXAMPLES:
            by_skill[example.skill][example.text] = None
    content = {skill: list(texts) for skill, texts in by_skill.items()}
    text = yaml.dump(content, allow_unicode=True, sort_keys=False, width=110, Dumper=yaml.CSafeDumper)
    (FOLDER / "heard.yaml").write_text(_HEARD + text, encoding="utf-8")


def _of_turns() -> Iterator[Example]:
    for name in OWN:
        for entry in yaml.safe_load(Path(own.__file__).with_name(name).read_text("utf-8"))["turns"]:
            task = entry.get("fields", {}).get("task") or NO_TASK
            yield Example(entry["say"], entry["skill"], task, name, "after" in entry)


def _of_lexicon() -> Iterator[Example]:
    for task, texts in load("task_examples").items():
        for text in texts:
            yield Example(text, "recommend", task, _EXAMPLES)


def _learn(vectors: NDArray[np.float32], labels: Sequence[str], inverse_penalty: float) -> Head:
    """Multinomial logistic regression; the scaling of the vectors goes into its weights."""
    scaler = StandardScaler().fit(vectors)
    model = LogisticRegression(C=inverse_penalty, max_iter=1000).fit(scaler.transform(vectors), labels)
    weights = (model.coef_ / scaler.scale_).T
    bias = model.intercept_ - scaler.mean_ @ weights
    return Head(tuple(model.classes_), weights.astype(np.float32), bias.astype(np.float32))


def _left_out(taught: Taught, file: str) -> str:
    """How a file of turns is heard by what the others teach."""
    ear = taught.only(lambda example: example.file != file).ear()
    asked = taught.only(lambda example: example.file == file)
    skills = [
        _likeliest(ear.heads["skill"], vector)[0] == example.skill
        for example, vector in zip(asked.examples, asked.vectors, strict=True)
    ]
    told = asked.only(lambda example: example.teaches_tasks and example.skill in _TOLD)
    heard = [
        (example.task, *_likeliest(ear.heads["task"], vector))
        for example, vector in zip(told.examples, told.vectors, strict=True)
    ]
    believed = [(meant, said) for meant, said, p in heard if p >= CLEARLY and said != NO_TASK]
    right = sum(meant == said for meant, said in believed)
    invented = sum(meant == NO_TASK for meant, _ in believed)
    n_tasks = sum(meant != NO_TASK for meant, _, _ in heard)
    return (
        f"{right / n_tasks:.1%} of {n_tasks} tasks heard, {right / (len(believed) - invented):.1%} of those believed "
        f"right, heard in {invented} of {len(heard) - n_tasks} turns without one; {np.mean(skills):.1%} of skills"
    )


def _likeliest(head: Head, vector: NDArray[np.float32]) -> tuple[str, float]:
    return max(head.probabilities(vector).items(), key=lambda item: item[1])


if __name__ == "__main__":
    main()
