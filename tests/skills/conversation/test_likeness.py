"""What the sound of a turn adds to the rules: ways of asking that no cue of the lexicons covers."""

from __future__ import annotations

import pytest

from skills.conversation.parse import intent
from skills.conversation.parse.lexicon import load
from skills.conversation.parse.likeness import Likeness, heard, learn, tokens_of
from tests.skills.conversation.test_understand import TURNS, say, thread

ASKED = [
    ("what kinds of things can you do for me?", None, "help"),
    ("在吗，你都能帮我干啥", None, "help"),
    ("put one and three side by side", "support", "compare"),
    ("三个都拿 flagged_posts.csv 测一遍", "support", "evaluate"),
    ("隔壁组老王为啥离职了", None, "decline"),
]


@pytest.fixture(scope="module")
def untaught() -> Likeness:
    """What is learnt from all the other turns."""
    asked = {text for text, _, _ in ASKED}
    return learn(
        {skill: [text for text in texts if text not in asked] for skill, texts in heard_turns().items()}  # type: ignore[misc]
    )


@pytest.mark.parametrize(("text", "after", "skill"), ASKED)
def test_ways_of_asking_that_no_rule_lists(
    untaught: Likeness, monkeypatch: pytest.MonkeyPatch, text: str, after: str | None, skill: str
) -> None:
    monkeypatch.setattr(intent, "heard", lambda: untaught)
    assert say(text, thread(after) if after else None).skill == skill


def likeliest(likeness: Likeness, text: str) -> tuple[str, float]:
    return max(likeness.probabilities(tokens_of(text)).items(), key=lambda item: item[1])


def heard_turns() -> dict[str, list[str]]:
    return load("heard")


def test_a_fifth_of_the_turns_is_mostly_told_by_the_others() -> None:
    """Each skill by its sound alone, learnt without the turns that are asked."""
    turns = [(skill, text) for skill, texts in heard_turns().items() for text in texts]
    asked, taught = turns[::5], [turn for i, turn in enumerate(turns) if i % 5]
    by_skill: dict[str, list[str]] = {}
    for skill, text in taught:
        by_skill.setdefault(skill, []).append(text)
    likeness = learn(by_skill)  # type: ignore[arg-type]  # keys are skills
    right = sum(likeliest(likeness, text)[0] == skill for skill, text in asked)
    assert right >= 0.88 * len(asked)


def test_a_turn_of_nothing_known_is_believed_of_no_skill() -> None:
    _, probability = likeliest(heard(), "zxqv wvut")
    assert probability < 0.7


def test_every_labelled_turn_teaches() -> None:
    known = {text for texts in heard_turns().values() for text in texts}
    assert {entry["say"] for entry in TURNS["turns"]} <= known
