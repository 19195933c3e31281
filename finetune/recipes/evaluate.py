"""Score every candidate on the same rows: `python -m finetune.recipes.evaluate JOB_DIR`.

Reads spec.json (an EvaluationSpec) and context.json; leaves items.jsonl, report.html and result.json. Read it
from `evaluate` down. The candidates race: batch after batch of rows, until it is clear who is best, or that the
rest of the rows would not change it. Started again on the same folder, it goes on behind the last row that was
answered.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from itertools import combinations
from typing import Any

from finetune import data
from finetune.atomic import write_text
from finetune.columns import Row
from finetune.errors import NothingToCompare
from finetune.metrics import METRICS
from finetune.models import canonical_name
from finetune.paired import Verdict, compare_all, compare_paired, holm, items_needed, verdict
from finetune.providers import hosted_name
from finetune.racing import Race
from finetune.recipes.answers import Answer, by_category, figures, speed, spending
from finetune.recipes.contestants import Contestant, Task, failed
from finetune.recipes.job_dir import JobDir, read_json, run, write_json
from finetune.recipes.judging import Judge
from finetune.recipes.loading import texts_seen_in_training
from finetune.recipes.report import render_report
from finetune.spec import JUDGED, Candidate, EvaluationSpec
from index.bilingual import Bilingual
from index.errors import BadInput, JobFailed

DELTA = 0.05
"""Of a full run: two candidates whose scores surely differ by less than this are called indistinguishable."""

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
    report = job.path / "report.html"
    result = {
        "candidates": rows,
        **_compare(answers, task, race),
        "share_of_full_cost": sum(row["items_seen"] for row in rows) / task.total,
        "dataset": _dataset(task),
        "environment": _environment(rows),
        "spent_usd": _spent_usd(contestants, judge),
        "judge": judge.summary() if judge else None,
        "report": str(report),
    }
    write_text(report, render_report(result, answers))
    job.finish(result)


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
    if _is_race(spec, metric, len(chosen)):
        # Labels in turn are right for a sample of a given size; a race must be able to stop anywhere.
        random.Random(spec.seed).shuffle(chosen)
    return Task(
        spec=spec,
        rows=tuple(chosen),
        shots=tuple((row.text, row.label) for row in shown),
        left_out=left_out,
        names=_unique_names(spec.candidates),
        metric=metric,
    )


def _is_race(spec: EvaluationSpec, metric: str, n_rows: int) -> bool:
    has_item_scores = metric == JUDGED or (metric in METRICS and METRICS[metric].per_item is not None)
    return not spec.full and len(spec.candidates) > 1 and n_rows >= _SHORTEST_RACE and has_item_scores


def _batches(task: Task) -> Iterator[tuple[Row, ...]]:
    """All rows at once, or for a race, or a budget, batches that grow, so that few are needed where many rows are."""
    rows = task.rows
    if not _is_race(task.spec, task.metric, len(rows)) and task.spec.max_usd is None:
        yield rows
        return
    start, size = 0, max(_FIRST_BATCH, round(_FIRST_BATCH_FRAC * len(rows)))
    while start < len(rows):
        yield rows[start : start + size]
        start, size = start + size, round(size * _GROWTH)


def _race(task: Task, contestants: Sequence[Contestant], judge: Judge | None) -> Race | None:
    """Have the candidates answer until the race is over; None where there was no race, only one lap for all."""
    race: Race | None = None
    started_s = time.monotonic()
    is_race = _is_race(task.spec, task.metric, len(task.rows))
    for contestant in contestants:
        contestant.is_out = _kept(contestant).is_file() and not is_race
    for batch in _batches(task):
        if _is_late(task, started_s) and race is not None:
            break
        if _is_too_dear(task, contestants, judge, batch):
            contestants[0].job.note(_budget_spent(_spent_usd(contestants, judge) or 0.0))
            break
        _ask(task, contestants, judge, batch, is_last=not is_race and batch[-1] == task.rows[-1])
        if is_race:
            race = race or _started(task, contestants)
            _step(race, contestants, batch, stays=judge.baseline if judge else None)
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
        contestant.answer(batch, _done(contestants, task))
        contestant.makes_room()
        if judge is None:
            _settle(contestant, is_last=is_last)
    if judge is not None:
        answers = {c.name: c.answers for c in contestants if c.failure is None}
        if judge.baseline is not None and contestants[0].failure is not None:
            raise _no_baseline(contestants[0].name, contestants[0].failure)
        judge.see(batch, answers)
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


def _started(task: Task, contestants: Sequence[Contestant]) -> Race:
    names = [contestant.name for contestant in contestants if contestant.failure is None]
    return Race(names or [task.names[0]], len(task.rows), alpha=task.spec.alpha, delta=task.spec.delta)


def _step(race: Race, contestants: Sequence[Contestant], batch: Sequence[Row], *, stays: str | None) -> None:
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
    lost = race.see({name: [of_one.get(row.id, 0.0) for row in batch] for name, of_one in scores.items()})
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
        answers = contestant.answers
        known = {answer.row for answer in answers}
        left = 0 if contestant.is_out else sum(row.id not in known for row in batch)
        usd = sum(answer.usd or 0.0 for answer in answers)
        expected_usd += usd + left * (usd / max(1, len(answers)) + (judge.usd_per_row if judge else 0.0))
    return expected_usd > task.spec.max_usd


def _spent_usd(contestants: Sequence[Contestant], judge: Judge | None) -> float | None:
    """What hosted models cost together; None where nobody was hosted, or a price is unknown."""
    hosted = [c for c in contestants if c.task.spec.candidates[c.index].is_hosted]
    each = [spending(contestant.answers)["usd"] for contestant in hosted]
    each += [judge.spent_usd] if judge else []
    return sum(each) if each and None not in each else None


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
    measured = {name: value for name, value in contestant.measured.items() if name != "too_long"}
    if not answers:
        return {**row, **measured, **failed(_all_too_long())}
    return {
        **row,
        **measured,
        "metrics": figures(answers, seed=task.spec.seed, task=task.spec.dataset.task),
        **speed(answers),
        "by_category": by_category(answers),
        "answers_cut_off": sum(answer.is_cut_off for answer in answers),
        **(spending(answers) if candidate.is_hosted else {}),
    }


def _compare(answers: Mapping[str, Sequence[Answer]], task: Task, race: Race | None) -> dict[str, Any]:
    """Compare each pair on the rows that both answered."""
    scores = {name: {a.row: a.score for a in of_one} for name, of_one in answers.items()}
    is_cut_short = race is not None and race.items_seen < len(task.rows)
    pairs = _pairs(scores, task.spec.seed, is_cut_short=is_cut_short)
    leader = _leader(scores, race)
    delta = task.spec.delta if is_cut_short else DELTA
    said: Verdict = (
        race.verdict
        if race is not None and is_cut_short and leader in race.remaining
        else verdict([pair for (a, _), pair in pairs.items() if a == leader], delta=delta)
    )
    return {
        "comparisons": [{"a": a, "b": b, "metric": task.metric, **asdict(p)} for (a, b), p in pairs.items()],
        "winner": leader if said == "winner" else None,
        "leader": leader,
        "verdict": said,
        "delta": delta,
        "metric": task.metric,
        "more_rows_needed": _more_rows(scores, leader) if said == "insufficient" else None,
    }


def _leader(scores: Mapping[str, Mapping[str, float]], race: Race | None) -> str:
    if race is not None and race.leader in scores:
        return race.leader
    common = set.intersection(*(set(of_one) for of_one in scores.values()))
    return max(scores, key=lambda name: sum(scores[name][row] for row in common))


def _pairs(scores: Mapping[str, Mapping[str, float]], seed: int, *, is_cut_short: bool) -> dict[Any, Any]:
    """Every pair, the better one first."""
    common = set.intersection(*(set(of_one) for of_one in scores.values()))
    rows = sorted(common)
    if not is_cut_short:
        aligned = {name: [of_one[row] for row in rows] for name, of_one in scores.items()}
        return compare_all(aligned, seed=seed) if len(rows) > 1 else {}
    found = {}
    for a, b in combinations(scores, 2):
        shared = sorted(set(scores[a]) & set(scores[b]))
        if len(shared) > 1:
            pair = compare_paired([scores[a][r] for r in shared], [scores[b][r] for r in shared], seed=seed)
            first, second = (a, b) if pair.difference >= 0 else (b, a)
            if (first, second) != (a, b):
                pair = compare_paired(
                    [scores[b][r] for r in shared], [scores[a][r] for r in shared], seed=seed
                )
            found[first, second] = pair
    adjusted = holm([pair.p_value for pair in found.values()])
    return {
        names: replace(pair, p_value=p, method=f"{pair.method}, Holm; not corrected for stopping early")
        for (names, pair), p in zip(found.items(), adjusted, strict=True)
    }


def _more_rows(scores: Mapping[str, Mapping[str, float]], leader: str) -> int | None:
    """Rows beside those seen that would likely prove the leader better than its closest rival."""
    needed = []
    for name, of_one in scores.items():
        shared = sorted(set(of_one) & set(scores[leader]))
        if name != leader and shared:
            n = items_needed([scores[leader][row] - of_one[row] for row in shared])
            needed.append(None if n is None else n - len(shared))
    known = [n for n in needed if n is not None]
    return max(0, *known) if known and len(known) == len(needed) else None


def _dataset(task: Task) -> dict[str, Any]:
    dataset = task.spec.dataset
    return {
        "name": dataset.name,
        "sha256": dataset.sha256,
        "rows": dataset.rows,
        "rows_used": len(task.rows),
        "rows_left_out": task.left_out,
        "labels": list(dataset.labels),
        "task": dataset.task,
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


def _all_too_long() -> Bilingual:
    return Bilingual(
        en="Every row is longer than the model's context. Use a model with a longer one.",
        zh="所有行都超出了该模型的上下文长度。请使用上下文更长的模型。",
    )


if __name__ == "__main__":
    run(evaluate)
