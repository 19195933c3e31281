"""Races and tasks of the evaluation, on tiny models with random weights in real child processes."""

from __future__ import annotations

import json
import math
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoTokenizer

from finetune.columns import Row
from finetune.data import register
from finetune.models import models_folder, smollm2_folder
from finetune.recipes.asking import LabelAsker, TextAsker, WritingAsker
from finetune.recipes.contestants import Task
from finetune.recipes.evaluate import _batches, _in_random_order
from finetune.recipes.prompts import Prompts, question_of
from finetune.recipes.scoring import LabelScorer
from finetune.spec import METRIC_NAMES, Candidate, DatasetRef, DatasetTask, EvaluationSpec
from tests.finetune.recipe_runs import job_folder, lines_of, result_of, run, run_until
from tests.finetune.test_recipe_parts import tiny_model
from tests.openai_server import openai_server

N_ROWS = 120
COLOURS = ("red", "green", "blue")


@pytest.fixture(scope="module")
def tokenizer(home_with_model: Path) -> Any:
    return AutoTokenizer.from_pretrained(smollm2_folder(models_folder(home_with_model)))


@pytest.fixture(scope="module")
def models(tokenizer: Any, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folders = []
    for seed in range(3):
        folder = tmp_path_factory.mktemp(f"model-{seed}")
        tiny_model(seed).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        folders.append(folder)
    return folders


def written(folder: Path, rows: list[dict[str, Any]]) -> Path:
    path = folder / "rows.jsonl"
    path.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), encoding="utf-8")
    return path


def evaluation(
    folder: Path, rows: list[dict[str, Any]], models: list[Path], task: DatasetTask | None = None, **more: Any
) -> Path:
    dataset = register(written(folder, rows), home=folder, task=task)
    spec = EvaluationSpec(
        candidates=tuple(Candidate(model=str(model)) for model in models), dataset=dataset, **more
    )
    return job_folder(folder / "job", spec, folder)


def rows_that_the_first_gets_right(tokenizer: Any) -> list[dict[str, Any]]:
    """Labels as the first model says them, so that it is surely the best; options in another order each row."""
    prompts = Prompts(tokenizer, (), task="multiple-choice")
    rows = []
    for n in range(N_ROWS):
        choices = [f"{colour} {(n * 7 + i) % 13}" for i, colour in enumerate(COLOURS)]
        rows.append(Row(id=str(n), text=f"what is {n}?", label=choices[0], choices=tuple(choices)))
    scorer = LabelScorer(tiny_model(0), prompts, (), [question_of(row) for row in rows])
    said = [scorer.score(question_of(row), row.choices).prediction for row in rows]
    return [
        {"question": row.text, "choices": list(row.choices), "answer": answer, "subject": f"s{n % 2}"}
        for n, (row, answer) in enumerate(zip(rows, said, strict=True))
    ]


def test_a_race_drops_who_cannot_win_and_costs_less(
    tokenizer: Any, models: list[Path], tmp_path: Path
) -> None:
    job = evaluation(tmp_path, rows_that_the_first_gets_right(tokenizer), models)
    ended = run("evaluate", job)
    assert (ended.returncode, ended.stderr) == (0, "")
    result = result_of(job)
    first, *others = result["candidates"]
    assert (result["verdict"], result["winner"]) == ("winner", first["label"])
    assert first["metrics"]["accuracy"]["value"] == 1.0
    assert [row["stopped"] for row in others] == ["eliminated"] * 2
    assert all(row["items_seen"] < N_ROWS for row in result["candidates"])
    assert result["share_of_full_cost"] < 0.6
    assert set(first["by_category"]) == {"s0", "s1"}
    page = Path(result["report"]).read_text(encoding="utf-8")
    assert "left the race" in page
    assert "Where they differ" in page


def test_a_race_that_was_killed_goes_on_to_the_same_end(
    tokenizer: Any, models: list[Path], tmp_path: Path
) -> None:
    rows = rows_that_the_first_gets_right(tokenizer)
    (tmp_path / "whole").mkdir()
    whole, cut = evaluation(tmp_path / "whole", rows, models), evaluation(tmp_path, rows, models)
    run("evaluate", whole)
    run_until("evaluate", cut, lambda event: event["data"].get("done", 0) > 10, signal.SIGTERM)
    ended = run("evaluate", cut)
    assert ended.returncode == 0

    def told(job: Path) -> list[tuple[str, str]]:
        return sorted((item["candidate"], item["row"]) for item in lines_of(job / "items.jsonl"))

    assert told(cut) == told(whole)
    assert result_of(cut)["winner"] == result_of(whole)["winner"]


def test_a_full_run_asks_everyone_everything(tokenizer: Any, models: list[Path], tmp_path: Path) -> None:
    rows = rows_that_the_first_gets_right(tokenizer)[:40]
    job = evaluation(tmp_path, rows, models[:2], full=True)
    assert run("evaluate", job).returncode == 0
    result = result_of(job)
    assert [row["items_seen"] for row in result["candidates"]] == [40, 40]
    assert result["share_of_full_cost"] == 1.0


def test_a_race_takes_in_whole_groups_in_random_order() -> None:
    rows = [Row(id=str(n), text=str(n), label="x", group=f"g{n % 50}") for n in range(130)]
    ordered = _in_random_order(rows, seed=1)
    groups = list(dict.fromkeys(row.group for row in ordered))
    assert groups != sorted(groups, key=lambda group: int((group or "g0")[1:]))
    dataset = DatasetRef(name="rows", sha256="0" * 64, rows=130, labels=("x", "y"))
    spec = EvaluationSpec(candidates=(Candidate(model="a"), Candidate(model="b")), dataset=dataset)
    task = Task(spec=spec, rows=tuple(ordered), shots=(), left_out=0, names=("a", "b"), metric="accuracy")
    batches = list(_batches(task))
    assert [row for batch in batches for row in batch] == ordered
    assert len(batches) > 2
    in_batch = [{row.group for row in batch} for batch in batches]
    assert sum(map(len, in_batch)) == 50


def test_a_candidate_that_fails_does_not_end_the_race(
    tokenizer: Any, models: list[Path], tmp_path: Path
) -> None:
    rows = rows_that_the_first_gets_right(tokenizer)
    job = evaluation(tmp_path, rows, [Path("/no/such/model"), *models[:2]])
    assert run("evaluate", job).returncode == 0
    result = result_of(job)
    assert [row["stopped"] for row in result["candidates"]] == ["failed", "finished", "eliminated"]
    assert result["winner"] == result["candidates"][1]["label"]


def job_in(home: Path, name: str, rows: list[dict[str, Any]], models: list[Path], **more: Any) -> Path:
    """An evaluation in a home that others have used before."""
    dataset = register(written(home, rows), home=home)
    candidates = tuple(Candidate(model=str(model)) for model in models)
    job = job_folder(home / name, EvaluationSpec(candidates=candidates, dataset=dataset, **more), home)
    ended = run("evaluate", job)
    assert (ended.returncode, ended.stderr) == (0, "")
    return job


def loaded(job: Path) -> list[str]:
    stages = [event["data"].get("stage", "") for event in lines_of(job / "events.jsonl")]
    return [stage.removesuffix(": loading") for stage in stages if stage.endswith(": loading")]


def test_what_an_earlier_job_has_asked_costs_nothing_again(
    tokenizer: Any, models: list[Path], tmp_path: Path
) -> None:
    rows = rows_that_the_first_gets_right(tokenizer)[:30]
    (first,) = result_of(job_in(tmp_path, "1", rows[:20], models[:1]))["candidates"]
    more_rows = job_in(tmp_path, "2", rows, models[:1])
    (second,) = result_of(more_rows)["candidates"]
    assert (first["items_cached"], second["items_cached"]) == (0, 20)
    # With one more candidate only that one is loaded; the figures of the other are those of when it was asked.
    again = job_in(tmp_path, "3", rows, models[:2])
    third, other = result_of(again)["candidates"]
    assert loaded(again) == [other["label"]]
    assert (third["items_cached"], other["items_cached"]) == (30, 0)
    assert third["metrics"] == second["metrics"]
    for name in ("tokens_per_s", "latency_p50_s", "peak_memory_gib", "load_time_s"):
        assert third[name] == pytest.approx(second[name])
    assert third["revision"] == second["revision"]


SENTENCES = [f"row {n}: the cat sat on the mat and looked at dog number {n}" for n in range(10)]


@pytest.mark.parametrize(
    ("task", "row"),
    [
        ("generation", {"input": "say it", "reference": "it was said at some length, as one says things"}),
        ("question-answering", {"question": "who?", "answers": ["Ann", "Ann Lee"]}),
        ("extraction", {"input": "Ann is 40", "output": '{"name": "Ann"}'}),
        ("language-modelling", {"text": "a sentence"}),
    ],
)
def test_every_task_ends_in_its_metrics(
    task: DatasetTask, row: dict[str, Any], models: list[Path], tmp_path: Path
) -> None:
    key = next(iter(row))
    rows = [{**row, key: f"{row[key]} {sentence}"} for sentence in SENTENCES]
    job = evaluation(tmp_path, rows, models[:2], task=task, max_new_tokens=4)
    ended = run("evaluate", job)
    assert (ended.returncode, ended.stderr) == (0, "")
    result = result_of(job)
    for candidate in result["candidates"]:
        assert tuple(candidate["metrics"]) == METRIC_NAMES[task]
        assert candidate["items_seen"] == len(rows)
        assert candidate["metrics"][result["metric"]]["n"] == len(rows)
    assert len(result["comparisons"]) == 1


def test_likelihood_is_that_of_transformers(tokenizer: Any) -> None:
    model = tiny_model()
    reply = next(TextAsker(model, tokenizer, 512).ask([Row(id="1", text=SENTENCES[0], label="")]))
    ids = torch.tensor([[tokenizer.bos_token_id, *tokenizer.encode(SENTENCES[0])]])
    with torch.no_grad():
        loss = model(ids, labels=ids).loss.item()
    assert reply.likelihood is not None
    assert -reply.likelihood.log_likelihood / reply.likelihood.tokens == pytest.approx(loss, rel=1e-4)


def test_windows_predict_every_token_once(tokenizer: Any) -> None:
    model, text = tiny_model(), " ".join(SENTENCES)
    rows = [Row(id="1", text=text, label="")]
    whole, windowed = (next(TextAsker(model, tokenizer, size).ask(rows)) for size in (512, 32))
    assert whole.likelihood is not None
    assert windowed.likelihood is not None
    assert whole.likelihood.tokens == windowed.likelihood.tokens
    assert windowed.likelihood.log_likelihood == pytest.approx(whole.likelihood.log_likelihood, rel=0.02)
    assert math.isfinite(windowed.likelihood.log_likelihood)


def test_an_answer_does_not_depend_on_the_rows_beside_it(tokenizer: Any) -> None:
    model, prompts = tiny_model(), Prompts(tokenizer, (), task="generation")
    rows = [Row(id=str(n), text=text * (1 + n % 3), label="") for n, text in enumerate(SENTENCES)]
    together = {
        reply.row.id: reply.prediction for reply in WritingAsker(model, prompts, 8, 512, rows).ask(rows)
    }
    for row in rows:
        alone = next(WritingAsker(model, prompts, 8, 512, [row]).ask([row]))
        assert together[row.id] == alone.prediction


def test_out_of_memory_halves_the_batch_and_goes_on(tokenizer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [Row(id=str(n), text=text, label="") for n, text in enumerate(SENTENCES)]
    asker = WritingAsker(tiny_model(), Prompts(tokenizer, (), task="generation"), 4, 512, rows)
    write, sizes = asker._write, []

    def write_at_most_two(prompts: list[list[int]], *more: Any) -> list[list[int]]:
        sizes.append(len(prompts))
        if len(prompts) > 2:
            raise torch.OutOfMemoryError
        return write(prompts, *more)

    monkeypatch.setattr(asker, "_write", write_at_most_two)
    assert len(list(asker.ask(rows))) == len(rows)
    assert max(sizes[-2:]) <= 2


def test_examples_are_shown_before_the_question_and_not_scored(
    tokenizer: Any, models: list[Path], tmp_path: Path
) -> None:
    rows = rows_that_the_first_gets_right(tokenizer)[:20]
    job = evaluation(tmp_path, rows, models[:1], examples=3)
    assert run("evaluate", job).returncode == 0
    assert result_of(job)["candidates"][0]["items_seen"] == 17
    shots = [("a cat", "animal"), ("a fork", "thing")]
    prompts = Prompts(tokenizer, ("animal", "thing"), shots=shots)
    text = tokenizer.decode(prompts.prompt("a dog"))
    assert text.index("a cat") < text.index("assistant\nanimal") < text.index("a dog")


def test_rows_longer_than_the_context_are_counted_and_left_out(tokenizer: Any) -> None:
    scorer = LabelScorer(tiny_model(), Prompts(tokenizer, COLOURS), COLOURS, ["a"])
    asker = LabelAsker(scorer, 64)
    assert asker.fits(Row(id="1", text="short", label="red"))
    assert not asker.fits(Row(id="2", text="long " * 100, label="red"))


def test_a_chat_of_local_models_is_scored_by_a_hosted_judge(models: list[Path], tmp_path: Path) -> None:
    rows = [{"prompt": sentence} for sentence in SENTENCES]
    with openai_server() as server:
        server.says = "TIE"
        judge = Candidate(model="openai:judge", base_url=server.url)
        job = evaluation(tmp_path, rows, models[:2], task="chat", judge=judge, max_new_tokens=4)
        ended = run("evaluate", job)
    assert (ended.returncode, ended.stderr) == (0, "")
    result = result_of(job)
    assert [row["metrics"]["win_rate"]["value"] for row in result["candidates"]] == [0.5, 0.5]
    assert result["judge"]["calls"] == len(server.chats) > 0
    assert result["spent_usd"] is None
