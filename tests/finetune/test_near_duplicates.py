"""Texts that are nearly the same across two sets."""

from __future__ import annotations

import random

from finetune.near_duplicates import near_duplicates

ENGLISH = (
    "My parcel was due on Monday and the tracking page still says that it waits at the depot.",
    "The app closes by itself as soon as I open the settings, since the update of last week.",
)
CHINESE = (
    "我的包裹原定周一送达，但物流页面一直显示在仓库等待发货。",
    "自从上周更新之后，一打开设置页面应用就会自动关闭。",
)


def test_a_changed_word_or_character_is_found_and_another_text_is_not() -> None:
    among = [*ENGLISH, *CHINESE]
    texts = [
        ENGLISH[0].replace("Monday", "Tuesday").upper(),
        "How do I change the address of an order that has already been paid for by card?",
        CHINESE[1].replace("上周", "本月"),
        "请问已经付款的订单怎么修改收货地址？",
    ]
    found = near_duplicates(texts, among)
    assert [(pair.index, pair.other) for pair in found] == [(0, 0), (2, 3)]
    assert all(0.9 <= pair.similarity_frac < 1 for pair in found)


def test_texts_that_differ_in_case_or_width_only_are_equal() -> None:
    (pair,) = near_duplicates(["Ｗhere is my order？"], ["Something else", "where is my ORDER"])
    assert (pair.other, pair.similarity_frac) == (1, 1.0)


def test_one_edit_in_twenty_characters_is_found_in_nearly_all_of_many_texts() -> None:
    chance = random.Random(0)
    among = ["".join(chance.choices("abcdefghij klmnopqrst", k=100)) for _ in range(300)]
    texts = ["".join(chance.choice("xyz") if chance.random() < 0.05 else c for c in text) for text in among]
    found = near_duplicates(texts, among)
    assert sum(pair.index == pair.other for pair in found) >= 295


def test_what_all_texts_begin_with_makes_none_alike() -> None:
    among = [f"Dear support team, thank you. {n * 7919} {n * 104729} {n * 1299709}" for n in range(1, 400)]
    assert not near_duplicates(["Dear support team, thank you. The weather is nice over here today."], among)


def test_empty_sets_and_short_texts_are_no_crash() -> None:
    assert near_duplicates([], ["a"]) == near_duplicates(["a", ""], []) == []
    assert [pair.other for pair in near_duplicates(["ok"], ["no", "ok!"])] == [1]
