"""More rows to learn from, and a flag for personal data: pure functions."""

from __future__ import annotations

from finetune.augment import augmented
from finetune.columns import Row
from finetune.personal_data import personal_data

ROWS = [
    Row(id="1", text="Where is my invoice, please?", label="billing"),
    Row(id="2", text="It crashed at 3.5 GB!", label="bug"),
    Row(id="3", text="退款在哪里，谢谢。", label="billing"),
    Row(id="4", text="My card was charged twice.", label="billing"),
    Row(id="5", text="I never got the receipt.", label="billing"),
]


def test_edits_keep_labels_and_numbers_and_add_new_texts_only() -> None:
    found = augmented(ROWS, ["edits"], seed=1)
    new = found.rows[len(ROWS) :]
    label_of = {row.id: row.label for row in ROWS}
    assert found.added == {"edits": len(new)}
    assert len(new) == len(ROWS)
    assert all(row.label == label_of[row.id.rstrip("~")] for row in new)
    assert len({row.text for row in found.rows}) == len(found.rows)
    assert all("3.5" in row.text for row in new if row.id == "2~")


def test_upsampling_shows_rare_labels_again_up_to_half_of_the_commonest() -> None:
    found = augmented(ROWS, ["upsample"], seed=1)
    assert [row.text for row in found.rows[len(ROWS) :]] == ["It crashed at 3.5 GB!"]


def test_the_same_seed_adds_the_same_rows() -> None:
    assert augmented(ROWS, ["edits", "upsample"], seed=3) == augmented(ROWS, ["edits", "upsample"], seed=3)
    assert augmented(ROWS, [], seed=3).rows == tuple(ROWS)


def test_personal_data_is_found_by_its_shape_and_rows_are_named() -> None:
    texts = [
        "write to ana.silva@example.org",
        "call +49 170 1234567 or 13912345678",
        "my card is 4111 1111 1111 1111",
        "身份证 11010519491231002X",
        "SSN 536-22-1234, from 10.0.0.12",
    ]
    found = personal_data(texts)
    assert found["mail address"] == {"rows": 1, "first_rows": [1]}
    assert found["phone number"]["first_rows"] == [2]
    assert found["card number"]["first_rows"] == [3]
    assert found["Chinese ID number"]["first_rows"] == [4]
    assert found["US social security number"]["first_rows"] == [5]
    assert found["IP address"]["first_rows"] == [5]


def test_numbers_that_only_look_like_it_are_no_personal_data() -> None:
    texts = [
        "order 4111111111111112",
        "version 3.11.7",
        "it took 1234567890 ms",
        "身份证 110105194912310021",
        "at 10:30",
    ]
    assert personal_data(texts) == {}
