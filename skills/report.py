"""Jobs, their events and their results -> words: verdict first, then the table, then what to do next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from finetune.spec import EvaluationSpec, TuningSpec
from finetune.state import Job, JobEvent
from index.bilingual import Bilingual, Language
from skills.tuning_report import difference_text, method_name, tuning_markdown
from skills.wording import quantization_name, short_name

STATE_NAMES = {
    "queued": Bilingual("queued", "排队中"),
    "starting": Bilingual("starting", "准备中"),
    "running": Bilingual("running", "运行中"),
    "cancelling": Bilingual("stopping", "正在停止"),
    "succeeded": Bilingual("done", "已完成"),
    "failed": Bilingual("failed", "失败"),
    "cancelled": Bilingual("stopped", "已停止"),
}


_STAGE_NAMES = {
    "loading": Bilingual("loading the model", "加载模型"),
    "dry run": Bilingual("dry run", "试运行"),
    "rewording": Bilingual("rewording rows", "改写数据"),
    "before": Bilingual("scoring the base", "评测基础模型"),
    "training": Bilingual("training", "训练"),
    "after": Bilingual("scoring the tuned model", "评测微调后的模型"),
}

_SEARCH = "search: "

_ENERGY = Bilingual("J per answer", "每次回答能耗（J）")

_WORTH_TELLING = 0.97
_SHORT_S = 10


def job_title(job: Job) -> Bilingual:
    """What a job is: kind, number, models, data set."""
    spec = job.spec
    rows = spec.limit or spec.dataset.rows
    if isinstance(spec, EvaluationSpec):
        names = ", ".join(candidate.label for candidate in spec.candidates)
        return Bilingual(
            f"Evaluation #{job.id}: {names} on {spec.dataset.name} ({rows} rows)",
            f"评测 #{job.id}：{names}，数据集 {spec.dataset.name}（{rows} 行）",
        )
    return Bilingual(
        f"Fine-tune #{job.id}: {short_name(spec.base_model)} on {spec.dataset.name} "
        f"({rows} rows) by {method_name(spec)}",
        f"微调 #{job.id}：{short_name(spec.base_model)}，数据集 {spec.dataset.name}（{rows} 行），{method_name(spec)}",
    )


def job_line(job: Job, language: Language) -> str:
    """One line of a list of jobs."""
    line = f"{job_title(job).to(language)} · {STATE_NAMES[job.state].to(language)}"
    return f"{line} · {job.reason.to(language)}" if job.reason else line


def started_line(job: Job, language: Language) -> str:
    """What is said when a job was queued."""
    return Bilingual(f"Queued: {job_title(job).en}.", f"已加入队列：{job_title(job).zh}。").to(language)


def event_line(event: JobEvent, language: Language) -> str | None:
    """One line of progress, or None for events that a person need not see."""
    data = event.data
    if event.kind == "state":
        return f"#{event.job_id} {STATE_NAMES[data['state']].to(language)}"
    if event.kind == "progress":
        named = _stage_name(str(data.get("stage", "")), language)
        left = _time_left(data.get("left_s"), language)
        return f"#{event.job_id} {named} {data['done'] / max(data['total'], 1):.0%}{left}"
    if event.kind == "loss":
        return _loss_line(event, language)
    if event.kind == "candidate":
        failed = data.get("stopped") == "failed"
        said = data["reason_zh" if language == "zh" else "reason"] if failed else _score_text(data)
        return f"#{event.job_id} {_candidate_name(data, language)}: {said}"
    return f"#{event.job_id} {Bilingual(data['en'], data['zh']).to(language)}"


def _stage_name(stage: str, language: Language) -> str:
    """`loading`, or `SmolLM2-135M: loading`, in the person's language; any other as the recipe calls it."""
    if stage.startswith(_SEARCH):
        trial = stage.removeprefix(_SEARCH)
        return Bilingual(f"trying settings {trial}", f"尝试参数 {trial}").to(language)
    of, colon, name = stage.rpartition(": ")
    return f"{of}{colon}{_STAGE_NAMES[name].to(language)}" if name in _STAGE_NAMES else stage


def _time_left(left_s: float | None, language: Language) -> str:
    """How long a candidate's other rows will take, if all of them are asked."""
    if left_s is None or left_s < _SHORT_S:
        return ""
    seconds = round(left_s)
    if seconds < 90:
        return Bilingual(f" · {seconds} s for its other rows", f" · 其余行约需 {seconds} 秒").to(language)
    minutes = round(seconds / 60)
    return Bilingual(f" · {minutes} min for its other rows", f" · 其余行约需 {minutes} 分钟").to(language)


def _loss_line(event: JobEvent, language: Language) -> str:
    data = event.data
    step = Bilingual(f"step {data['step']}", f"第 {data['step']} 步").to(language)
    loss = Bilingual("loss", "损失").to(language)
    held_out = f" · eval {data['eval']:.3f}" if data.get("eval") is not None else ""
    train = f" · {loss} {data['train']:.3f}" if data.get("train") is not None else ""
    return f"#{event.job_id} {step}{train}{held_out}"


def result_markdown(job: Job, result: Mapping[str, Any], language: Language) -> str:
    """A job for a person: its result when it succeeded, else where it stands."""
    if job.state != "succeeded":
        return _unfinished(job, language)
    if isinstance(job.spec, TuningSpec):
        return tuning_markdown(job.spec, result, language)
    return _evaluation(result, language)


def where_markdown(job: Job, result: Mapping[str, Any], language: Language) -> str:
    """Where the report of a finished evaluation lies, and how to repeat it: for who sits at this machine."""
    if not result.get("report"):
        return ""
    lines = [
        Bilingual(f"Report: `{result['report']}`", f"报告：`{result['report']}`"),
        Bilingual(
            f"The same again: `shortlist jobs repeat {job.id}`", f"再跑一次：`shortlist jobs repeat {job.id}`"
        ),
    ]
    return "\n".join(f"- {line.to(language)}" for line in lines)


def _unfinished(job: Job, language: Language) -> str:
    line = f"**{job_title(job).to(language)}** · {STATE_NAMES[job.state].to(language)}"
    return f"{line}\n\n{job.reason.to(language)}" if job.reason else line


def _evaluation(result: Mapping[str, Any], language: Language) -> str:
    name = result["dataset"]["name"]
    comparisons = result["comparisons"]
    parts = [
        _verdict(result, language),
        _candidate_table(result, language),
        _cost_line(result, language),
        "\n".join(_comparison_line(item, language) for item in comparisons[:3]),
        _judge_line(result, language),
        _measured_line(name, result, language),
    ]
    return "\n\n".join(part for part in parts if part)


def _judge_line(result: Mapping[str, Any], language: Language) -> str:
    """Who judged, and what it took; nothing where nobody did."""
    judge = result.get("judge")
    if judge is None:
        return ""
    cost = _number(judge["usd"], ".4f")
    return Bilingual(
        f"Judged by {judge['label']} against {judge['against']}, in both orders: {judge['calls']} calls, ${cost}.",
        f"由 {judge['label']} 裁判，对照 {judge['against']}，正反两种顺序：调用 {judge['calls']} 次，${cost}。",
    ).to(language)


def _measured_line(name: str, result: Mapping[str, Any], language: Language) -> str:
    """Who wins against another candidate is not kept: it means nothing beside other candidates."""
    is_kept = (result.get("judge") or {}).get("against", "reference") == "reference"
    used = (
        Bilingual("; the next recommendation uses it", "，下次推荐会用到") if is_kept else Bilingual("", "")
    )
    return Bilingual(
        f"Measured here on {name} (job {result['job_id']}){used.en}.",
        f"以上为在 {name} 上的本地实测（任务 {result['job_id']}）{used.zh}。",
    ).to(language)


def _verdict(result: Mapping[str, Any], language: Language) -> str:
    name = result["dataset"]["name"]
    finished = [item for item in result["candidates"] if item["stopped"] != "failed"]
    if not finished:
        return Bilingual("**No candidate could be measured.**", "**没有一个候选能完成评测。**").to(language)
    metric = _metric(result)
    best = next((item for item in finished if item.get("label") == result.get("leader")), None) or max(
        finished, key=lambda item: float(item["metrics"][metric]["value"])
    )
    label, score = _candidate_name(best, language), _score_text(best, metric)
    if len(finished) == 1:
        return Bilingual(f"**{label} on {name}: {score}.**", f"**{label} 在 {name} 上：{score}。**").to(
            language
        )
    if result["verdict"] == "winner":
        return Bilingual(
            f"**{label} wins on {name}**: {score}.", f"**{label} 在 {name} 上胜出**：{score}。"
        ).to(language)
    if result["verdict"] == "indistinguishable":
        return Bilingual(
            f"**No difference that matters on {name}**: take the cheapest. {label} has {score}.",
            f"**在 {name} 上没有实质差别**：选最便宜的即可。{label} 为 {score}。",
        ).to(language)
    more = result.get("more_rows_needed")
    return Bilingual(
        f"**Too few rows to name a winner on {name}.** {label} leads with {score}; "
        f"{f'about {more:,} more rows' if more else 'more rows'} would settle it.",
        f"**{name} 的行数还不足以分出胜负。** {label} 暂时领先，{score}；"
        f"{f'大约再加 {more:,} 行' if more else '增加行数'}可以定下来。",
    ).to(language)


def _cost_line(result: Mapping[str, Any], language: Language) -> str:
    """What the race saved; nothing where all rows were answered."""
    share = float(result.get("share_of_full_cost", 1.0))
    if share > _WORTH_TELLING:
        return ""
    return Bilingual(
        f"It took {share:.0%} of the answers of a full run; the rest would not change who is first.",
        f"只用了完整评测 {share:.0%} 的回答，其余不会改变第一名。",
    ).to(language)


def _metric(result: Mapping[str, Any]) -> str:
    """The metric that decided; results of before it could be chosen are of accuracy."""
    return str(result.get("metric") or "accuracy")


def _candidate_table(result: Mapping[str, Any], language: Language) -> str:
    metric = _metric(result)
    name = "准确率" if metric == "accuracy" and language == "zh" else metric
    cost = Bilingual(" or cost", "或花费") if any(row.get("hosted") for row in result["candidates"]) else None
    has_energy = any(item.get("joules_per_row") is not None for item in result["candidates"])
    head = Bilingual(
        f"| candidate | {name} (95%) | tokens/s | latency p50 | peak memory{cost.en if cost else ''} |",
        f"| 候选 | {name}（95%） | token/s | 延迟 p50 | 峰值内存{cost.zh if cost else ''} |",
    )
    more = f" {_ENERGY.to(language)} |" if has_energy else ""
    rows = [head.to(language) + more, "| --- | --- | --- | --- | --- |" + " --- |" * has_energy]
    for item in result["candidates"]:
        label = _candidate_name(item, language)
        if item["stopped"] == "failed":
            reason = item["reason_zh" if language == "zh" else "reason"]
            rows.append(f"| {label} | {reason} | – | – | – |" + " – |" * has_energy)
            continue
        left = Bilingual(", out of the race", "，已退出竞速") if item["stopped"] == "eliminated" else None
        rows.append(
            f"| {label}{left.to(language) if left else ''} | {_score_text(item, metric)} "
            f"| {_number(item['tokens_per_s'], '.0f')} "
            f"| {_number(item['latency_p50_s'], '.2f', ' s')} | {_takes(item)} |"
            + (f" {_number(item.get('joules_per_row'), ',.3g')} |" if has_energy else "")
        )
    return "\n".join(rows)


def _takes(item: Mapping[str, Any]) -> str:
    """Memory of a model that was loaded here, dollars of a hosted one."""
    if item.get("hosted"):
        return f"${_number(item['usd'], '.4f')}"
    return f"{_number(item['peak_memory_gib'], '.2f')} GiB"


def _comparison_line(item: Mapping[str, Any], language: Language) -> str:
    a, b, figures = item["a"], item["b"], difference_text(item)
    return Bilingual(
        f"- {a} minus {b}: {figures} ({item['method']})", f"- {a} 减 {b}：{figures}（{item['method']}）"
    ).to(language)


def comparison_markdown(value: Mapping[str, Any], language: Language) -> str:
    """The verdict of `shortlist compare`."""
    of_leader = [item for item in value["comparisons"] if item["a"] == value["leader"]]
    lines = [_comparison_line(item, language) for item in of_leader]
    verdict = {
        "winner": Bilingual(f"**{value['winner']} wins.**", f"**{value['winner']} 胜出。**"),
        "indistinguishable": Bilingual("**No difference that matters.**", "**没有实质差别。**"),
        "insufficient": Bilingual("**Too few rows to tell.**", "**行数不足，无法判断。**"),
    }[value["verdict"]]
    more = value.get("more_rows_needed")
    needed = Bilingual(f" About {more:,} more would likely do.", f"大约还需 {more:,} 行。") if more else None
    return "\n".join([verdict.to(language) + (needed.to(language) if needed else ""), "", *lines])


def _candidate_name(item: Mapping[str, Any], language: Language) -> str:
    if item.get("hosted"):
        return str(item["label"])
    name = short_name(item["model"])
    adapter = Bilingual(" + adapter", " + 适配器").to(language) if item.get("adapter") else ""
    return f"{name}{adapter} {quantization_name(item['quantization'], language)}"


def _score_text(item: Mapping[str, Any], metric: str | None = None) -> str:
    figure = item["metrics"].get(metric or next(iter(item["metrics"]), ""))
    if figure is None:
        return "–"
    low, high = figure["ci95"]
    return f"{figure['value']:.2f} ({low:.2f}–{high:.2f}, n={figure['n']})"


def _number(value: float | None, form: str, unit: str = "") -> str:
    return "–" if value is None else format(value, form) + unit
