"""Turn the result of an evaluation and its answers into one HTML page, in English and Chinese.

The page needs nothing but itself: no scripts, no fonts, no network. Everything that came from a person or a
model is escaped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from finetune.recipes.answers import Answer
from index.bilingual import Bilingual, Language

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --faint: #8881; --accent: #2b6cb0; }
body { font: 15px/1.5 system-ui, "PingFang SC", "Microsoft YaHei", sans-serif; margin: 2rem auto; max-width: 64rem;
       padding: 0 1rem; }
h1 { font-size: 1.5rem; margin-bottom: .2rem } h2 { font-size: 1.1rem; margin-top: 2rem }
table { border-collapse: collapse; margin: .5rem 0; display: block; overflow-x: auto }
th, td { border-bottom: 1px solid var(--line); padding: .35rem .7rem; text-align: right; white-space: nowrap }
th:first-child, td:first-child { text-align: left } td.words { white-space: normal; text-align: left }
.verdict { font-size: 1.1rem; border-left: 4px solid var(--accent); padding-left: .8rem }
.small { font-size: .85rem; opacity: .75 } .switch label { cursor: pointer; margin-right: 1rem }
input[name=language] { display: none } main { display: none }
#en:checked ~ main.en, #zh:checked ~ main.zh { display: block }
"""

_VERDICTS = {
    "winner": Bilingual(
        "{winner} is the best, by more than chance explains.", "{winner} 最好，且差异不能用偶然解释。"
    ),
    "indistinguishable": Bilingual(
        "The best ones differ by less than {delta:g}: choose by speed, memory or price.",
        "领先者之间的差异小于 {delta:g}：可按速度、内存或价格选择。",
    ),
    "insufficient": Bilingual(
        "{leader} leads, but {n} rows are not enough to name a winner.{more}",
        "{leader} 领先，但 {n} 行数据不足以判断优劣。{more}",
    ),
}
_MORE = Bilingual(" About {rows:,} more would likely do.", "大约还需 {rows:,} 行。")
_TITLE = Bilingual("Evaluation on {name}", "在 {name} 上的评测")
_SUBTITLE = Bilingual(
    "{used} of {rows} rows · data {sha} · {device}", "使用 {rows} 行中的 {used} 行 · 数据 {sha} · {device}"
)
_COLUMNS_BEFORE = (Bilingual("Candidate", "候选"),)
_COLUMNS_AFTER = (
    Bilingual("Tokens/s", "词元/秒"),
    Bilingual("Latency p50 / p95", "延迟 p50 / p95"),
    Bilingual("Memory", "内存"),
    Bilingual("Load", "加载"),
    Bilingual("Rows", "行数"),
)
_METRIC_NAMES = {
    "accuracy": Bilingual("Accuracy", "准确率"),
    "balanced_accuracy": Bilingual("Balanced", "均衡准确率"),
    "f1_macro": Bilingual("Macro F1", "宏平均 F1"),
    "f1_micro": Bilingual("Micro F1", "微平均 F1"),
    "precision_macro": Bilingual("Precision", "精确率"),
    "recall_macro": Bilingual("Recall", "召回率"),
    "exact_match": Bilingual("Exact match", "完全匹配"),
    "token_f1": Bilingual("Token F1", "词元 F1"),
    "chrf": Bilingual("chrF", "chrF"),
    "bleu": Bilingual("BLEU", "BLEU"),
    "rouge1": Bilingual("ROUGE-1", "ROUGE-1"),
    "rouge2": Bilingual("ROUGE-2", "ROUGE-2"),
    "rougeL": Bilingual("ROUGE-L", "ROUGE-L"),
    "field_f1": Bilingual("Field F1", "字段 F1"),
    "json_validity": Bilingual("Valid JSON", "JSON 有效率"),
    "bits_per_byte": Bilingual("Bits per byte ↓", "每字节比特数 ↓"),
    "perplexity": Bilingual("Perplexity ↓", "困惑度 ↓"),
    "win_rate": Bilingual("Wins", "胜率"),
}
_NOTES = {
    "eliminated": Bilingual("left the race: it could not be the best any more", "已退出竞速：不可能是最好的"),
    "cut_off": Bilingual("{count} answers came to the length limit", "{count} 个回答达到长度上限"),
    "too_long": Bilingual("{count} rows are longer than its context", "{count} 行超出其上下文"),
    "failed": Bilingual("{count} requests failed and count as wrong", "{count} 个请求失败，按错误计"),
    "refused": Bilingual("{count} answers were refused and count as wrong", "{count} 个回答被拒绝，按错误计"),
    "empty": Bilingual("{count} answers were empty and count as wrong", "{count} 个回答为空，按错误计"),
    "without_label": Bilingual(
        "{count} answers named no label, or several, and count as wrong",
        "{count} 个回答没有给出唯一的标签，按错误计",
    ),
}
_PAIR_COLUMNS = (
    Bilingual("Pair", "两者"),
    Bilingual("Difference (95%)", "差异（95%）"),
    Bilingual("p", "p 值"),
    Bilingual("Only the first right", "仅前者正确"),
    Bilingual("Only the second right", "仅后者正确"),
)
_HEADINGS = {
    "candidates": Bilingual("Candidates", "候选对比"),
    "comparisons": Bilingual("Paired comparisons", "配对比较"),
    "categories": Bilingual("By category", "分类别结果"),
    "disagreements": Bilingual("Where they differ", "回答不同之处"),
    "confusion": Bilingual("What was taken for what", "混淆矩阵"),
    "environment": Bilingual("Measured with", "测量环境"),
}
_PAIRED_NOTE = Bilingual(
    "Same rows for both; difference of scores, first minus second; {method}.",
    "两者使用相同的数据行；差异为前者得分减后者；方法：{method}。",
)
_CONFUSION_NOTE = Bilingual("Rows: the true label. Columns: the prediction.", "行为真实标签，列为模型预测。")
_CATEGORY = Bilingual("Category", "类别")
_MOST_CATEGORIES = 40
_SHOWN_DISAGREEMENTS = 12
_SHOWN_CHARACTERS = 300
_FAILED = Bilingual("not evaluated: {reason}", "未完成评测：{reason}")


def render_report(result: Mapping[str, Any], answers: Mapping[str, Sequence[Answer]]) -> str:
    """Return the page."""
    title = escape(_TITLE.en.format(name=result["dataset"]["name"]))
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head><body>'
        '<input type="radio" name="language" id="en" checked><input type="radio" name="language" id="zh">'
        '<p class="switch small"><label for="en">English</label><label for="zh">中文</label></p>'
        f"{_page(result, answers, 'en')}{_page(result, answers, 'zh')}</body></html>\n"
    )


def _page(result: Mapping[str, Any], answers: Mapping[str, Sequence[Answer]], language: Language) -> str:
    dataset = result["dataset"]
    subtitle = _SUBTITLE.to(language).format(
        used=dataset["rows_used"],
        rows=dataset["rows"],
        sha=dataset["sha256"][:12],
        device=result["environment"]["device"],
    )
    sections = [
        _section("candidates", _candidates(result, language), language),
        _section("comparisons", _comparisons(result["comparisons"], language), language),
        _section("categories", _categories(result["candidates"], language), language),
        _section("disagreements", _disagreements(answers, result["leader"], language), language),
        _section("confusion", _confusions(answers, dataset["labels"], language), language),
        _section("environment", _environment(result["environment"]), language),
    ]
    return (
        f'<main class="{language}" lang="{language}">'
        f"<h1>{escape(_TITLE.to(language).format(name=dataset['name']))}</h1>"
        f'<p class="small">{escape(subtitle)}</p>'
        f'<p class="verdict">{escape(_verdict(result, language))}</p>{_judge(result, language)}{"".join(sections)}</main>'
    )


def _verdict(result: Mapping[str, Any], language: Language) -> str:
    words = _VERDICTS[result["verdict"]].to(language)
    rows = result.get("more_rows_needed")
    return words.format(
        winner=result["winner"],
        leader=result["leader"],
        delta=result["delta"],
        n=max(row["items_seen"] for row in result["candidates"]),
        more=_MORE.to(language).format(rows=rows) if rows else "",
    )


_JUDGED = Bilingual(
    "Judged by {label}, in both orders, against {against}: {calls} calls, {ties_by_order} verdicts that flipped with "
    "the order and {unreadable} that could not be read (both count as ties), cost {cost}.",
    "由 {label} 裁判，正反两种顺序，对照 {against}：调用 {calls} 次，{ties_by_order} 个裁决随顺序翻转、"
    "{unreadable} 个无法识别（均按平局计），花费 {cost}。",
)
_REFERENCE = Bilingual("the reference", "参考答案")


def _judge(result: Mapping[str, Any], language: Language) -> str:
    judge = result.get("judge")
    if judge is None:
        return ""
    against = _REFERENCE.to(language) if judge["against"] == "reference" else judge["against"]
    cost = _known(judge["usd"], "${:.4f}")
    return f"<p>{escape(_JUDGED.to(language).format(**{**judge, 'against': against, 'cost': cost}))}</p>"


def _section(name: str, body: str, language: Language) -> str:
    return f"<h2>{_HEADINGS[name].to(language)}</h2>{body}" if body else ""


def _candidates(result: Mapping[str, Any], language: Language) -> str:
    rows = result["candidates"]
    names = list(dict.fromkeys([result["metric"], *(name for row in rows for name in row["metrics"])]))
    columns = (*_COLUMNS_BEFORE, *(_METRIC_NAMES[name] for name in names), *_COLUMNS_AFTER)
    heads = [column.to(language) for column in columns]
    heads[1] += " (95%)" if language == "en" else "（95%）"
    return _table(heads, [_candidate(row, names, language) for row in rows])


def _candidate(row: Mapping[str, Any], names: Sequence[str], language: Language) -> str:
    notes = "".join(f'<br><span class="small">{escape(note)}</span>' for note in _notes(row, language))
    label = f"<td>{escape(row['label'])}{notes}</td>"
    if row["stopped"] == "failed":
        reason = row["reason_zh"] if language == "zh" else row["reason"]
        words = escape(_FAILED.to(language).format(reason=reason))
        return f'<tr>{label}<td class="words" colspan="{len(names) + len(_COLUMNS_AFTER)}">{words}</td></tr>'
    first, *others = [row["metrics"][name] for name in names]
    low, high = first["ci95"]
    latencies = [row["latency_p50_s"], row["latency_p95_s"]]
    return f"<tr>{label}" + _cells(
        f"{first['value']:.3f} ({low:.3f} … {high:.3f})",
        *(f"{figure['value']:.3f}" for figure in others),
        _known(row["tokens_per_s"], "{:.0f}"),
        " / ".join(_known(latency, "{:.3f} s") for latency in latencies),
        _known(row["peak_memory_gib"], "{:.2f} GiB"),
        _known(row.get("load_time_s"), "{:.1f} s"),
        str(row["items_seen"]),
    )


def _cost_note(row: Mapping[str, Any]) -> Bilingual:
    if row.get("output_usd_per_mtok") is None:
        return Bilingual("its price is unknown", "价格未知")
    price = f"${row['input_usd_per_mtok']:g} / ${row['output_usd_per_mtok']:g}"
    cost = _known(row.get("usd"), "${:.4f}")
    return Bilingual(
        f"cost {cost}, at {price} a million tokens in / out", f"花费 {cost}，每百万 token 输入 / 输出 {price}"
    )


def _known(value: float | None, form: str) -> str:
    return "–" if value is None else form.format(value)


def _notes(row: Mapping[str, Any], language: Language) -> list[str]:
    counts = {
        "cut_off": row.get("answers_cut_off"),
        "too_long": row.get("rows_too_long"),
        **{name: row.get(f"answers_{name}") for name in ("failed", "refused", "empty", "without_label")},
    }
    found = [_NOTES[name].to(language).format(count=count) for name, count in counts.items() if count]
    if "hosted" in row:
        found.append(_cost_note(row).to(language))
    return ([_NOTES["eliminated"].to(language)] if row["stopped"] == "eliminated" else []) + found


def _categories(rows: Sequence[Mapping[str, Any]], language: Language) -> str:
    """Mean score of each category, a column per candidate."""
    shown = [row for row in rows if row.get("by_category")]
    names = sorted({name for row in shown for name in row["by_category"]})
    if not names or len(names) > _MOST_CATEGORIES:
        return ""
    lines = []
    for name in names:
        cells = [row["by_category"].get(name) for row in shown]
        values = ["–" if cell is None else f"{cell['value']:.3f} (n={cell['n']})" for cell in cells]
        lines.append(f"<tr><td>{escape(name)}</td>{_cells(*values)}")
    return _table([_CATEGORY.to(language), *(row["label"] for row in shown)], lines)


def _disagreements(answers: Mapping[str, Sequence[Answer]], leader: str, language: Language) -> str:
    """Rows on which the leader and others differ the most, worth reading."""
    of_leader = {answer.row: answer for answer in answers.get(leader, ())}
    found = [
        (abs(answer.score - of_leader[answer.row].score), name, answer)
        for name, of_one in answers.items()
        if name != leader
        for answer in of_one
        if answer.row in of_leader and answer.prediction != of_leader[answer.row].prediction
    ]
    found.sort(key=lambda item: (-item[0], item[2].row, item[1]))
    lines = [
        f"<tr><td>{escape(answer.row)}</td>"
        + "".join(
            f'<td class="words">{escape(text[:_SHOWN_CHARACTERS])}</td>'
            for text in (answer.label, of_leader[answer.row].prediction, f"{name}: {answer.prediction}")
        )
        + "</tr>"
        for _, name, answer in found[:_SHOWN_DISAGREEMENTS]
    ]
    if not lines:
        return ""
    columns = Bilingual(f"Row|Right|{leader}|Other", f"行|正确答案|{leader}|其他").to(language).split("|")
    return _table(columns, lines)


def _comparisons(pairs: Sequence[Mapping[str, Any]], language: Language) -> str:
    if not pairs:
        return ""
    rows = [
        f"<tr><td>{escape(pair['a'])} − {escape(pair['b'])}</td>"
        + _cells(
            f"{pair['difference']:+.3f} ({pair['ci95'][0]:+.3f} … {pair['ci95'][1]:+.3f})",
            f"{pair['p_value']:.3g}",
            str(pair["a_only"]),
            str(pair["b_only"]),
        )
        for pair in pairs
    ]
    note = escape(_PAIRED_NOTE.to(language).format(method=pairs[0]["method"]))
    return _table([column.to(language) for column in _PAIR_COLUMNS], rows) + f'<p class="small">{note}</p>'


def _confusions(answers: Mapping[str, Sequence[Answer]], labels: Sequence[str], language: Language) -> str:
    if not labels:
        return ""
    note = f'<p class="small">{_CONFUSION_NOTE.to(language)}</p>'
    return note + "".join(_confusion(name, given, labels) for name, given in answers.items())


def _confusion(name: str, given: Sequence[Answer], labels: Sequence[str]) -> str:
    counts = Counter((answer.label, answer.prediction) for answer in given)
    rows = []
    for label in labels:
        total = sum(counts[label, other] for other in labels) or 1
        cells = "".join(
            f'<td style="background: rgb(43 108 176 / {counts[label, other] / total:.2f})">'
            f"{counts[label, other] or ''}</td>"
            for other in labels
        )
        rows.append(f"<tr><td>{escape(label)}</td>{cells}</tr>")
    return _table([name, *labels], rows)


def _environment(environment: Mapping[str, str]) -> str:
    rows = [
        f'<tr><td>{escape(name)}</td><td class="words">{escape(value)}</td></tr>'
        for name, value in environment.items()
    ]
    return f'<table class="small">{"".join(rows)}</table>'


def _table(columns: Sequence[str], rows: Sequence[str]) -> str:
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _cells(*values: str) -> str:
    return "".join(f"<td>{escape(value)}</td>" for value in values) + "</tr>"
