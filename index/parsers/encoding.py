"""Turn the bytes of a text file into text: UTF-8, UTF-16 with its mark, or GB18030 where it is plainly Chinese."""

from __future__ import annotations

import codecs
import re

from index.bilingual import Bilingual
from index.errors import BadDocument

_SAMPLE_BYTES = 65_536
_MIN_EVERYDAY_FRAC = 0.7
_MIN_BEYOND_HANGUL_FRAC = 0.1
_EVERYDAY = re.compile(rb"[\xb0-\xd7][\xa1-\xfe]|\xa1[\xa1-\xbf]|\xa3[\xa1-\xfe]")
"""In GB18030: the 3,755 everyday characters, and Chinese punctuation."""
_BEYOND_HANGUL = b"\xc9"
"""From here on they are no syllables in the encoding of Korean: four in ten of what people write in Chinese."""
_GUESSES = ("gb18030", "gbk", "gb2312", "big5", "cp949")
"""What the detector takes Chinese in GB18030 for; with a dozen characters it takes its chance."""


def decoded(data: bytes) -> str:
    """The text of a file, line ends made equal."""
    return _decoded(data).replace("\r\n", "\n").replace("\r", "\n")


def _decoded(data: bytes) -> str:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return _utf16(data)
    if b"\0" in data:
        raise BadDocument(_BINARY)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if not _is_gb18030(data):
            raise BadDocument(_unknown_encoding(error.start)) from error
    try:
        return data.decode("gb18030")
    except UnicodeDecodeError as error:
        raise BadDocument(_unknown_encoding(error.start)) from error


def _utf16(data: bytes) -> str:
    try:
        return data.decode("utf-16")
    except UnicodeDecodeError as error:
        raise BadDocument(_BINARY) from error


def _is_gb18030(data: bytes) -> bool:
    """True when everyday Chinese makes up most of what is not ASCII, and the detector does not say Japanese."""
    from charset_normalizer import from_bytes  # noqa: PLC0415 - for files that are not UTF-8 only

    sample = _whole_lines(data)
    n_foreign = sum(byte >= 0x80 for byte in sample)
    everyday = _EVERYDAY.findall(sample)
    n_beyond = sum(character >= _BEYOND_HANGUL for character in everyday)
    if 2 * len(everyday) < _MIN_EVERYDAY_FRAC * n_foreign or n_beyond < _MIN_BEYOND_HANGUL_FRAC * len(
        everyday
    ):
        return False
    guess = from_bytes(sample).best()
    return guess is not None and guess.encoding in _GUESSES


def _whole_lines(data: bytes) -> bytes:
    """The beginning, not cut inside a character: no second byte of GB18030 is a line end."""
    sample = data[:_SAMPLE_BYTES]
    return sample if len(data) <= _SAMPLE_BYTES else sample[: sample.rfind(b"\n") + 1] or sample


_BINARY = Bilingual(
    en="It is binary in spite of its name. Export it as Markdown or text.",
    zh="虽然扩展名是文本，但它是二进制文件。请导出为 Markdown 或纯文本。",
)


def _unknown_encoding(position: int) -> Bilingual:
    return Bilingual(
        en=f"It is not UTF-8 (byte {position}), and its encoding is not certain. Save it as UTF-8 and add it again.",
        zh=f"不是 UTF-8 编码（第 {position} 字节），也无法确定是哪种编码。请另存为 UTF-8 后重新添加。",
    )
