"""What the report of an evaluation says, in English and Chinese. Blanks in braces are filled by `report_html.said`."""

from __future__ import annotations

from index.bilingual import Bilingual

TITLE = Bilingual("Evaluation on {name}", "在 {name} 上的评测")
SUBTITLE = Bilingual(
    "Candidates: {candidates} · {task} · {used:,} of {rows:,} rows · {device}",
    "候选 {candidates} 个 · {task} · 使用 {rows:,} 行中的 {used:,} 行 · {device}",
)
VERDICTS = {
    "alone": Bilingual(
        "{leader} on {name}: {figure}. There was nothing to compare it with.",
        "{leader} 在 {name} 上：{figure}。没有可比较的其他候选。",
    ),
    "winner": Bilingual(
        "{leader} is the best on {name}, by more than chance explains: {figure}.",
        "{leader} 在 {name} 上最好，且差异不能用偶然解释：{figure}。",
    ),
    "indistinguishable": Bilingual(
        "No difference that matters on {name}: the best ones differ by less than {delta:g}. {leader} has {figure}.",
        "在 {name} 上没有实质差别：领先者之间的差异小于 {delta:g}。{leader} 为 {figure}。",
    ),
    "insufficient": Bilingual(
        "{leader} leads on {name} with {figure}, but {n:,} rows are too few to name a winner.",
        "{leader} 在 {name} 上暂时领先，{figure}；但 {n:,} 行数据不足以分出胜负。",
    ),
}
HEADLINES = {
    "alone": Bilingual("{leader} on {name}", "{leader} 在 {name} 上的结果"),
    "winner": Bilingual("{leader} is the best on {name}", "{leader} 在 {name} 上最好"),
    "indistinguishable": Bilingual("No difference that matters on {name}", "在 {name} 上没有实质差别"),
    "insufficient": Bilingual(
        "{leader} leads on {name}, too few rows to be sure", "{leader} 在 {name} 上暂时领先"
    ),
}
FIGURE = Bilingual("{metric} {value} (95%: {low} to {high})", "{metric} {value}（95%：{low} 至 {high}）")
MORE = Bilingual("About {rows:,} more rows would likely settle it.", "大约再加 {rows:,} 行可以定下来。")
CHOOSE_BY = Bilingual(
    "Of those that are left, {fastest} is the fastest ({speed} tokens/s) and {smallest} needs the least memory "
    "({memory} GiB).",
    "剩下的候选中，{fastest} 最快（{speed} 词元/秒），{smallest} 占用内存最少（{memory} GiB）。",
)
RACE = Bilingual(
    "The race took {share:.0%} of the answers of a full run; the rest would not change who is first.",
    "竞速只用了完整评测 {share:.0%} 的回答，其余不会改变第一名。",
)
FAILED_COUNT = Bilingual(
    "Could not be measured: {names}; the table says why.", "未能测量：{names}；原因见表格。"
)

JUDGED = Bilingual(
    "Judged by {label}, in both orders, against {against}: {calls} calls, {ties_by_order} verdicts that flipped with "
    "the order and {unreadable} that could not be read (both count as ties), cost {cost}.",
    "由 {label} 裁判，正反两种顺序，对照 {against}：调用 {calls} 次，{ties_by_order} 个裁决随顺序翻转、"
    "{unreadable} 个无法识别（均按平局计），花费 {cost}。",
)
REFERENCE = Bilingual("the reference", "参考答案")

HEADINGS = {
    "quality": Bilingual("Quality", "质量"),
    "costs": Bilingual("Speed, memory and cost", "速度、内存与成本"),
    "charts": Bilingual("Quality against what it costs", "质量与代价"),
    "comparisons": Bilingual("Paired comparisons", "配对比较"),
    "categories": Bilingual("By category", "分类别结果"),
    "confusions": Bilingual("What was taken for what", "混淆情况"),
    "disagreements": Bilingual("Where they differ", "回答不同之处"),
    "rows": Bilingual("Rows and answers that need a word", "数据与回答说明"),
    "repeat": Bilingual("How to repeat it", "如何复现"),
}

CANDIDATE = Bilingual("Candidate", "候选")
METRICS = {
    "accuracy": Bilingual("Accuracy", "准确率"),
    "balanced_accuracy": Bilingual("Balanced accuracy", "均衡准确率"),
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
    "bits_per_byte": Bilingual("Bits per byte", "每字节比特数"),
    "perplexity": Bilingual("Perplexity", "困惑度"),
    "win_rate": Bilingual("Wins", "胜率"),
}
LOWER_IS_BETTER = Bilingual("{name} (lower is better)", "{name}（越低越好）")
ROWS_ASKED = Bilingual("Rows", "行数")
ENDED = Bilingual("How it ended", "结束方式")
ENDS = {
    "finished": Bilingual("asked to the end", "评测到底"),
    "eliminated": Bilingual(
        "left the race after {items:,} rows: it could not be the best any more",
        "评测 {items:,} 行后退出竞速：已不可能是最好的",
    ),
}
FAILED = Bilingual("could not be measured: {reason}", "未能测量：{reason}")

SPEED = Bilingual("Tokens/s", "词元/秒")
LATENCY = Bilingual("Latency p50 / p95", "延迟 p50 / p95")
FIRST_TOKEN = Bilingual("First token", "首词元延迟")
MEMORY = Bilingual("Peak memory", "峰值内存")
LOAD = Bilingual("Load time", "加载时间")
BUSY = Bilingual("Time for 1,000 answers", "每千次回答用时")
USD = Bilingual("Dollars", "费用（美元）")
USD_PER_1000 = Bilingual("Dollars for 1,000 answers", "每千次回答费用（美元）")
PRICE = Bilingual("Price of 1M tokens, in / out", "每百万词元价格（输入 / 输出）")
ENERGY = Bilingual("Energy per answer", "每次回答能耗")
CACHED = Bilingual("Rows known from before", "沿用的行数")
COST_NOTE = Bilingual(
    "A dash: not measured, or not known. Latency is that of one question asked alone.",
    "“–”表示未测量或未知。延迟为单独提问时的延迟。",
)

CHARTS = {
    "usd": Bilingual("Dollars for 1,000 answers →", "每千次回答费用（美元）→"),
    "seconds": Bilingual("Seconds for 1,000 answers →", "每千次回答用时（秒）→"),
    "speed": Bilingual("Tokens per second →", "每秒词元数 →"),
    "memory": Bilingual("Peak memory, GiB →", "峰值内存（GiB）→"),
}
CHART_TITLES = {
    "usd": Bilingual("Against dollars: left is cheaper", "对比费用：越靠左越便宜"),
    "seconds": Bilingual(
        "Against time (dollars unknown): left is cheaper", "对比用时（费用未知）：越靠左越省"
    ),
    "speed": Bilingual("Against speed: right is faster", "对比速度：越靠右越快"),
    "memory": Bilingual("Against memory: left is smaller", "对比内存：越靠左越省"),
}
CHART_Y = Bilingual("↑ {metric}, with 95% interval", "↑ {metric}，含 95% 区间")
SHAPES = Bilingual("● leads  ■ asked to the end  ◇ left the race early", "● 领先  ■ 评测到底  ◇ 提前退出竞速")

PAIR_COLUMNS = (
    Bilingual("Pair", "两者"),
    Bilingual("Difference (95%)", "差异（95%）"),
    Bilingual("p", "p 值"),
    Bilingual("Better on", "前者更好的行数"),
    Bilingual("Worse on", "后者更好的行数"),
)
OTHER_PAIRS = Bilingual("The other pairs", "其余各对")
PAIRED_NOTE = Bilingual(
    "Same rows for both; mean difference of the scores, first minus second. Method: {method}.",
    "两者使用相同的数据行；差异为得分均值之差，前者减后者。方法：{method}。",
)
CATEGORY = Bilingual("Category", "类别")

CONFUSION = Bilingual(
    "{label} is most often taken for {prediction}: {count} of {total} rows.",
    "{label} 最常被当作 {prediction}：{total} 行中有 {count} 行。",
)
NO_CONFUSION = Bilingual("{name} confuses nothing.", "{name} 没有混淆任何标签。")
CONFUSIONS_OF = Bilingual("The likeliest confusions of {name}:", "{name} 最常见的混淆：")
MATRIX_NOTE = Bilingual(
    "Rows: the right label. Columns: what {name} said.", "行为正确标签，列为 {name} 的回答。"
)
OTHER_ANSWER = Bilingual("(other)", "（其他）")

LEADER_LOSES = Bilingual("{leader} is worse than another here", "{leader} 在这些行上不如其他候选")
LEADER_WINS = Bilingual("{leader} is better than another here", "{leader} 在这些行上优于其他候选")
RIGHT = Bilingual("right answer", "正确答案")
ROW = Bilingual("row {id}", "第 {id} 行")
NOTHING_SAID = Bilingual("(nothing)", "（空）")
SHOWN_OF = Bilingual("{shown} of {all} such rows.", "共 {all} 行，列出 {shown} 行。")

ROWS_NOTES = {
    "used": Bilingual(
        "{rows:,} rows in the data set, {used:,} used.", "数据集共 {rows:,} 行，使用 {used:,} 行。"
    ),
    "limit": Bilingual("At most {limit:,} rows were asked for.", "本次最多使用 {limit:,} 行。"),
    "examples": Bilingual(
        "{examples:,} rows were shown as examples, and not scored.", "{examples:,} 行作为示例展示，不计分。"
    ),
    "trained": Bilingual(
        "{count:,} rows were left out for all: an adapter was trained on them.",
        "{count:,} 行曾用于训练适配器，对所有候选均不使用。",
    ),
    "too_long": Bilingual(
        "{name}: {count:,} rows are longer than its context and were not asked; in a race they count as wrong.",
        "{name}：{count:,} 行超出其上下文，未提问；竞速中按答错计。",
    ),
    "cut_off": Bilingual(
        "{name}: {count:,} answers came to the length limit and were scored as they were.",
        "{name}：{count:,} 个回答达到长度上限，按已有内容计分。",
    ),
    "failed": Bilingual(
        "{name}: {count:,} requests failed and count as wrong.", "{name}：{count:,} 个请求失败，按答错计。"
    ),
    "refused": Bilingual(
        "{name}: {count:,} answers were refused and count as wrong.",
        "{name}：{count:,} 个回答被拒绝，按答错计。",
    ),
    "empty": Bilingual(
        "{name}: {count:,} answers were empty and count as wrong.", "{name}：{count:,} 个回答为空，按答错计。"
    ),
    "without_label": Bilingual(
        "{name}: {count:,} answers named no label, or several, and count as wrong.",
        "{name}：{count:,} 个回答没有给出唯一的标签，按答错计。",
    ),
    "price": Bilingual("{name}: its price is unknown.", "{name}：价格未知。"),
    "cached": Bilingual(
        "{name}: {count:,} answers were known from an earlier evaluation.",
        "{name}：{count:,} 个回答沿用自之前的评测。",
    ),
}

COMMAND = Bilingual("On this machine:", "在本机上：")
ELSEWHERE = Bilingual(
    "Elsewhere: save this as spec.yaml, with the path of the data set (its rows are {sha}), and run "
    "`shortlist evaluate spec.yaml`.",
    "在其他机器上：将以下内容保存为 spec.yaml，填入数据集路径（内容哈希 {sha}），再运行 `shortlist evaluate spec.yaml`。",
)
WITH = Bilingual("What it was measured with", "测量环境")
REVISIONS = Bilingual("Which weights", "模型权重版本")
