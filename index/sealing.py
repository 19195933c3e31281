"""Rows of people -> what lies on the disk: encrypted under the data key of the house, or as they are where there is none.

SHORTLIST_DATA_KEY has Fernet keys, separated by commas: the first seals, all open, so that a key can be changed. It is
read from the environment of the process, as bot, worker and recipes are different ones; a worker hands it to its
recipes on purpose, and no other secret. What was written before there was a key is read as it is.
"""

from __future__ import annotations

import os
from functools import lru_cache
from typing import TYPE_CHECKING

from index.bilingual import Bilingual
from index.errors import BadSetting

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet

DATA_KEY = "SHORTLIST_DATA_KEY"
_SEALED = b"gAAAA"
"""Every Fernet token begins so, and no JSON does."""
_WHOLE = b"."
"""Ends a sealed line: no token has it, so a torn one is told from one of another key."""
_MAKE_ONE = "python -c 'from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())'"


class BadDataKey(BadSetting):
    """The setting is no key."""

    def __init__(self) -> None:
        super().__init__(
            Bilingual(
                f"{DATA_KEY} is no key. Make one with `{_MAKE_ONE}`, and keep it: without it the "
                "stored rows cannot be read.",
                f"{DATA_KEY} 不是有效的密钥。可用 `{_MAKE_ONE}` 生成，并妥善保存：没有它就无法读取已存的数据行。",
            )
        )


class NoDataKey(BadSetting):
    """There are sealed rows, and no key opens them."""

    def __init__(self) -> None:
        super().__init__(
            Bilingual(
                f"These rows are encrypted, and no key of {DATA_KEY} opens them. Set it to the key that they were written "
                "with; where a worker runs by itself, start that again with it. Without the key, register the data anew.",
                f"这些数据行已加密，{DATA_KEY} 中没有能解开它们的密钥。请设为写入时使用的密钥；"
                "单独运行的 worker 也要用它重新启动。如果密钥已丢失，请重新登记数据。",
            )
        )


def is_sealing() -> bool:
    """True where rows are encrypted when they are written."""
    return bool(os.environ.get(DATA_KEY, "").strip())


def require_usable() -> None:
    """BadDataKey when the setting is there and is none."""
    if is_sealing():
        _fernet(os.environ[DATA_KEY])


def sealed(content: bytes) -> bytes:
    """What to write; BadDataKey when the setting is no key."""
    return bytes(_fernet(os.environ[DATA_KEY]).encrypt(content)) if is_sealing() else content


def opened(content: bytes) -> bytes:
    """What was written, by `sealed` or without it; NoDataKey when no key opens it."""
    if not is_sealed(content):
        return content
    from cryptography.fernet import InvalidToken  # noqa: PLC0415  only where something is sealed

    if not is_sealing():
        raise NoDataKey
    try:
        return bytes(_fernet(os.environ[DATA_KEY]).decrypt(content.strip()))
    except InvalidToken:
        raise NoDataKey from None


def sealed_line(content: bytes) -> bytes:
    """What to append as one line, without its end."""
    return sealed(content) + _WHOLE if is_sealing() else content


def opened_line(line: bytes) -> bytes:
    """What was appended; nothing for a sealed line that a crash has torn."""
    if not is_sealed(line):
        return line
    return opened(line.removesuffix(_WHOLE)) if line.endswith(_WHOLE) else b""


def is_sealed(content: bytes) -> bool:
    """True for what `sealed` wrote under a key."""
    return content.startswith(_SEALED)


@lru_cache(maxsize=4)
def _fernet(keys: str) -> MultiFernet:
    from cryptography.fernet import Fernet, MultiFernet  # noqa: PLC0415  only where something is sealed

    try:
        return MultiFernet([Fernet(key.strip()) for key in keys.split(",") if key.strip()])
    except ValueError:
        raise BadDataKey from None
