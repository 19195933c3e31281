"""What is said when the index of the team's documents, or the embedding model, cannot be used."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from index.bilingual import Bilingual
from index.passages import SCHEMA_VERSION, OfAnotherVersion


def problem_with(folder: Path, error: Exception) -> Bilingual:
    """Why the index in this folder cannot be used, and what to do."""
    if isinstance(error, OfAnotherVersion):
        return _of_another_version(folder, error.found)
    if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError):
        return _damaged(folder)
    return _out_of_reach(folder, error)


def _damaged(folder: Path) -> Bilingual:
    return Bilingual(
        en=f"The index of your documents in {str(folder)!r} is damaged. Delete it and add them again; "
        "until then I answer from my own articles.",
        zh=f"{str(folder)!r} 中的团队文档索引已损坏。请删除该目录并重新添加文档；"
        "在此之前我只用自带的文章回答。",
    )


def _out_of_reach(folder: Path, error: Exception) -> Bilingual:
    return Bilingual(
        en=f"The index of your documents in {str(folder)!r} cannot be used ({error}). Check its permissions and "
        "the room on the disk; until then I answer from my own articles.",
        zh=f"无法使用 {str(folder)!r} 中的团队文档索引（{error}）。请检查目录权限和磁盘空间；"
        "在此之前我只用自带的文章回答。",
    )


def _of_another_version(folder: Path, version: int) -> Bilingual:
    return Bilingual(
        en=f"The index in {str(folder)!r} has format {version}, and this version reads {SCHEMA_VERSION}. "
        "Update Shortlist, or delete that folder and add the documents again.",
        zh=f"{str(folder)!r} 中的索引格式为 {version}，当前版本的 Shortlist 只能读取 {SCHEMA_VERSION}。"
        "请升级 Shortlist，或删除该目录并重新添加文档。",
    )


def cannot_embed(model_id: str, error: Exception) -> Bilingual:
    """That the embedding model did not answer, and what was kept."""
    reason = type(error).__name__
    return Bilingual(
        en=f"The embedding model {model_id!r} did not answer ({reason}). What was added before is kept: check "
        "its server and key, and add the rest again.",
        zh=f"嵌入模型 {model_id!r} 没有响应（{reason}）。此前已添加的内容都已保存："
        "请检查其服务和密钥，然后重新添加其余文件。",
    )
