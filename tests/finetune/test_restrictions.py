"""What the house forbids is refused in one sentence that names the setting, before anything is queued or sent."""

from __future__ import annotations

from pathlib import Path

import pytest

from finetune.errors import ModelNotAllowed, NothingLeaves
from finetune.jobs import Jobs
from finetune.policy import Policy
from finetune.spec import Candidate, EvaluationSpec, TuningSpec
from index.errors import ShortlistError
from index.store import open_store, sqlite_url

LOCAL, HOSTED = "smollm2", "openai:gpt-5-mini"


def jobs_under(home: Path, **rules: object) -> Jobs:
    engine = open_store(sqlite_url(home))
    policy = Policy.model_validate(rules)
    return Jobs(engine, home=home, database_url=sqlite_url(home), worker_command=None, policy=policy)


def evaluation(jobs: Jobs, *models: str, **more: object) -> EvaluationSpec:
    candidates = tuple(Candidate.parse(model) for model in models)
    return EvaluationSpec.model_validate(
        {"candidates": candidates, "dataset": jobs.register_dataset("tickets"), **more}
    )


def refusal(jobs: Jobs, spec: EvaluationSpec | TuningSpec) -> ShortlistError:
    with pytest.raises(ShortlistError) as found:
        jobs.submit(spec, dedupe_key="1", owner="U0ANA")
    assert jobs.list() == []
    return found.value


def test_hosted_candidates_and_models_of_the_hub_are_refused_where_nothing_leaves(tmp_path: Path) -> None:
    jobs = jobs_under(tmp_path, egress="none")
    for name in (HOSTED, "openai:mine@http://127.0.0.1:1/v1", "Nobody/model-that-is-not-here"):
        error = refusal(jobs, evaluation(jobs, LOCAL, name))
        assert isinstance(error, NothingLeaves)
        assert "SHORTLIST_EGRESS" in error.message.en
        assert "SHORTLIST_EGRESS" in error.message.zh
    tuned = TuningSpec(base_model="Nobody/model-that-is-not-here", dataset=jobs.register_dataset("tickets"))
    assert isinstance(refusal(jobs, tuned), NothingLeaves)
    with pytest.raises(NothingLeaves):
        jobs.register_benchmark("arc_easy")
    assert jobs.submit(evaluation(jobs, LOCAL), dedupe_key="2", owner="U0ANA").state == "queued"


def test_what_goes_to_a_hosted_model_is_said_with_rows_and_name(tmp_path: Path) -> None:
    jobs = jobs_under(tmp_path)
    said = jobs.leaving(evaluation(jobs, LOCAL, HOSTED, limit=20))
    assert said is not None
    for language in (said.en, said.zh):
        assert "20" in language
        assert "gpt-5-mini" in language
        assert "SHORTLIST_EGRESS=none" in language
    assert jobs.leaving(evaluation(jobs, LOCAL)) is None


def test_denied_model_is_refused_though_it_is_allowed(tmp_path: Path) -> None:
    jobs = jobs_under(tmp_path, models_allowed=("openai:*", "*/smollm2*"), models_denied=("openai:gpt-5*",))
    assert jobs.submit(evaluation(jobs, LOCAL), dedupe_key="0", owner="U0ANA").state == "queued"
    for name in (HOSTED, "anthropic:claude-x"):
        with pytest.raises(ModelNotAllowed, match="SHORTLIST_MODELS_"):
            jobs.submit(evaluation(jobs, LOCAL, name), dedupe_key=name, owner="U0ANA")
    assert len(jobs.list()) == 1


def test_other_name_of_a_denied_model_is_denied(tmp_path: Path) -> None:
    jobs = jobs_under(tmp_path, models_denied=("HuggingFaceTB/*",))
    error = refusal(jobs, evaluation(jobs, "smollm2"))
    assert isinstance(error, ModelNotAllowed)
    assert "'HuggingFaceTB/*'" in error.message.en
    assert isinstance(
        refusal(jobs, TuningSpec(base_model="smollm2", dataset=jobs.register_dataset("tickets"))),
        ModelNotAllowed,
    )
