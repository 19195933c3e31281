""" "Evaluate it against the others": the model that a fine-tune of the thread has made, under its name."""

from __future__ import annotations

from finetune.spec import EvaluationSpec
from skills.desk import Desk
from tests.index.test_catalogue_tuned import tuned
from tests.skills.conftest import Ask

SMOL = "HuggingFaceTB/SmolLM2-135M-Instruct"


def asked_for(desk: Desk, job_id: str) -> EvaluationSpec:
    spec = desk.jobs.status(job_id).spec
    assert isinstance(spec, EvaluationSpec)
    return spec


def test_it_is_the_tuned_model_beside_its_base(desk: Desk, ask: Ask) -> None:
    [job_id] = ask("fine-tune smollm2 on tickets").jobs
    tuned(desk.home, job_id=job_id, based_on=SMOL, quantization="none")
    answer = ask("evaluate it")
    spec = asked_for(desk, answer.jobs[0])
    assert [(c.model, bool(c.adapter)) for c in spec.candidates] == [(SMOL, True), (SMOL, False)]
    assert spec.candidates[0].adapter == str(desk.home / "jobs" / job_id / "adapter")
    assert spec.dataset.name == "tickets"


def test_a_fine_tune_that_has_not_ended_is_waited_for(desk: Desk, ask: Ask) -> None:
    [job_id] = ask("fine-tune smollm2 on tickets").jobs
    assert f"Fine-tune #{job_id} has not ended" in ask("evaluate it against the others").text
    desk.jobs.cancel(job_id)
    ask("fine-tune smollm2 on tickets", thread="u")
    said = ask("评测微调后的模型，和其他的比一比", thread="u").text
    assert "尚未结束" in said


def test_a_tuned_model_is_evaluated_by_its_name(desk: Desk, ask: Ask) -> None:
    model = tuned(desk.home, based_on=SMOL, quantization="nf4")
    answer = ask(f"evaluate {model.id} on tickets with 20 rows")
    [candidate] = asked_for(desk, answer.jobs[0]).candidates
    assert (candidate.model, candidate.quantization, bool(candidate.adapter)) == (SMOL, "nf4", True)


def test_a_tuned_model_that_is_named_is_weighed_as_a_way_of_running_its_base(desk: Desk, ask: Ask) -> None:
    model = tuned(desk.home, based_on="Qwen/Qwen3-8B")
    answer = ask(f"which is better for classification, {model.id} or Qwen/Qwen3-4B?")
    models = {item.model for item in answer.recommendations}
    assert "unknown" not in answer.text.casefold()
    assert models <= {"Qwen/Qwen3-8B", "Qwen/Qwen3-4B"}
