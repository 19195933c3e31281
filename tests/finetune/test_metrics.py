"""Metrics on predicted and true labels."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finetune.metrics import METRICS

labels = st.sampled_from(["bug", "refund", "login"])
pairs = st.lists(st.tuples(labels, labels), min_size=1, max_size=40)

PREDICTED = ["a", "a", "b", "b", "c"]
TRUE = ["a", "b", "b", "b", "a"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("accuracy", 3 / 5),
        ("balanced_accuracy", (1 / 2 + 2 / 3) / 2),
        ("f1_macro", (2 / 4 + 4 / 5 + 0) / 3),
        ("exact_match", 3 / 5),
    ],
)
def test_metric_gives_the_value_worked_out_by_hand(name: str, value: float) -> None:
    assert METRICS[name].compute(PREDICTED, TRUE) == pytest.approx(value)


def test_always_saying_the_frequent_label_does_not_pay_in_balanced_accuracy() -> None:
    true = ["refund"] * 9 + ["bug"]
    assert METRICS["accuracy"].compute(["refund"] * 10, true) == 0.9
    assert METRICS["balanced_accuracy"].compute(["refund"] * 10, true) == 0.5


def test_exact_match_forgives_case_and_outer_spaces() -> None:
    assert METRICS["exact_match"].compute([" Paris ", "paris, France"], ["paris", "paris"]) == 0.5


@pytest.mark.parametrize("name", METRICS)
@given(given_pairs=pairs)
def test_metric_is_a_fraction_and_one_for_perfect_predictions(
    name: str, given_pairs: list[tuple[str, str]]
) -> None:
    predictions, targets = zip(*given_pairs, strict=True)
    assert 0 <= METRICS[name].compute(predictions, targets) <= 1
    assert METRICS[name].compute(targets, targets) == 1


@pytest.mark.parametrize("name", METRICS)
def test_metric_refuses_predictions_without_targets(name: str) -> None:
    with pytest.raises(ValueError, match="2 predictions for 1 targets"):
        METRICS[name].compute(["a", "b"], ["a"])
    with pytest.raises(ValueError, match="0 predictions for 0 targets"):
        METRICS[name].compute([], [])


def test_metrics_are_registered_under_their_own_names() -> None:
    assert all(metric.name == name and metric.unit == "frac" for name, metric in METRICS.items())
