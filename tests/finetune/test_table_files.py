"""Files and folders as people have them: kinds, encodings, limits."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pyarrow as pa
import pytest
from openpyxl import Workbook
from pyarrow import parquet

from finetune import table_files
from finetune.data import load, register
from finetune.dataset_errors import CannotBeRead
from finetune.table_files import read_file
from tests.finetune.datasets import LABELS, TEXTS, csv_file, described, refusal, written

CHINESE = ["我的订单还没有到，已经等了两个星期。", "退款什么时候能到账？", "应用一打开就闪退，请尽快修复。"]
TAIWANESE = [
    "我的訂單還沒有到，已經等了兩個星期。",
    "退款什麼時候能到帳？",
    "應用程式一打開就閃退，請盡快修復。",
]
JAPANESE = ["注文した商品がまだ届きません。", "返金はいつになりますか？", "アプリを開くとすぐに落ちます。"]
FRENCH = ["Ma commande n'est pas arrivée.", "Où est le remboursement ?", "L'appli plante dès l'ouverture."]


def table(texts: list[str], end: str = "\n") -> str:
    rows = [f'"{texts[n % 3]} ({n})",{LABELS[n]}' for n in range(12)]
    return end.join(["text,label", *rows]) + end


def texts_of(path: Path, home: Path) -> list[str]:
    return [row.text for row in load(register(path, home=home).sha256, home=home)]


def parquet_file(path: Path, **columns: list[Any]) -> Path:
    parquet.write_table(pa.table(columns), path)
    return path


def workbook(path: Path, rows: list[list[Any]]) -> Path:
    book = Workbook()
    for row in rows:
        book.active.append(row)
    book.save(path)
    return path


@pytest.mark.parametrize(
    ("codec", "texts", "name"),
    [
        ("gbk", CHINESE, "GB18030"),
        ("gb18030", CHINESE, "GB18030"),
        ("big5", TAIWANESE, "Big5"),
        ("shift_jis", JAPANESE, "Shift-JIS"),
        ("cp1252", FRENCH, "Windows-1252"),
        ("utf-16", CHINESE, "UTF-16"),
        ("utf-16-le", FRENCH, "UTF-16-LE"),
        ("utf-16-be", FRENCH, "UTF-16-BE"),
        ("utf-32", FRENCH, "UTF-32"),
    ],
)
def test_an_encoding_other_than_utf8_is_recognised_and_told(
    tmp_path: Path, codec: str, texts: list[str], name: str
) -> None:
    path = written(tmp_path / "a.csv", table(texts, "\r\n").encode(codec))
    assert texts_of(path, tmp_path)[:3] == [f"{text} ({n})" for n, text in enumerate(texts)]
    assert f"Read as {name}." in described(path, tmp_path).lines()[1].en


def test_a_few_foreign_letters_in_much_english_are_enough(tmp_path: Path) -> None:
    rows = "".join(f"plain words number {n},bug\n" for n in range(3000))
    path = written(tmp_path / "a.csv", f"text,label\n{rows}a café in Zürich,refund\n".encode("cp1252"))
    assert texts_of(path, tmp_path)[-1] == "a café in Zürich"


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_two_encodings_in_one_line_are_refused_with_the_line(tmp_path: Path, mark: bytes) -> None:
    content = mark + csv_file(tmp_path).read_bytes() + b"caf\xc3\xa9 \xe9t\xe9,bug\n"
    assert "line 14" in refusal(written(tmp_path / "a.csv", content), tmp_path).message.en


def test_two_encodings_in_one_file_are_refused_with_the_lines(tmp_path: Path) -> None:
    line = "退款什么时候能到账,bug\n"
    content = csv_file(tmp_path).read_bytes() + line.encode() + line.encode("gbk")
    message = refusal(written(tmp_path / "a.csv", content), tmp_path).message.en
    assert "line 14 is UTF-8, and line 15 is not" in message


def test_null_bytes_are_refused_with_their_line(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", csv_file(tmp_path).read_bytes() + b"a\0b,bug\n")
    assert "line 14" in refusal(path, tmp_path).message.en
    assert "line 1," in refusal(written(tmp_path / "b.csv", bytes(999)), tmp_path).message.en


@pytest.mark.parametrize("ending", [".csv", ".jsonl"])
def test_gzipped_files_are_read_like_plain_ones(tmp_path: Path, ending: str) -> None:
    lines = "\n".join(json.dumps({"text": t, "label": y}) for t, y in zip(TEXTS, LABELS, strict=True))
    content = lines if ending == ".jsonl" else csv_file(tmp_path).read_text()
    path = written(tmp_path / f"a{ending}.gz", gzip.compress(content.encode()))
    assert texts_of(path, tmp_path) == TEXTS


def test_what_unpacks_beyond_the_limit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_files, "MAX_BYTES", 20_000)
    bomb = written(tmp_path / "a.csv.gz", gzip.compress(bytes(10_000_000)))
    wide = parquet_file(tmp_path / "a.parquet", text=["x" * 9_000] * 10_000, label=["a"] * 10_000)
    book = workbook(tmp_path / "a.xlsx", [["text", "label"], *[["x" * 900, "a"]] * 500])
    for path in (bomb, wide, book):
        assert path.stat().st_size < 20_000
        assert "unpacked" in refusal(path, tmp_path).message.en
    assert "the limit is" in refusal(written(tmp_path / "b.csv", "x" * 20_001), tmp_path).message.en


def test_more_rows_than_anybody_needs_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_files, "MAX_ROWS", 11)
    assert "more than 11 rows" in refusal(csv_file(tmp_path), tmp_path).message.en


def test_more_columns_than_a_table_has_are_refused_before_they_are_looked_at(tmp_path: Path) -> None:
    names = [f"c{n}" for n in range(100_000)]
    wide = written(tmp_path / "a.csv", ",".join(names) + "\n" + ",".join("1" for _ in names))
    sheet = workbook(tmp_path / "a.xlsx", [["text", *[None] * 3_000, "label"]])
    many = "\n".join(json.dumps({f"{row}.{n}": 1 for n in range(100)}) for row in range(1_000))
    for path in (wide, sheet, written(tmp_path / "a.jsonl", many)):
        assert "more than 2,000 columns" in refusal(path, tmp_path).message.en


def test_what_a_spreadsheet_file_says_of_its_own_size_or_entities_is_not_believed(tmp_path: Path) -> None:
    bomb = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10 if n else "lol"}">' for n in range(10))
    sheet = (
        f'<!DOCTYPE x [{bomb}]><worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
        '<sheetData><row r="1"><c r="A1" t="inlineStr"><is><t>&e9;</t></is></c></row></sheetData></worksheet>'
    )
    pairs = [list(pair) for pair in zip(TEXTS, LABELS, strict=True)]
    plain = workbook(tmp_path / "a.xlsx", [["text", "label"], *pairs])
    entities, lying = tmp_path / "b.xlsx", tmp_path / "c.xlsx"
    with ZipFile(plain) as parts, ZipFile(entities, "w") as whole:
        for part in parts.infolist():
            is_sheet = part.filename.endswith("sheet1.xml")
            whole.writestr(part.filename, sheet if is_sheet else parts.read(part))
        size = parts.getinfo("xl/worksheets/sheet1.xml").file_size
    written(lying, plain.read_bytes().replace(size.to_bytes(4, "little"), (9).to_bytes(4, "little")))
    for path in (entities, lying):
        assert "cannot be read as Excel" in refusal(path, tmp_path).message.en


@pytest.mark.parametrize("ending", [".json", ".jsonl"])
def test_what_is_nested_without_end_or_is_no_number_is_refused_by_its_line(
    tmp_path: Path, ending: str
) -> None:
    for content in ("[" * 100_000 + "]" * 100_000, '{"a":' * 100_000, '[{"a":' + "9" * 10_000 + "}]"):
        assert "line 1" in refusal(written(tmp_path / f"a{ending}", content), tmp_path).message.en


def test_parquet_is_read_with_lists_numbers_and_gaps(tmp_path: Path) -> None:
    path = parquet_file(
        tmp_path / "a.parquet",
        question=TEXTS,
        choices=[["hot", "cold", f"wet {n}"] for n in range(12)],
        answer=[n % 3 for n in range(12)],
        category=[None, *["weather"] * 11],
        picture=[b"\x89PNG"] * 12,
    )
    dataset = register(path, home=tmp_path)
    row = load(dataset.sha256, home=tmp_path)[2]
    assert (dataset.task, row.label, row.category) == ("multiple-choice", "wet 2", "weather")


def test_a_workbook_is_read_with_its_empty_cells_and_rows(tmp_path: Path) -> None:
    pairs = [list(pair) for pair in zip(TEXTS, LABELS, strict=True)]
    path = workbook(tmp_path / "a.xlsx", [["text", "label", "note"], [], *pairs, [TEXTS[0]]])
    report = described(path, tmp_path)
    assert (report.rows, report.left_out["no answer"].first) == (12, (13,))
    wide = workbook(tmp_path / "b.xlsx", [["text", "label"], *pairs, ["a", "b", "c"]])
    assert "line 14" in refusal(wide, tmp_path / "home").message.en


@pytest.mark.parametrize("name", ["a.parquet", "a.xlsx", "a.csv.gz"])
def test_a_damaged_file_is_refused_by_its_kind(tmp_path: Path, name: str) -> None:
    assert (
        "cannot be read as"
        in refusal(written(tmp_path / name, b"PAR1 and then nothing"), tmp_path).message.en
    )
    whole = gzip.compress(csv_file(tmp_path).read_bytes())
    assert "cut off" in refusal(written(tmp_path / "b.csv.gz", whole[:-9]), tmp_path).message.en


def test_an_unknown_kind_of_file_is_refused_with_the_kinds_there_are(tmp_path: Path) -> None:
    message = refusal(written(tmp_path / "a.xls", b"\xd0\xcf"), tmp_path).message.en
    assert ".jsonl" in message
    assert ".xlsx" in message


def test_json_that_is_called_by_the_other_name_is_read(tmp_path: Path) -> None:
    rows = [{"text": t, "label": y} for t, y in zip(TEXTS, LABELS, strict=True)]
    lines = written(tmp_path / "lines.json", "\n".join(map(json.dumps, rows)))
    listed = written(tmp_path / "listed.jsonl", json.dumps(rows, indent=1))
    wrapped = written(tmp_path / "wrapped.json", json.dumps({"version": 1, "data": rows}))
    assert {register(path, home=tmp_path).sha256 for path in (lines, listed, wrapped)} == {
        register(csv_file(tmp_path), home=tmp_path).sha256
    }


def test_a_column_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", "text,label,label\n" + "a,b,c\n" * 12)
    assert "two columns 'label'" in refusal(path, tmp_path).message.en


def test_the_files_of_a_folder_are_one_data_set(tmp_path: Path) -> None:
    folder = tmp_path / "tickets"
    written(folder / "README.txt", "about")
    csv_file(folder.resolve(), name="a.csv")
    second = csv_file(folder, name="b.csv")
    second.write_text(second.read_text().replace("parcel", "letter"))
    (folder / "c.csv").symlink_to(second)
    report = described(folder, tmp_path)
    assert (report.name, report.rows, report.files, report.ignored_files) == (
        "tickets",
        24,
        2,
        ("README.txt",),
    )
    written(folder / "d.jsonl", json.dumps({"question": "a", "answer": "b"}))
    message = refusal(folder, tmp_path / "home").message.en
    assert "a.csv has label, text, and d.jsonl has answer, question" in message


def test_texts_in_a_folder_for_each_label_are_a_data_set(tmp_path: Path) -> None:
    for n, (text, label) in enumerate(zip(TEXTS, LABELS, strict=True)):
        written(tmp_path / "mail" / label / f"{n}.txt", text)
    dataset = register(tmp_path / "mail", home=tmp_path)
    assert dataset.labels == ("bug", "refund", "shipping")
    assert load(dataset.sha256, home=tmp_path)[0].id == "bug/11.txt"


def test_a_path_that_the_system_refuses_is_one_sentence(tmp_path: Path) -> None:
    assert "cannot be read" in refusal(tmp_path / f"{'long' * 99}.csv", tmp_path).message.en


def test_a_folder_without_data_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "'empty'" in refusal(tmp_path / "empty", tmp_path).message.en


def test_a_file_that_may_not_be_read_is_said_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The refusal is faked where the system gives it: root may read everything."""
    path = tmp_path / "secret.jsonl"
    path.write_text("{}")

    def refused(_: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_bytes", refused)
    with pytest.raises(CannotBeRead, match=r"cannot be read \(Permission denied\)"):
        read_file(path)
