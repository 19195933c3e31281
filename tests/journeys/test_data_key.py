"""A whole evaluation under a data key: its rows are on the disk, and nobody reads them there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

PLANTED = "kumquat-7731"


def shortlist(home: Path, key: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "SHORTLIST_HOME": str(home), "SHORTLIST_DATA_KEY": key, "LANG": "C.UTF-8"}
    command = [sys.executable, "-m", "bot", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def quoting(home: Path) -> list[str]:
    # A process of its own looks: closing the store's file here would drop SQLite's locks on it.
    search = ["grep", "--recursive", "--text", "--files-with-matches", PLANTED, str(home)]
    return subprocess.run(search, capture_output=True, text=True, check=False).stdout.splitlines()


@pytest.mark.usefixtures("home_with_model")
def test_after_a_whole_evaluation_no_row_lies_in_the_home_and_another_key_is_told_kindly(
    tmp_path: Path,
) -> None:
    home, table, key = tmp_path / "home", tmp_path / "rows.csv", Fernet.generate_key().decode()
    lines = [f"{PLANTED} my invoice number {n} is wrong,{('billing', 'refund')[n % 2]}" for n in range(12)]
    table.write_text("\n".join(["text,label", *lines]))
    job = [
        "evaluate",
        "--model",
        "smollm2",
        "--model",
        "smollm2@int8",
        "--dataset",
        str(table),
        "--limit",
        "4",
    ]

    done = shortlist(home, key, *job, "--wait", "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["state"] == "succeeded"
    assert Path(result["report"]).is_file()
    assert quoting(home) == []
    compared = shortlist(home, key, "compare", "1", "--json")
    assert json.loads(compared.stdout)["rows"] == 4

    lost = shortlist(home, "", "compare", "1")
    assert lost.returncode == 2
    assert "SHORTLIST_DATA_KEY" in lost.stderr
    assert "Traceback" not in lost.stderr
