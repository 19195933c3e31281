"""JSON becomes lines of `path: value`, found by their rows and names."""

from __future__ import annotations

import pytest

from index.errors import BadDocument
from index.ingest import passages_of


def cut(text: str, name: str) -> list[tuple[str, str]]:
    return [(p.locator, p.text) for p in passages_of(text.encode(), name)]


@pytest.mark.parametrize("name", ["faq.jsonl", "faq.ndjson"])
def test_each_line_is_a_row(name: str) -> None:
    assert cut('{"q": "Why?", "n": 1.10}\n\n{"q": "How?"}\n', name) == [
        ("rows 1–3", "q: Why?\nn: 1.10\n\nq: How?")
    ]


def test_an_array_of_objects_is_a_table() -> None:
    assert cut('[{"名称": "钢笔"}, {"名称": "墨水"}]', "a.json") == [
        ("第 1–2 行", "名称: 钢笔\n\n名称: 墨水")
    ]


def test_values_inside_values_are_named_by_their_path() -> None:
    assert cut('[{"a": {"b": [1, 2], "c": null, "d": true}, "e": [{"f": 1}]}]', "a.json") == [
        ("row 1", "a.b: 1, 2\na.d: true\ne.1.f: 1")
    ]


def test_the_parts_of_an_object_are_found_by_their_names() -> None:
    text = '{"version": 2, "models": [{"n": "x"}, {"n": "y"}], "limits": {"rows": 5}}'
    assert cut(text, "a.json") == [
        ("row 1", "version: 2"),
        ("models › rows 1–2", "n: x\n\nn: y"),
        ("limits", "rows: 5"),
    ]


@pytest.mark.parametrize("text", ["[1, 2, 3]", '// settings\n{"a": 1}', '"only a text"'])
def test_other_json_is_text(text: str) -> None:
    assert "".join(piece for _, piece in cut(text, "a.json")) == text


def test_half_a_character_is_replaced() -> None:
    assert cut('{"a": "x\\ud800y\\u0000z"}', "a.jsonl") == [("row 1", "a: x?y z")]


@pytest.mark.parametrize(
    ("text", "name", "english", "chinese"),
    [
        ('{"a": 1}\nnope\n', "a.jsonl", "Line 2 is not JSON", "第 2 行"),
        ("[" * 100_000, "a.json", "nested too deeply", "嵌套过深"),
        ('{"a":' * 100_000, "a.jsonl", "nested too deeply", "嵌套过深"),
        ("{}", "a.json", "no text", "没有文字"),
    ],
)
def test_what_cannot_be_read_says_why(text: str, name: str, english: str, chinese: str) -> None:
    with pytest.raises(BadDocument) as caught:
        cut(text, name)
    assert english in caught.value.to("en")
    assert chinese in caught.value.to("zh")
