"""What giving up a constraint brings, how narrow a miss was, and that tighter limits never let anybody in."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.catalogue import Catalogue
from skills.conversation.request import Requirements
from skills.ranking.ability import Abilities, fit
from skills.ranking.shortlist import Shortlist, build

CATALOGUE = Catalogue.load()
_FITTED: list[Abilities] = []


def shortlist(**stated: object) -> Shortlist:
    if not _FITTED:
        _FITTED.append(fit(list(CATALOGUE.models.values()), CATALOGUE.evidence))
    requirements = Requirements.model_validate({"task": "code", **stated})
    return build(requirements, catalogue=CATALOGUE, abilities=_FITTED[0])


def candidates(**stated: object) -> set[str]:
    return {item.option.model.id for item in shortlist(**stated).ranked}


@pytest.mark.parametrize(
    ("field", "is_ceiling", "values"),
    [
        ("max_memory_gib", True, (1, 200)),
        ("min_context_tokens", False, (1_000, 300_000)),
        ("min_tokens_per_s", False, (1, 300)),
        ("max_latency_s", True, (0.5, 60)),
        ("max_usd_per_mtok", True, (0.01, 5)),
    ],
)
@settings(max_examples=6, deadline=None)
@given(data=st.data())
def test_a_tighter_limit_never_adds_a_candidate(
    field: str, is_ceiling: bool, values: tuple[float, float], data: st.DataObject
) -> None:
    drawn = sorted(data.draw(st.tuples(st.integers(0, 100), st.integers(0, 100))), reverse=not is_ceiling)
    low, high = values
    tight, loose = (
        round(low + (high - low) * share / 100)
        if field == "min_context_tokens"
        else low + (high - low) * share / 100
        for share in drawn
    )
    assert candidates(hosting="self", **{field: tight}) <= candidates(hosting="self", **{field: loose})


@settings(max_examples=5, deadline=None)
@given(st.floats(0, 1e12), st.floats(0, 1e12))
def test_larger_alpha_never_picks_a_worse_model(one: float, other: float) -> None:
    low, high = sorted((one, other))
    cheap, good = shortlist(alpha=low).ranked[0], shortlist(alpha=high).ranked[0]
    assert good.option.loss.value <= cheap.option.loss.value + 1e-9


def test_an_alpha_of_a_trillion_picks_the_best_quality_and_keeps_its_chances() -> None:
    ranked = shortlist(alpha=1e12).ranked
    assert ranked[0].option.loss.value == min(item.option.loss.value for item in ranked)
    assert sum(item.p_best for item in ranked) == pytest.approx(1.0)


def test_a_memory_that_is_too_small_is_named_with_what_would_be_enough() -> None:
    misses = {miss.constraint: miss for miss in shortlist(max_memory_gib=8).nearest_misses}
    assert misses["max_memory_gib"].remedy.en.startswith("fits with 9 GiB")


def test_a_stated_quantization_is_the_nearest_thing_to_give_up() -> None:
    found = shortlist(max_memory_gib=14, quantization="none", candidates=("Qwen/Qwen3-14B",))
    assert [miss.remedy.en for miss in found.nearest_misses] == ["would fit with nf4"]


def test_a_model_behind_two_constraints_is_promised_by_neither() -> None:
    found = shortlist(max_memory_gib=1, min_params_b=70, licences=("MIT",))
    assert found.ranked == ()
    assert {item.constraint for item in found.relaxations} == {"max_memory_gib"}
    assert all(item.best.model.licence == "MIT" for item in found.relaxations)


def test_what_a_relaxation_promises_is_what_one_gets() -> None:
    found = shortlist(max_memory_gib=24, licences=("MIT",))
    licence = next(item for item in found.relaxations if item.constraint == "licences")
    first = shortlist(max_memory_gib=24).ranked[0]
    assert licence.best.model.id == first.option.model.id
    assert licence.saves == pytest.approx(found.ranked[0].score - first.score)


def test_relaxing_the_memory_does_not_turn_to_hosted_models() -> None:
    found = shortlist(max_memory_gib=1, min_params_b=70)
    assert all(
        item.best.quantization is not None
        for item in found.relaxations
        if item.constraint == "max_memory_gib"
    )


def test_slow_models_are_left_out_by_name() -> None:
    found = shortlist(max_memory_gib=24, min_tokens_per_s=60)
    assert all((item.option.tokens_per_s or 0) >= 60 for item in found.ranked)
    reasons = [item.reason.en for item in found.excluded if item.constraint == "min_tokens_per_s"]
    assert reasons
    assert all("tokens/s (estimate), you need 60" in reason for reason in reasons)


def test_a_time_for_the_whole_answer_leaves_out_what_cannot_write_that_fast() -> None:
    found = shortlist(max_memory_gib=24, max_latency_s=2)
    assert all(200 / (item.option.tokens_per_s or 1) <= 2 for item in found.ranked)
