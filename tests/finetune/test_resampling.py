"""Metrics of all rows: sums give the metric itself, and its bootstrap covers the truth as often as it says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sacrebleu import corpus_bleu, corpus_chrf

from finetune.comparison import DELTA, Comparison, ItemScore, conclude, measure_of
from finetune.metrics import METRICS
from finetune.paired import compare_resampled
from finetune.resampling import Tally, draw, draw_again, interval95, resamples_for

OF_SUMS = sorted(name for name, metric in METRICS.items() if metric.sums is not None)
LABELS = ["bug", "refund", "login"]
WORDS = ["the", "a", "cat", "sat", "on", "mat", "dog", "ran", "far", "42", "."]
sentence = st.lists(st.sampled_from(WORDS), min_size=1, max_size=9).map(" ".join)
record = st.dictionaries(st.sampled_from("abc"), st.integers(0, 2)).map(lambda d: str(d).replace("'", '"'))
drawn_rows = st.lists(st.integers(0, 5), min_size=1, max_size=9)


def rows_for(name: str) -> st.SearchStrategy[list[tuple[str, str]]]:
    kind = {"bleu": sentence, "chrf": sentence, "field_f1": record}.get(name, st.sampled_from(LABELS))
    return st.lists(st.tuples(kind, kind), min_size=6, max_size=6)


@settings(deadline=None, max_examples=25)
@pytest.mark.parametrize("name", OF_SUMS)
@given(data=st.data())
def test_rows_drawn_again_give_the_metric_itself(name: str, data: st.DataObject) -> None:
    rows, picks = data.draw(rows_for(name)), data.draw(drawn_rows)
    metric = METRICS[name]
    assert metric.sums is not None
    table = metric.sums.of_rows([said for said, _ in rows], [[true] for _, true in rows])
    again = [rows[i] for i in picks]
    expected = metric.compute([said for said, _ in again], [[true] for _, true in again])
    assert metric.sums.value(table[picks].sum(axis=0)[None, :])[0] == pytest.approx(expected, abs=1e-9)


def test_sums_of_texts_are_the_corpus_values_of_sacrebleu() -> None:
    chance = np.random.default_rng(0)
    true = [" ".join(chance.choice(WORDS, 12)) for _ in range(40)]
    said = [" ".join(w for w in text.split() if chance.random() < 0.8) for text in true]
    for name, corpus in (("bleu", corpus_bleu), ("chrf", corpus_chrf)):
        sums = METRICS[name].sums
        assert sums is not None
        table = sums.of_rows(said, [[text] for text in true])
        assert sums.value(table.sum(axis=0)[None, :])[0] == pytest.approx(corpus(said, [true]).score)


def test_every_candidate_meets_the_same_draws_of_whole_groups() -> None:
    table = np.stack([np.arange(12.0), np.ones(12)], axis=1)
    codes = np.repeat(np.arange(4), 3)
    first, again = draw([table, table], lambda sums: sums[:, 0] / sums[:, 1], codes, resamples=50, seed=3)
    assert first.tolist() == again.tolist()
    # Four groups with means 1, 4, 7 and 10: every draw is a mean of four of them.
    assert {round(4 * value) % 3 for value in first} == {1}


def labelled(n: int, chance: np.random.Generator) -> tuple[list[str], list[list[str]]]:
    """True labels, one rare, and what two candidates of unlike strength said."""
    true = chance.choice(LABELS, n, p=[0.6, 0.3, 0.1])
    wrong = chance.choice(LABELS, (2, n))
    said = np.where(chance.random((2, n)) < np.array([[0.7], [0.6]]), true, wrong)
    return true.tolist(), [of_one.tolist() for of_one in said]


def test_the_interval_of_macro_f1_holds_the_true_difference_about_as_often_as_it_says() -> None:
    sums = METRICS["f1_macro"].sums
    assert sums is not None
    chance = np.random.default_rng(5)
    true, said = labelled(60_000, chance)
    population = [sums.of_rows(of_one, [[label] for label in true]) for of_one in said]
    truth = float(np.diff([sums.value(table.sum(axis=0)[None, :])[0] for table in population])[0])
    inside, races = 0, 200
    for seed in range(races):
        rows = chance.integers(0, 60_000, 120)
        tables = [table[rows] for table in population]
        a, b = draw(tables, sums.value, None, resamples=400, seed=seed)
        values = [float(sums.value(table.sum(axis=0)[None, :])[0]) for table in tables]
        low, high = interval95(b - a, values[1] - values[0], 120)
        inside += low <= truth <= high
    assert 0.90 <= inside / races <= 0.99


def answers(true: list[str], said: list[str]) -> list[ItemScore]:
    return [
        ItemScore(row=f"{i:04}", score=float(s == t), label=t, prediction=s)
        for i, (s, t) in enumerate(zip(said, true, strict=True))
    ]


def test_the_leader_is_the_first_by_the_very_metric() -> None:
    # "lazy" is right more often, "fair" also finds the rare label.
    true = ["bug"] * 90 + ["refund"] * 10
    lazy = ["bug"] * 100
    fair = ["refund"] * 20 + ["bug"] * 70 + ["refund"] * 10
    both = {"lazy": answers(true, lazy), "fair": answers(true, fair)}
    by_share = conclude(Comparison(both, measure_of("accuracy")), delta_frac=DELTA)
    by_f1 = conclude(Comparison(both, measure_of("f1_macro")), delta_frac=DELTA)
    assert (by_share["leader"], by_f1["winner"]) == ("lazy", "fair")
    assert by_f1["comparisons"][0]["method"].startswith("paired bootstrap of f1_macro, 2,000 resamples")
    assert by_f1["comparisons"][0]["difference"] > 0.2


def texts(bits: list[float]) -> list[ItemScore]:
    return [
        ItemScore(row=str(i), score=-b, log_likelihood=-b * 100 * np.log(2), tokens=26, utf8_bytes=100)
        for i, b in enumerate(bits)
    ]


@pytest.mark.parametrize("metric", ["bits_per_byte", "perplexity"])
def test_where_lower_is_better_the_lower_wins(metric: str) -> None:
    chance = np.random.default_rng(0)
    hard = chance.normal(1.0, 0.2, 60)
    both = {
        "worse": texts((hard + 0.2).tolist()),
        "better": texts((hard + chance.normal(0, 0.02, 60)).tolist()),
    }
    said = conclude(Comparison(both, measure_of(metric)), delta_frac=0.01)
    pair = said["comparisons"][0]
    assert (said["winner"], pair["a"], pair["higher_is_better"]) == ("better", "better", False)
    assert pair["ci95"][1] < 0
    assert pair["difference"] < 0


def test_what_is_too_small_to_matter_is_told_in_the_points_of_the_metric() -> None:
    true = ["the cat sat on the mat"] * 12
    both = {"a": answers(true, true), "b": answers(true, true)}
    assert conclude(Comparison(both, measure_of("chrf")), delta_frac=0.05)["delta"] == pytest.approx(5.0)
    assert conclude(Comparison(both, measure_of("chrf")), delta_frac=0.05)["verdict"] == "indistinguishable"
    likely = {"a": texts([2.0] * 9), "b": texts([2.0] * 9)}
    assert conclude(Comparison(likely, measure_of("bits_per_byte")), delta_frac=0.05)[
        "delta"
    ] == pytest.approx(0.1)


def test_a_few_rows_prove_nothing_however_clear_they_look() -> None:
    true = ["bug", "refund", "login", "bug"]
    both = {"right": answers(true, true), "wrong": answers(true, ["x"] * 4)}
    said = conclude(Comparison(both, measure_of("f1_macro")), delta_frac=DELTA)
    assert said["verdict"] == "insufficient"
    assert said["comparisons"][0]["p_value"] == 2 / 2**4


def test_the_best_of_many_pairs_can_be_significant_after_correction() -> None:
    assert 66 * 2 / (resamples_for(66) + 1) < 0.05
    assert 496 * 2 / (resamples_for(496) + 1) < 0.05


def test_identical_candidates_differ_by_nothing_at_all() -> None:
    metric = measure_of("f1_macro")
    assert metric.of_rows is not None
    table = metric.of_rows(answers(LABELS * 5, ["bug", "bug", "login"] * 5))
    tallied = Tally(scores=np.ones(15), table=table)
    same = draw_again(tallied, metric.of_sums, None, resamples=500, seed=0)
    pair = compare_resampled(same, same, metric.of_sums)
    assert (pair.difference, pair.ci95, pair.p_value, pair.a_only) == (0.0, (0.0, 0.0), 1.0, 0)
