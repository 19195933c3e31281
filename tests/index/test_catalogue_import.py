"""Importing results of other tools: what is taken, what is refused and why, and where it is kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from index.catalogue.home import open_catalogue
from index.catalogue.imports import Imported, import_path
from index.errors import BadInput

QWEN = "Qwen/Qwen3-8B"


def saved(path: Path, value: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")
    return path


def harness(**changes: Any) -> dict[str, Any]:
    results: dict[str, Any] = {
        "results": {
            "mmlu": {"acc,none": 0.7312, "acc_stderr,none": 0.003, "alias": "mmlu"},
            "mmlu_anatomy": {"acc,none": 0.6},
            "gsm8k": {"exact_match,strict-match": 0.85, "exact_match,flexible-extract": 0.87},
        },
        "group_subtasks": {"mmlu": ["mmlu_anatomy"]},
        "n-shot": {"mmlu": 5, "gsm8k": 5},
        "config": {"model": "hf", "model_args": f"pretrained={QWEN},dtype=bfloat16", "limit": None},
        "date": 1790000000.0,
        "lm_eval_version": "0.4.9",
    }
    return results | changes


def reasons(done: Imported) -> str:
    return " | ".join(f"{item.where}: {item.why.en}" for item in done.refused)


def figures(home: Path, name: str = QWEN) -> list[tuple[str, float, str | None]]:
    found = open_catalogue(home).evidence_of(name)
    return [
        (item.benchmark.name, item.score, item.setting) for item in found if "imported" in item.source.name
    ]


def test_lm_eval_results_are_taken_with_shots_metric_version_and_date(tmp_path: Path) -> None:
    done = import_path(tmp_path, "lm-eval", saved(tmp_path / "results_x.json", harness()))
    assert (done.figures, done.refused) == (2, ())
    assert figures(tmp_path) == [
        ("MMLU", 73.12, "5-shot, acc, lm-evaluation-harness 0.4.9"),
        ("GSM8K", 85.0, "5-shot, exact_match,strict-match, lm-evaluation-harness 0.4.9"),
    ]
    dates = {f.date for f in open_catalogue(tmp_path).evidence_of(QWEN) if "imported" in f.source.name}
    assert dates == {"2026-09-21"}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"config": {"model_args": "pretrained=nobody/nothing-9b"}}, "unknown model 'nobody/nothing-9b'"),
        ({"config": {"model_args": f"pretrained={QWEN}", "limit": 10.0}}, "the run was limited (10 items"),
        ({"results": {"mmlu": {"acc,none": 73.1}}}, "not a fraction of 1"),
        ({"results": {"mmlu": {"acc,none": "N/A"}}}, "it has no number for acc"),
        ({"results": {"my_own_task": {"acc,none": 0.5}}}, "no benchmark of the catalogue is this task"),
        ({"date": 9e10}, "no date up to today"),
    ],
)
def test_lm_eval_rows_that_do_not_fit_are_refused_with_the_reason(
    tmp_path: Path, changes: dict[str, Any], reason: str
) -> None:
    done = import_path(tmp_path, "lm-eval", saved(tmp_path / "results_x.json", harness(**changes)))
    assert done.figures == 0
    assert reason in reasons(done)
    assert done.kept_in is None


def test_a_folder_of_results_is_read_and_a_broken_file_does_not_stop_it(tmp_path: Path) -> None:
    saved(tmp_path / "runs" / "a" / "results_1.json", harness())
    saved(tmp_path / "runs" / "b" / "results_2.json", "{")
    done = import_path(tmp_path / "home", "lm-eval", tmp_path / "runs")
    assert done.figures == 2
    assert "results_2.json: results_2.json cannot be imported: line 1 is not valid JSON" in reasons(done)


def test_mteb_results_are_taken_for_the_model_that_the_folder_names(tmp_path: Path) -> None:
    entry = {"main_score": 0.861, "hf_subset": "default", "languages": ["eng-Latn"]}
    result = {"task_name": "Banking77Classification", "mteb_version": "2.1.0", "scores": {"test": [entry]}}
    folder = tmp_path / "results" / "BAAI__bge-m3" / "abc123"
    saved(folder / "Banking77Classification.json", result)
    saved(folder / "model_meta.json", {"name": "BAAI/bge-m3"})
    saved(folder / "STS12.json", {**result, "task_name": "STS12"})
    done = import_path(tmp_path, "mteb", tmp_path / "results")
    assert figures(tmp_path, "BAAI/bge-m3") == [("Banking77 (MTEB)", 86.1, "test split; mteb 2.1.0")]
    assert "STS12.json: STS12: unknown benchmark 'STS12'" in reasons(done)


def test_mteb_results_without_a_meta_file_are_named_by_their_folder(tmp_path: Path) -> None:
    result = {"task_name": "TNews", "scores": {"validation": [{"main_score": 0.47}]}}
    path = saved(tmp_path / "BAAI__bge-m3" / "rev" / "TNews.json", result)
    assert import_path(tmp_path, "mteb", path).figures == 1


def an_entry(**changes: Any) -> dict[str, Any]:
    entry = {
        "name": "lab/Model-7B-Instruct",
        "provider": "Lab",
        "parameters_raw": 7_100_000_000,
        "context_length": 32768,
        "use_case": "Instruction following, chat",
        "pipeline_tag": "text-generation",
        "license": "apache-2.0",
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
    }
    return entry | changes


def test_a_model_of_llmfits_list_is_added_with_its_source(tmp_path: Path) -> None:
    path = saved(tmp_path / "models.json", {"models": [an_entry()], "system": {}})
    assert import_path(tmp_path, "llmfit", path).models == 1
    model = open_catalogue(tmp_path).models["lab/Model-7B-Instruct"]
    assert (model.n_layers, model.n_kv_heads, model.licence, model.kind) == (32, 8, "Apache-2.0", "instruct")
    assert model.sources[0].url == "https://github.com/AlexsJones/llmfit"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"parameters_raw": 528384}, "below 10 million"),
        ({"parameters_raw": 52_838_400}, "the name says otherwise"),
        ({"num_key_value_heads": 5}, "5 KV heads do not divide 32 heads"),
        ({"name": "no organisation"}, "organisation/name"),
        (
            {"name": "meta-llama/Llama-3.1-8B", "parameters_raw": 8_000_000_000, "context_length": 1_048_576},
            "contradicts the known 131072",
        ),
        ({"release_date": 2024}, "release_date has a value that cannot be used"),
    ],
)
def test_impossible_entries_of_llmfits_list_are_refused(
    tmp_path: Path, changes: dict[str, Any], reason: str
) -> None:
    done = import_path(tmp_path, "llmfit", saved(tmp_path / "models.json", [an_entry(**changes)]))
    assert done.models == 0
    assert reason in reasons(done)


def test_llmfit_does_not_overrule_what_is_known(tmp_path: Path) -> None:
    entry = an_entry(name=QWEN, parameters_raw=8_200_000_000, num_hidden_layers=99, num_attention_heads=32)
    import_path(tmp_path, "llmfit", saved(tmp_path / "models.json", [entry]))
    assert open_catalogue(tmp_path).models[QWEN].n_layers == 36


HEADER = "model,benchmark,score,kind,setting,date,source_name,source_url,licence\n"


def test_the_csv_form_is_taken_with_its_own_source(tmp_path: Path) -> None:
    line = "qwen3 8b,mmlu,71.5,self-reported,5-shot,2026-05-01,Report,https://lab.example/report,MIT\n"
    assert import_path(tmp_path, "csv", saved(tmp_path / "ours.csv", HEADER + line)).figures == 1
    found = [f for f in open_catalogue(tmp_path).evidence_of(QWEN) if f.source.name == "Report"]
    assert [(f.benchmark.name, f.score, f.kind, f.source.url) for f in found] == [
        ("MMLU", 71.5, "self-reported", "https://lab.example/report")
    ]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (f"{QWEN},MMLU,171,,,,,,", "score 171 is off the scale of MMLU (0 to 100)"),
        (f"{QWEN},MMLU,nan,,,,,,", "off the scale"),
        (f"{QWEN},MMLU,good,,,,,,", "score 'good' is no number"),
        (f"{QWEN},No such test,50,,,,,,", "unknown benchmark 'No such test'"),
        ("nobody/nothing-9b,MMLU,50,,,,,,", "unknown model 'nobody/nothing-9b'"),
        (f"{QWEN},MMLU,50,rumour,,,,,", "kind 'rumour' is neither"),
        (f"{QWEN},MMLU,50,,,2999-01-01,,,", "date '2999-01-01' is no date up to today"),
        (f"{QWEN},MMLU,50,,,,Site,not-a-link,", "source_url 'not-a-link' is no http link"),
        (f"{QWEN},MMLU,50,,,,LMArena,https://lmarena.ai,", "does not let figures be carried over"),
        (f"{QWEN},MMLU,50", "it has 3 cells, the first line has 9"),
    ],
)
def test_a_csv_line_that_does_not_fit_is_refused_with_its_number(
    tmp_path: Path, line: str, reason: str
) -> None:
    good = f"{QWEN},GSM8K,90,,,,,,\n"
    done = import_path(tmp_path, "csv", saved(tmp_path / "ours.csv", f"{HEADER}{good}{line}\n"))
    assert done.figures == 1
    assert [item.where for item in done.refused] == ["ours.csv line 3"]
    assert reason in reasons(done)


def test_the_same_figure_twice_in_a_file_is_refused(tmp_path: Path) -> None:
    line = f"{QWEN},MMLU,50,,,,,,\n"
    done = import_path(tmp_path, "csv", saved(tmp_path / "ours.csv", HEADER + line + line))
    assert done.figures == 1
    assert "a second figure" in reasons(done)


def test_importing_a_file_again_replaces_what_it_brought(tmp_path: Path) -> None:
    path = saved(tmp_path / "ours.csv", f"{HEADER}{QWEN},MMLU,50,,,,,,\n")
    import_path(tmp_path, "csv", path)
    saved(path, f"{HEADER}{QWEN},MMLU,60,,,,,,\n")
    import_path(tmp_path, "csv", path)
    assert figures(tmp_path) == [("MMLU", 60.0, None)]


@pytest.mark.parametrize(
    ("kind", "name", "text", "words"),
    [
        ("csv", "x.csv", "", "line 1 lacks the column 'model'"),
        ("csv", "x.csv", "model,benchmark,score,colour\n", "unknown or double column 'colour'"),
        ("lm-eval", "x.json", "{}", "no 'results' of lm-evaluation-harness"),
        ("lm-eval", "x.json", "[1, 2", "line 1 is not valid JSON"),
        ("mteb", "x.json", '{"mteb_dataset_name": "STS12", "test": {}}', "mteb before 1.11"),
        ("llmfit", "x.json", '"text"', "no list of models of llmfit"),
        ("arena", "x.json", "{}", "no import of the kind 'arena'"),
    ],
)
def test_a_file_of_another_form_is_refused_in_clear_words(
    tmp_path: Path, kind: str, name: str, text: str, words: str
) -> None:
    with pytest.raises(BadInput) as raised:
        import_path(tmp_path, kind, saved(tmp_path / name, text))
    assert words in raised.value.to("en")
    assert raised.value.to("zh") != raised.value.to("en")


def test_a_path_without_a_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no file to import"):
        import_path(tmp_path, "csv", tmp_path / "absent.csv")


def test_a_link_to_cite_by_must_be_one(tmp_path: Path) -> None:
    path = saved(tmp_path / "ours.csv", f"{HEADER}{QWEN},MMLU,50,,,,,,\n")
    with pytest.raises(BadInput, match="--source must be an http link"):
        import_path(tmp_path, "csv", path, source="our wiki")
