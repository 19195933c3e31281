"""Standard benchmarks of lm-evaluation-harness as rows: the conversion on plain documents, and one real task."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from finetune import harness
from finetune.data import load, register_benchmark
from finetune.dataset_errors import BenchmarkOutOfReach, HarnessMissing, NotConvertible, UnknownBenchmark
from finetune.harness.convert import UnlikeOurs, records_of, task_of
from tests.finetune.datasets import TEXTS, written

YAML = """
task: weather
dataset_path: json
dataset_kwargs: {data_files: {test: docs.jsonl}}
test_split: test
output_type: multiple_choice
doc_to_text: "Question: {{asked}}\\nAnswer:"
doc_to_choice: "{{options}}"
doc_to_target: "{{options.index(right)}}"
metric_list: [{metric: acc, aggregation: mean, higher_is_better: true}]
"""


@dataclass
class Task:
    """What a task of the harness says of its documents."""

    output_type: str = "multiple_choice"
    text: str = "Question: {question}\nAnswer:"
    target: Any = 1
    choices: list[str] = field(default_factory=lambda: ["hot", "cold"])
    metric_list: list[dict[str, Any]] = field(default_factory=list)
    multiple_input: int = 0

    def get_config(self, key: str) -> Any:
        return getattr(self, key)

    def doc_to_text(self, doc: Any) -> str:
        return self.text.format(**doc)

    def doc_to_target(self, doc: Any) -> Any:  # noqa: ARG002
        return self.target

    def doc_to_choice(self, doc: Any) -> list[str]:  # noqa: ARG002
        return self.choices


def record(task: Task, doc: dict[str, Any]) -> dict[str, Any]:
    (only,) = records_of(task, [doc], None)
    return only


@pytest.mark.parametrize("target", [1, "1", "cold", ["cold"]])
def test_the_right_choice_may_be_a_number_or_a_text(target: Any) -> None:
    found = record(Task(target=target), {"question": "And outside?"})
    assert (found["text"], found["choices"], found["answer"]) == ("And outside?", ["hot", "cold"], ["cold"])


@pytest.mark.parametrize(
    "doc", [{"choices": ["hot", "cold"]}, {"options": {"text": ["hot", "cold"]}}, {"A": "hot", "B": "cold"}]
)
def test_letters_give_way_to_the_texts_that_they_stand_for(doc: dict[str, Any]) -> None:
    task = Task(text="{question}\nA. hot\nB. cold\nAnswer:", choices=["A", "B"])
    found = record(task, {"question": "And outside?", **doc})
    assert (found["text"], found["choices"], found["answer"]) == ("And outside?", ["hot", "cold"], ["cold"])


def test_letters_stay_where_the_document_hides_the_texts() -> None:
    task = Task(text="{question} A. hot B. cold\n答案：", choices=["A", "B"])
    found = record(task, {"question": "And outside?"})
    assert (found["text"], found["answer"]) == ("And outside? A. hot B. cold", ["B"])


def test_a_final_answer_is_kept_without_the_working_that_the_metric_ignores() -> None:
    metric = {"metric": "exact_match", "regexes_to_ignore": [",", r"\$", "(?s).*#### "]}
    task = Task(output_type="generate_until", target="6 * 7 = 42\n#### $1,042", metric_list=[metric])
    found = record(task, {"question": "How much?"})
    assert (found["text"], found["answer"]) == ("How much?", ["1042"])
    assert task_of({"generate_until"}, [found]) == "question-answering"


def test_running_text_is_language_modelling_and_long_answers_are_generation() -> None:
    page = record(Task(output_type="loglikelihood_rolling", target="a page"), {"question": ""})
    assert (page["text"], task_of({"loglikelihood_rolling"}, [page])) == ("a page", "language-modelling")
    assert task_of({"generate_until"}, [{"answer": ["a long text " * 20]}]) == "generation"


def test_what_has_no_counterpart_is_refused() -> None:
    with pytest.raises(UnlikeOurs, match="beginning of its own"):
        record(Task(multiple_input=2), {"question": "?"})
    with pytest.raises(UnlikeOurs, match="output type"):
        record(Task(output_type="loglikelihood"), {"question": "?"})
    with pytest.raises(UnlikeOurs, match="different kinds"):
        task_of({"multiple_choice", "generate_until"}, [])


def test_a_real_task_of_the_harness_becomes_a_data_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "cache"))
    docs = [
        {"asked": text, "options": ["hot", f"cold {n}"], "right": f"cold {n}"} for n, text in enumerate(TEXTS)
    ]
    written(tmp_path / "tasks" / "docs.jsonl", "\n".join(map(json.dumps, docs)))
    written(tmp_path / "tasks" / "weather.yaml", YAML)
    dataset = register_benchmark("weather", home=tmp_path, folder=tmp_path / "tasks")
    row = load(dataset.sha256, home=tmp_path)[3]
    assert (dataset.name, dataset.task, dataset.rows) == ("weather", "multiple-choice", 12)
    assert (row.text, row.choices, row.label) == (TEXTS[3], ("hot", "cold 3"), "cold 3")


@pytest.mark.parametrize(
    ("answer", "refusal", "said"),
    [
        ({"problem": "unknown", "near": ["arc_easy"]}, UnknownBenchmark, "arc_easy"),
        ({"problem": "out of reach"}, BenchmarkOutOfReach, "--benchmark-path"),
        ({"problem": "KeyError: x"}, NotConvertible, "KeyError: x"),
    ],
)
def test_what_the_harness_cannot_do_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    answer: dict[str, Any],
    refusal: type[Exception],
    said: str,
) -> None:
    def ask(name: str, folder: Path | None, out: Path) -> str:  # noqa: ARG001
        out.write_text(json.dumps(answer))
        return ""

    monkeypatch.setattr(harness, "_ask", ask)
    with pytest.raises(refusal, match=said):
        register_benchmark("arc_eazy", home=tmp_path)
    assert not (tmp_path / "datasets").exists()


def test_without_the_harness_it_is_said_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(HarnessMissing, match="pip install"):
        register_benchmark("arc_easy", home=tmp_path)
