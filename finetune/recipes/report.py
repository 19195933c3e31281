"""Turn a finished evaluation into one HTML page, in English and Chinese, that a colleague can be shown.

The page needs nothing but itself: no scripts, no fonts, no network. The verdict comes first, in words; what is
needed to doubt it, and to repeat it, follows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from html import escape
from typing import Any

from finetune.recipes import report_words as words
from finetune.recipes.charts import Point, Role, svg
from finetune.recipes.finished import Finished, per_1000
from finetune.recipes.report_answers import confusions, disagreements
from finetune.recipes.report_html import STYLE, both, filled, paragraph, said
from finetune.recipes.report_tables import (
    categories,
    comparisons,
    costs,
    dollars,
    how_to_repeat,
    notes_on_rows,
    quality,
    score_text,
)
from index.bilingual import Bilingual

_ALL_BUT = 0.97
"""A race that took more of the answers saved nothing worth a sentence."""

Axis = Callable[[Mapping[str, Any]], float | None]


def render_report(finished: Finished) -> str:
    """Return the page."""
    name = finished.result["dataset"]["name"]
    sections = {
        "quality": quality(finished),
        "costs": costs(finished),
        "charts": _charts(finished),
        "comparisons": comparisons(finished),
        "categories": categories(finished),
        "confusions": confusions(finished),
        "disagreements": disagreements(finished),
        "rows": notes_on_rows(finished),
        "repeat": how_to_repeat(finished),
    }
    body = "".join(f"<h2>{both(words.HEADINGS[key])}</h2>{part}" for key, part in sections.items() if part)
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f"<title>{escape(words.TITLE.en.format(name=name))}</title>"
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head><body>'
        '<input type="radio" name="language" id="en" checked><input type="radio" name="language" id="zh">'
        '<p class="switch small"><label for="en">English</label><label for="zh">中文</label></p>'
        f"<main><h1>{said(words.TITLE, name=name)}</h1>{_subtitle(finished)}{_verdict(finished)}{body}</main>"
        "</body></html>\n"
    )


def verdict(finished: Finished) -> Bilingual:
    """What came out, in one sentence."""
    return _filled(words.VERDICTS, finished)


def headline(finished: Finished) -> Bilingual:
    """The same in few words, for a picture."""
    return _filled(words.HEADLINES, finished)


def _filled(sentences: Mapping[str, Bilingual], finished: Finished) -> Bilingual:
    result = finished.result
    return filled(
        sentences["alone" if len(finished.measured) == 1 else result["verdict"]],
        leader=result["leader"],
        name=result["dataset"]["name"],
        figure=leading_figure(finished),
        delta=result["delta"],
        n=max(row["items_seen"] for row in finished.measured),
    )


def leading_figure(finished: Finished) -> Bilingual:
    """The deciding metric of the leader, with its interval."""
    figure = finished.leader["metrics"][finished.metric]
    low, high = (score_text(end, figure) for end in figure["ci95"])
    value = score_text(figure["value"], figure)
    return filled(words.FIGURE, metric=_in_a_sentence(metric_name(finished)), value=value, low=low, high=high)


def _verdict(finished: Finished) -> str:
    sentences = [said(sentence, **values) for sentence, values in _next_to_the_verdict(finished)]
    more = "".join(paragraph(sentence) for sentence in sentences)
    first = paragraph(f"<strong>{both(verdict(finished))}</strong>")
    return f'<div class="verdict">{first}{more}{_judged(finished)}</div>'


def _judged(finished: Finished) -> str:
    judge = finished.result.get("judge")
    if judge is None:
        return ""
    against = words.REFERENCE if judge["against"] == "reference" else judge["against"]
    return paragraph(said(words.JUDGED, **{**judge, "against": against, "cost": dollars(judge["usd"])}))


def _next_to_the_verdict(finished: Finished) -> list[tuple[Bilingual, dict[str, object]]]:
    result = finished.result
    found: list[tuple[Bilingual, dict[str, object]]] = []
    is_alone = len(finished.measured) == 1
    if result["verdict"] == "insufficient" and result.get("more_rows_needed") and not is_alone:
        found.append((words.MORE, {"rows": result["more_rows_needed"]}))
    if result["verdict"] != "winner" and not is_alone and (choice := _other_grounds(finished)):
        found.append((words.CHOOSE_BY, choice))
    if result["share_of_full_cost"] <= _ALL_BUT and any(
        row["stopped"] == "eliminated" for row in finished.candidates
    ):
        found.append((words.RACE, {"share": result["share_of_full_cost"]}))
    if failed := [row["label"] for row in finished.candidates if row["stopped"] == "failed"]:
        found.append((words.FAILED_COUNT, {"names": ", ".join(failed)}))
    return found


def _other_grounds(finished: Finished) -> dict[str, object] | None:
    """Who is fastest and who smallest of those that nothing speaks against; None where that is not known."""
    left = [row for row in finished.measured if row["stopped"] != "eliminated"]
    if len(left) < 2 or any(not row["tokens_per_s"] or not row["peak_memory_gib"] for row in left):
        return None
    fastest = max(left, key=lambda row: float(row["tokens_per_s"]))
    smallest = min(left, key=lambda row: float(row["peak_memory_gib"]))
    return {
        "fastest": fastest["label"],
        "speed": f"{fastest['tokens_per_s']:.0f}",
        "smallest": smallest["label"],
        "memory": f"{smallest['peak_memory_gib']:.2f}",
    }


def _subtitle(finished: Finished) -> str:
    dataset = finished.result["dataset"]
    text = said(
        words.SUBTITLE,
        candidates=len(finished.candidates),
        task=dataset["task"],
        used=dataset["rows_used"],
        rows=dataset["rows"],
        device=finished.result["environment"].get("device", "–"),
    )
    return paragraph(text, "small")


def points(finished: Finished, axis: Axis) -> list[Point]:
    """The measured candidates of which the axis is known, in the order of the table."""
    found = []
    for row in (row for row in finished.ranked if row["stopped"] != "failed"):
        x, figure = axis(row), row["metrics"][finished.metric]
        if x is not None:
            low, high = figure["ci95"]
            role = _role(row, finished.result["leader"])
            found.append(Point(name=row["label"], x=x, y=figure["value"], low=low, high=high, role=role))
    return found


def axes(finished: Finished) -> dict[str, Axis]:
    """What quality is drawn against: dollars where they are known of everybody, else time; speed; memory."""
    are_priced = all(row.get("usd") is not None for row in finished.measured)
    first: dict[str, Axis] = (
        {"usd": lambda row: per_1000(row, "usd")} if are_priced else {"seconds": finished.seconds_per_1000}
    )
    return first | {
        "speed": lambda row: row["tokens_per_s"],
        "memory": lambda row: row["peak_memory_gib"],
    }


def metric_name(finished: Finished) -> Bilingual:
    """The deciding metric, as people call it."""
    return words.METRICS.get(finished.metric, Bilingual(finished.metric, finished.metric))


def _in_a_sentence(name: Bilingual) -> Bilingual:
    """`Accuracy` -> `accuracy`, but `BLEU` as it is."""
    return Bilingual(name.en[0].lower() + name.en[1:], name.zh) if name.en[1:2].islower() else name


def is_lower_better(finished: Finished) -> bool:
    """True of a deciding metric such as bits per byte."""
    return finished.leader["metrics"][finished.metric].get("higher_is_better") is False


def _charts(finished: Finished) -> str:
    drawn = {name: points(finished, axis) for name, axis in axes(finished).items()}
    figures = "".join(_chart(finished, name, shown) for name, shown in drawn.items() if len(shown) > 1)
    shapes = paragraph(both(words.SHAPES), "small") if len(finished.measured) > 1 else ""
    return f'{shapes}<div class="charts">{figures}</div>' if figures else ""


def _chart(finished: Finished, name: str, shown: list[Point]) -> str:
    metric = metric_name(finished)
    if is_lower_better(finished):
        metric = filled(words.LOWER_IS_BETTER, name=metric)
    picture = svg(shown, is_lower_better=is_lower_better(finished))
    return (
        f"<figure><figcaption>{both(words.CHART_TITLES[name])}</figcaption>"
        f'<p class="axis">{said(words.CHART_Y, metric=metric)}</p>{picture}'
        f'<p class="axis x">{both(words.CHARTS[name])}</p></figure>'
    )


def _role(row: Mapping[str, Any], leader: str) -> Role:
    if row["label"] == leader:
        return "leader"
    return "eliminated" if row["stopped"] == "eliminated" else "other"
