"""What people take away from a finished evaluation: the page, the picture and the tables, on made-up results."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import pytest
import yaml

from finetune.recipes.charts import Point, svg
from finetune.recipes.exports import answers_csv, candidates_csv, summary_picture, write_exports
from finetune.recipes.finished import Finished
from finetune.recipes.labels import Box, place_labels
from finetune.recipes.repeat import spec_yaml
from finetune.recipes.report import render_report
from finetune.spec import Candidate
from tests.finetune.finished_runs import failed_candidate, finished, row

PNG = b"\x89PNG"


def table_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))


def with_failure(run: Finished) -> Finished:
    return replace(run, result={**run.result, "candidates": [*run.candidates, failed_candidate("broken")]})


def test_the_page_begins_with_the_verdict_in_both_languages() -> None:
    page = render_report(finished())
    assert page.index("good is the best on tickets.csv") < page.index("<table>")
    assert "good 在 tickets.csv 上最好" in page


def test_the_page_needs_nothing_but_itself() -> None:
    assert not re.findall(r'<script|<link|<img|src=|href="(?!#)|url\(|https?://', render_report(finished(3)))


def test_each_metric_comes_with_its_interval() -> None:
    run = finished()
    for name, figure in run.leader["metrics"].items():
        low, high = figure["ci95"]
        assert f"{figure['value']:.3f}<br><i>{low:.3f}–{high:.3f}</i>" in render_report(run), name


def test_a_candidate_that_left_the_race_says_when_and_why() -> None:
    page = render_report(finished(more={"fair": {"stopped": "eliminated"}}))
    assert "left the race after 12 rows: it could not be the best any more" in page


def test_a_candidate_that_failed_says_why_in_both_languages() -> None:
    page = render_report(with_failure(finished()))
    assert "could not be measured: Out of {memory}." in page
    assert "未能测量：内存 {不足}。" in page


def test_what_nobody_knows_has_no_column_and_what_somebody_knows_has_one() -> None:
    assert "Dollars for 1,000 answers" not in render_report(finished())
    page = render_report(finished(more={"good": {"usd": 0.06, "joules_per_row": 12.0}}))
    assert "$5.00" in page  # 0.06 dollars for 12 answers
    assert "12.00 J" in page
    assert "Against time (dollars unknown)" in page


def test_quality_is_drawn_against_dollars_where_they_are_known_of_everybody() -> None:
    page = render_report(finished(more={"good": {"usd": 0.06}, "fair": {"usd": 0.02}}))
    assert "Against dollars" in page
    assert page.count("<svg") == 3


def test_one_candidate_is_a_page_too() -> None:
    run = finished(1, verdict="insufficient", winner=None)
    page = render_report(run)
    assert "There was nothing to compare it with" in page
    assert "<svg" not in page
    assert (summary_picture(run) or b"").startswith(PNG)


def test_the_likeliest_confusions_are_named_in_words() -> None:
    page = render_report(finished(wrong={"good": (0, 2, 4), "fair": ()}))
    assert "billing is most often taken for refund: 3 of 6 rows." in page
    assert "fair confuses nothing." in page


def test_rows_on_which_the_leader_and_others_differ_are_shown_either_way() -> None:
    rows = [row(n, text=f"<b>ticket {n}</b> " + "long " * 100) for n in range(12)]
    page = render_report(finished(rows=rows, wrong={"good": (3,), "fair": (5, 7)}))
    loses, wins = (
        page.index("good is worse than another here"),
        page.index("good is better than another here"),
    )
    assert loses < page.index("row r3") < wins < page.index("row r5")
    assert "&lt;b&gt;ticket 3" in page
    assert "<b>ticket" not in page
    assert "<details><summary>&lt;b&gt;ticket 3" in page


def test_rows_left_out_and_answers_cut_off_are_counted() -> None:
    run = finished(
        spec={"limit": 12, "examples": 2}, more={"fair": {"answers_cut_off": 4, "rows_too_long": 3}}
    )
    page = render_report(run)
    assert "20 rows in the data set, 12 used." in page
    assert "2 rows were shown as examples" in page
    assert "fair: 4 answers came to the length limit" in page
    assert "fair: 3 rows are longer than its context" in page


def test_names_from_data_are_escaped_everywhere() -> None:
    page = render_report(finished(names=("<i>x", "a & b")))
    assert "<i>x" not in page
    assert "a & b" not in page


def test_metrics_of_which_less_is_better_are_drawn_upside_down() -> None:
    points = [Point(name=n, x=x, y=x, low=x, high=x, role="other") for n, x in (("less", 1.0), ("more", 2.0))]

    def is_above(picture: str) -> bool:
        height = {n: float(re.findall(rf'y="([\d.]+)"[^>]*>{n}<', picture)[0]) for n in ("less", "more")}
        return height["less"] < height["more"]

    assert not is_above(svg(points))
    assert is_above(svg(points, is_lower_better=True))


def test_labels_never_cover_each_other_or_a_point() -> None:
    points = [(100.0 + 7 * n, 100.0 + (n * 37) % 60) for n in range(12)]
    markers = [Box(x - 4, y - 4, x + 4, y + 4) for x, y in points]
    inside = Box(0, 0, 500, 300)
    places = place_labels([(140, 12)] * 12, points, inside=inside, taken=markers)
    boxes = [place for place in places if place]
    assert len(boxes) == 12
    assert all(box.is_within(inside) for box in boxes)
    assert not any(a.overlaps(b) for a, b in combinations([*boxes, *markers], 2) if a not in markers)


@pytest.mark.parametrize("n", [1, 12])
def test_the_picture_takes_long_and_chinese_names(n: int) -> None:
    names = [f"客服模型-{k}-with-a-very-long-name-$x$-that-goes-on-and-on nf4" for k in range(12)]
    assert (summary_picture(finished(n, names=names)) or b"").startswith(PNG)


def test_a_cell_that_a_spreadsheet_would_run_gets_an_apostrophe() -> None:
    rows = [
        row(n, text=text)
        for n, text in enumerate(['=HYPERLINK("x")', "+1", "-1", "@a", "\tx", "＝1+1", "fine"])
    ]
    texts = [line["text"] for line in table_of(answers_csv(finished(rows=rows)))]
    assert texts == ['\'=HYPERLINK("x")', "'+1", "'-1", "'@a", "'\tx", "'＝1+1", "fine"]


def test_answers_are_a_row_per_item_with_what_each_candidate_said() -> None:
    lines = table_of(answers_csv(finished()))
    assert len(lines) == 12
    assert lines[0]["label"] == "billing"
    assert (lines[0]["good: prediction"], lines[0]["good: correct"]) == ("billing", "1")
    assert (lines[0]["fair: prediction"], lines[0]["fair: correct"]) == ("refund", "0")


def test_candidates_are_a_row_each_and_negative_numbers_stay_numbers() -> None:
    run = with_failure(finished(more={"good": {"usd": 0.6, "tokens_per_s": -1.5}}))
    good, _, broken = table_of(candidates_csv(run))
    assert float(good["accuracy_low95"]) < float(good["accuracy"]) <= float(good["accuracy_high95"])
    assert (good["usd_per_1000_answers"], good["tokens_per_s"]) == ("50.0", "-1.5")
    assert (broken["stopped"], broken["accuracy"]) == ("failed", "")


def test_all_files_are_written_and_named_in_the_result(tmp_path: Path) -> None:
    told = write_exports(tmp_path, finished())
    paths = [told["report"], told["chart"], *told["csv"]]
    assert all(Path(path).parent == tmp_path and Path(path).is_file() for path in paths)
    assert told["repeat"] == f"shortlist evaluate {tmp_path / 'spec.yaml'}"


def test_the_spec_as_yaml_says_what_is_not_usual() -> None:
    run = finished(spec={"limit": 7, "seed": 3, "full": True, "instruction": "只回答标签: yes"})
    options = yaml.safe_load(spec_yaml(run.spec))
    assert options == {
        "models": ["good", "fair"], "dataset": f"sha256:{'a' * 64}", "task": "classification", "limit": 7,
        "full": True, "instruction": "只回答标签: yes", "seed": 3,
    }  # fmt: skip


def test_a_candidate_that_short_words_do_not_name_is_spelled_out() -> None:
    tuned = Candidate(model="m", quantization="nf4", adapter="jobs/7/adapter")
    options = yaml.safe_load(spec_yaml(finished(spec={"candidates": (tuned,)}).spec))
    assert [Candidate.model_validate(value) for value in options["models"]] == [tuned]
    assert "labels" not in options
