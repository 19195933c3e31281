"""A desk on an empty home: the real catalogue, knowledge and embeddings, and a store of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bot.app import build_desk
from bot.settings import Settings
from skills.conversation.answer import Answer
from skills.conversation.request import Turn
from skills.desk import Desk
from skills.pipeline import reply

Ask = Callable[..., Answer]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return build_desk(Settings(home=tmp_path, slack_bot_token=None))


@pytest.fixture
def ask(desk: Desk) -> Ask:
    def ask_in(text: str, thread: str = "t") -> Answer:
        return reply(Turn(text=text, thread=thread, person="ana"), desk)

    return ask_in
