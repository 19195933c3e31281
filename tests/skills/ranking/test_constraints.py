"""Hard constraints: who is left out, and why."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from index.records import ModelFact
from skills.conversation.request import Requirements
from skills.ranking.constraints import apply
from tests.skills.ranking.builders import model


def reason(of: ModelFact, **stated: object) -> tuple[str, str] | None:
    _, excluded = apply([of], Requirements.model_validate(stated))
    return (excluded[0].constraint, excluded[0].reason.en) if excluded else None


def test_a_licence_that_was_not_asked_for_is_left_out_by_name() -> None:
    assert reason(model(licence="Gemma"), licences=("Apache-2.0", "MIT")) == ("licences", "licence: Gemma")


def test_a_conditional_licence_is_not_commercial_without_conditions() -> None:
    found = reason(model(licence="Llama-3.1", commercial_use="conditional"), licences=("commercial",))
    assert found is not None
    assert "only under conditions" in found[1]


def test_an_unknown_licence_is_left_out_when_a_licence_was_asked_for() -> None:
    assert reason(model(licence=None), licences=("MIT",)) == ("licences", "licence: unknown")


def test_languages_that_the_card_does_not_name_are_left_out() -> None:
    found = reason(model(languages=("en", "de")), languages=("zh",))
    assert found == ("languages", "languages: no zh (its card names en, de)")


def test_a_score_on_your_own_data_outweighs_the_languages_on_the_card() -> None:
    english = model(languages=("en",))
    kept, _ = apply([english], Requirements(languages=("zh",)), measured={english.id})
    assert kept == [english]


def test_unknown_languages_are_no_reason_to_leave_a_model_out() -> None:
    assert reason(model(languages=()), languages=("zh",)) is None


def test_a_context_that_is_too_short_is_left_out() -> None:
    assert reason(model(max_context_tokens=8192), min_context_tokens=32768) is not None


def test_closed_weights_are_left_out_when_you_host_it_yourself() -> None:
    hosted = model(open_weights=False, architecture="api", licence="proprietary")
    assert reason(hosted, hosting="self") == ("hosting", "hosting: its weights are not open")


def test_closed_weights_are_left_out_when_you_name_your_hardware() -> None:
    hosted = model(open_weights=False, architecture="api", licence="proprietary")
    assert reason(hosted, max_memory_gib=24) is not None
    assert reason(hosted, max_memory_gib=24, hosting="any") is None


def test_a_model_of_unknown_size_is_left_out_when_a_size_was_asked_for() -> None:
    assert reason(model(params_b=None), max_params_b=3) == (
        "max_params_b",
        "size: unknown, you asked for at most 3B",
    )


def test_embedding_models_are_no_candidates_for_chat_and_no_exclusions_either() -> None:
    kept, excluded = apply([model(kind="embedding")], Requirements(task="chat"))
    assert (kept, excluded) == ([], [])


def test_nothing_stated_leaves_nobody_out() -> None:
    assert reason(model(licence=None, params_b=None, max_context_tokens=None)) is None


@given(st.floats(0.1, 100), st.floats(0.1, 100), st.lists(st.floats(0.1, 120), max_size=20))
def test_a_tighter_limit_never_adds_a_candidate(one: float, other: float, sizes: list[float]) -> None:
    models = [model(f"org/m{i}", params_b=size) for i, size in enumerate(sizes)]
    tight, loose = sorted((one, other))
    kept_tight, _ = apply(models, Requirements(max_params_b=tight))
    kept_loose, _ = apply(models, Requirements(max_params_b=loose))
    assert {m.id for m in kept_tight} <= {m.id for m in kept_loose}
