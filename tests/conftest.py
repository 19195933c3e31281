"""What tests of several packages share: a SHORTLIST_HOME whose jobs find the built-in model converted."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from finetune.models import models_folder, smollm2_folder
from index.caller import begin


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
