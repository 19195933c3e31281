"""Score every candidate on the same rows: `python -m finetune.recipes.evaluate JOB_DIR`.

Reads spec.json (an EvaluationSpec) and context.json; leaves items.jsonl, what `exports` writes, and result.json. Read it
from `evaluate` down. The candidates race: batch after batch of rows, until it is clear who is best, or that the
rest of the rows would not change it. Started again on the same folder, it goes on behind the last row that was
answered.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from finetune import data
from finetune.clusters import Codes, group_codes, n_units
from finetune.columns import Row
from finetune.comparison import DELTA, Comparison, conclude, measure_of
from finetune.errors import NothingToCompare
from finetune.metrics import METRICS
from finetune.models import canonical_name
from finetune.providers import hosted_name
from finetune.racing import DELTA as DELTA_OF_A_RACE
from finetune.racing import Race, Steps
from finetune.recipes.answers import Answer, by_category, figures, speed, spending
from finetune.recipes.contestants import UNANSWERED, Contestant, Task, failed
from finetune.recipes.exports import write_exports
from finetune.recipes.finished import Finished
from finetune.recipes.job_dir import JobDir, read_json, run, write_json
from finetune.recipes.judging import Judge
from finetune.recipes.kept_answers import drop_oldest
from finetune.recipes.loading import texts_seen_in_training
from finetune.recipes.memory import device_here
from finetune.spec import JUDGED, Candidate, EvaluationSpec
from index.bilingual import Bilingual
from index.errors import BadInput, JobFailed

JUDGE_STAGE = "judge"
_FIRST_BATCH, _FIRST_BATCH_FRAC, _GROWTH = 20, 0.05, 1.3
_SHORTEST_RACE = 40
"""With fewer rows there is nothing to save."""


def evaluate(job: JobDir) -> None:
    """Let the candidates race, compare them, and leave the result and a report."""
    task = _task(job)
    contestants = [Contestant(job, task, index) for index in range(len(task.names))]
    judge = _judge(job, task)
    race = _race(task, contestants, judge)
    rows = [_row(contestant) for contestant in contestants]
    measured = [row["label"] for row in rows if row["stopped"] != "failed"]
    if not measured:
        raise _nobody_finished(rows[0])
    answers = {c.name: c.answers for c in contestants if c.name in measured}
    result = {
        "candidates": rows,
        **_compare(answers, task, race),
        "share_of_full_cost": sum(row["items_seen"] for row in rows) / task.total,
        "dataset": _dataset(task, job),
        "environment": _environment(rows),
        "spent_usd": _spent_usd(contestants, judge),
        "judge": judge.summary() if judge else None,
    }
    finished = Finished(result=result, answers=answers, rows=task.rows, spec=task.spec)
    job.finish({**result, **write_exports(job.path, finished)})
    drop_oldest(job.context.home)


def _task(job: JobDir) -> Task:
    spec = _canonical(EvaluationSpec.model_validate_json(job.spec_json))
    rows = data.load(spec.dataset.sha256, home=job.context.home)
    metric = spec.deciding_metric
    seen = frozenset[str]().union(*(texts_seen_in_training(c.adapter) for c in spec.candidates))
    unseen = [row for row in rows if data.text_hash(row.text) not in seen]
    left_out = len(rows) - len(unseen)
    if len(unseen) < 2 + spec.examples:
        raise _nothing_unseen(len(unseen), len(rows))
    if left_out and not (job.path / "candidates").exists():
        job.note(_left_out(left_out, len(rows)))
    shown = data.sample(unseen, spec.examples, spec.seed)
    kept = [row for row in unseen if row not in shown]
    chosen = data.sample(kept, spec.limit, spec.seed)
    if _is_race(spec, metric, chosen):
        # Labels in turn are right for a sample of a given size; a race must be able to stop anywhere.
        chosen = _in_random_order(chosen, spec.seed)
    return Task(
        spec=spec,
        rows=tuple(chosen),
        shots=tuple((row.text, row.label) for row in shown),
        left_out=left_out,
        names=_unique_names(spec.candidates),
        metric=metric,
    )


def _is_race(spec: EvaluationSpec, metric: str, rows: Sequence[Row]) -> bool:
    has_item_scores = metric == JUDGED or (metric in METRICS and METRICS[metric].per_item is not None)
    is_long = n_units(len(rows), _codes(rows)) >= _SHORTEST_RACE
    return not spec.full and len(spec.candidates) > 1 and is_long and has_item_scores


def _codes(rows: Sequence[Row]) -> Codes | None:
    return group_codes([row.group for row in rows])


def _in_random_order(rows: Sequence[Row], seed: int) -> list[Row]:
    """Rows in random order; those of a group stay together, since a race takes in whole groups."""
    together: dict[str | int, list[Row]] = {}
    codes = _codes(rows)
    for i, row in enumerate(rows):
        together.setdefault(i if codes is None else int(codes[i]), []).append(row)
    units = list(together.values())
    random.Random(seed).shuffle(units)
    return [row for unit in units for row in unit]


def _batches(task: Task) -> Iterator[tuple[Row, ...]]:
    """All rows at once, or for a race, or a budget, batches that grow, so that few are needed where many rows are."""
    rows = task.rows
    if not _is_race(task.spec, task.metric, rows) and task.spec.max_usd is None:
        yield rows
        return
    codes = _codes(rows)
    start, size = 0, max(_FIRST_BATCH, round(_FIRST_BATCH_FRAC * len(rows)))
    while start < len(rows):
        end = min(start + size, len(rows))
        while codes is not None and end < len(rows) and codes[end] == codes[end - 1]:
            end += 1
        yield rows[start:end]
        start, size = end, round(size * _GROWTH)


def _race(task: Task, contestants: Sequence[Contestant], judge: Judge | None) -> Race | None:
    """Have the candidates answer until the race is over; None where there was no race, only one lap for all."""
    race: Race | None = None
    started_s = time.monotonic()
    is_race = _is_race(task.spec, task.metric, task.rows)
    steps = Steps(len(task.rows), _codes(task.rows))
    for contestant in contestants:
        contestant.is_out = _kept(contestant).is_file() and not is_race
    _admit(contestants)
    for batch in _batches(task):
        if _is_late(task, started_s) and race is not None:
            break
        if _is_too_dear(task, contestants, judge, batch):
            contestants[0].job.note(_budget_spent(_spent_usd(contestants, judge) or 0.0))
            break
        _ask(task, contestants, judge, batch, is_last=not is_race and batch[-1] == task.rows[-1])
        if is_race:
            race = race or _started(task, contestants, steps)
            _step(race, contestants, batch, steps, stays=judge.baseline if judge else None)
            if race.is_over:
                break
    for contestant in contestants:
        contestant.close()
        if not contestant.is_out:
            _leave(contestant, "finished")
    return race


def _ask(
    task: Task, contestants: Sequence[Contestant], judge: Judge | None, batch: Sequence[Row], *, is_last: bool
) -> None:
    """Have all that are still in answer a batch, and the judge look at it."""
    asked = [contestant for contestant in contestants if not contestant.is_out]
    for contestant in asked:
        contestant.clear_the_way(contestants)
        contestant.answer(batch, _done(contestants, task))
        contestant.makes_room()
        if judge is None:
            _settle(contestant, is_last=is_last)
    if judge is not None:
        answers = {c.name: c.answers for c in contestants if c.failure is None}
        if judge.baseline is not None and contestants[0].failure is not None:
            raise _no_baseline(contestants[0].name, contestants[0].failure)
        judge.see(batch, answers)
        done = _done(contestants, task)
        contestants[0].job.progress(done, task.total, JUDGE_STAGE, spent_usd=lambda: judge.spent_usd)
        for contestant in asked:
            _settle(contestant, is_last=is_last)


def _judge(job: JobDir, task: Task) -> Judge | None:
    """The judge, who compares with the references where there are some, else with the first candidate."""
    if task.spec.judge is None:
        return None
    has_references = all(row.label for row in task.rows)
    if not has_references and len(task.names) == 1:
        raise NothingToCompare(task.spec.dataset.name)
    if not has_references and task.shots:
        raise _nothing_to_show(task.spec.dataset.name)
    return Judge(job, task.spec, task.spec.judge, None if has_references else task.names[0])


def _admit(contestants: Sequence[Contestant]) -> None:
    """Refuse who cannot be asked, read or held here before anybody is loaded; the others go on."""
    device = device_here()
    for contestant in contestants:
        if not contestant.is_out and not contestant.candidate.is_hosted:
            contestant.admit(device)
            _settle(contestant, is_last=False)
    asked_in_16_bits = [c.name for c in contestants if c.candidate.quantization in ("bf16", "fp16")]
    if asked_in_16_bits and not device.is_gpu and not any(c.measured for c in contestants):
        contestants[0].job.note(_slow_here(asked_in_16_bits))


def _started(task: Task, contestants: Sequence[Contestant], steps: Steps) -> Race:
    names = [contestant.name for contestant in contestants if contestant.failure is None]
    delta = steps.delta(_delta_of_race(task.spec))
    return Race(names or [task.names[0]], len(steps), alpha=task.spec.alpha, delta=delta)


def _delta_of_race(spec: EvaluationSpec) -> float:
    return DELTA_OF_A_RACE if spec.delta is None else spec.delta


def _step(
    race: Race, contestants: Sequence[Contestant], batch: Sequence[Row], steps: Steps, *, stays: str | None
) -> None:
    """Show the race the scores of a batch, and take out who cannot win any more.

    `stays`: the one whom a judge compares the others with is asked to the end.
    """
    by_name = {contestant.name: contestant for contestant in contestants}
    for name in race.remaining:
        if by_name[name].failure is not None:
            race.withdraw(name)
    if not race.remaining:
        return
    scores = {name: {a.row: a.score for a in by_name[name].answers} for name in race.remaining}
    # A row that a candidate cannot read is one that it gets wrong.
    of_rows = {name: [of_one.get(row.id, 0.0) for row in batch] for name, of_one in scores.items()}
    lost = race.see({n: steps.scores(of_one, first=race.items_seen) for n, of_one in of_rows.items()})
    for name in lost:
        if name != stays:
            _leave(by_name[name], "eliminated")


def _settle(contestant: Contestant, *, is_last: bool) -> None:
    if contestant.failure is not None:
        _leave(contestant, "failed")
    elif is_last:
        _leave(contestant, "finished")


def _leave(contestant: Contestant, stopped: str) -> None:
    """The candidate answers no more rows: keep its row of the result, and tell it."""
    contestant.is_out = True
    contestant.close()
    if _kept(contestant).is_file():
        return
    row = _describe(contestant, stopped)
    if row["stopped"] != "failed":
        write_json(_kept(contestant), row)
    else:
        write_json(_kept(contestant).with_suffix(".failed.json"), row)
    contestant.job.emit("candidate", row)


def _row(contestant: Contestant) -> dict[str, Any]:
    kept = _kept(contestant)
    return read_json(kept if kept.is_file() else kept.with_suffix(".failed.json"))


def _kept(contestant: Contestant) -> Any:
    return contestant.job.path / "candidates" / f"{contestant.index}.json"


def _is_late(task: Task, started_s: float) -> bool:
    limit = task.spec.max_minutes
    return limit is not None and time.monotonic() - started_s > 60 * limit


def _is_too_dear(
    task: Task, contestants: Sequence[Contestant], judge: Judge | None, batch: Sequence[Row]
) -> bool:
    """Whether the batch would likely bring the cost above the budget; the first one is always asked."""
    if task.spec.max_usd is None:
        return False
    expected_usd = (judge.spent_usd or 0.0) if judge else 0.0
    for contestant in contestants:
        answers, to_ask = contestant.answers, contestant.n_to_ask(batch)
        usd_of_row = sum(answer.usd or 0.0 for answer in answers) / max(1, len(answers))
        expected_usd += sum(answer.usd or 0.0 for answer in _paid_now(answers)) + to_ask * usd_of_row
        expected_usd += _n_unseen(contestant, batch) * (judge.usd_per_row if judge else 0.0)
    return expected_usd > task.spec.max_usd


def _spent_usd(contestants: Sequence[Contestant], judge: Judge | None) -> float | None:
    """What hosted models cost together; None where nobody was hosted, or a price is unknown."""
    hosted = [c for c in contestants if c.task.spec.candidates[c.index].is_hosted]
    each = [spending(_paid_now(contestant.answers))["usd"] for contestant in hosted]
    each += [judge.spent_usd] if judge else []
    return sum(each) if each and None not in each else None


def _n_unseen(contestant: Contestant, batch: Sequence[Row]) -> int:
    """Rows that a judge would have to look at."""
    known = {answer.row for answer in contestant.answers}
    return 0 if contestant.is_out else sum(row.id not in known for row in batch)


def _paid_now(answers: Sequence[Answer]) -> list[Answer]:
    """Those that this job has asked for; an earlier one has paid for the others."""
    return [answer for answer in answers if not answer.is_cached]


def _environment(rows: Sequence[Mapping[str, Any]]) -> Mapping[str, str]:
    """Of the first candidate that was loaded here; of a hosted one where there is no other."""
    measured = [row for row in rows if row["stopped"] != "failed"]
    first = next((row for row in measured if "hosted" not in row), measured[0])
    environment: Mapping[str, str] = first["environment"]
    return environment


def _done(contestants: Sequence[Contestant], task: Task) -> int:
    """Answers that lie behind; who is out has all of them behind."""
    return sum(len(task.rows) if c.is_out else len(c.answers) for c in contestants)


def _describe(contestant: Contestant, stopped: str) -> dict[str, Any]:
    """Put together a row of the result; what could not be measured is null."""
    task = contestant.task
    candidate, answers = task.spec.candidates[contestant.index], contestant.answers
    unknown = {
        "tokens_per_s": None,
        "latency_p50_s": None,
        "latency_p95_s": None,
        "first_token_p50_s": None,
        "peak_memory_gib": None,
        "usd": None,
        "input_usd_per_mtok": None,
        "output_usd_per_mtok": None,
    }
    row: dict[str, Any] = {
        "label": contestant.name,
        "model": candidate.address,
        "quantization": candidate.quantization,
        "adapter": candidate.adapter,
        "metrics": {},
        **unknown,
        "items_seen": len(answers),
        "reason": None,
        "reason_zh": None,
        "stopped": stopped,
    }
    if name := hosted_name(candidate.model):
        row["hosted"] = {**asdict(name), "base_url": candidate.base_url}
    if contestant.failure is not None:
        return {**row, **failed(contestant.failure)}
    measured = {name: value for name, value in contestant.measured.items() if name not in UNANSWERED}
    if not answers:
        return {**row, **measured, **failed(_nothing_fits(measured.get("rows_out_of_memory", 0)))}
    return {
        **row,
        **measured,
        "metrics": figures(answers, seed=task.spec.seed, task=task.spec.dataset.task),
        **speed(answers),
        "by_category": by_category(answers),
        "answers_cut_off": sum(answer.is_cut_off for answer in answers),
        "items_cached": sum(answer.is_cached for answer in answers),
        **(spending(answers) if candidate.is_hosted else {}),
    }


def _compare(answers: Mapping[str, Sequence[Answer]], task: Task, race: Race | None) -> dict[str, Any]:
    """Compare the candidates by the metric that decides; the verdict of a race that stopped early is its own."""
    comparison = Comparison(answers, measure_of(task.metric), seed=task.spec.seed)
    if race is None or race.items_seen == race.n_items or race.leader not in answers:
        delta_frac = DELTA if task.spec.delta is None else task.spec.delta
        return conclude(comparison, delta_frac=delta_frac, alpha=task.spec.alpha)
    raced = (race.leader, race.verdict)
    return conclude(comparison, delta_frac=_delta_of_race(task.spec), alpha=task.spec.alpha, race=raced)


def _dataset(task: Task, job: JobDir) -> dict[str, Any]:
    dataset = task.spec.dataset
    return {
        "name": dataset.name,
        "sha256": dataset.sha256,
        "rows": dataset.rows,
        "rows_used": len(task.rows),
        "rows_left_out": task.left_out,
        "labels": list(dataset.labels),
        "task": dataset.task,
        "recognised": data.describe(dataset, home=job.context.home).model_dump(),
    }


def _canonical(spec: EvaluationSpec) -> EvaluationSpec:
    """Call each model by its hub id, so that what is measured of it is found again."""
    candidates = tuple(c.model_copy(update={"model": canonical_name(c.model)}) for c in spec.candidates)
    return spec.model_copy(update={"candidates": candidates})


def _unique_names(candidates: Sequence[Candidate]) -> tuple[str, ...]:
    """The label of each candidate, numbered where two share one, such as two adapters of one base."""
    labels = [candidate.label for candidate in candidates]
    return tuple(
        f"{label} #{labels[: i + 1].count(label)}" if labels.count(label) > 1 else label
        for i, label in enumerate(labels)
    )


def _nobody_finished(first: Mapping[str, Any]) -> JobFailed:
    return JobFailed(
        Bilingual(
            en=f"No candidate could be evaluated. {first['label']}: {first['reason']}",
            zh=f"没有任何候选完成评测。{first['label']}：{first['reason_zh']}",
        )
    )


def _nothing_unseen(unseen: int, rows: int) -> BadInput:
    return BadInput(
        Bilingual(
            en=f"An adapter was trained on all but {unseen} of the {rows} rows, and what it has seen says nothing "
            "about new text. Evaluate it on other rows.",
            zh=f"{rows} 行中只有 {unseen} 行未被适配器训练过，用训练过的数据评测没有意义。请换用其他数据进行评测。",
        )
    )


def _left_out(left_out: int, rows: int) -> Bilingual:
    return Bilingual(
        en=f"{left_out} of {rows} rows are left out for all candidates: an adapter was trained on them.",
        zh=f"{rows} 行中有 {left_out} 行曾用于训练适配器，对所有候选均不使用。",
    )


def _nothing_to_show(name: str) -> BadInput:
    return BadInput(
        Bilingual(
            en=f"{name} has no answers that --examples could show. Leave --examples out, or add a column `reference`.",
            zh=f"{name} 没有可供 --examples 展示的答案。请去掉 --examples，或增加 `reference` 列。",
        )
    )


def _no_baseline(name: str, reason: Bilingual) -> JobFailed:
    return JobFailed(
        Bilingual(
            en=f"The judge compares all with {name}, the first candidate, which failed. {reason.en}",
            zh=f"裁判把所有候选与第一个候选 {name} 比较，而它失败了。{reason.zh}",
        )
    )


def _budget_spent(usd: float) -> Bilingual:
    return Bilingual(
        en=f"${usd:.4f} is spent, and another batch of rows would likely exceed the budget: no more are asked.",
        zh=f"已花费 ${usd:.4f}，再问一批可能超出预算，因此不再继续。",
    )


def _slow_here(names: Sequence[str]) -> Bilingual:
    listed = ", ".join(names)
    return Bilingual(
        en=f"{listed}: most CPUs compute in 16 bits several times slower than in 32. Without @bf16 or @fp16 a model "
        "computes in 32 bits here.",
        zh=f"{listed}：多数 CPU 上 16 位计算比 32 位慢数倍。去掉 @bf16 或 @fp16，模型在此即以 32 位计算。",
    )


def _nothing_fits(out_of_memory: int) -> Bilingual:
    if out_of_memory:
        return Bilingual(
            en="Memory did not suffice for any row, not even one alone. Try nf4, shorter texts or a smaller model.",
            zh="内存连单独一行都放不下。请尝试 nf4、更短的文本或更小的模型。",
        )
    return Bilingual(
        en="Every row is longer than the model's context. Use a model with a longer one.",
        zh="所有行都超出了该模型的上下文长度。请使用上下文更长的模型。",
    )


if __name__ == "__main__":
    run(evaluate)
