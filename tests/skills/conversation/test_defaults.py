"""What a team takes for granted fills what is left unsaid, for one turn, and never what was said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from index.store import open_store, sqlite_url
from skills.conversation.defaults import Defaults, DefaultsStore, as_stated, with_defaults
from skills.conversation.request import Currency, Gpus, Request, Requirements, Turn

TEAM = Defaults(
    gpus=Gpus(memory_gib=24), licences=("MIT",), languages=("zh",), alpha=2.0,
    currency=Currency(code="CNY", per_usd=7.1),
)  # fmt: skip


def request(skill: str = "recommend", waived: tuple[str, ...] = (), **stated: Any) -> Request:
    turn = Turn(text="which model?", thread="T:C:1", person="U1")
    values = {"turn": turn, "language": "en", "skill": skill, "requirements": Requirements(**stated)}
    return Request.model_validate({**values, "waived": waived})


def test_what_is_left_unsaid_is_filled_and_named() -> None:
    filled = with_defaults(request(task="code"), TEAM)

    assert filled.assumed == ("gpus", "licences", "languages", "alpha")
    assert filled.requirements.licences == ("MIT",)
    assert filled.currency == Currency(code="CNY", per_usd=7.1)


@pytest.mark.parametrize(
    ("stated", "idle"),
    [
        ({"max_memory_gib": 80.0}, "gpus"),
        ({"hosting": "api"}, "gpus"),
        ({"licences": ("Apache-2.0",)}, "licences"),
        ({"languages": ("en",)}, "languages"),
        ({"priority": "speed"}, "alpha"),
    ],
)
def test_what_is_said_makes_its_default_idle(stated: dict[str, Any], idle: str) -> None:
    filled = with_defaults(request(**stated), TEAM)

    assert idle not in filled.assumed
    assert len(filled.assumed) == 3


def test_what_was_waived_is_not_filled() -> None:
    assert "licences" not in with_defaults(request(waived=("licences",)), TEAM).assumed


def test_only_a_choice_rests_on_defaults() -> None:
    assert with_defaults(request(skill="answer"), TEAM).requirements == Requirements()


def test_next_turn_builds_on_what_was_said_not_on_what_was_assumed() -> None:
    said = as_stated(with_defaults(request(task="code", licences=("Apache-2.0",)), TEAM))

    assert said is not None
    assert said.requirements == Requirements(task="code", licences=("Apache-2.0",))


def test_channel_wins_over_its_team_field_by_field(tmp_path: Path) -> None:
    engine = open_store(sqlite_url(tmp_path))
    store = DefaultsStore(engine)
    store.save("T", TEAM, person="U1")
    store.save("T:C", Defaults(licences=("Apache-2.0",)), person="U2")
    store.save("T:C", Defaults(licences=("Apache-2.0",), alpha=9.0), person="U2")

    held = store.holding(("T:C", "T"))
    store.save("T:C", Defaults(), person="U2")
    cleared = store.holding(("T:C", "T"))
    engine.dispose()

    assert (held.licences, held.alpha, held.languages) == (("Apache-2.0",), 9.0, ("zh",))
    assert cleared == TEAM
