"""Reading, refusing, registering, splitting and sampling of data sets."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finetune import data
from finetune.columns import Row
from finetune.data import (
    describe,
    find_registered,
    load,
    register,
    registered_name,
    sample,
    script_of,
    split,
    text_hash,
    text_key,
)
from finetune.dataset_errors import NotRegistered
from index.errors import BadDataset
from tests.finetune.datasets import LABELS, TEXTS, csv_file, described, refusal, written


def rows_of(*labels: str) -> list[Row]:
    return [Row(id=str(n), text=f"text number {n}", label=label) for n, label in enumerate(labels)]


def test_the_built_in_tickets_are_registered_by_name(tmp_path: Path) -> None:
    dataset = register("tickets", home=tmp_path)
    assert (dataset.name, len(dataset.labels)) == ("tickets", 8)
    assert dataset.rows >= 400
    assert {row.language for row in load(dataset.sha256, home=tmp_path)} == {"en", "zh"}


def test_a_registered_set_is_read_back_row_by_row(tmp_path: Path) -> None:
    dataset = register(csv_file(tmp_path), home=tmp_path / "home")
    rows = load(dataset.sha256, home=tmp_path / "home")
    assert rows[1] == Row(id="2", text=TEXTS[1], label="refund")
    assert (dataset.name, dataset.rows, dataset.labels) == ("tickets.csv", 12, ("bug", "refund", "shipping"))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (
            "a.jsonl",
            "\n".join(json.dumps({"text": t, "label": y}) for t, y in zip(TEXTS, LABELS, strict=True)),
        ),
        ("a.json", json.dumps([{"text": t, "label": y} for t, y in zip(TEXTS, LABELS, strict=True)])),
        ("a.csv", "text,label\r\n" + "\r\n".join(f'"{t}",{y}' for t, y in zip(TEXTS, LABELS, strict=True))),
        ("a.csv", "text;label\n" + "\n".join(f"{t};{y}" for t, y in zip(TEXTS, LABELS, strict=True))),
        ("a.tsv", "\ufefftext\tlabel\n" + "\n".join(f"{t}\t{y}" for t, y in zip(TEXTS, LABELS, strict=True))),
    ],
)
def test_every_kind_of_file_gives_the_same_data_set(tmp_path: Path, name: str, content: str) -> None:
    of_csv = register(csv_file(tmp_path, name="reference.csv"), home=tmp_path)
    assert register(written(tmp_path / name, content), home=tmp_path).sha256 == of_csv.sha256


@pytest.mark.parametrize(
    "header",
    ["Ticket,Intent", "question,answer", "PROMPT,category", "文本,标签", "内容,类别", " text , class "],
)
def test_usual_column_names_are_recognised(tmp_path: Path, header: str) -> None:
    dataset = register(csv_file(tmp_path, header=header), home=tmp_path)
    assert load(dataset.sha256, home=tmp_path)[0].text == TEXTS[0]


def test_named_columns_win_over_recognised_ones(tmp_path: Path) -> None:
    path = csv_file(tmp_path, header="text,urgency")
    dataset = register(path, home=tmp_path, text_column="text", label_column="urgency")
    assert dataset.labels == ("bug", "refund", "shipping")


def test_labels_that_are_numbers_or_truth_values_become_words(tmp_path: Path) -> None:
    lines = [json.dumps({"text": text, "label": n % 2 == 0}) for n, text in enumerate(TEXTS)]
    assert register(written(tmp_path / "a.jsonl", "\n".join(lines)), home=tmp_path).labels == (
        "false",
        "true",
    )


def test_ids_are_kept_where_they_are_unique_and_numbered_where_not(tmp_path: Path) -> None:
    def ids(*given_ids: str) -> list[str]:
        rows = [
            json.dumps({"id": i, "text": t, "label": y})
            for i, t, y in zip(given_ids, TEXTS, LABELS, strict=False)
        ]
        dataset = register(written(tmp_path / "a.jsonl", "\n".join(rows)), home=tmp_path)
        return [row.id for row in load(dataset.sha256, home=tmp_path)]

    assert ids(*"abcdefghij") == list("abcdefghij")
    assert ids(*"aacdefghij") == [str(n) for n in range(1, 11)]


def test_registering_again_gives_the_same_reference(tmp_path: Path) -> None:
    assert register(csv_file(tmp_path), home=tmp_path) == register(csv_file(tmp_path), home=tmp_path)


def test_what_was_recognised_is_told(tmp_path: Path) -> None:
    path = csv_file(tmp_path, header="ticket,intent")
    path.write_text(f"{path.read_text()}{TEXTS[0].upper()}!,bug\n{TEXTS[1]},refund\n,bug\nhello,rare\n")
    report = described(path, tmp_path)
    assert report.columns == {"text": "ticket", "label": "intent"}
    assert report.labels == {"bug": 5, "rare": 1, "refund": 4, "shipping": 4}
    assert (report.rows, report.duplicates, report.contradictions) == (14, 1, ((1, 13),))
    first, second = (line.en for line in report.lines())
    assert "14 rows for classification (text: ticket, label: intent); 4 labels of 1 to 5 rows" in first
    for said in ("1 without a text (row 15)", "1 repeated", "(rows 1+13)", "occur once: rare"):
        assert said in second


def test_data_in_order_is_told_in_one_line(tmp_path: Path) -> None:
    (line,) = described(csv_file(tmp_path), tmp_path).lines()
    assert "12 行" in line.zh
    assert "分类" in line.zh


def test_the_report_of_an_older_registration_is_still_read(tmp_path: Path) -> None:
    dataset = register(csv_file(tmp_path), home=tmp_path)
    meta = tmp_path / "datasets" / f"{dataset.sha256}.meta.json"
    meta.write_text(
        '{"name": "a.csv", "task": "classification", "columns": {"text": "text", "choices": ["A", "B"]}, "rows": 12,'
        ' "labels": {"bug": 4}, "languages": {}, "duplicates": 0, "texts_with_several_labels": 0}'
    )
    assert "12 rows" in describe(dataset, home=tmp_path).lines()[0].en
    meta.unlink()
    assert "12 rows" in describe(dataset, home=tmp_path).lines()[0].en


def test_labels_that_are_named_may_lack_rows_and_others_are_left_out(tmp_path: Path) -> None:
    more = "".join(
        f"{text} again,{label}\n"
        for text, label in zip(TEXTS, LABELS[:6], strict=False)
        if label != "shipping"
    )
    path = csv_file(tmp_path)
    path.write_text(path.read_text() + more)
    dataset = register(path, home=tmp_path, labels=("bug", "refund", "billing"))
    assert (dataset.labels, dataset.rows) == (("billing", "bug", "refund"), 12)
    note = describe(dataset, home=tmp_path).lines()[1].en
    assert "never: billing" in note
    assert "4 with another label" in note


def test_languages_are_told_by_script_where_no_column_says_them() -> None:
    texts = ("退款什么时候能到账？", "返金はいつになりますか？", "환불은 언제 되나요?", "When?")
    assert [script_of(text) for text in texts] == ["zh", "ja", "ko", "other"]


def test_a_missing_file_is_refused_with_its_path(tmp_path: Path) -> None:
    assert "gone.csv" in refusal(tmp_path / "gone.csv", tmp_path).message.en


@pytest.mark.parametrize(
    ("name", "content"), [("a.csv", ""), ("a.csv", "text,label\n"), ("a.json", "[]"), ("a.jsonl", "\n\n")]
)
def test_a_file_without_rows_is_refused(tmp_path: Path, name: str, content: str) -> None:
    assert "no rows" in refusal(written(tmp_path / name, content), tmp_path).message.en


def test_broken_json_is_refused_with_its_line(tmp_path: Path) -> None:
    good = json.dumps({"text": "a", "label": "b"})
    assert "line 3" in refusal(written(tmp_path / "a.jsonl", f"{good}\n\n{good[:-2]}\n"), tmp_path).message.en
    assert "line 2" in refusal(written(tmp_path / "a.json", f"[{good},\n {good}"), tmp_path).message.en


def test_json_that_is_not_a_list_of_objects_is_refused(tmp_path: Path) -> None:
    assert "not a list" in refusal(written(tmp_path / "a.json", '{"text": "a"}'), tmp_path).message.en
    assert "row 2" in refusal(written(tmp_path / "a.jsonl", '{"text": "a"}\n["b"]\n'), tmp_path).message.en


@pytest.mark.parametrize("line", ["Hello, world, this is text,bug", '"a quote that never ends,bug'])
def test_a_line_that_does_not_fit_the_header_is_refused(tmp_path: Path, line: str) -> None:
    path = csv_file(tmp_path)
    path.write_text(path.read_text() + line + "\n")
    assert "line 14" in refusal(path, tmp_path).message.en


def test_missing_columns_are_refused_with_those_that_are_there(tmp_path: Path) -> None:
    message = refusal(csv_file(tmp_path, header="text,created"), tmp_path).message
    assert "text, created" in message.en
    assert "`label`" in message.en
    assert "text, created" in message.zh
    assert "`text`" in refusal(csv_file(tmp_path, header="subject,label"), tmp_path).message.en


def test_a_named_column_that_is_not_there_is_refused(tmp_path: Path) -> None:
    assert "no column 'mood'" in refusal(csv_file(tmp_path), tmp_path, label_column="mood").message.en


def test_one_label_only_is_refused_with_that_label(tmp_path: Path) -> None:
    content = "text,label\n" + "".join(f"{text},bug\n" for text in TEXTS)
    assert "'bug'" in refusal(written(tmp_path / "a.csv", content), tmp_path).message.en


def test_free_text_in_the_label_column_is_refused(tmp_path: Path) -> None:
    content = "question,label\n" + "".join(f"{text},answer {n}\n" for n, text in enumerate(TEXTS))
    assert "free text" in refusal(written(tmp_path / "a.csv", content), tmp_path).message.en


def test_too_few_rows_are_refused_with_both_numbers(tmp_path: Path) -> None:
    assert "9 rows and at least 10" in refusal(csv_file(tmp_path, rows=9), tmp_path).message.en


def test_rows_without_text_or_answer_are_left_out_unless_they_are_the_most(tmp_path: Path) -> None:
    def lines(*empty: int) -> str:
        return "\n".join(
            json.dumps({"text": text, "label": None if n in empty else label})
            for n, (text, label) in enumerate(zip(TEXTS, LABELS, strict=True), start=1)
        )

    report = described(written(tmp_path / "a.jsonl", lines(2, 8)), tmp_path)
    assert report.rows == 10
    assert "第 2, 8 行" in report.lines()[1].zh
    message = refusal(written(tmp_path / "b.jsonl", lines(*range(1, 8))), tmp_path / "home").message
    assert "7 of 12 rows (row 1, 2, 3, 4, 5, …)" in message.en


def test_a_text_longer_than_any_context_is_left_out(tmp_path: Path) -> None:
    path = csv_file(tmp_path)
    path.write_text(f"{path.read_text()}{'long ' * 300_000},bug\n")
    assert described(path, tmp_path).left_out["too long"].first == (13,)


def test_a_set_that_was_never_registered_cannot_be_loaded(tmp_path: Path) -> None:
    with pytest.raises(BadDataset, match="abc"):
        load("abc", home=tmp_path)


def test_line_separators_inside_a_text_survive(tmp_path: Path) -> None:
    lines = [
        json.dumps({"text": f"{t}\u2028\n{t}", "label": y}, ensure_ascii=False)
        for t, y in zip(TEXTS, LABELS, strict=True)
    ]
    dataset = register(written(tmp_path / "a.jsonl", "\n".join(lines)), home=tmp_path)
    assert load(dataset.sha256, home=tmp_path)[0].text == f"{TEXTS[0]}\u2028\n{TEXTS[0]}"


@given(st.integers(0, 50), st.sampled_from([0.1, 0.2, 0.5]))
def test_a_split_has_every_label_on_both_sides(seed: int, held_out_frac: float) -> None:
    rows = rows_of(*["bug", "refund", "login"] * 5)
    train, held_out = split(rows, held_out_frac, seed)
    assert sorted(row.id for row in train + held_out) == sorted(row.id for row in rows)
    assert {row.label for row in train} == {row.label for row in held_out} == {"bug", "refund", "login"}


def test_answers_in_free_words_are_held_out_though_each_is_there_once() -> None:
    rows = [Row(id=str(n), text=f"question {n}", label=f"answer {n}") for n in range(200)]
    train, held_out = split(rows, 0.2, 0, has_classes=False)
    assert len(train) + len(held_out) == 200
    assert 20 <= len(held_out) <= 60


def test_ids_that_repeat_are_told_by_row_and_rows_are_numbered(tmp_path: Path) -> None:
    rows = [{"id": n // 2, "text": t, "label": y} for n, (t, y) in enumerate(zip(TEXTS, LABELS, strict=True))]
    file = written(tmp_path / "a.jsonl", "\n".join(json.dumps(row) for row in rows))
    dataset = register(file, home=tmp_path)
    assert [row.id for row in load(dataset.sha256, home=tmp_path)][:3] == ["1", "2", "3"]
    note = describe(dataset, home=tmp_path).lines()[1]
    assert "6 rows have an id that an earlier one has (row 2, 4, 6, 8, 10, …)" in note.en
    assert "6 行的 id 与前面的行重复" in note.zh


def test_texts_that_differ_in_case_spaces_or_punctuation_stay_on_one_side() -> None:
    rows = rows_of(*["bug", "refund"] * 20)
    copies = [Row(id=f"copy {row.id}", text=f"  {row.text.upper()}!! ", label=row.label) for row in rows]
    train, held_out = split(rows + copies, 0.3, 0)
    assert not {text_key(row.text) for row in train} & {text_key(row.text) for row in held_out}


def test_a_row_stays_on_its_side_when_rows_are_added() -> None:
    rows = rows_of(*["bug", "refund"] * 40)
    held_out_before = {row.id for row in split(rows, 0.25, 1)[1]}
    more = [Row(id=f"new {n}", text=f"another text {n}", label="bug") for n in range(40)]
    held_out_after = {row.id for row in split(rows + more, 0.25, 1)[1]}
    assert len(held_out_before - held_out_after) <= 1


def test_the_held_out_share_is_about_what_was_asked_for() -> None:
    rows = rows_of(*["bug", "refund"] * 500)
    assert 150 <= len(split(rows, 0.2, 0)[1]) <= 250


@given(st.integers(0, 50))
def test_a_label_with_a_single_text_is_learned_from(seed: int) -> None:
    rows = [*rows_of(*["bug"] * 12), Row(id="rare", text="a rare thing", label="rare")]
    assert "rare" in {row.label for row in split(rows, 0.5, seed)[0]}


def test_a_sample_takes_labels_in_turn() -> None:
    rows = rows_of(*["bug"] * 30, *["refund"] * 30, *["login"] * 2)
    labels = [row.label for row in sample(rows, 10, 0)]
    assert sorted(labels) == ["bug"] * 4 + ["login"] * 2 + ["refund"] * 4


def test_a_smaller_sample_begins_a_larger_one_and_a_seed_fixes_it() -> None:
    rows = rows_of(*["bug", "refund"] * 30)
    assert sample(rows, 10, 7) == sample(rows[::-1], 40, 7)[:10]
    assert sample(rows, 10, 7) != sample(rows, 10, 8)
    assert len(sample(rows, None, 7)) == 60


def test_a_sample_falls_on_both_sides_of_a_split_with_the_same_seed() -> None:
    rows = sample(rows_of(*["bug", "refund"] * 100), 40, 0)
    train, held_out = split(rows, 0.2, 0)
    assert len(train) > 2 * len(held_out) > 0


def test_texts_are_one_when_only_width_case_or_punctuation_differ() -> None:
    assert text_hash("Ｗhere is my order？") == text_hash("where is  my ORDER")
    assert text_hash("我的订单在哪里？") == text_hash("我的订单在哪里")
    assert text_hash("???") != text_hash("!!!")


def test_the_sample_that_is_built_in_needs_no_file_of_its_name(tmp_path: Path) -> None:
    assert data.SAMPLES["tickets"].is_file()
    assert (
        register("tickets", home=tmp_path).sha256 == register(data.SAMPLES["tickets"], home=tmp_path).sha256
    )


def rows_of_task(tmp_path: Path, rows: list[dict[str, object]]) -> tuple[str, list[Row]]:
    dataset = register(written(tmp_path / "a.jsonl", "\n".join(map(json.dumps, rows))), home=tmp_path)
    return dataset.task, load(dataset.sha256, home=tmp_path)


@pytest.mark.parametrize("answer", ["B", "(b)", "1", "cold 3"])
def test_a_choice_is_named_by_letter_number_or_text(tmp_path: Path, answer: str) -> None:
    rows: list[dict[str, object]] = [
        {"question": text, "choices": ["hot", "cold 3", "wet"], "answer": answer if n else "0"}
        for n, text in enumerate(TEXTS)
    ]
    task, found = rows_of_task(tmp_path, rows)
    assert task == "multiple-choice"
    assert [row.label for row in found] == ["hot", *["cold 3"] * (len(TEXTS) - 1)]


def test_an_answer_that_is_no_choice_is_left_out_with_its_row(tmp_path: Path) -> None:
    def lines(*wrong: int) -> str:
        return "\n".join(
            json.dumps({"question": text, "A": "hot", "B": "cold", "answer": "E" if n in wrong else "A"})
            for n, text in enumerate(TEXTS, start=1)
        )

    assert described(written(tmp_path / "a.jsonl", lines(4)), tmp_path).left_out["no choice"].first == (4,)
    message = refusal(written(tmp_path / "b.jsonl", lines(*range(1, 10))), tmp_path / "home").message
    assert "第 1, 2, 3, 4, 5, … 行" in message.zh


def test_several_answers_and_a_context_are_kept(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [
        {"context": "Ann is here.", "question": text, "answers": {"text": [f"Ann {n}", "she"]}}
        for n, text in enumerate(TEXTS)
    ]
    task, found = rows_of_task(tmp_path, rows)
    assert task == "question-answering"
    assert found[0].text == f"Ann is here.\n\n{TEXTS[0]}"
    assert (found[0].label, found[0].references) == ("Ann 0", ("she",))


def test_json_objects_as_answers_are_extraction_and_long_ones_generation(tmp_path: Path) -> None:
    objects: list[dict[str, object]] = [{"input": t, "output": {"n": n % 2}} for n, t in enumerate(TEXTS)]
    assert rows_of_task(tmp_path, objects)[0] == "extraction"
    long: list[dict[str, object]] = [
        {"input": t, "summary": f"a text of more than {n} words"} for n, t in enumerate(TEXTS)
    ]
    assert rows_of_task(tmp_path, long)[0] == "generation"


def test_half_a_character_and_endless_numbers_are_no_crash(tmp_path: Path) -> None:
    rows = [
        f'{{"text": "{text} \\ud800", "label": "{label}"}}'
        for text, label in zip(TEXTS, LABELS, strict=False)
    ]
    assert register(written(tmp_path / "a.jsonl", "\n".join(rows)), home=tmp_path).rows == len(rows)
    rows[2] = '{"text": "a", "label": ' + "9" * 5000 + "}"
    assert "line 3" in refusal(written(tmp_path / "b.jsonl", "\n".join(rows)), tmp_path / "home").message.en


def test_a_set_that_is_kept_is_found_again_by_its_hash(tmp_path: Path) -> None:
    kept = register("tickets", home=tmp_path)
    assert find_registered(registered_name(kept), home=tmp_path) == kept
    assert find_registered("tickets.csv", home=tmp_path) is None
    with pytest.raises(NotRegistered, match="Register its file again"):
        find_registered("sha256:../../etc/passwd", home=tmp_path)
