"""PDF, Word and web pages become passages that say where they stand, or a reason why not."""

from __future__ import annotations

import pytest

from index.errors import BadDocument
from index.ingest import load, passages_of
from tests.index.parsers.builders import docx, encrypted, pdf, zipped


def cut(data: bytes, name: str) -> list[tuple[str, str, str]]:
    return [(p.title, p.locator, p.text) for p in passages_of(data, name)]


def html(body: str, head: str = "") -> list[tuple[str, str, str]]:
    return cut(f"<!doctype html><html><head>{head}</head><body>{body}</body></html>".encode(), "page.html")


def refused(data: bytes, name: str) -> tuple[str, str]:
    with pytest.raises(BadDocument) as caught:
        passages_of(data, name)
    return caught.value.to("en"), caught.value.to("zh")


def test_each_page_of_a_pdf_is_found_by_its_number() -> None:
    assert cut(pdf("Trains\nSecond class.", "", "Planes", title="Travel rules"), "travel.pdf") == [
        ("Travel rules", "page 1", "Trains\nSecond class."),
        ("Travel rules", "page 3", "Planes"),
    ]


def test_a_chinese_pdf_is_read() -> None:
    assert cut(pdf("出差报销", "一周内提交⽂件。", title="差旅制度"), "travel.pdf") == [
        ("差旅制度", "第 1 页", "出差报销"),
        ("差旅制度", "第 2 页", "一周内提交文件。"),
    ]


@pytest.mark.parametrize("title", ["", "Microsoft Word - x.docx", "untitled", "report.docx"])
def test_a_pdf_whose_title_says_nothing_is_called_by_its_file(title: str) -> None:
    assert cut(pdf("Text", title=title), "travel.pdf")[0][0] == "travel"


def test_pages_without_text_are_noted(tmp_path: object) -> None:
    path = tmp_path / "half.pdf"  # type: ignore[operator]
    path.write_bytes(pdf("Text", "", "\ue001\ue002"))
    document = load(path)
    assert document is not None
    assert document.note is not None
    assert "2 of its 3 pages" in document.note.en
    assert "共 3 页，其中 2 页" in document.note.zh


def test_a_pdf_that_only_forbids_printing_is_read() -> None:
    assert cut(encrypted(pdf("Text"), ""), "a.pdf") == [("a", "page 1", "Text")]


@pytest.mark.parametrize(
    ("data", "english", "chinese"),
    [
        (pdf("", ""), "may be a scan. Run OCR", "扫描件"),
        (pdf("\ue001\ue002\ue003"), "may be a scan. Run OCR", "扫描件"),
        (encrypted(pdf("Text"), "secret"), "encrypted", "加密"),
        (pdf("Text")[:200], "damaged", "损坏"),
        (b"not a PDF", "damaged", "损坏"),
        (b"", "no text", "没有文字"),
    ],
)
def test_a_pdf_that_cannot_be_read_says_why(data: bytes, english: str, chinese: str) -> None:
    reason = refused(data, "a.pdf")
    assert english in reason[0]
    assert chinese in reason[1]


def test_headings_of_word_become_locators() -> None:
    data = docx(
        ("Title", "Travel rules"),
        ("1", "Trains"),
        "Second class.",
        ("2", "Night"),
        "No beds.",
        ("10", "飞机"),
        "Economy.",
    )
    assert cut(data, "travel.docx") == [
        ("Travel rules", "Trains", "Second class."),
        ("Travel rules", "Trains › Night", "No beds."),
        ("Travel rules", "飞机", "Economy."),
    ]


def test_a_word_file_without_headings_is_found_by_its_paragraphs() -> None:
    assert cut(docx("第一段。", "第二段。"), "说明.docx") == [("说明", "第 1–2 段", "第一段。\n\n第二段。")]


def test_what_looks_like_markdown_in_word_is_text() -> None:
    assert cut(docx(("1", "A_b"), "# *no* heading", "---"), "a.docx") == [
        ("A_b", "paragraphs 2–3", "\\# *no* heading\n\n---")
    ]


def test_entities_of_a_word_file_read_no_files() -> None:
    before = '<!DOCTYPE d [<!ENTITY e SYSTEM "file:///etc/hostname">]>'
    body = "<w:p><w:r><w:t>before &e;after</w:t></w:r></w:p>"
    assert cut(docx(body=body, before=before), "a.docx")[0][2] == "before after"


def laughs() -> bytes:
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
    before = f'<!DOCTYPE d [<!ENTITY e0 "laugh">{entities}]>'
    return docx(body="<w:p><w:r><w:t>&e9;</w:t></w:r></w:p>", before=before)


@pytest.mark.parametrize(
    ("data", "english", "chinese"),
    [
        (
            zipped({"word/document.xml": bytes(201_000_000)}),
            "unpacks to 201 MB and the limit is 200 MB",
            "201 MB",
        ),
        (laughs(), "damaged", "损坏"),
        (docx("Text")[:-50], "damaged", "损坏"),
        (zipped({"a.txt": "no document"}), "damaged", "损坏"),
        (b"\xd0\xcf\x11\xe0" + bytes(100), "older Word file", "旧版 Word"),
        (docx(body="<w:sdt>" * 5_000 + "</w:sdt>" * 5_000), "nested too deeply", "嵌套过深"),
        (docx(""), "no text", "没有文字"),
    ],
)
def test_a_word_file_that_cannot_be_read_says_why(data: bytes, english: str, chinese: str) -> None:
    reason = refused(data, "a.docx")
    assert english in reason[0]
    assert chinese in reason[1]


def test_headings_of_a_page_become_locators() -> None:
    assert html(
        "<h1>Travel rules</h1><p>Intro.<h2>Trains <a class=headerlink href='#t'>¶</a></h2><p>Second <b>class</b>."
        "<h3><a href='https://x'>Night</a></h3>No beds.",
        "<title>Travel rules</title>",
    ) == [
        ("Travel rules", "paragraph 2", "Intro."),
        ("Travel rules", "Trains", "Second **class**."),
        ("Travel rules", "Trains › Night", "No beds."),
    ]


def test_only_what_a_reader_sees_is_kept() -> None:
    hidden = (
        "<nav>Menu</nav><script>run()</script><style>p{}</style><noscript>Turn on</noscript><!-- comment -->"
        "<p hidden>One</p><p aria-hidden=true>Two</p><p style='color: red; display : none'>Three</p>"
        "<form><button>Send</button></form><footer>Imprint</footer>"
    )
    assert [text for _, _, text in html(f"{hidden}<p>Seen.</p>")] == ["Seen."]


def test_of_a_page_with_a_main_part_only_that_is_kept() -> None:
    assert [text for _, _, text in html("<div>Cookies?</div><main><p>Seen.</p></main>")] == ["Seen."]


def test_only_links_that_lead_somewhere_are_kept_and_pictures_are_what_they_show() -> None:
    body = "<p><a href='https://x'>a</a> <a href='/b'>b</a> <a href='javascript:c()'>c</a> <img src='x' alt='a cat'></p>"
    assert html(body)[0][2] == "[a](https://x) b c a cat"


def test_code_and_tables_of_a_page_stay_readable() -> None:
    body = "<pre><code># no heading\n  x = 1</code></pre><table><tr><th>a<th>b<tr><td>1<td>2</table>"
    assert html(body)[0][2] == "```\n# no heading\n  x = 1\n```\n\n| a | b |\n| --- | --- |\n| 1 | 2 |"


def test_a_page_that_begins_with_a_rule_has_no_front_matter() -> None:
    assert html("<hr><p>title: [x</p><hr>")[0][2] == "---\n\ntitle: [x\n\n---"


@pytest.mark.parametrize(("link", "kept"), [("https://wiki/x", "https://wiki/x"), ("javascript:x", None)])
def test_the_address_of_a_page_is_offered(link: str, kept: str | None) -> None:
    (passage,) = passages_of(f"<link rel=canonical href='{link}'><p>Text".encode(), "a.htm")
    assert passage.url == kept


@pytest.mark.parametrize("declared", ["gb2312", "gbk", "utf-8", None])
def test_a_chinese_page_is_read_whatever_it_declares(declared: str | None) -> None:
    meta = f"<meta charset={declared}>" if declared else ""
    assert cut(f"{meta}<p>出差报销：一周内提交发票和審批单。".encode("gb18030"), "a.html") == [
        ("a", "第 1 段", "出差报销：一周内提交发票和審批单。")
    ]


def test_a_declared_european_encoding_is_believed() -> None:
    assert cut("<meta charset=iso-8859-1><p>café".encode("latin-1"), "a.html")[0][2] == "café"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"<div>" * 5_000 + b"x", "nested too deeply"),
        (b"<p>caf\xe9", "not UTF-8"),
        (b"\x89PNG\0\0", "binary"),
        (b"<script>only()</script>", "no text"),
    ],
)
def test_a_page_that_cannot_be_read_says_why(data: bytes, reason: str) -> None:
    assert reason in refused(data, "a.html")[0]
