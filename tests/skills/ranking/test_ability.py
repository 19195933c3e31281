"""Joint fit of abilities and benchmarks."""

from __future__ import annotations

import numpy as np

from index.records import Evidence, ModelFact
from skills.ranking.ability import fit, to_unit
from tests.skills.ranking.builders import benchmark, figure, model

EASY, HARD = benchmark("easy"), benchmark("hard")
ERROR_RATE = benchmark("hallucination", "faithfulness", higher_is_better=False)


def world(seed: int = 0) -> tuple[list[ModelFact], list[Evidence], list[float]]:
    """Twenty models of known ability; the weak ones only tested on the easy benchmark, the strong on the hard."""
    rng = np.random.default_rng(seed)
    truth = np.linspace(-2, 2, 20)
    models = [model(f"org/m{i:02d}") for i in range(20)]
    figures = []
    for i, ability in enumerate(truth):
        for on, offset in ((EASY, 2.0), (HARD, -2.0)):
            if (on is EASY) == (i < 12) or 8 <= i < 14:
                score = 100 / (1 + np.exp(-(offset + ability + rng.normal(0, 0.05))))
                figures.append(figure(f"org/m{i:02d}", float(score), on))
    return models, figures, truth.tolist()


def test_models_tested_on_harder_benchmarks_are_not_taken_for_weaker() -> None:
    models, figures, truth = world()
    abilities = fit(models, figures)
    found = [abilities.of(item.id, {"code": 1.0}).value for item in models]
    assert np.corrcoef(found, truth)[0, 1] > 0.97
    averages = {m.id: np.mean([f.score for f in figures if f.model_id == m.id]) for m in models}
    assert averages["org/m07"] > averages["org/m19"]
    assert found[7] < found[19]


def test_a_model_without_figures_is_predicted_from_its_kin_with_more_doubt() -> None:
    models, figures, _ = world()
    unseen = model("org/unseen")
    abilities = fit([*models, unseen], figures)
    known = abilities.of("org/m10", {"code": 1.0})
    guessed = abilities.of("org/unseen", {"code": 1.0})
    assert guessed.n_figures == 0
    assert guessed.se > 1.5 * known.se


def test_a_skill_that_was_not_tested_is_more_doubtful_than_one_that_was() -> None:
    models, figures, _ = world()
    abilities = fit(models, figures)
    assert abilities.of("org/m10", {"math": 1.0}).se > abilities.of("org/m10", {"code": 1.0}).se


def test_newer_models_are_expected_to_be_better_when_the_evidence_says_so() -> None:
    models = [model(f"org/m{i}", release_date=f"{2020 + i // 2}-0{1 + i % 2}-01") for i in range(12)]
    figures = [figure(f"org/m{i}", 20 + 5 * i, EASY) for i in range(12) for _ in range(3)]
    abilities = fit(
        [*models, model("new", release_date="2026-01"), model("old", release_date="2020-01")], figures
    )
    assert abilities.of("new", {"code": 1.0}).value > abilities.of("old", {"code": 1.0}).value


def test_scores_where_less_is_better_are_turned_round() -> None:
    assert to_unit(10.0, ERROR_RATE) == 0.9


def test_scores_on_a_scale_without_ends_are_left_out() -> None:
    assert to_unit(1500.0, benchmark("elo", scale_min=None, scale_max=None)) is None
