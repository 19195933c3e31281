"""The figures of a finished evaluation -> the tables of its report."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any

from finetune.recipes import report_words as words
from finetune.recipes.finished import Finished, per_1000
from finetune.recipes.repeat import spec_yaml
from finetune.recipes.report_html import both, cells, filled, paragraph, said, table
from index.bilingual import Bilingual

_MOST_CATEGORIES = 40
_UNKNOWN = "–"
_COUNTS = {
    "too_long": "rows_too_long",
    "cut_off": "answers_cut_off",
    "failed": "answers_failed",
    "refused": "answers_refused",
    "empty": "answers_empty",
    "without_label": "answers_without_label",
    "cached": "items_cached",
}
"""Note -> field of a candidate that counts what it is about."""

Row = Mapping[str, Any]


def quality(finished: Finished) -> str:
    """Every metric of every candidate, how many rows it saw, and how it ended."""
    names = list(dict.fromkeys([finished.metric, *(n for row in finished.measured for n in row["metrics"])]))
    first, *others = (_metric_name(name, finished) for name in names)
    heads = [words.CANDIDATE, first, words.ROWS_ASKED, words.ENDED, *others]
    lines = [_quality(row, names, finished) for row in finished.ranked]
    return table([both(head) for head in heads], lines, "quality")


def _quality(row: Row, names: list[str], finished: Finished) -> str:
    start = f"<tr{_marked(row, finished)}><td>{escape(row['label'])}</td>"
    if row["stopped"] == "failed":
        reason = said(words.FAILED, reason=Bilingual(row["reason"], row["reason_zh"]))
        return f'{start}<td class="words" colspan="{len(names) + 2}">{reason}</td></tr>'
    first, *others = (f"<td>{_score(row['metrics'].get(name))}</td>" for name in names)
    end = said(words.ENDS[row["stopped"]], items=row["items_seen"])
    items = cells(format(row["items_seen"], ","))
    return f'{start}{first}{items}<td class="words">{end}</td>{"".join(others)}</tr>'


def _metric_name(name: str, finished: Finished) -> Bilingual:
    shown = words.METRICS.get(name, Bilingual(name, name))
    is_lower = any(row["metrics"].get(name, {}).get("higher_is_better") is False for row in finished.measured)
    return filled(words.LOWER_IS_BETTER, name=shown) if is_lower else shown


def _score(figure: Row | None) -> str:
    if figure is None:
        return _UNKNOWN
    low, high = (score_text(end, figure) for end in figure["ci95"])
    return f"{score_text(figure['value'], figure)}<br><i>{low}–{high}</i>"


def score_text(value: float | None, figure: Row) -> str:
    """A score as people write it: 0.843, or 27.4 of 100."""
    if value is None:
        return _UNKNOWN
    return f"{value:.1f}" if figure.get("unit") == "points" else f"{value:.3f}"


def costs(finished: Finished) -> str:
    """Speed, latency, memory and money; what nobody was measured for has no column."""
    columns: dict[Bilingual, Callable[[Row], str]] = {
        words.SPEED: lambda row: _number(row["tokens_per_s"], ",.0f"),
        words.LATENCY: _latency,
        words.FIRST_TOKEN: lambda row: _number(row.get("first_token_p50_s"), ".3f", " s"),
        words.BUSY: lambda row: _number(finished.seconds_per_1000(row), ",.0f", " s"),
        words.MEMORY: lambda row: _number(row["peak_memory_gib"], ".2f", " GiB"),
        words.LOAD: lambda row: _number(row.get("load_time_s"), ",.1f", " s"),
        words.USD: lambda row: dollars(row.get("usd")),
        words.USD_PER_1000: lambda row: dollars(per_1000(row, "usd")),
        words.PRICE: _price,
        words.ENERGY: lambda row: _number(row.get("joules_per_row"), ",.2f", " J"),
        words.CACHED: lambda row: _number(row.get("items_cached") or None, ","),
    }
    known = {
        head: of for head, of in columns.items() if any(of(row) != _UNKNOWN for row in finished.measured)
    }
    if not known:
        return ""
    lines = [
        _costs(row, list(known.values()), finished) for row in finished.ranked if row["stopped"] != "failed"
    ]
    heads = [both(head) for head in (words.CANDIDATE, *known)]
    return table(heads, lines) + paragraph(both(words.COST_NOTE), "small")


def _costs(row: Row, columns: list[Callable[[Row], str]], finished: Finished) -> str:
    figures = cells(*(column(row) for column in columns))
    return f"<tr{_marked(row, finished)}><td>{escape(row['label'])}</td>{figures}</tr>"


def _latency(row: Row) -> str:
    p50, p95 = row["latency_p50_s"], row["latency_p95_s"]
    return _UNKNOWN if p50 is None else f"{p50:.3f} / {_number(p95, '.3f', ' s')}"


def _price(row: Row) -> str:
    into, out = row.get("input_usd_per_mtok"), row.get("output_usd_per_mtok")
    return _UNKNOWN if out is None else f"{dollars(into)} / {dollars(out)}"


def dollars(value: float | None) -> str:
    """An amount, with two digits that say something."""
    if value is None:
        return _UNKNOWN
    return f"${value:,.2f}" if value >= 1 or value == 0 else f"${value:.2g}"


def _number(value: float | None, form: str, unit: str = "") -> str:
    return _UNKNOWN if value is None else format(value, form) + unit


def _marked(row: Row, finished: Finished) -> str:
    return ' class="leader"' if row["label"] == finished.result["leader"] else ""


def comparisons(finished: Finished) -> str:
    """Every pair on the rows that both answered."""
    pairs = finished.result["comparisons"]
    if not pairs:
        return ""
    leader = finished.result["leader"]
    of_leader = [pair for pair in pairs if leader in (pair["a"], pair["b"])]
    others = [pair for pair in pairs if pair not in of_leader]
    more = (
        f"<details><summary>{both(words.OTHER_PAIRS)}</summary>{_pairs(others)}</details>" if others else ""
    )
    note = said(words.PAIRED_NOTE, method="; ".join(dict.fromkeys(str(pair["method"]) for pair in pairs)))
    return _pairs(of_leader) + more + paragraph(note, "small")


def _pairs(pairs: Sequence[Row]) -> str:
    lines = [
        f"<tr><td>{escape(pair['a'])} − {escape(pair['b'])}</td>"
        + cells(
            f"{pair['difference']:+.3f} ({pair['ci95'][0]:+.3f} … {pair['ci95'][1]:+.3f})",
            "<0.001" if pair["p_value"] < 0.001 else f"{pair['p_value']:.3f}",
            _number(pair.get("a_only"), ","),
            _number(pair.get("b_only"), ","),
        )
        + "</tr>"
        for pair in pairs
    ]
    return table([both(column) for column in words.PAIR_COLUMNS], lines)


def categories(finished: Finished) -> str:
    """Mean score of each category, a column per candidate."""
    shown = [row for row in finished.measured if row.get("by_category")]
    names = sorted({name for row in shown for name in row["by_category"]})
    if not names or len(names) > _MOST_CATEGORIES:
        return ""
    lines = [f"<tr><td>{escape(name)}</td>{_category(name, shown)}</tr>" for name in names]
    return table([both(words.CATEGORY), *(escape(row["label"]) for row in shown)], lines)


def _category(name: str, shown: list[Row]) -> str:
    found = [row["by_category"].get(name) for row in shown]
    figures = (
        f"<td>{cell['value']:.3f} <i>n={cell['n']}</i></td>" if cell else f"<td>{_UNKNOWN}</td>"
        for cell in found
    )
    return "".join(figures)


def notes_on_rows(finished: Finished) -> str:
    """What was left out and why, and which answers came to the length limit."""
    dataset, spec, notes = finished.result["dataset"], finished.spec, words.ROWS_NOTES
    lines = [said(notes["used"], rows=dataset["rows"], used=dataset["rows_used"])]
    if spec.limit is not None:
        lines.append(said(notes["limit"], limit=spec.limit))
    if spec.examples:
        lines.append(said(notes["examples"], examples=spec.examples))
    if dataset.get("rows_left_out"):
        lines.append(said(notes["trained"], count=dataset["rows_left_out"]))
    for row in finished.measured:
        if row.get("hosted") and row.get("output_usd_per_mtok") is None:
            lines.append(said(notes["price"], name=row["label"]))
        lines += [
            said(notes[name], name=row["label"], count=row[field])
            for name, field in _COUNTS.items()
            if row.get(field)
        ]
    return f"<ul>{''.join(f'<li>{line}</li>' for line in lines)}</ul>"


def how_to_repeat(finished: Finished) -> str:
    """One command, the spec for other machines, and with what it was measured."""
    dataset, environment = finished.result["dataset"], finished.result["environment"]
    command = finished.result.get("repeat")
    here = f"{paragraph(both(words.COMMAND))}<pre>{escape(command)}</pre>" if command else ""
    revisions = {row["label"]: str(row["revision"]) for row in finished.measured if row.get("revision")}
    return (
        f"{here}{paragraph(said(words.ELSEWHERE, sha=dataset['sha256']))}"
        f"<pre>{escape(spec_yaml(finished.spec))}</pre>"
        f"{_facts(words.REVISIONS, revisions)}{_facts(words.WITH, environment)}"
    )


def _facts(head: Bilingual, facts: Mapping[str, Any]) -> str:
    lines = [
        f'<tr><td>{escape(name)}</td><td class="words">{escape(str(value))}</td></tr>'
        for name, value in facts.items()
    ]
    return f"<h3>{both(head)}</h3>{table([], lines, 'small')}" if lines else ""
