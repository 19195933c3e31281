"""Tables become lines of `column: value`, found by their rows."""

from __future__ import annotations

import pytest

from index.errors import BadDocument
from index.ingest import passages_of


def cut(text: str, name: str = "prices.csv", encoding: str = "utf-8") -> list[tuple[str, str]]:
    return [(p.locator, p.text) for p in passages_of(text.encode(encoding), name)]


def test_rows_are_named_by_their_columns_and_numbered_like_a_spreadsheet() -> None:
    assert cut("name,price\npen,1.10\n\n ink,\n") == [("rows 2–4", "name: pen\nprice: 1.10\n\nname: ink")]


def test_a_chinese_table_from_excel_is_read() -> None:
    assert cut("名称;价格\n钢笔;1,10\n墨水;2\n", encoding="gb18030") == [
        ("第 2–3 行", "名称: 钢笔\n价格: 1,10\n\n名称: 墨水\n价格: 2")
    ]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", "q;a\nIs it 1,5?;yes\nNo, why?;because\n"),
        ("a.csv", "q|a\nIs it 1,5?|yes\nNo, why?|because\n"),
        ("a.tsv", "q\ta\nIs it 1,5?\tyes\nNo, why?\tbecause\n"),
        ("a.csv", 'q,a\n"Is it 1,5?",yes\n"No, why?",because\n'),
    ],
)
def test_the_delimiter_is_found(name: str, text: str) -> None:
    assert cut(text, name) == [("rows 2–3", "q: Is it 1,5?\na: yes\n\nq: No, why?\na: because")]


def test_apostrophes_are_no_quotation_marks() -> None:
    assert cut("name,says\nAnn,it's 'fine'\nBob,isn't it\n")[0][1].startswith("name: Ann\nsays: it's 'fine'")


def test_a_table_of_numbers_has_no_header() -> None:
    assert cut("1,2\n3,4\n") == [("rows 1–2", "column 1: 1\ncolumn 2: 2\n\ncolumn 1: 3\ncolumn 2: 4")]


def test_cells_beyond_the_header_are_kept() -> None:
    assert cut("a,\n1,2,3\n") == [("row 2", "a: 1\ncolumn 2: 2\ncolumn 3: 3")]


def test_a_cell_may_have_several_lines() -> None:
    assert cut('q,a\n"one\ntwo",x\n') == [("row 2", "q: one\ntwo\na: x")]


def test_many_rows_are_several_passages_that_miss_none() -> None:
    pieces = cut("id,text\n" + "".join(f"{n},the quick brown fox number {n}\n" for n in range(2, 202)))
    assert len(pieces) > 5
    assert [pieces[0][0].split("–")[0], pieces[-1][0].split("–")[1]] == ["rows 2", "201"]
    assert all(any(f"id: {n}\n" in text for _, text in pieces) for n in range(2, 202))


def test_a_long_row_is_cut_and_stays_one_row() -> None:
    pieces = cut("q,a\nx," + "The quick brown fox jumps. " * 100)
    assert len(pieces) > 1
    assert {locator for locator, _ in pieces} == {"row 2"}


@pytest.mark.parametrize(
    ("text", "reason"), [('a,b\n"x,' + "y" * 200_000, "Line 2"), ("a,b\n", "no text"), (",,\n,\n", "no text")]
)
def test_what_is_no_table_says_why(text: str, reason: str) -> None:
    with pytest.raises(BadDocument, match=reason):
        cut(text)
