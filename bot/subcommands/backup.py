"""`shortlist backup` and `shortlist restore`: one file out, one file in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bot.backup import Summary, back_up
from bot.backup import restore as put_back
from bot.console import Output, guarded
from bot.settings import read_settings
from bot.terminal import login_name, open_terminal
from index.audit import Trail
from index.bilingual import Bilingual
from index.store import open_store

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def backup(path: Annotated[Path, typer.Argument(help="A new file.")], json: Json = False) -> None:
    """Write store, index, data sets and jobs into one file, while the bot runs."""
    with guarded(Output(json=json)) as output:
        terminal = open_terminal()
        terminal.access.require("backup", terminal.person, subject=str(path))
        terminal.trail.record("backup", str(path), "allowed")
        done = back_up(terminal.settings, path)
        told = Bilingual(
            f"{path} holds {done.files} files ({done.bytes / 1e6:.1f} MB) and the store ({done.store}). It holds "
            "everything that people said: keep it where only you can read it.",
            f"{path} 包含 {done.files} 个文件（{done.bytes / 1e6:.1f} MB）和数据库（{done.store}）。"
            "其中有所有人的对话，请妥善保管。",
        )
        output.emit(_json(done, path), told.to(output.language))


def restore(path: Annotated[Path, typer.Argument(help="A backup.")], json: Json = False) -> None:
    """Put a backup into an empty home and store."""
    with guarded(Output(json=json)) as output:
        settings = read_settings()
        done = put_back(settings, path)
        engine = open_store(settings.store_url)
        Trail(engine).record("restore", str(path), "allowed", person=f"os:{login_name()}")
        told = Bilingual(
            f"{settings.folder} is as it was: {done.files} files, store {done.store}. `shortlist audit --verify` checks "
            "the audit trail; word and vector indexes are made again by the first search.",
            f"{settings.folder} 已恢复：{done.files} 个文件，数据库 {done.store}。"
            "用 `shortlist audit --verify` 校验审计记录；词索引和向量索引会在首次搜索时重建。",
        )
        output.emit(_json(done, path), told.to(output.language))


def _json(done: Summary, path: Path) -> dict[str, object]:
    return {"path": str(path), "files": done.files, "bytes": done.bytes, "store": done.store}
