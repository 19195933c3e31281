"""Results in words: the verdict first, honest when nothing was gained, in the reader's language."""

from __future__ import annotations

from typing import Any

from finetune.spec import Candidate, DatasetRef, EvaluationSpec, TuningSpec
from finetune.state import Job, JobEvent, JobState
from index.bilingual import Bilingual
from skills.report import event_line, job_line, result_markdown

TICKETS = DatasetRef(name="tickets", sha256="0" * 64, rows=480, labels=("bug", "refund"))
SMOL = "HuggingFaceTB/SmolLM2-135M-Instruct"


def job(spec: EvaluationSpec | TuningSpec | None = None, state: JobState = "succeeded", **more: Any) -> Job:
    default = EvaluationSpec(candidates=(Candidate(model=SMOL),), dataset=TICKETS)
    return Job(id="7", spec=spec or default, owner="ana", thread=None, state=state, **more)


def candidate(quantization: str, accuracy: float, **more: Any) -> dict[str, Any]:
    figure = {"value": accuracy, "ci95": [accuracy - 0.05, accuracy + 0.05], "n": 200}
    row = {
        "model": SMOL,
        "quantization": quantization,
        "metrics": {"accuracy": figure},
        "stopped": "finished",
    }
    speed = {"tokens_per_s": 90.0, "latency_p50_s": 0.5, "peak_memory_gib": 0.6}
    return {**row, **speed, "adapter": None, "reason": None, "reason_zh": None, **more}


FAILED = candidate(
    "nf4", 0, stopped="failed", metrics={}, reason="It ran out of memory.", reason_zh="内存不足。"
)


def evaluation(*candidates: dict[str, Any], verdict: str = "winner") -> dict[str, Any]:
    compared = {
        "a": "x",
        "b": "y",
        "difference": 0.05,
        "ci95": [0.02, 0.08],
        "p_value": 0.001,
        "method": "exact",
    }
    return {
        "job_id": "7",
        "candidates": list(candidates),
        "comparisons": [compared],
        "verdict": verdict,
        "dataset": {"name": "tickets"},
    }


def tuning(before: float, after: float, ci95: list[float]) -> dict[str, Any]:
    def figure(value: float) -> dict[str, Any]:
        return {"accuracy": {"value": value, "ci95": [0, 1], "n": 100}}

    return {
        "job_id": "7",
        "before": figure(before),
        "after": figure(after),
        "comparison": {"difference": after - before, "ci95": ci95, "p_value": 0.01},
        "merge_check": {"passed": True, "max_abs_logit_difference": 5e-5},
        "loss_curve": [[1, 9.0, None], [2, 0.5, 0.4]],
        "steps": 2,
        "adapter": "jobs/7/adapter",
        "dataset": {"name": "tickets"},
    }


def test_the_winner_is_named_first() -> None:
    text = result_markdown(job(), evaluation(candidate("none", 0.86), candidate("int8", 0.81)), "en")
    assert text.startswith("**SmolLM2-135M-Instruct 16-bit wins on tickets**: 0.86 (0.81–0.91, n=200).")


def test_too_few_rows_are_said_to_be_too_few() -> None:
    result = evaluation(candidate("none", 0.86), candidate("int8", 0.85), verdict="insufficient")
    assert "Too few rows to name a winner" in result_markdown(job(), result, "en")


def test_a_candidate_that_failed_says_why_in_the_readers_language() -> None:
    result = evaluation(candidate("none", 0.86), FAILED)
    assert "It ran out of memory." in result_markdown(job(), result, "en")
    assert "内存不足。" in result_markdown(job(), result, "zh")


def test_a_fine_tune_that_helped_says_by_how_much() -> None:
    spec = TuningSpec(base_model=SMOL, dataset=TICKETS)
    text = result_markdown(job(spec), tuning(0.15, 0.72, [0.44, 0.67]), "en")
    assert text.startswith("**The fine-tune helped SmolLM2-135M-Instruct**: accuracy 0.15 → 0.72 on 100")


def test_a_fine_tune_that_did_not_help_says_so_as_plainly() -> None:
    spec = TuningSpec(base_model=SMOL, dataset=TICKETS)
    nothing = tuning(0.84, 0.845, [-0.02, 0.03])
    assert "did not clearly help" in result_markdown(job(spec), nothing, "en")
    assert "没有明显帮助" in result_markdown(job(spec), nothing, "zh")
    assert "made SmolLM2-135M-Instruct worse" in result_markdown(
        job(spec), tuning(0.8, 0.6, [-0.3, -0.1]), "en"
    )


def test_what_would_help_more_what_was_forgotten_and_personal_data_are_told() -> None:
    spec = TuningSpec(base_model=SMOL, dataset=TICKETS)
    dataset = {
        "name": "tickets",
        "rows_trained": 212,
        "rows_of_label": {"bug": 60, "refund": 9},
        "personal_data": {"mail address": {"rows": 3, "first_rows": [1, 5, 9]}},
    }
    general = {"before": 1.25, "after": 1.5, "has_forgotten": True}
    result = {**tuning(0.84, 0.845, [-0.02, 0.03]), "dataset": dataset, "general": general}
    text = result_markdown(job(spec), result, "en")
    assert "212 training rows are few for 2 labels, and *refund* has only 9." in text
    assert "It forgot something: general texts take more bits per byte (1.250 → 1.500)." in text
    assert "mail address (3) rows" in text
    assert "有所遗忘" in result_markdown(job(spec), result, "zh")


def test_an_encoder_is_said_to_be_compared_with_the_commonest_label() -> None:
    spec = TuningSpec(base_model=SMOL, dataset=TICKETS)
    result = {**tuning(0.2, 0.9, [0.6, 0.8]), "before_is": "the commonest label"}
    assert "(before: always the commonest label)" in result_markdown(job(spec), result, "en")
    assert "总是回答最常见的标签" in result_markdown(job(spec), result, "zh")


def test_a_failed_job_gives_its_reason() -> None:
    failed = job(state="failed", reason=Bilingual("The data is gone.", "数据不见了。"))
    assert "The data is gone." in result_markdown(failed, {}, "en")
    assert "数据不见了。" in job_line(failed, "zh")


def test_progress_names_the_stage_in_the_readers_language() -> None:
    event = JobEvent(
        id=1, job_id="7", kind="progress", data={"done": 5, "total": 20, "stage": "before"}, at_utc=""
    )
    assert event_line(event, "en") == "#7 scoring the base 25%"
    assert event_line(event, "zh") == "#7 评测基础模型 25%"


def test_a_hosted_model_is_named_as_it_was_asked_and_shows_what_it_cost() -> None:
    hosted = candidate(
        "none",
        0.7,
        label="openai:gpt-4.1-mini",
        hosted={"provider": "openai", "model": "gpt-4.1-mini", "base_url": None},
        usd=0.0123,
        peak_memory_gib=None,
    )
    text = result_markdown(job(), evaluation(hosted, candidate("int8", 0.6)), "en")
    assert "| openai:gpt-4.1-mini | 0.70 (0.65–0.75, n=200) | 90 | 0.50 s | $0.0123 |" in text
    assert "peak memory or cost" in text


def test_who_judged_is_said_and_wins_against_a_candidate_are_not_promised_to_recommendations() -> None:
    judge = {"label": "openai:gpt-4.1", "against": "SmolLM2 int8", "calls": 90, "usd": 0.5}
    text = result_markdown(job(), {**evaluation(candidate("none", 0.7)), "judge": judge}, "en")
    assert "Judged by openai:gpt-4.1 against SmolLM2 int8, in both orders: 90 calls, $0.5000." in text
    assert "next recommendation" not in text


def test_progress_says_how_long_a_candidate_still_takes() -> None:
    data = {"done": 10, "total": 100, "stage": "A nf4", "left_s": 150.0}
    event = JobEvent(id=1, job_id="7", kind="progress", data=data, at_utc="2026-01-01T00:00:00Z")
    assert event_line(event, "en") == "#7 A nf4 10% · 2 min for its other rows"
    assert event_line(event, "zh") == "#7 A nf4 10% · 其余行约需 2 分钟"


def test_a_candidate_that_was_refused_says_why_at_once() -> None:
    event = JobEvent(id=1, job_id="7", kind="candidate", data=FAILED, at_utc="2026-01-01T00:00:00Z")
    assert event_line(event, "en") == "#7 SmolLM2-135M-Instruct nf4 (4-bit): It ran out of memory."
