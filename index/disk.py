"""Turn what a disk refuses, full or not writable, into the sentence that says which and what to do.

Files and SQLite report it in ways of their own; a person wants to know one thing: where to make room, or who may write.
"""

from __future__ import annotations

import errno
import sqlite3

from index.bilingual import Bilingual
from index.errors import JobFailed

HOME = "SHORTLIST_HOME"
FULL_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_CLOSED_ERRORS = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})
_FULL_STORE = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR})
_CLOSED_STORE = frozenset({sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM})


class DiskFull(JobFailed):
    """Nothing more can be written."""

    def __init__(self, place: str | None = None) -> None:
        super().__init__(
            Bilingual(
                en=f"The disk with {place or HOME} is full, or its quota is used up. Make room, or set {HOME} to a folder "
                "on another disk, and start again: nothing half-written is used.",
                zh=f"{place or HOME} 所在的磁盘已满，或配额已用尽。请清理空间，或把 {HOME} 设为其他磁盘上的文件夹后重试；"
                "写了一半的文件不会被使用。",
            )
        )


class DiskShort(JobFailed):
    """There is less room than a job is going to need."""

    def __init__(self, place: str, *, need_gib: float, free_gib: float) -> None:
        super().__init__(
            Bilingual(
                en=f"The disk with {place!r} has {free_gib:.2f} GiB free, and this run writes up to {need_gib:.2f} GiB of "
                f"checkpoints and results. Make room, or set {HOME} to a folder on another disk.",
                zh=f"{place!r} 所在磁盘只剩 {free_gib:.2f} GiB，而这次运行最多会写入 {need_gib:.2f} GiB 的检查点和结果。"
                f"请清理空间，或把 {HOME} 设为其他磁盘上的文件夹。",
            )
        )


class NotWritable(JobFailed):
    """The system does not let this person write there."""

    def __init__(self, place: str | None = None) -> None:
        super().__init__(
            Bilingual(
                en=f"{place or HOME} cannot be written: it is read-only, or belongs to somebody else. Give this user the "
                f"right to write there, or set {HOME} to another folder.",
                zh=f"无法写入 {place or HOME}：它是只读的，或属于其他用户。请授予当前用户写入权限，"
                f"或把 {HOME} 设为其他文件夹。",
            )
        )


def disk_trouble(error: BaseException) -> JobFailed | None:
    """The sentence for an error that says that the disk takes no more; None for any other error."""
    store = getattr(error, "orig", error)  # SQLAlchemy keeps the driver's own error
    if isinstance(store, sqlite3.Error):
        code = getattr(store, "sqlite_errorcode", 0) & 0xFF
        if code in _FULL_STORE:
            return DiskFull()
        return NotWritable() if code in _CLOSED_STORE else None
    if not isinstance(error, OSError):
        return None
    place = repr(str(error.filename)) if error.filename else None
    if error.errno in FULL_ERRORS:
        return DiskFull(place)
    return NotWritable(place) if place and error.errno in _CLOSED_ERRORS else None
