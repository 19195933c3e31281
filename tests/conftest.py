"""What tests of several packages share: a SHORTLIST_HOME whose jobs find the built-in model converted."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from finetune.models import models_folder, smollm2_folder
from index.caller import begin

LONGEST_FIRST = (
    "tests/journeys/test_choice_is_proved.py",
    "tests/finetune/test_tuning.py",
    "tests/bot/test_cli.py",
    "tests/finetune/test_recipe_race.py",
    "tests/journeys/test_base_is_selected.py",
    "tests/journeys/test_tuning_survives.py",
    "tests/finetune/test_recipe_parts.py",
    "tests/index/test_retrieval_quality.py",
    "tests/finetune/test_recipe_lora.py",
)
"""Files that take a minute or more: begun last, one of them would keep a single core at work while the others wait."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first."""
    places = {file: place for place, file in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: places.get(item.nodeid.partition("::")[0], len(places)))


@pytest.fixture(autouse=True)
def nobody_asks() -> None:
    """A command that ran in this process has said who asks: the next test is somebody else's."""
    begin(None)


@pytest.fixture(scope="session")
def home_with_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home for real jobs. The model is converted on the first run ever; later runs find it in the cache."""
    home = tmp_path_factory.mktemp("shortlist-home")
    if not smollm2_folder(models_folder(home)).is_dir():
        command = [sys.executable, "-m", "finetune.recipes.convert", str(home)]
        subprocess.run(command, cwd=Path(__file__).parents[1], check=True)
    return home
