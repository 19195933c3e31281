"""Bytes become text when it is certain what they mean."""

from __future__ import annotations

import pytest

from index.errors import BadDocument
from index.parsers.encoding import decoded


@pytest.mark.parametrize("text", ["hello", "你好，世界", ""])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_unicode_is_read_with_or_without_its_mark(text: str, encoding: str) -> None:
    assert decoded(text.encode(encoding)) == text


@pytest.mark.parametrize(
    "text",
    [
        "差旅报销：一周内提交发票。",
        "名称;价格\n钢笔;1,10\n墨水;2\n",
        "# 部署\n用 vLLM 部署 Qwen3 需要 24 GB 显存。\n",
        "订单编号,商品,数量\n1001,键盘,2\n1002,鼠标,5\n" * 5_000,
    ],
)
def test_chinese_in_the_older_encoding_is_read(text: str) -> None:
    assert decoded(text.encode("gb18030")) == text


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("café", "latin-1"),
        ("Größe über Straße", "cp1252"),
        ("이것은 한국어 텍스트입니다. 서울에 갔습니다.", "euc_kr"),
        ("これは日本語のテキストです。", "shift_jis"),
        ("氏名,部署\n山田太郎,営業部\n", "euc_jp"),
        ("差旅報銷：一週內提交發票。", "big5"),
        ("Это русский текст, который написан", "koi8-r"),
        ("你", "gb18030"),
    ],
)
def test_what_is_not_certain_is_refused(text: str, encoding: str) -> None:
    with pytest.raises(BadDocument, match="not UTF-8") as caught:
        decoded(text.encode(encoding))
    assert "UTF-8" in caught.value.to("zh")


@pytest.mark.parametrize("data", [b"\x89PNG\0\0", b"\xff\xfe\x00\xd8", "hello".encode("utf-16-le")])
def test_binary_data_is_refused(data: bytes) -> None:
    with pytest.raises(BadDocument, match="binary"):
        decoded(data)
