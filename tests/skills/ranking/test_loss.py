"""Expected loss: from published figures, and from what was measured here."""

from __future__ import annotations

import pytest

from index.records import Measurement
from skills.ranking.ability import fit
from skills.ranking.loss import LossModel
from tests.skills.ranking.builders import benchmark, figure, measurement, model

BENCHMARKS = [benchmark(f"b{i}", "classification") for i in range(4)]
MODELS = [model("org/weak"), model("org/middle"), model("org/strong"), model("org/unknown")]
FIGURES = [
    figure(f"org/{name}", score + 3 * i, on)
    for name, score in (("weak", 25), ("middle", 45), ("strong", 65))
    for i, on in enumerate(BENCHMARKS)
]
ABILITIES = fit(MODELS, FIGURES)


def losses(*measured: Measurement) -> LossModel:
    return LossModel.build(ABILITIES, BENCHMARKS, {"classification": 1.0}, measured)


def test_the_stronger_model_is_expected_to_lose_less() -> None:
    assert losses().of("org/strong", "none").value < losses().of("org/weak", "none").value


def test_four_bits_lose_more_than_eight_and_eight_more_than_sixteen() -> None:
    none, int8, nf4 = (losses().of("org/middle", q).value for q in ("none", "int8", "nf4"))  # type: ignore[arg-type]
    assert none < int8 < nf4


def test_a_model_without_figures_has_a_wider_interval() -> None:
    assert losses().of("org/unknown", "none").se > losses().of("org/middle", "none").se


def test_what_was_measured_here_replaces_what_was_predicted() -> None:
    found = losses(measurement("org/weak", 0.9)).of("org/weak", "none")
    assert found.value == pytest.approx(0.1)
    assert found.measured is not None


def test_another_quantization_of_a_measured_model_is_predicted_from_that_measurement() -> None:
    found = losses(measurement("org/weak", 0.9)).of("org/weak", "nf4")
    assert found.near is not None
    assert 0.1 < found.value < 0.13
    assert found.se > losses(measurement("org/weak", 0.9)).of("org/weak", "none").se


def test_the_others_are_predicted_on_the_data_set_that_was_measured() -> None:
    easy = losses(measurement("org/middle", 0.95)).of("org/strong", "none")
    hard = losses(measurement("org/middle", 0.10)).of("org/strong", "none")
    assert easy.measured is None
    assert easy.value < losses().of("org/strong", "none").value < hard.value


def test_a_tuned_adapter_is_an_option_of_its_own() -> None:
    model_of = losses(measurement("org/weak", 0.3), measurement("org/weak", 0.8, adapter="job 2"))
    assert model_of.of("org/weak", "none").value == pytest.approx(0.7)
    assert model_of.of("org/weak", "none", "job 2").value == pytest.approx(0.2)


def test_a_tuned_adapter_does_not_make_the_data_set_look_easy_for_the_others() -> None:
    plain = losses(measurement("org/weak", 0.3))
    tuned = losses(measurement("org/weak", 0.3), measurement("org/weak", 0.9, adapter="job 2"))
    assert tuned.of("org/strong", "none").value == pytest.approx(plain.of("org/strong", "none").value)


def test_only_the_data_set_that_was_measured_last_counts() -> None:
    old = measurement(
        "org/weak", 0.2, dataset_sha256="b" * 64, created_at_utc="2025-01-01T00:00:00.000+00:00"
    )
    assert losses(old, measurement("org/middle", 0.6)).of("org/weak", "none").measured is None
