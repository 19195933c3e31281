"""Builders for the tests of data sets."""

from __future__ import annotations

from pathlib import Path

import pytest

from finetune.data import describe, register
from finetune.dataset_report import DatasetReport
from index.errors import BadDataset

TEXTS = [f"The parcel number {n} has not arrived" for n in range(12)]
LABELS = ["shipping", "refund", "bug"] * 4


def csv_file(folder: Path, *, name: str = "tickets.csv", header: str = "text,label", rows: int = 12) -> Path:
    lines = [header, *(f"{text},{label}" for text, label in zip(TEXTS[:rows], LABELS, strict=False))]
    return written(folder / name, "\n".join(lines) + "\n")


def written(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def described(path: Path, home: Path) -> DatasetReport:
    return describe(register(path, home=home), home=home)


def refusal(path: Path, home: Path, **columns: str) -> BadDataset:
    """Register, expect a refusal, and check what holds for all of them."""
    with pytest.raises(BadDataset) as caught:
        register(path, home=home, **columns)
    message = caught.value.message
    assert message.en != message.zh
    assert any("\u4e00" <= letter <= "\u9fff" for letter in message.zh)
    assert not (home / "datasets").exists()
    return caught.value
