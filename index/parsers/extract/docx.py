"""Turn a Word document into Markdown, by way of HTML. Pictures and macros are left out, nothing is fetched."""

from __future__ import annotations

from io import BytesIO
from zipfile import ZipFile

import mammoth

from index.bilingual import Bilingual
from index.errors import BadDocument
from index.parsers.extract import Found
from index.parsers.extract.html import markdown_of

_MAX_UNPACKED_MB = 200
_OLD_OFFICE = b"\xd0\xcf\x11\xe0"
"""A .doc file begins with it, and so does a .docx file with a password."""

_STYLES = "\n".join(
    [
        "p[style-name='Title'] => h1:fresh",
        *(f"p[style-name='标题 {n}'] => h{n}:fresh" for n in range(1, 7)),
        *(f"p[style-name='{name}'] => !" for name in ("toc 1", "toc 2", "toc 3", "TOC Heading")),
    ]
)


def extract(data: bytes) -> Found:
    """The text under its headings."""
    if data.startswith(_OLD_OFFICE):
        raise BadDocument(_OLD_OR_ENCRYPTED)
    _check_size(data)
    html = mammoth.convert_to_html(
        BytesIO(data),
        style_map=_STYLES,
        include_embedded_style_map=False,
        external_file_access=False,
        convert_image=lambda _image: [],
    ).value
    return Found(texts=(markdown_of(html),))


def _check_size(data: bytes) -> None:
    """By what the file says of itself, which the reader of zip files holds it to."""
    with ZipFile(BytesIO(data)) as archive:
        unpacked_mb = sum(part.file_size for part in archive.infolist()) / 1e6
    if unpacked_mb > _MAX_UNPACKED_MB:
        raise BadDocument(_too_big_inside(unpacked_mb))


_OLD_OR_ENCRYPTED = Bilingual(
    en="It is encrypted, or an older Word file. Save it as .docx without a password and add it again.",
    zh="文件已加密，或者是旧版 Word 格式。请另存为不带密码的 .docx 后重新添加。",
)


def _too_big_inside(unpacked_mb: float) -> Bilingual:
    return Bilingual(
        en=f"It unpacks to {unpacked_mb:,.0f} MB and the limit is {_MAX_UNPACKED_MB} MB. "
        "Take out pictures, or export it as text.",
        zh=f"解压后有 {unpacked_mb:,.0f} MB，上限是 {_MAX_UNPACKED_MB} MB。请删去图片，或导出为文本。",
    )
