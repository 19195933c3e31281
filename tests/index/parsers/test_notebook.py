"""A notebook is read as its author wrote it, without what it printed."""

from __future__ import annotations

import json

import pytest

from index.errors import BadDocument
from index.ingest import passages_of
from tests.index.parsers.builders import ipynb


def cut(data: bytes) -> list[tuple[str, str, str]]:
    return [(p.title, p.locator, p.text) for p in passages_of(data, "study.ipynb")]


def test_cells_stand_under_their_headings_and_outputs_are_left_out() -> None:
    data = ipynb(("markdown", "# Study\n## Data\nWe took ten."), ("code", "# load\nx = 1"), ("raw", "RAW"))
    assert cut(data) == [("Study", "Data", "We took ten.\n\n```python\n# load\nx = 1\n```")]


def test_without_headings_the_number_of_the_cell_says_where() -> None:
    assert cut(ipynb(("markdown", "我们取了十个样本。"), ("code", ""), ("code", "x = 1"))) == [
        ("study", "第 1 个单元格", "我们取了十个样本。"),
        ("study", "第 3 个单元格", "```python\nx = 1\n```"),
    ]


def test_a_fence_inside_code_does_not_end_it() -> None:
    code = 'text = """\n```\n# no heading\n"""'
    assert cut(ipynb(("markdown", "## Use"), ("code", code))) == [
        ("study", "Use", f"````python\n{code}\n````")
    ]


def test_a_notebook_of_the_older_format_is_read() -> None:
    cells = [
        {"cell_type": "heading", "level": 2, "source": "Data"},
        {"cell_type": "code", "input": ["x = 1"]},
    ]
    data = json.dumps({"nbformat": 3, "worksheets": [{"cells": cells}]}).encode()
    assert cut(data) == [("study", "Data", "```\nx = 1\n```")]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"nope", "not a Jupyter notebook"),
        (b"[1]", "not a Jupyter notebook"),
        (b'{"a": 1}', "not a Jupyter notebook"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"cells": 7}', "no text"),
        (ipynb(), "no text"),
    ],
)
def test_what_is_no_notebook_says_why(data: bytes, reason: str) -> None:
    with pytest.raises(BadDocument, match=reason):
        cut(data)
