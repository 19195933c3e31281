"""Recipes without a network, and what is recorded of the weights that they used."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from finetune.models import ModelLocation, models_folder
from finetune.recipes.job_dir import Context
from finetune.recipes.weights import weights_sha256

TRY = """
import socket
from pathlib import Path
from finetune.models import ModelLocation
from finetune.recipes.shut_in import shut_in_for

shut_in_for(ModelLocation(id="m", kind={kind!r}, path=Path("m")))
here = socket.create_server(("127.0.0.1", 0))
socket.create_connection(here.getsockname()).close()
print("here", flush=True)
away = socket.socket()
away.settimeout(0.2)
try:
    away.connect(("192.0.2.1", 80))
except PermissionError as error:
    print(error)
except OSError:
    print("tried")
"""


def tried(kind: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", TRY.format(kind=kind)], capture_output=True, text=True, check=True,
        cwd=Path(__file__).parents[2],
    )  # fmt: skip
    return done.stdout.splitlines()


@pytest.mark.parametrize("kind", ["embedded", "folder", "cache"])
def test_recipe_whose_model_is_here_reaches_this_machine_only(kind: str) -> None:
    assert tried(kind) == ["here", "a recipe whose model is here has no network: 192.0.2.1"]


def test_recipe_that_fetches_its_model_may_ask_for_it() -> None:
    assert tried("hub") == ["here", "tried"]


def test_hash_of_the_weights_is_of_all_bytes_and_computed_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "models").mkdir()
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"a" * 5_000_000)
    location, context = ModelLocation(id="m", kind="folder", path=folder), Context(home=tmp_path)

    first = weights_sha256(location, context)
    assert first == hashlib.sha256(b"a" * 5_000_000).hexdigest()
    with monkeypatch.context() as patch:
        patch.setattr("finetune.recipes.weights._sha256", lambda _: pytest.fail("computed again"))
        assert weights_sha256(location, context) == first
    (folder / "model.safetensors").write_bytes(b"a" * 4_999_999 + b"b")
    os.utime(folder / "model.safetensors", (1, 1))
    assert weights_sha256(location, context) not in (None, first)
    assert (models_folder(tmp_path) / "hashes.json").is_file()


def test_hosted_model_has_no_weights_here(tmp_path: Path) -> None:
    assert weights_sha256(ModelLocation(id="openai:gpt-5", kind="hosted"), Context(home=tmp_path)) is None
