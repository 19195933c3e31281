"""Seal under the first data key what was kept before: as plain text, or under an older key.

Rows of data sets are one sealed file each. What recipes append while they run (answers, verdicts, new wordings) is
sealed line by line.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from finetune.atomic import write_bytes
from index.bilingual import Bilingual
from index.errors import BadInput
from index.sealing import opened, opened_line, sealed, sealed_line

_WHOLE = ("datasets/*.jsonl",)
_LINES = ("jobs/*/items.jsonl", "jobs/*/verdicts.jsonl", "jobs/*/reworded.jsonl", "answers/*/answers.jsonl")
_LEFT_OPEN = ("jobs/*/answers.csv", "jobs/*/report.html")


class NoKeyToSealWith(BadInput):
    """There is no data key."""

    def __init__(self) -> None:
        super().__init__(
            Bilingual(
                "SHORTLIST_DATA_KEY is not set, so there is nothing to encrypt with. Make a key with `python -c 'from "
                "cryptography.fernet import Fernet; print(Fernet.generate_key().decode())'`, keep it in a safe place, "
                "and set it.",
                "没有设置 SHORTLIST_DATA_KEY，无法加密。请用 `python -c 'from cryptography.fernet import Fernet; "
                "print(Fernet.generate_key().decode())'` 生成密钥，妥善保存，再设置该变量。",
            )
        )


class JobsAreRunning(BadInput):
    """Files may not be replaced now."""

    def __init__(self) -> None:
        super().__init__(
            Bilingual(
                "Jobs are waiting or running, and they write to the files that would be replaced. Try again once "
                "`shortlist jobs list` shows them ended.",
                "还有任务在排队或运行，它们会写入将被替换的文件。请等 `shortlist jobs list` 显示全部结束后再试。",
            )
        )


@dataclass(frozen=True, slots=True)
class Resealed:
    """What was done."""

    files: int
    left_open: int
    """Reports and tables of earlier jobs, for people to open, which quote rows."""


def seal_again(files: Path) -> Resealed:
    """Seal everything under the first key; NoDataKey, with nothing lost, where a file opens with none of them.

    No job may run meanwhile: what it appends to a file that is being replaced would be lost.
    """
    whole, lines = _found(files, _WHOLE), _found(files, _LINES)
    for path in whole:
        write_bytes(path, sealed(opened(path.read_bytes())))
    for path in lines:
        kept = [plain for line in path.read_bytes().split(b"\n") if (plain := opened_line(line))]
        write_bytes(path, b"".join(sealed_line(line) + b"\n" for line in kept))
    return Resealed(files=len(whole) + len(lines), left_open=len(_found(files, _LEFT_OPEN)))


def _found(files: Path, patterns: tuple[str, ...]) -> list[Path]:
    return sorted(path for pattern in patterns for path in _glob(files, pattern))


def _glob(files: Path, pattern: str) -> Iterator[Path]:
    return (path for path in files.glob(pattern) if path.is_file())
