"""`shortlist race` and the files it reads: tables, our own items, logs of lm-evaluation-harness."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from index.errors import BadInput
from skills.compare import compare_results
from skills.outcomes import read_outcomes
from skills.race import race_markdown, race_outcomes
from skills.report import comparison_markdown


def _race(path: Path, **options: Any) -> dict[str, Any]:
    return race_outcomes(path, **{"alpha": 0.05, "delta": 0.01, "seed": 0} | options)


def _table(folder: Path, text: str, name: str = "outcomes.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def _clear(n_items: int = 200) -> str:
    header = "model," + ",".join(str(i) for i in range(n_items))
    return f"{header}\ngood,{','.join('1' * n_items)}\nbad,{','.join('0' * n_items)}\n"


def test_a_clear_race_is_told_in_both_languages(tmp_path: Path) -> None:
    value = _race(_table(tmp_path, _clear()))
    assert (value["winner"], value["verdict"]) == ("good", "winner")
    assert value["items_used"]["good"] < 40
    assert value["share_of_full_cost"] < 0.2
    assert race_markdown(value, "en").startswith("**good** is the best")
    assert race_markdown(value, "zh").startswith("**good** 最好")


@pytest.mark.parametrize("header", ["", "model,q1,q2,q3\n", "candidate,1,2,3\n"])
def test_a_table_may_have_a_header(tmp_path: Path, header: str) -> None:
    found = read_outcomes(_table(tmp_path, header + "a,1,0,1\nb,0,true,0.5\n"))
    assert {name: list(items.values()) for name, items in found.by_candidate.items()} == {
        "a": [1.0, 0.0, 1.0],
        "b": [0.0, 1.0, 0.5],
    }


TWO = {"a": [1.0, 0.0, 1.0, 0.0], "b": [0.0, 1.0, 1.0, 0.0]}


@pytest.mark.parametrize(
    "text",
    [
        "question,a,b\n1,1,0\n2,0,1\n3,1,1\n4,0,0\n",
        ",a,b\nq1,1,0\nq2,0,1\nq3,1,1\nq4,0,0\n",
        "a,b\n1,0\n0,1\n1,1\n0,0\n",
        "q1,q2,q3,q4\na,1,0,1,0\nb,0,1,1,0\n",
        "model;1;2;3;4\na;100%;0%;1,0;0\nb;no;yes;TRUE;false\n",
        "model\titem\tcorrect\na\t1\t1\na\t2\t0\na\t3\t1\na\t4\t0\nb\t1\t0\nb\t2\t1\nb\t3\t对\nb\t4\t错\n",
    ],
)
def test_a_table_is_read_whichever_way_round_it_is_written(tmp_path: Path, text: str) -> None:
    found = read_outcomes(_table(tmp_path, text)).by_candidate
    assert {name: list(items.values()) for name, items in found.items()} == TWO


def test_a_table_of_scores_alone_numbers_the_candidates(tmp_path: Path) -> None:
    found = read_outcomes(_table(tmp_path, "1,0,1,0\n1,1,1,0\n")).by_candidate
    assert {name: len(items) for name, items in found.items()} == {"1": 4, "2": 4}


def test_items_without_a_score_from_everybody_are_left_out_and_counted(tmp_path: Path) -> None:
    path = _table(tmp_path, "model,1,2,3,4\na,1,,1,NaN\nb,0,0,1,1\n")
    value = _race(path)
    assert (value["items"], value["items_left_out"]) == (2, 2)
    assert "2 items without a score" in race_markdown(value, "en")
    assert compare_results([path])["rows_left_out"] == 2


def test_scores_off_the_unit_scale_are_brought_to_it_and_shown_as_they_are(tmp_path: Path) -> None:
    rows = f"a,{','.join(['80'] * 100)}\nb,{','.join(['20'] * 100)}\n"
    value = _race(_table(tmp_path, rows))
    assert value["winner"] == "a"
    assert value["scale"] == [0.0, 100.0]
    assert value["means"] == pytest.approx({"a": 80.0, "b": 20.0})


def test_marks_are_brought_to_the_scale_by_the_lowest_and_the_highest(tmp_path: Path) -> None:
    value = _race(_table(tmp_path, f"a,{','.join(['5', '4'] * 60)}\nb,{','.join(['2', '1'] * 60)}\n"))
    assert (value["winner"], value["scale"]) == ("a", [1.0, 5.0])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "has no rows"),
        ("model,1,2\n", "has no rows"),
        ("a,1,0\n", "1 candidates"),
        ("a,1,0\na,0,1\n", "row 2 names 'a' again"),
        ("a,1,0\nb,1\n", "row 2 has 1 scores"),
        ("a,1,0\nb,1,\n", "1 common items"),
        ("a,1,0\nb,,nan\n", "'b' has no score at all"),
        ("a,1,0\nb,1,good\n", "row 2, column 3 holds 'good'"),
        ("a,1\nb,0\n", "1 common items"),
    ],
)
def test_a_table_that_cannot_be_raced_is_refused_with_the_place(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        _race(_table(tmp_path, text))


def test_a_missing_file_a_folder_without_results_and_bytes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be read"):
        _race(tmp_path / "none.csv")
    with pytest.raises(BadInput, match="not a finished evaluation"):
        _race(tmp_path)
    (tmp_path / "bytes.csv").write_bytes(b"a,\xff\xfe")
    with pytest.raises(BadInput, match="not UTF-8"):
        _race(tmp_path / "bytes.csv")


def _samples(folder: Path, model: str, scores: list[float], *, task: str = "arc_easy") -> Path:
    """A log in the form that lm-evaluation-harness writes with --log_samples."""
    path = folder / model / f"samples_{task}_2026-11-20T10-00-00.000000.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [
        {
            "doc_id": i, "doc": {}, "target": "0", "resps": [], "filtered_resps": [], "filter": "none",
            "metrics": ["acc", "acc_norm"], "doc_hash": f"h{i}", "acc": score, "acc_norm": 1.0 - score,
        }
        for i, score in enumerate(scores)
    ]  # fmt: skip
    path.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    return path


def test_logs_of_the_harness_are_raced_on_the_items_they_share(tmp_path: Path) -> None:
    _samples(tmp_path, "org__good", [1.0] * 120)
    _samples(tmp_path, "org__bad", [0.0] * 150)
    value = _race(tmp_path)
    assert (value["winner"], value["items"], value["metric"]) == ("org/good", 120, "acc")
    assert _race(tmp_path, metric="acc_norm")["winner"] == "org/bad"
    with pytest.raises(BadInput, match="no score 'bleu'"):
        _race(tmp_path, metric="bleu")


def test_two_logs_of_the_harness_get_the_paired_verdict_that_it_lacks(tmp_path: Path) -> None:
    good = _samples(tmp_path, "org__good", [1.0] * 90 + [0.0] * 30)
    bad = _samples(tmp_path, "org__bad", [0.0] * 60 + [1.0] * 30 + [0.0] * 40)
    value = compare_results([good, bad])
    assert (value["winner"], value["rows"], value["metric"]) == ("org/good", 120, "acc")
    assert value["comparisons"][0]["p_value"] < 0.001
    with pytest.raises(BadInput, match="different metrics"):
        compare_results([good, _table(tmp_path, _clear())])


def test_too_few_rows_say_how_many_more_would_likely_do(tmp_path: Path) -> None:
    value = compare_results([_table(tmp_path, "a,1,1,0,1,1\nb,1,0,0,1,1\n")])
    assert value["verdict"] == "insufficient"
    assert value["more_rows_needed"] > 0
    assert "more would likely do" in comparison_markdown(value, "en")
    assert "大约还需" in comparison_markdown(value, "zh")


def test_a_broken_line_of_a_log_is_named(tmp_path: Path) -> None:
    path = _samples(tmp_path, "org__a", [1.0])
    path.write_text('{"acc": 1.0}\n{oops\n', encoding="utf-8")
    with pytest.raises(BadInput, match="line 2 is not a JSON object"):
        _race(tmp_path)
