"""Metrics: worked out by hand, and equal to the well-known libraries on random rows."""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer
from sacrebleu import corpus_bleu, corpus_chrf
from sklearn import metrics as sklearn

from finetune.metrics import METRICS
from finetune.metrics.likelihood import TextLikelihood, bits_per_byte, perplexity
from finetune.spec import METRIC_NAMES

labels = st.sampled_from(["bug", "refund", "login"])
pairs = st.lists(st.tuples(labels, labels), min_size=1, max_size=40)
sentence = st.lists(
    st.sampled_from(["the", "a", "cat", "sat", "on", "mat", "dog", "ran", "far", "42", "."]), max_size=12
).map(" ".join)
chinese = st.text(alphabet="今天天气很好我们去公园散步吧，。", min_size=1, max_size=20)
LABEL_METRICS = METRIC_NAMES["classification"]

PREDICTED = ["a", "a", "b", "b", "c"]
TRUE = ["a", "b", "b", "b", "a"]


def one_each(targets: Sequence[str]) -> list[list[str]]:
    return [[target] for target in targets]


def value(name: str, predictions: Sequence[str], targets: Sequence[str]) -> float:
    return METRICS[name].compute(predictions, one_each(targets))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("accuracy", 3 / 5),
        ("balanced_accuracy", (1 / 2 + 2 / 3) / 2),
        ("f1_macro", (2 / 4 + 4 / 5 + 0) / 3),
        ("f1_micro", 3 / 5),
        ("precision_macro", (1 / 2 + 1 + 0) / 3),
        ("recall_macro", (1 / 2 + 2 / 3 + 0) / 3),
        ("exact_match", 3 / 5),
        ("token_f1", 3 / 5),
    ],
)
def test_metric_gives_the_value_worked_out_by_hand(name: str, expected: float) -> None:
    assert value(name, PREDICTED, TRUE) == pytest.approx(expected)


@settings(deadline=None)
@given(pairs)
def test_label_metrics_are_those_of_scikit_learn(given_pairs: list[tuple[str, str]]) -> None:
    predictions, targets = map(list, zip(*given_pairs, strict=True))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = {
            "accuracy": sklearn.accuracy_score(targets, predictions),
            "balanced_accuracy": sklearn.balanced_accuracy_score(targets, predictions),
            "f1_macro": sklearn.f1_score(targets, predictions, average="macro"),
            "f1_micro": sklearn.f1_score(targets, predictions, average="micro"),
            "precision_macro": sklearn.precision_score(
                targets, predictions, average="macro", zero_division=0
            ),
            "recall_macro": sklearn.recall_score(targets, predictions, average="macro", zero_division=0),
        }
    assert {name: value(name, predictions, targets) for name in theirs} == pytest.approx(theirs)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(sentence, sentence.filter(bool)), min_size=1, max_size=6))
def test_overlaps_are_those_of_sacrebleu_and_rouge_score(rows: list[tuple[str, str]]) -> None:
    predictions, targets = map(list, zip(*rows, strict=True))
    assert value("bleu", predictions, targets) == pytest.approx(corpus_bleu(predictions, [targets]).score)
    assert value("chrf", predictions, targets) == pytest.approx(corpus_chrf(predictions, [targets]).score)
    scorer = RougeScorer(["rouge1", "rouge2", "rougeL"])
    for name in scorer.rouge_types:
        theirs = [scorer.score(t, p)[name].fmeasure for p, t in rows]
        assert value(name, predictions, targets) == pytest.approx(sum(theirs) / len(theirs))


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(chinese, chinese), min_size=1, max_size=4))
def test_bleu_of_chinese_is_that_of_sacrebleus_chinese_tokenizer(rows: list[tuple[str, str]]) -> None:
    predictions, targets = map(list, zip(*[(p + "好", t + "好好") for p, t in rows], strict=True))
    theirs = corpus_bleu(predictions, [targets], tokenize="zh").score
    assert value("bleu", predictions, targets) == pytest.approx(theirs)


def test_chinese_overlaps_are_counted_in_characters() -> None:
    assert value("rouge1", ["今天天气好"], ["今天天气很好"]) == pytest.approx(10 / 11)
    assert value("rougeL", ["天气今天"], ["今天天气"]) == pytest.approx(0.5)
    assert value("token_f1", ["北京市"], ["北京"]) == pytest.approx(0.8)


def test_of_several_references_the_best_counts() -> None:
    for name in ("exact_match", "token_f1", "rougeL", "chrf", "bleu", "accuracy"):
        metric = METRICS[name]
        best = 100 if metric.unit == "points" else 1
        answer = "the capital of France is Paris"
        assert metric.compute([answer], [["Lyon", answer]]) == pytest.approx(best)
        assert metric.per_item is not None
        assert metric.per_item(answer, ["Lyon", answer]) == pytest.approx(1)


def test_always_saying_the_frequent_label_does_not_pay_in_balanced_accuracy() -> None:
    true = ["refund"] * 9 + ["bug"]
    assert value("accuracy", ["refund"] * 10, true) == 0.9
    assert value("balanced_accuracy", ["refund"] * 10, true) == 0.5


def test_exact_match_forgives_case_width_spaces_and_a_final_stop() -> None:
    assert value("exact_match", [" Paris ", "paris, France", "ＰＡＲＩＳ。"], ["paris"] * 3) == pytest.approx(
        2 / 3
    )


def test_fields_of_json_are_compared_by_path_and_value() -> None:
    true = json.dumps({"name": "Ann", "age": 40, "tags": ["a", "b"], "note": None})
    said = '```json\n{"age": 40.0, "name": "ann ", "tags": ["b", "c"]}\n```'
    assert value("field_f1", [said], [true]) == pytest.approx(2 * 3 / 8)
    assert value("json_validity", [said, "Ann is 40"], [true, true]) == 0.5
    assert value("field_f1", ["{}"], ["{}"]) == 1
    assert value("field_f1", ["[" * 5000], [true]) == 0


def test_fields_of_all_rows_count_together() -> None:
    rows = [json.dumps({"a": 1}), json.dumps({"a": 1, "b": 2, "c": 3})]
    assert value("field_f1", [rows[0], "{}"], rows) == pytest.approx(2 * 1 / (1 + 4))


def test_perplexity_and_bits_per_byte_are_of_all_texts_together() -> None:
    texts = [
        TextLikelihood(log_likelihood=-10 * math.log(4), tokens=10, utf8_bytes=40),
        TextLikelihood(log_likelihood=0.0, tokens=10, utf8_bytes=10),
    ]
    assert perplexity(texts) == pytest.approx(2.0)
    assert bits_per_byte(texts) == pytest.approx(20 / 50)


@pytest.mark.parametrize("name", METRICS)
@settings(deadline=None, max_examples=40)
@given(given_pairs=pairs)
def test_metric_is_within_its_scale(name: str, given_pairs: list[tuple[str, str]]) -> None:
    predictions, targets = zip(*given_pairs, strict=True)
    top = 100 if METRICS[name].unit == "points" else 1
    assert 0 <= value(name, predictions, targets) <= top + 1e-9
    per_item = METRICS[name].per_item
    assert per_item is None or 0 <= per_item(predictions[0], [targets[0]]) <= 1


@pytest.mark.parametrize("name", LABEL_METRICS)
@given(given_pairs=pairs)
def test_perfect_labels_score_one(name: str, given_pairs: list[tuple[str, str]]) -> None:
    targets = [target for _, target in given_pairs]
    assert value(name, targets, targets) == 1


@pytest.mark.parametrize("name", METRICS)
def test_metric_refuses_predictions_without_targets(name: str) -> None:
    with pytest.raises(ValueError, match="2 predictions for 1 targets"):
        METRICS[name].compute(["a", "b"], [["a"]])
    with pytest.raises(ValueError, match="0 predictions for 0 targets"):
        METRICS[name].compute([], [])


def test_metrics_are_registered_under_their_own_names() -> None:
    assert all(metric.name == name and metric.unit in {"frac", "points"} for name, metric in METRICS.items())


def test_every_metric_serves_a_task() -> None:
    served = {
        name
        for task, names in METRIC_NAMES.items()
        if task not in ("language-modelling", "chat")
        for name in names
    }
    assert served == set(METRICS)
