"""Fine-tunes of every kind of model, on tiny ones with random weights: what is learned, chosen, resumed and proved."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from peft.tuners.lora import LoraLayer
from safetensors.torch import load_file

from finetune.columns import Row
from finetune.data import register
from finetune.metrics.likelihood import TextLikelihood
from finetune.recipes import lora, training
from finetune.recipes.adapter import save_adapter
from finetune.recipes.check_adapter import compare, load_base, probes
from finetune.recipes.checkpoint import Progress
from finetune.recipes.general import compared, general_rows
from finetune.recipes.job_dir import JobDir, read_json
from finetune.recipes.learners import Loss
from finetune.recipes.loading import with_adapter
from finetune.recipes.lora import tune
from finetune.recipes.training import Trainer
from finetune.recipes.tuning_plan import TuningPlan, learning_rate_for, plan_tuning
from finetune.spec import DatasetTask, TuningSpec
from index.errors import BadInput
from tests.finetune import tiny_models as tiny
from tests.finetune.recipe_runs import job_folder, result_of

pytestmark = [
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning"),
    pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning"),
]

WORD_OF = {"billing": "invoice", "bug": "crashes", "how to": "find"}


def learnable_rows(n: int) -> list[dict[str, str]]:
    """The label is told by one word; the rest is noise in another order each time."""
    noise = [word for word in tiny.WORDS if word not in WORD_OF.values()]
    rows = []
    for number in range(n):
        label = tiny.LABELS[number % 3]
        words = [noise[(number * 5 + i * (1 + number % 4)) % len(noise)] for i in range(4 + number % 5)]
        words.insert(number % len(words), WORD_OF[label])
        rows.append({"text": " ".join(words), "label": label})
    return rows


def job_on(
    folder: Path, model: Path, rows: list[dict[str, str]], task: DatasetTask | None = None, **settings: Any
) -> JobDir:
    data = folder / "rows.jsonl"
    data.write_text("\n".join(json.dumps(row) for row in rows))
    spec = TuningSpec(
        base_model=str(model),
        dataset=register(data, home=folder, task=task),
        **{"general_texts": 0, **settings},
    )
    return JobDir(job_folder(folder / "job", spec, folder))


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.saved(tmp_path_factory.mktemp("encoder") / "model", tiny.bare_encoder())


@pytest.fixture(scope="module")
def causal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.saved(tmp_path_factory.mktemp("causal") / "model", tiny.causal(), template="")


@pytest.fixture(scope="module")
def tuned_encoder(encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An encoder that learned to tell three labels apart, with a search and an export."""
    job = job_on(
        tmp_path_factory.mktemp("tuned"), encoder, learnable_rows(150), learning_rate=3e-3, batch_size=8,
        search=3, export="merged", augmentation=("edits",), epochs=8,
    )  # fmt: skip
    tune(job)
    return job.path


def test_an_encoder_learns_labels_and_is_compared_with_the_commonest_one(tuned_encoder: Path) -> None:
    result = result_of(tuned_encoder)
    assert (result["task"], result["before_is"]) == ("sequence-classification", "the commonest label")
    assert result["after"]["accuracy"]["value"] > 0.8
    assert (result["verdict"], result["winner"]) == ("winner", "after")
    assert (result["comparison"]["a"], result["comparison"]["b"]) == ("after", "before")
    assert result["merge_check"]["passed"]
    assert result["merge_check"]["process"] == "fresh"
    card = Path(result["model_card"]).read_text(encoding="utf-8")
    assert "AutoModelForSequenceClassification" in card
    assert "num_labels=3" in card


def test_a_search_begins_with_the_default_and_never_ends_worse(tuned_encoder: Path) -> None:
    search = result_of(tuned_encoder)["search"]
    assert len(search["trials"]) == 3
    assert search["trials"][0]["settings"]["learning_rate"] == 3e-3
    assert search["best_loss"] <= search["default_loss"]
    used = result_of(tuned_encoder)["hyperparameters"]
    best = search["trials"][search["best"] - 1]["settings"]
    assert (used["learning_rate"], used["lora_rank"]) == (best["learning_rate"], best["lora_rank"])
    assert used["augmentation"] == (["edits"] if best["augmented"] else [])


def test_the_merged_model_answers_as_the_adapter_does(tuned_encoder: Path) -> None:
    merged = Path(result_of(tuned_encoder)["merged"])
    assert (merged / "model.safetensors").is_file()
    assert result_of(tuned_encoder)["merged_max_abs_logit_difference"] < 1e-4


def test_the_five_lines_of_the_card_load_the_model_that_was_trained(
    tuned_encoder: Path, encoder: Path
) -> None:
    result = result_of(tuned_encoder)
    card = Path(result["model_card"]).read_text(encoding="utf-8")
    assert str(encoder) not in card
    lines = card.partition("```python\n")[2].partition("```")[0]
    assert len(lines.splitlines()) == 5
    lines = lines.replace("path/of/this/folder", result["adapter"]).replace("path/of/model", str(encoder))
    loaded: dict[str, Any] = {}
    exec(lines, loaded)  # noqa: S102 - what a reader of the card would paste
    plan = plan_tuning(JobDir(tuned_encoder), torch.device("cpu"))
    trained = load_file(tuned_encoder / "check" / "trained.safetensors")["logits"]
    assert torch.allclose(probes(plan.learner, loaded["model"], plan), trained, atol=1e-5)


def test_what_the_reader_must_know_of_the_rows_is_told(tuned_encoder: Path) -> None:
    dataset = result_of(tuned_encoder)["dataset"]
    assert dataset["rows_validation"] > 0
    used = dataset["rows_trained"] + dataset["rows_validation"] + dataset["rows_held_out"]
    assert used + dataset["rows_similar"] == dataset["rows"]
    assert dataset["tokens"]["longest"] >= dataset["tokens"]["p95"] >= dataset["tokens"]["p50"] > 0
    assert set(dataset["rows_of_label"]) == set(tiny.LABELS)
    assert dataset["sample"]["learned"] in tiny.LABELS
    assert dataset["personal_data"] == {}


@pytest.mark.parametrize("fault", ["not merged", "wrong scale"])
def test_the_check_catches_a_merge_that_is_not_the_trained_model(tuned_encoder: Path, fault: str) -> None:
    job = JobDir(tuned_encoder)
    plan = plan_tuning(job, torch.device("cpu"))
    model = with_adapter(load_base(plan), str(tuned_encoder / "adapter"))
    trained = probes(plan.learner, model, plan)

    def merge(tuned: Any) -> Any:
        if fault == "not merged":
            return tuned.unload()
        for module in tuned.modules():
            if isinstance(module, LoraLayer):
                module.scaling["default"] *= 3
        return tuned.merge_and_unload()

    found = compare(plan, trained, model, merge=merge)
    assert not found["passed"]
    assert found["reloaded_max_abs_logit_difference"] == 0


@pytest.mark.parametrize(
    ("made", "method"),
    [
        (tiny.encoder_without_pooler, "lora"),
        (tiny.encoder_without_pooler, "qlora"),
        (tiny.distilled_encoder, "lora"),
        (tiny.roberta_encoder, "qlora"),
    ],
)
def test_layers_that_the_base_lacks_are_learned_and_saved_with_the_adapter(
    tmp_path: Path, made: Callable[[], Any], method: Literal["lora", "qlora"]
) -> None:
    """A fresh process makes up other weights for them, so an adapter without them would answer otherwise."""
    folder = tiny.saved(tmp_path / "model", made())
    job = job_on(tmp_path, folder, learnable_rows(24), max_steps=2, method=method, learning_rate=1e-2)
    plan = plan_tuning(job, torch.device("cpu"))
    model = lora._add_adapter(load_base(plan), plan)
    Trainer(plan, model, tmp_path / "run.pt", "run", lambda _: None).train()
    trained = probes(plan.learner, model, plan)
    save_adapter(job.path / "adapter", model, plan)
    again = with_adapter(load_base(plan, seed=99), str(job.path / "adapter"))
    assert torch.equal(probes(plan.learner, again, plan), trained)


def test_a_sequence_to_sequence_model_learns_to_write(tmp_path: Path) -> None:
    folder = tiny.saved(tmp_path / "t5", tiny.t5(), template="$A </s>")
    rows = [{"input": row["text"], "output": "say it again please"} for row in learnable_rows(30)]
    job = job_on(
        tmp_path, folder, rows, "generation", learning_rate=2e-2, max_steps=25, batch_size=4, max_new_tokens=8
    )
    tune(job)
    result = result_of(job.path)
    assert (result["task"], result["metric"]) == ("seq2seq", "chrf")
    assert result["loss_curve"][-1][1] < 0.5 * result["loss_curve"][0][1]
    assert result["after"]["chrf"]["value"] > result["before"]["chrf"]["value"]
    assert result["merge_check"]["passed"]


def test_a_causal_model_learns_short_answers_and_shows_what_it_forgot(causal: Path, tmp_path: Path) -> None:
    rows = [{"question": row["text"], "answer": WORD_OF[row["label"]]} for row in learnable_rows(30)]
    settings = {"general_texts": 4, "use_dora": True, "use_rslora": True, "max_new_tokens": 4}
    job = job_on(tmp_path, causal, rows, "question-answering", max_steps=3, **settings)
    tune(job)
    result = result_of(job.path)
    assert (result["task"], result["metric"]) == ("causal-lm", "exact_match")
    assert set(result["after"]) == {"exact_match", "token_f1"}
    assert result["general"]["texts"] >= 2
    assert result["hyperparameters"]["dora"]


def plan_of(job: JobDir) -> tuple[TuningPlan, Any]:
    plan = plan_tuning(job, torch.device("cpu"))
    return replace(plan, learning_rate=5e-3), lora._add_adapter(load_base(plan), plan)


def trained(job: JobDir, name: str = "a", report: Any = None) -> tuple[Progress, Any]:
    plan, model = plan_of(job)
    trainer = Trainer(plan, model, job.path / f"{name}.pt", "run", report or (lambda _: None))
    return trainer.train(), model


def test_a_run_that_is_killed_at_any_step_goes_on_to_the_same_losses(encoder: Path, tmp_path: Path) -> None:
    job = job_on(tmp_path, encoder, learnable_rows(60), max_steps=9, batch_size=4)
    whole, _ = trained(job)

    def killed(progress: Progress) -> None:
        if progress.step == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained(job, "b", killed)
    resumed, _ = trained(job, "b")
    assert [step for step, *_ in resumed.curve] == list(range(1, 10))
    assert [loss for _, loss, _ in resumed.curve] == pytest.approx(
        [loss for _, loss, _ in whole.curve], abs=1e-5
    )


def test_a_step_in_shares_is_the_same_step(encoder: Path, tmp_path: Path) -> None:
    job = job_on(tmp_path, encoder, learnable_rows(60), max_steps=4, batch_size=6)
    plan, _ = plan_of(job)
    gradients = []
    for at_once in (6, 4, 1):
        torch.manual_seed(0)
        _, model = plan_of(job)
        model.eval()  # without dropout, which would differ
        trainer = Trainer(plan, model, tmp_path / "none.pt", "run", lambda _: None)
        loss, _ = trainer._in_shares([plan.examples[i] for i in plan.steps[0]], at_once)
        gradients.append((loss, [w.grad.clone() for w in model.parameters() if w.grad is not None]))
    for loss, weights in gradients[1:]:
        assert loss == pytest.approx(gradients[0][0], rel=1e-5)
        assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(weights, gradients[0][1], strict=True))


def test_out_of_memory_takes_fewer_rows_at_once_and_goes_on(
    encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = job_on(tmp_path, encoder, learnable_rows(60), max_steps=3, batch_size=8)
    plan, model = plan_of(job)
    loss = plan.learner.loss

    def of_two_at_most(of: Any, examples: Any) -> Loss:
        if of.training and len(examples) > 2:
            raise torch.OutOfMemoryError
        return loss(of, examples)

    monkeypatch.setattr(plan.learner, "loss", of_two_at_most)
    progress = Trainer(plan, model, tmp_path / "run.pt", "run", lambda _: None).train()
    assert (progress.step, progress.rows_at_once) == (3, 2)


def test_a_run_stops_when_validation_no_longer_gains_and_keeps_the_best(
    encoder: Path, tmp_path: Path
) -> None:
    rows = learnable_rows(90)
    for number, row in enumerate(rows):  # labels at random: there is nothing to learn but by heart
        row["label"] = tiny.LABELS[(number * number * 7 + number // 5) % 3]
    job = job_on(tmp_path, encoder, rows, epochs=20, batch_size=8, early_stopping=1)
    progress, model = trained(job)
    assert progress.is_over
    assert progress.best_step < progress.step < 20 * len(rows) // 8
    plan, _ = plan_of(job)
    looks = Trainer(plan, model, tmp_path / "none.pt", "run", lambda _: None)._watched_loss()
    assert looks == pytest.approx(progress.best_loss, rel=1e-5)


def test_a_loss_that_grows_ends_the_run_with_advice() -> None:
    progress = Progress(step=20, curve=[(n, 1.0 if n <= 10 else 9.0, None) for n in range(1, 21)])
    with pytest.raises(Exception, match=r"grew from 1\.00 to 9\.00 by step 20"):
        training._refuse_divergence(progress, 1e-3)


def test_a_classifier_learns_in_smaller_steps_than_a_small_model_that_writes() -> None:
    assert learning_rate_for(22_000_000, "classifier") < learning_rate_for(135_000_000, "causal")
    assert learning_rate_for(8_000_000_000, "classifier") == learning_rate_for(8_000_000_000, "causal")


def test_an_encoder_is_not_asked_to_write(encoder: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="can learn labels, not"):
        tune(job_on(tmp_path, encoder, learnable_rows(20), "generation"))


def test_a_search_without_rows_to_choose_by_is_refused(encoder: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="too few to keep some aside"):
        tune(job_on(tmp_path, encoder, learnable_rows(24), search=2))


def test_rows_that_nearly_stand_among_the_held_out_ones_are_not_learned_from(
    encoder: Path, tmp_path: Path
) -> None:
    rows = learnable_rows(40)
    twins = [{**row, "text": f"{row['text']} please now"} for row in rows]
    plan = plan_tuning(job_on(tmp_path, encoder, rows + twins), torch.device("cpu"))
    similar = plan.about_data["rows_similar_ids"]
    assert len(similar) == min(20, plan.about_data["rows_similar"]) > 0
    assert not set(similar) & {row.id for row in (*plan.train_rows, *plan.held_out_rows)}


def test_general_texts_are_in_both_languages_and_forgetting_is_named() -> None:
    rows = general_rows(6)
    assert len({row.id for row in rows}) == 6
    assert sum(row.id.startswith("zh") for row in rows) == 3
    assert all(isinstance(row, Row) and len(row.text) > 60 for row in rows)

    def read(nats: float) -> dict[str, TextLikelihood]:
        return {
            row.id: TextLikelihood(log_likelihood=-nats * (1 + n / 50), tokens=50, utf8_bytes=200)
            for n, row in enumerate(rows)
        }

    forgot, kept = compared(read(100), read(200), 0), compared(read(100), read(100.01), 0)
    assert forgot is not None
    assert kept is not None
    assert (forgot["has_forgotten"], kept["has_forgotten"]) == (True, False)
    assert forgot["after"] > forgot["before"]


def test_the_process_that_checks_leaves_what_it_found(tuned_encoder: Path) -> None:
    assert (
        read_json(tuned_encoder / "check" / "check.json")["merge_check"]
        == result_of(tuned_encoder)["merge_check"]
    )
