"""Rows under a data key: read back with it, never without it, and under a new key after the old one."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from finetune.data import load, register
from finetune.recipes.job_dir import append_line, end_torn_line, read_lines
from finetune.sealed_files import seal_again
from index.sealing import DATA_KEY, BadDataKey, NoDataKey, require_usable

OLD, NEW = (Fernet.generate_key().decode() for _ in range(2))
PLANTED = "kumquat-7731"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "rows.csv"
    lines = [f"{PLANTED} row {n},{'ab'[n % 2]}" for n in range(12)]
    path.write_text("\n".join(["text,label", *lines]))
    return path


def kept(home: Path) -> bytes:
    return b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())


def test_rows_are_read_back_with_the_key_and_lie_nowhere_without_it(
    tmp_path: Path, table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    monkeypatch.setenv(DATA_KEY, OLD)
    dataset = register(table, home=home)

    assert PLANTED in load(dataset.sha256, home=home)[0].text
    assert PLANTED.encode() not in kept(home)
    for other in ("", NEW):
        monkeypatch.setenv(DATA_KEY, other)
        with pytest.raises(NoDataKey, match="encrypted"):
            load(dataset.sha256, home=home)


def test_plain_rows_stay_readable_and_are_sealed_on_demand_and_then_under_a_new_key(
    tmp_path: Path, table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    monkeypatch.delenv(DATA_KEY, raising=False)
    dataset = register(table, home=home)
    rows = load(dataset.sha256, home=home)
    items = home / "jobs" / "1" / "items.jsonl"
    items.parent.mkdir(parents=True)
    append_line(items, {"prediction": PLANTED})

    monkeypatch.setenv(DATA_KEY, OLD)
    assert load(dataset.sha256, home=home) == rows
    append_line(items, {"prediction": f"{PLANTED} later"})
    assert seal_again(home).files == 2
    assert PLANTED.encode() not in kept(home)

    monkeypatch.setenv(DATA_KEY, f"{NEW}, {OLD}")
    seal_again(home)
    monkeypatch.setenv(DATA_KEY, NEW)
    assert load(dataset.sha256, home=home) == rows
    assert [line["prediction"] for line in read_lines(items)] == [PLANTED, f"{PLANTED} later"]


def test_torn_sealed_line_is_skipped_and_is_no_wrong_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(DATA_KEY, OLD)
    file = tmp_path / "items.jsonl"
    append_line(file, {"n": 1})
    file.write_bytes(file.read_bytes() + file.read_bytes()[:40])
    end_torn_line(file)
    append_line(file, {"n": 2})

    assert [line["n"] for line in read_lines(file)] == [1, 2]


def test_setting_that_is_no_key_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(DATA_KEY, "sesame")
    with pytest.raises(BadDataKey, match=DATA_KEY) as error:
        require_usable()
    assert "sesame" not in error.value.to("en") + error.value.to("zh")
