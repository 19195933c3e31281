"""A race of base models -> what a person is told of it, and its JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from finetune.selections import Run, Selection
from index.bilingual import Bilingual, Language
from skills.wording import short_name


def selection_json(race: Selection) -> dict[str, Any]:
    """The JSON of `shortlist select-base`."""
    return {
        "selection_id": race.id,
        "state": race.state,
        "candidates": list(race.spec.names),
        "dataset": race.spec.candidates[0].dataset.model_dump(mode="json"),
        "sizes": list(race.spec.sizes),
        "target": race.spec.target,
        "budget_s": race.spec.budget_s,
        "spent_s": race.spent_s,
        "runs": [
            {"model": run.candidate, "rows": run.size, "job_id": run.job.id, "state": run.job.state, "loss": run.loss,
             "ran_s": run.job.ran_s}
            for run in race.runs
        ],
        "outcome": race.outcome,
        "full_job": race.full.id if race.full else None,
        "true_loss": race.true_loss,
    }  # fmt: skip


def selection_markdown(race: Selection, language: Language) -> str:
    """Where the race stands, in a sentence; the losses by size; and afterwards what came true."""
    parts = [_headline(race), *_came_true(race)]
    return "\n\n".join([*(part.to(language) for part in parts), _table(race, language)])


def plan_markdown(race: Selection, language: Language) -> str:
    """What is about to happen."""
    sizes = ", ".join(f"{size:,}" for size in race.spec.sizes)
    names = [short_name(name) for name in race.spec.names]
    budget = race.spec.budget_s
    limit = (
        Bilingual(f" within {_time(budget, 'en')} of device time", f"，设备时间不超过{_time(budget, 'zh')}")
        if budget
        else Bilingual("", "")
    )
    return Bilingual(
        f"**Selection {race.id}**: {', '.join(names)} learn from {sizes} rows of "
        f"{race.spec.candidates[0].dataset.name} in turn{limit.en}. Whoever cannot win any more drops out; I stop "
        "as soon as it is clear whom to tune in full. Each run is an ordinary job.",
        f"**选型 {race.id}**：{'、'.join(names)} 依次在 {race.spec.candidates[0].dataset.name} 的 {sizes} 行上训练"
        f"{limit.zh}。"
        "无望胜出的会退出；一旦明确该全量微调哪一个就停止。每次训练都是普通任务。",
    ).to(language)


def record_markdown(races: Sequence[Selection], language: Language) -> str:
    """The record of predictions: what was said, and what came true."""
    told = [race for race in races if race.outcome and _predicted(race)]
    if not told:
        return _NO_RECORD.to(language)
    known = [race for race in told if race.true_loss is not None]
    inside = sum(_is_inside(race) for race in known)
    head = Bilingual(
        f"{len(told)} predictions, {len(known)} of them tuned in full since; {inside} of these ended inside their 95% "
        "interval.",
        f"共 {len(told)} 次预测，其中 {len(known)} 次之后做了全量微调，{inside} 次的实际损失落在 95% 区间内。",
    ).to(language)
    return "\n\n".join([head, _record_table(told, language)])


def _headline(race: Selection) -> Bilingual:
    if race.state == "running":
        return _under_way(race)
    if race.state == "cancelled":
        why = _reason(race)
        return Bilingual(
            f"**Selection {race.id}** was stopped. {why.en}".strip(), f"**选型 {race.id}** 已停止。{why.zh}"
        )
    outcome = race.outcome or {}
    if outcome.get("winner") is None:
        return Bilingual(
            f"**Selection {race.id}**: every run failed, so there is no winner. Look at their logs: "
            "`shortlist jobs logs ID`.",
            f"**选型 {race.id}**：所有训练都失败了，没有胜者。请查看日志：`shortlist jobs logs 编号`。",
        )
    ending = _ENDINGS[str(outcome["ending"])]
    predicted = _predicted(race)
    name = short_name(str(outcome["winner"]))
    figures = Bilingual("", "")
    if predicted:
        low, high = predicted["interval95"]
        loss = f"{predicted['predicted_loss']:.3f} ({low:.3f}–{high:.3f})"
        figures = Bilingual(f" Predicted loss {loss} nats a row.", f" 预测损失 {loss}（纳特/行）。")
    saving, why = _saving(race), _reason(race)
    return Bilingual(
        f"**{name}** is the base to fine-tune: {ending.en}.{figures.en}{saving.en} {why.en}".strip(),
        f"**{name}** 是最值得微调的底座：{ending.zh}。{figures.zh}{saving.zh}{why.zh}",
    )


def _reason(race: Selection) -> Bilingual:
    """What ended it from outside, as a sentence; in one language where it was kept so once."""
    reason = (race.outcome or {}).get("reason") or ""
    return Bilingual(reason["en"], reason["zh"]) if isinstance(reason, dict) else Bilingual(reason, reason)


def _under_way(race: Selection) -> Bilingual:
    size = max((run.size for run in race.runs), default=race.spec.sizes[0])
    running = [run for run in race.runs if run.size == size]
    done = sum(run.job.is_finished for run in running)
    return Bilingual(
        f"**Selection {race.id}** is at {size:,} of {race.spec.target:,} rows: {done} of {len(running)} runs done, "
        f"{_time(race.spent_s, 'en')} of device time so far.",
        f"**选型 {race.id}** 正在 {size:,} / {race.spec.target:,} 行：{len(running)} 次训练完成 {done} 次，"
        f"已用设备时间{_time(race.spent_s, 'zh')}。",
    )


def _saving(race: Selection) -> Bilingual:
    outcome = race.outcome or {}
    share = outcome.get("share_of_full_cost")
    if share is None:
        return Bilingual("", "")
    spent, full = float(outcome["spent_s"]), float(outcome["full_cost_s"])
    return Bilingual(
        f" Choosing took {_time(spent, 'en')}; tuning all in full would take about {_time(full, 'en')} ({share:.0%}).",
        f" 选型用时{_time(spent, 'zh')}；全部全量微调约需{_time(full, 'zh')}（占 {share:.0%}）。",
    )


def _came_true(race: Selection) -> list[Bilingual]:
    if race.full is None:
        return []
    predicted = _predicted(race)
    if race.true_loss is None or predicted is None:
        return [
            Bilingual(
                f"Tuned in full: job {race.full.id} ({race.full.state}).",
                f"全量微调：任务 {race.full.id}（{race.full.state}）。",
            )
        ]
    inside = _is_inside(race)
    return [
        Bilingual(
            f"What came true (job {race.full.id}): a loss of {race.true_loss:.3f}, "
            f"{'inside' if inside else 'outside'} the predicted interval.",
            f"实际结果（任务 {race.full.id}）：损失 {race.true_loss:.3f}，{'在' if inside else '不在'}预测区间内。",
        )
    ]


def _table(race: Selection, language: Language) -> str:
    """Losses by size; what stands behind the last is why there are no more."""
    sizes = sorted({run.size for run in race.runs})
    head = Bilingual("base", "底座").to(language)
    lines = [
        f"| {head} | " + " | ".join(f"{size:,}" for size in sizes) + " |",
        "| --- |" + " ---: |" * len(sizes),
    ]
    lines += [
        f"| {short_name(name)} | {' | '.join(_cells(race, name, sizes, language))} |"
        for name in race.spec.names
    ]
    unit = Bilingual("Loss on held-out rows, in nats a row.", "留出行上的损失，单位：纳特/行。").to(language)
    return "\n".join(lines) + f"\n\n{unit}"


def _cells(race: Selection, name: str, sizes: Sequence[int], language: Language) -> list[str]:
    runs = {run.size: run for run in race.runs if run.candidate == name}
    return [_cell(runs.get(size), language) for size in sizes]


def _cell(run: Run | None, language: Language) -> str:
    if run is None:
        return Bilingual("out", "退出").to(language)
    return f"{run.loss:.3f}" if run.loss is not None else f"#{run.job.id} {run.job.state}"


def _record_table(races: Sequence[Selection], language: Language) -> str:
    head = Bilingual(
        "selection | data | base | rows | predicted | 95% | true", "选型 | 数据 | 底座 | 行数 | 预测 | 95% 区间 | 实际"
    ).to(language)  # fmt: skip
    lines = [f"| {head} |", "| --- | --- | --- | ---: | ---: | ---: | ---: |"]
    for race in races:
        predicted = _predicted(race) or {}
        low, high = predicted["interval95"]
        true = "–" if race.true_loss is None else f"{race.true_loss:.3f}"
        data = race.spec.candidates[0].dataset.name
        lines.append(
            f"| {race.id} | {data} | {short_name(predicted['model'])} | {race.spec.target:,} | "
            f"{predicted['predicted_loss']:.3f} | {low:.3f}–{high:.3f} | {true} |"
        )
    return "\n".join(lines)


def _predicted(race: Selection) -> dict[str, Any] | None:
    outcome = race.outcome or {}
    found = (one for one in outcome.get("ranking", ()) if one["model"] == outcome.get("winner"))
    return next(found, None)


def _is_inside(race: Selection) -> bool:
    predicted = _predicted(race)
    if predicted is None or race.true_loss is None:
        return False
    low, high = predicted["interval95"]
    return bool(np.clip(race.true_loss, low, high) == race.true_loss)


def _time(seconds: float, language: Language) -> str:
    if seconds < 90:
        return Bilingual(f"{seconds:.0f} s", f" {seconds:.0f} 秒").to(language)
    if seconds < 5400:
        return Bilingual(f"{seconds / 60:.0f} min", f" {seconds / 60:.0f} 分钟").to(language)
    return Bilingual(f"{seconds / 3600:.1f} h", f" {seconds / 3600:.1f} 小时").to(language)


_NO_RECORD = Bilingual(
    "No predictions yet. Ask “which base should we fine-tune on …?” and name two or more.",
    "还没有预测记录。问“用……数据，哪个底座微调后最好”，并给出两个以上底座即可开始。",
)
_ENDINGS = {
    "one left": Bilingual("no other can win any more", "其他候选已不可能胜出"),
    "good enough": Bilingual("what others might still gain on it is too little to matter", "其他候选即使反超也可忽略不计"),
    "target reached": Bilingual("it was best on all rows", "在全部数据上它最好"),
    "budget spent": Bilingual(
        "it is likeliest to win, but the budget ended the race before that was sure", "它最可能胜出，但预算用尽时尚不能确定"
    ),
    "quota used up": Bilingual(
        "it leads so far, but a quota ended the race before that was sure", "目前它领先，但配额已到，竞速在确定之前结束"
    ),
}  # fmt: skip
