"""Hard constraints: who is left out, and why."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.catalogue import Catalogue
from index.records import ModelFact
from skills import wording
from skills.conversation.request import Requirements
from skills.ranking.constraints import CHECKS, apply
from skills.ranking.makers import places_of
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


@pytest.mark.parametrize(
    ("of", "excluded", "is_out"),
    [
        (model(licence="Llama-3.1"), ("Llama",), True),
        (model(licence="GPL-3.0"), ("GPL-3.0",), True),
        (model(licence="AGPL-3.0"), ("GPL-3.0",), False),
        (model(licence="Apache-2.0"), ("GPL-3.0", "Llama"), False),
        (model(licence=None), ("GPL-3.0",), True),
    ],
)
def test_a_licence_that_was_ruled_out_is_left_out_and_so_is_an_unknown_one(
    of: ModelFact, excluded: tuple[str, ...], is_out: bool
) -> None:
    assert (reason(of, excluded_licences=excluded) is not None) == is_out


def test_the_llama_licence_stands_for_all_its_versions() -> None:
    assert reason(model(licence="Llama-3.3", commercial_use="conditional"), licences=("Llama",)) is None


def test_makers_are_asked_for_and_ruled_out_by_name() -> None:
    granite = model(organisation="IBM")
    assert reason(granite, vendors=("IBM", "Google")) is None
    assert reason(granite, vendors=("Google",)) == ("vendors", "maker: IBM, you asked for Google")
    assert reason(granite, excluded_vendors=("IBM",)) == ("excluded_vendors", "maker: IBM, you ruled out IBM")
    assert reason(model(organisation="Zhipu AI (Z.ai)"), vendors=("Zhipu AI",)) is None
    assert reason(model(organisation="CMU/Google"), excluded_vendors=("Google",)) is not None


def test_a_named_model_passes_beside_a_named_maker() -> None:
    glm, qwen = model("zai-org/GLM", organisation="Zhipu AI"), model("Qwen/Qwen3", organisation="Alibaba")
    kept, _ = apply([glm, qwen], Requirements(candidates=(glm.id,), vendors=("Alibaba",)))
    assert kept == [glm, qwen]


def test_makers_are_asked_for_and_ruled_out_by_country() -> None:
    mistral, qwen = model(organisation="Mistral AI"), model(organisation="Alibaba")
    assert reason(mistral, origins=("EU",)) is None
    assert reason(mistral, origins=("FR",)) is None
    assert reason(qwen, origins=("EU",)) == ("origins", "maker: Alibaba, you asked for EU")
    assert reason(qwen, excluded_origins=("CN",)) is not None
    assert reason(mistral, excluded_origins=("CN",)) is None


def test_an_unknown_maker_is_neither_from_there_nor_surely_from_elsewhere() -> None:
    unknown = model(organisation=None)
    assert reason(unknown, origins=("CN",)) is not None
    assert reason(unknown, excluded_origins=("CN",)) is not None
    assert reason(unknown, excluded_vendors=("Meta",)) is not None


def test_the_country_of_nearly_every_maker_in_the_catalogue_is_known() -> None:
    makers = {fact.organisation for fact in Catalogue.load().models.values() if fact.organisation}
    assert not {name for name in makers if not places_of(name)} - {
        "Team-ACE",
        "LLaMAX",
        "NovaSearch",
        "BigScience",
        "lier007",
    }


def test_thinking_is_asked_for_and_ruled_out() -> None:
    assert reason(model(reasoning=True), reasoning=False) is not None
    assert reason(model(reasoning=None), reasoning=False) is None
    assert reason(model(reasoning=None), reasoning=True) is not None
    assert reason(model(reasoning=True), reasoning=True) is None


def test_a_mixture_of_experts_is_known_by_its_active_parameters() -> None:
    hybrid = model(architecture="hybrid", params_b=30.0, active_params_b=3.0)
    assert reason(hybrid, architecture="dense") == ("architecture", "kind: a mixture of experts")
    assert reason(hybrid, architecture="moe") is None
    hosted = model(open_weights=False, architecture="api")
    assert reason(hosted, architecture="dense") is not None


def test_every_check_has_a_name_that_people_read() -> None:
    assert all(wording.constraint_name(constraint, "zh") for constraint, _ in CHECKS)


def test_nothing_stated_leaves_nobody_out() -> None:
    assert reason(model(licence=None, params_b=None, max_context_tokens=None)) is None


@given(st.floats(0.1, 100), st.floats(0.1, 100), st.lists(st.floats(0.1, 120), max_size=20))
def test_a_tighter_limit_never_adds_a_candidate(one: float, other: float, sizes: list[float]) -> None:
    models = [model(f"org/m{i}", params_b=size) for i, size in enumerate(sizes)]
    tight, loose = sorted((one, other))
    kept_tight, _ = apply(models, Requirements(max_params_b=tight))
    kept_loose, _ = apply(models, Requirements(max_params_b=loose))
    assert {m.id for m in kept_tight} <= {m.id for m in kept_loose}
