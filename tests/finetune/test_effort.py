"""What a job is said to take before it starts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from finetune import data
from finetune.admission import Admission
from finetune.device import Device, this_device
from finetune.effort import Effort, Known, effort, evaluation_effort, tuning_effort
from finetune.estimate import shipped
from finetune.models import SMOLLM2
from finetune.spec import Candidate, DatasetRef, EvaluationSpec, TuningSpec
from index import measurements
from index.bilingual import Bilingual
from index.prices import price_at
from index.records import Measurement
from index.store import open_store, sqlite_url

CPU = Device(name="CPU (x86_64)", free_gib=16.0)
L4 = Device(name="NVIDIA L4", free_gib=22.0, is_gpu=True)
TICKETS = DatasetRef(name="tickets", sha256="0" * 64, rows=100, labels=("a", "b"))
HOSTED = Candidate(model="openai:gpt-4.1-mini")
LOCAL = Candidate(model=SMOLLM2)


def known(device: Device = CPU, *, seconds_a_row: float | None = None, text: str = "word " * 40) -> Known:
    return Known(
        device=device,
        texts=[text] * 100,
        fact_of=lambda name: shipped().get(name),
        price_of=lambda candidate: price_at(candidate.model, "openai", None),
        seconds_a_row=lambda _: seconds_a_row,
    )


def evaluated(*candidates: Candidate, by: Known | None = None, **more: object) -> Effort:
    spec = EvaluationSpec.model_validate({"candidates": candidates, "dataset": TICKETS, **more})
    found = by or known()
    admissions = [Admission(candidate=candidate, device=found.device) for candidate in candidates]
    return evaluation_effort(spec, replace(found, admissions=admissions))


def tuned(by: Known | None = None, **more: object) -> Effort:
    spec = TuningSpec.model_validate({"base_model": SMOLLM2, "dataset": TICKETS, **more})
    return tuning_effort(spec, by or known(), 2.0)


def test_time_is_what_the_same_model_took_before() -> None:
    found = evaluated(LOCAL, by=known(seconds_a_row=0.5))

    assert found.was_measured
    assert found.seconds == pytest.approx(15 + 100 * 0.5)


def test_time_that_was_never_measured_is_reckoned_and_said_to_be() -> None:
    found = evaluated(LOCAL)

    assert not found.was_measured
    assert found.seconds is not None
    assert 15 < found.seconds < 300


@pytest.mark.parametrize(
    ("less", "more"),
    [
        (evaluated(LOCAL, limit=10), evaluated(LOCAL)),
        (evaluated(LOCAL), evaluated(LOCAL, Candidate(model=SMOLLM2, quantization="int8"))),
        (evaluated(LOCAL), evaluated(LOCAL, by=known(text="word " * 400))),
        (evaluated(LOCAL), evaluated(LOCAL, examples=8)),
        (tuned(), tuned(epochs=3)),
        (tuned(), tuned(search=4)),
        (tuned(max_steps=5), tuned()),
        (tuned(), tuned(method="qlora")),
    ],
)
def test_more_work_takes_longer(less: Effort, more: Effort) -> None:
    assert less.seconds is not None
    assert more.seconds is not None
    assert less.seconds < more.seconds


def test_stated_minutes_are_the_most_that_it_takes() -> None:
    assert evaluated(LOCAL, by=known(seconds_a_row=60.0), max_minutes=2).seconds == 120


def test_accelerator_hours_cost_what_renting_it_does() -> None:
    found = evaluated(LOCAL, by=known(L4, seconds_a_row=36.0))

    assert found.gpu_hours == pytest.approx(1.0, rel=0.01)
    assert found.usd is not None
    assert 0.1 < found.usd < 5


def test_processors_cost_nothing_and_are_no_accelerator() -> None:
    found = evaluated(LOCAL, by=known(seconds_a_row=36.0))

    assert (found.gpu_hours, found.usd) == (0.0, 0.0)


def test_unknown_model_has_no_time_and_no_invented_cost() -> None:
    found = evaluated(Candidate(model="nobody/knows"), by=known(L4))

    assert (found.seconds, found.gpu_hours, found.usd) == (None, None, None)


def test_hosted_models_cost_their_tokens_and_never_more_than_the_budget() -> None:
    free, bounded = evaluated(HOSTED), evaluated(HOSTED, max_usd=0.0001)

    assert free.api_usd is not None
    assert 0.001 < free.api_usd < 0.1
    assert bounded.api_usd == 0.0001
    assert free.memory_gib == 0.0


def test_unknown_price_makes_the_cost_unknown_unless_there_is_a_budget() -> None:
    unpriced = replace(known(), price_of=lambda _: None)

    assert evaluated(HOSTED, by=unpriced).usd is None
    assert evaluated(HOSTED, by=unpriced, max_usd=2.0).usd == 2.0


def test_judge_costs_beside_the_candidates() -> None:
    chats = TICKETS.model_copy(update={"task": "chat"})

    judged = evaluated(LOCAL, dataset=chats, judge=HOSTED)

    assert judged.api_usd is not None
    assert judged.api_usd > 0


def test_job_of_which_nothing_would_be_loaded_does_not_run() -> None:
    refusal = Bilingual("too large", "太大")
    refused = Admission(candidate=LOCAL, device=CPU, refusal=refusal)
    spec = EvaluationSpec(candidates=(LOCAL,), dataset=TICKETS)

    found = evaluation_effort(spec, replace(known(), admissions=[refused]))

    assert not found.runs
    assert found.refusals == (("SmolLM2-135M-Instruct", refusal),)


def test_estimate_of_a_real_set_takes_up_what_was_measured_on_this_machine(tmp_path: Path) -> None:
    engine = open_store(sqlite_url(tmp_path))
    tickets = data.register("tickets", home=tmp_path)
    spec = EvaluationSpec(candidates=(Candidate(model="smollm2"),), dataset=tickets, limit=100)
    before = effort(spec, engine, home=tmp_path, device=this_device())
    row = Measurement(
        job_id="1", model_id=SMOLLM2, quantization="none", task="classification", metric="accuracy", value=0.5,
        n_items=10, dataset_name="tickets", dataset_sha256="0", latency_p50_s=2.0,
        device=f"{before.device.name}, 2 of 2 threads", environment={}, created_at_utc="2026-12-01T00:00:00+00:00",
    )  # fmt: skip
    measurements.record(engine, [row])

    after = effort(spec, engine, home=tmp_path, device=this_device())
    engine.dispose()

    assert (before.was_measured, after.was_measured) == (False, True)
    assert after.seconds == pytest.approx(15 + 200)
    assert after.memory_gib is not None
