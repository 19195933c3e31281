"""`shortlist predict` and the files it reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from index.errors import BadInput
from skills.curve_tables import read_curves
from skills.predict import predict_file, prediction_json, prediction_markdown

# The shape of the files of Lin et al. (ICML 2024): a name, sizes from 0 on, then parameters and a family.
TABLE = """config name,0,200,400,800,1600,3200,25600,size,family
org/early,3.0,2.10,2.02,1.95,1.90,1.86,1.70,1000,A
org/late,5.0,2.60,2.42,2.24,2.06,1.90,1.40,2000,B
org/poor,6.0,3.60,3.52,3.45,3.38,3.30,3.10,500,C
"""


def _file(folder: Path, text: str = TABLE) -> Path:
    path = folder / "curves.csv"
    path.write_text(text, encoding="utf-8")
    return path


def _json(path: Path, budget: int = 3200, target: int = 25_600) -> dict[str, object]:
    return prediction_json(predict_file(path, budget=budget, target=target), "en")


def test_the_json_has_the_fields_of_the_contract(tmp_path: Path) -> None:
    value = _json(_file(tmp_path))
    assert {"ranking", "method"} <= set(value)
    first = value["ranking"][0]  # type: ignore[index]
    assert first["model"] == "org/late"
    assert first["interval95"][0] < first["predicted_loss"] < first["interval95"][1]


def test_only_sizes_up_to_the_budget_count_and_neither_parameters_nor_zero_rows(tmp_path: Path) -> None:
    curves = read_curves(_file(tmp_path)).curves
    assert curves.models == ("org/early", "org/late", "org/poor")
    assert curves.sizes == (200, 400, 800, 1600, 3200, 25_600)
    without = TABLE.replace(",1.70,", ",,").replace(",1.40,", ",,").replace(",3.10,", ",,")
    ranking = _json(_file(tmp_path))["ranking"]
    assert _json(_file(tmp_path, without))["ranking"] == ranking


def test_it_is_told_in_both_languages(tmp_path: Path) -> None:
    found = predict_file(_file(tmp_path), budget=3200, target=25_600)
    english, chinese = (prediction_markdown(found, language) for language in ("en", "zh"))  # type: ignore[arg-type]
    assert english.startswith("**org/late**")
    assert "| 1 | org/late |" in english
    assert "25,600 行" in chinese


def test_sizes_out_of_order_are_sorted_and_said(tmp_path: Path) -> None:
    shuffled = "model,400,200,800\na,2.0,2.2,1.9\nb,2.5,2.6,2.4\n"
    ordered = "model,200,400,800\na,2.2,2.0,1.9\nb,2.6,2.5,2.4\n"
    value = _json(_file(tmp_path, shuffled), 800, 3200)
    assert value["remarks"] == ["The sizes were out of order; I sorted them."]
    assert value["ranking"] == _json(_file(tmp_path, ordered), 800, 3200)["ranking"]


@pytest.mark.parametrize("cell", ["", "nan", "NaN", "inf", "-", "n/a"])
def test_cells_without_a_number_are_missing_runs_and_said(tmp_path: Path, cell: str) -> None:
    value = _json(_file(tmp_path, TABLE.replace("1.95", cell)))
    assert "1 cells are empty or no finite number" in value["remarks"][0]  # type: ignore[index]
    assert len(value["ranking"]) == 3  # type: ignore[arg-type]


def test_equal_candidates_are_said_to_be_equal(tmp_path: Path) -> None:
    found = predict_file(
        _file(tmp_path, "m,100,200,400\na,2,1.9,1.8\nb,2,1.9,1.8\n"), budget=400, target=1600
    )
    assert prediction_json(found, "en")["verdict"] == "indistinguishable"
    assert "all are heading for the same loss" in prediction_markdown(found, "en")
    assert "可按成本选择" in prediction_markdown(found, "zh")


def test_a_candidate_that_cannot_be_ranked_is_listed_last_without_a_place(tmp_path: Path) -> None:
    found = predict_file(_file(tmp_path, TABLE + "org/new,,,,,,1.0,,,\n"), budget=3200, target=25_600)
    last = prediction_json(found, "en")["ranking"][-1]
    assert (last["model"], last["rank"], last["doubt"]) == ("org/new", None, "one run")
    assert "| – | org/new |" in prediction_markdown(found, "en")
    assert "cannot be ranked" in prediction_markdown(found, "en")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "it is empty"),
        ("model,200,400\n", "no row below the header"),
        ("model,loss\na,2\n", "no column is named by a number of training rows"),
        ("200,400\n2,1\n", "no column names the models"),
        ("model,200,400\na,2,-1\n", "the loss of a at 400 is -1"),
        ("model,200,400\na,2,0\n", "must be above 0"),
        ("model,200,400\na,2,good\n", "'good', which is no number"),
        ("model,200,400\na,2,1\na,2,1\n", "a has more than one row"),
        ("model,200,200\na,2,1\n", "two columns are named 200"),
        ("model,200,400\n,2,1\n", "row 2 names no model"),
        ("model,200,400\na,2,1,3\n", "more cells than the header"),
        ("model,200,400\na,2,\n", "at least two runs of one candidate"),
    ],
)
def test_what_cannot_be_used_is_said_plainly(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        _json(_file(tmp_path, text), 400, 800)


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="I cannot read"):
        _json(tmp_path / "no.csv")
