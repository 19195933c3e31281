"""Turn the bytes of a text file into text, and say in which encoding they were.

UTF-8 and marked UTF-16 or UTF-32 are certain; of the encodings that spreadsheets and older systems write, the
detector names the likeliest. A file with two encodings in it has no right one: that is said, with the lines.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Sequence

from finetune.dataset_errors import MixedEncodings, NotUtf8, NullBytes

UTF8 = "UTF-8"
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_NAMES = {
    "gb18030": "GB18030",
    "big5": "Big5",
    "cp932": "Shift-JIS",
    "euc_jp": "EUC-JP",
    "euc_kr": "EUC-KR",
    "cp1252": "Windows-1252",
    "cp1251": "Windows-1251",
}
"""What the detector may choose from: Python's name, and the one that people know. GB18030 holds GBK."""
_SINGLE_BYTE = ("cp1252", "cp1251")
_UTF8_LETTER = re.compile(rb"[\xc2\xc3][\x80-\xbf]")
_SURE_LETTERS = 4
"""So many letters in a line are UTF-8 by chance hardly ever."""
_LINES_TO_GUESS = 400
_MESS_FRACS = (0.2, 0.5)
"""How odd a text may look to the detector; Chinese with Latin names in it looks odd."""


def decoded(content: bytes, name: str) -> tuple[str, str]:
    """The text and the name of its encoding; NotUtf8, MixedEncodings or NullBytes when there is no right one."""
    marked = next((codec for mark, codec in _MARKS if content.startswith(mark)), None)
    if marked is not None and marked != "utf-8-sig":
        return _strictly(content, name, marked), marked.upper()
    if b"\0" in content:
        return _with_null_bytes(content, name)
    try:
        return content.decode("utf-8-sig"), UTF8
    except UnicodeDecodeError as error:
        # The codec counts from behind the byte-order mark.
        offset = error.start + (len(codecs.BOM_UTF8) if marked else 0)
        return _guessed(content, name, offset)


def _strictly(content: bytes, name: str, codec: str) -> str:
    try:
        return content.decode(codec)
    except UnicodeDecodeError as error:
        raise NotUtf8(name, offset=error.start) from error


def _with_null_bytes(content: bytes, name: str) -> tuple[str, str]:
    """UTF-16 that lost its mark has a zero in every other byte of its commas and line ends."""
    sample = content[:4096]
    for codec, first in (("utf-16-le", 1), ("utf-16-be", 0)):
        zeros, other_zeros = sample[first::2].count(0), sample[1 - first :: 2].count(0)
        if len(content) % 2 == 0 and zeros > len(sample) / 10 and other_zeros < zeros / 10:
            return _strictly(content, name, codec), codec.upper()
    raise NullBytes(name, line=content[: content.index(b"\0")].count(b"\n") + 1)


def _guessed(content: bytes, name: str, offset: int) -> tuple[str, str]:
    from charset_normalizer import from_bytes  # noqa: PLC0415 - for files that are not UTF-8 only

    lines = content.split(b"\n")
    foreign = [number for number, line in enumerate(lines, start=1) if not line.isascii()]
    good = [number for number in foreign if _is_utf8(lines[number - 1])]
    bad = [number for number in foreign if not _is_utf8(lines[number - 1])]
    if _is_mixed([lines[n - 1] for n in good], bad):
        raise MixedEncodings(name, utf8_lines=good, other_lines=bad)
    sample = b"\n".join(lines[number - 1] for number in foreign[:_LINES_TO_GUESS])
    guesses = (from_bytes(sample, cp_isolation=list(_NAMES), threshold=mess).best() for mess in _MESS_FRACS)
    guess = next(filter(None, guesses), None)
    if guess is None:
        raise NotUtf8(name, offset=offset)
    if guess.encoding in _SINGLE_BYTE and _UTF8_LETTER.search(content):
        raise MixedEncodings(name, utf8_lines=good, other_lines=bad)
    return _strictly(content, name, guess.encoding), _NAMES[guess.encoding]


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _is_mixed(good: Sequence[bytes], bad: Sequence[int]) -> bool:
    """Whether lines that can be read as UTF-8 are meant so: two characters of GBK may look like it by chance."""
    is_sure = any(sum(not letter.isascii() for letter in line.decode()) >= _SURE_LETTERS for line in good)
    return is_sure or len(good) > (len(good) + len(bad)) / 3
