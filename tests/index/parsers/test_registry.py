"""Every kind of file that is listed is read, and what reads it is loaded when it is needed."""

from __future__ import annotations

import subprocess
import sys

import pytest

from index.errors import BadDocument
from index.ingest import passages_of
from index.parsers.registry import PARSERS
from tests.index.parsers.builders import docx, ipynb, pdf

SAMPLES = {
    ".docx": docx("Text."),
    ".ipynb": ipynb(("markdown", "Text.")),
    ".json": b'{"a": 1}',
    ".pdf": pdf("Text."),
}
SAMPLES |= dict.fromkeys([".csv", ".tsv"], b"a\tb\nText.\t1\n") | dict.fromkeys(
    [".jsonl", ".ndjson"], b'{"a": 1}'
)


@pytest.mark.parametrize("ending", [*PARSERS, ".PDF", ".Html"])
def test_a_passage_of_every_kind_says_where_it_stands(ending: str) -> None:
    (passage,) = passages_of(SAMPLES.get(ending.lower(), b"Text."), f"notes{ending}")
    assert passage.title == "notes"
    assert passage.locator


@pytest.mark.parametrize("ending", PARSERS)
@pytest.mark.parametrize("data", [b"", b" \n\t\n"])
def test_an_empty_file_of_any_kind_holds_no_text(ending: str, data: bytes) -> None:
    with pytest.raises(BadDocument, match="no text"):
        passages_of(data, f"notes{ending}")


def test_the_libraries_that_open_files_are_not_loaded_here() -> None:
    code = (
        "import sys; from index.ingest import passages_of; passages_of(b'<p>Text', 'a.html'); "
        "sys.exit(' '.join({'pypdf', 'mammoth', 'bs4', 'lxml', 'markdownify'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
