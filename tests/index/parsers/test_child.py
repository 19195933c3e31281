"""A file that breaks its reader costs only itself."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from index.errors import BadDocument
from index.parsers.child import Child
from tests.index.parsers.builders import pdf

PAGE = b"<p>Text"


@contextmanager
def child(**limits: float) -> Iterator[Child]:
    made = Child(**limits)  # type: ignore[arg-type]
    try:
        yield made
    finally:
        made.end()


def process(of: Child) -> psutil.Process:
    assert of._process is not None
    return psutil.Process(of._process.pid)


def test_one_process_reads_many_files_and_ends_when_it_is_told() -> None:
    with child() as reader:
        assert reader.read("html", PAGE).texts == ("Text",)
        first = process(reader)
        assert reader.read("pdf", pdf("Page")).texts == ("Page",)
        assert process(reader) == first
    assert not first.is_running()


def test_it_ends_by_itself_when_there_is_nothing_to_read() -> None:
    with child(idle_s=0.05) as reader:
        reader.read("html", PAGE)
        process(reader).wait(timeout=10)
        assert reader.read("html", PAGE).texts == ("Text",)


def test_a_file_that_takes_too_long_is_refused_and_the_next_one_read() -> None:
    with child(max_time_s=0.5) as reader:
        with pytest.raises(BadDocument, match="seconds") as caught:
            reader.read("html", b"<p><b>x</b>\n" * 200_000)
        assert "秒" in caught.value.to("zh")


def test_a_file_that_takes_too_much_memory_is_refused_and_the_next_one_read() -> None:
    with child(max_memory_mb=300) as reader:
        with pytest.raises(BadDocument, match="300 MB of memory"):
            reader.read("html", b"<p><b>x</b>\n" * 400_000)
        assert reader.read("html", PAGE).texts == ("Text",)


def test_a_reader_that_ended_between_two_files_is_replaced() -> None:
    with child() as reader:
        reader.read("html", PAGE)
        process(reader).kill()
        process(reader).wait(timeout=10)
        assert reader.read("html", PAGE).texts == ("Text",)


def test_a_reader_that_breaks_is_a_reason() -> None:
    with child(max_memory_mb=1) as reader, pytest.raises(BadDocument, match="broke the program") as caught:
        reader.read("html", PAGE)
    assert "崩溃" in caught.value.to("zh")


def test_several_threads_share_it() -> None:
    pages = [f"<p>Text {n}".encode() for n in range(20)]
    with child() as reader, ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda page: reader.read("html", page).texts[0], pages))
    assert found == [f"Text {n}" for n in range(20)]


def test_it_is_handed_no_secrets_and_imports_nothing_from_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bs4.py").write_text("raise SystemExit")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SLACK_BOT_TOKEN", "xoxb-secret")
    with child() as reader:
        assert reader.read("html", PAGE).texts == ("Text",)
        assert "SLACK_BOT_TOKEN" not in process(reader).environ()
