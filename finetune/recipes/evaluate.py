"""Score every candidate on the same rows: `python -m finetune.recipes.evaluate JOB_DIR`.

Reads spec.json (an EvaluationSpec) and context.json; leaves items.jsonl, report.html and result.json.
Each candidate answers in a process of its own: one that runs out of memory fails alone and the others go
on. Started again on the same folder, it goes on behind the last row that was answered.
"""

from __future__ import annotations

import multiprocessing
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from multiprocessing.context import ForkContext, SpawnContext
from pathlib import Path
from typing import Any

import torch

from finetune import data
from finetune.atomic import write_text
from finetune.models import canonical_name, resolve
from finetune.paired import compare_all, verdict
from finetune.recipes.answers import Answer, answer_rows, answers_so_far, figures, speed
from finetune.recipes.job_dir import JobDir, read_json, run, write_json
from finetune.recipes.loading import (
    environment,
    load_model,
    load_tokenizer,
    max_tokens,
    prepare_libraries,
    revision_of,
    texts_seen_in_training,
)
from finetune.recipes.memory import MemoryMeter
from finetune.recipes.prompts import Prompts
from finetune.recipes.report import render_report
from finetune.recipes.scoring import SCORING, LabelScorer
from finetune.spec import Candidate, EvaluationSpec
from index.bilingual import Bilingual
from index.errors import BadInput, JobFailed, ShortlistError

DELTA = 0.05
"""Two candidates whose accuracies surely differ by less than this are called indistinguishable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Task:
    """What every candidate is asked, and how the candidates are called."""

    spec: EvaluationSpec
    rows: tuple[data.Row, ...]
    left_out: int
    """Rows that a candidate's adapter was trained on."""
    names: tuple[str, ...]

    @property
    def total(self) -> int:
        return len(self.rows) * len(self.names)


def evaluate(job: JobDir) -> None:
    """Let every candidate answer, compare them, and leave the result and a report."""
    task = _task(job)
    rows = [_candidate(job, task, index) for index in range(len(task.names))]
    finished = [row["label"] for row in rows if row["stopped"] == "finished"]
    if not finished:
        raise _nobody_finished(rows[0])
    answers = {name: answers_so_far(job, name) for name in finished}
    report = job.path / "report.html"
    result = {
        "candidates": rows,
        **_compare(answers, task),
        "share_of_full_cost": sum(row["items_seen"] for row in rows) / task.total,
        "dataset": _dataset(task),
        "environment": next(row["environment"] for row in rows if row["stopped"] == "finished"),
        "report": str(report),
    }
    write_text(report, render_report(result, answers))
    job.finish(result)


def _task(job: JobDir) -> _Task:
    spec = _canonical(EvaluationSpec.model_validate_json(job.spec_json))
    rows = data.load(spec.dataset.sha256, home=job.context.home)
    seen = frozenset[str]().union(*(texts_seen_in_training(c.adapter) for c in spec.candidates))
    unseen = [row for row in rows if data.text_hash(row.text) not in seen]
    left_out = len(rows) - len(unseen)
    if len(unseen) < 2:
        raise _nothing_unseen(len(unseen), len(rows))
    if left_out and not (job.path / "candidates").exists():
        job.note(_left_out(left_out, len(rows)))
    chosen = tuple(data.sample(unseen, spec.limit, spec.seed))
    return _Task(spec=spec, rows=chosen, left_out=left_out, names=_unique_names(spec.candidates))


def _candidate(job: JobDir, task: _Task, index: int) -> dict[str, Any]:
    """Return the candidate's row of the result, from an earlier run where it was finished then."""
    kept = job.path / "candidates" / f"{index}.json"
    if kept.is_file():
        return read_json(kept)
    row = _describe(job, task, index, _run_apart(job, task, index))
    if row["stopped"] == "finished":
        write_json(kept, row)
    job.emit("candidate", row)
    return row


def _run_apart(job: JobDir, task: _Task, index: int) -> dict[str, Any]:
    """Let the candidate answer in a child process; return what it measured, or why it failed."""
    outcome = job.path / "candidates" / f"{index}.outcome.json"
    outcome.unlink(missing_ok=True)
    process = _processes().Process(
        target=_answer_and_measure, args=(job.path, task, index, outcome), daemon=True
    )
    process.start()
    process.join()
    return read_json(outcome) if outcome.is_file() else _failure(_ended_without_a_word(process.exitcode))


def _processes() -> ForkContext | SpawnContext:
    """A fork shares the imported libraries, which saves seconds; CUDA and macOS do not survive one."""
    if sys.platform == "linux" and not torch.cuda.is_available():
        return multiprocessing.get_context("fork")
    return multiprocessing.get_context("spawn")


def _answer_and_measure(job_path: Path, task: _Task, index: int, outcome: Path) -> None:
    """Run in the child: load the candidate, answer every row, write down what was measured."""
    try:
        measured = _measure(JobDir(job_path), task, index)
    except ShortlistError as error:
        measured = _failure(error.message)
    except torch.OutOfMemoryError:
        measured = _failure(_out_of_memory())
    write_json(outcome, measured)


def _measure(job: JobDir, task: _Task, index: int) -> dict[str, Any]:
    candidate, name, context = task.spec.candidates[index], task.names[index], job.context
    device = prepare_libraries(context)
    job.progress(index * len(task.rows), task.total, f"{name}: loading")
    started_s = time.perf_counter()
    location = resolve(candidate.model)
    model = load_model(location, context, candidate.quantization, device, adapter=candidate.adapter)
    labels = task.spec.dataset.labels
    prompts = Prompts(load_tokenizer(location, context), labels)
    load_time_s = time.perf_counter() - started_s
    scorer = LabelScorer(model, prompts, labels, [row.text for row in task.rows])
    fitting = [row for row in task.rows if scorer.length(row.text) <= max_tokens(model)]
    meter = MemoryMeter(model, device)

    def tell(done: int) -> None:
        job.progress(index * len(task.rows) + done, task.total, name)

    answer_rows(job, name, scorer, fitting, tell)
    return {
        "stopped": "finished",
        "peak_memory_gib": meter.peak_gib(),
        "weights_gib": meter.weights_gib,
        "load_time_s": load_time_s,
        "rows_too_long": len(task.rows) - len(fitting),
        "revision": revision_of(location, model),
        "licence": location.licence,
        "environment": {
            **environment(context, device, seed=task.spec.seed),
            "scoring": SCORING,
            "tokens_per_s": "tokens of text and labels computed, without the shared instruction",
            "peak_memory_gib": meter.meaning,
        },
    }


def _describe(job: JobDir, task: _Task, index: int, measured: Mapping[str, Any]) -> dict[str, Any]:
    """Put together a row of the result; what could not be measured is null."""
    candidate = task.spec.candidates[index]
    answers = answers_so_far(job, task.names[index])
    unknown = {"tokens_per_s": None, "latency_p50_s": None, "latency_p95_s": None, "peak_memory_gib": None}
    row = {
        "label": task.names[index],
        "model": candidate.model,
        "quantization": candidate.quantization,
        "adapter": candidate.adapter,
        "metrics": {},
        **unknown,
        "items_seen": len(answers),
        "reason": None,
        "reason_zh": None,
        **measured,
    }
    if row["stopped"] == "finished" and not answers:
        row |= _failure(_all_too_long())
    if row["stopped"] == "finished":
        row |= {"metrics": figures(answers, seed=task.spec.seed), **speed(answers)}
    return row


def _compare(answers: Mapping[str, Sequence[Answer]], task: _Task) -> dict[str, Any]:
    """Compare on the rows that every finished candidate answered."""
    correct = {name: {a.row: float(a.correct) for a in of_one} for name, of_one in answers.items()}
    common = [row.id for row in task.rows if all(row.id in of_one for of_one in correct.values())]
    scores = {name: [of_one[row] for row in common] for name, of_one in correct.items()}
    pairs = compare_all(scores, seed=task.spec.seed) if len(common) > 1 else {}
    leader = max(scores, key=lambda name: sum(scores[name]))
    said = verdict([pair for (a, _), pair in pairs.items() if a == leader], delta=DELTA)
    return {
        "comparisons": [
            {"a": a, "b": b, "metric": task.spec.metric, **asdict(pair)} for (a, b), pair in pairs.items()
        ],
        "winner": leader if said == "winner" else None,
        "verdict": said,
        "delta": DELTA,
    }


def _dataset(task: _Task) -> dict[str, Any]:
    dataset = task.spec.dataset
    return {
        "name": dataset.name,
        "sha256": dataset.sha256,
        "rows": dataset.rows,
        "rows_used": len(task.rows),
        "rows_left_out": task.left_out,
        "labels": list(dataset.labels),
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


def _failure(reason: Bilingual) -> dict[str, Any]:
    return {"stopped": "failed", "reason": reason.en, "reason_zh": reason.zh}


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


def _out_of_memory() -> Bilingual:
    return Bilingual(
        en="The GPU ran out of memory while answering. Try nf4 or shorter texts.",
        zh="回答过程中显存不足。请尝试 nf4 或更短的文本。",
    )


def _all_too_long() -> Bilingual:
    return Bilingual(
        en="Every row is longer than the model's context. Use a model with a longer one.",
        zh="所有行都超出了该模型的上下文长度。请使用上下文更长的模型。",
    )


def _ended_without_a_word(exit_code: int | None) -> Bilingual:
    if exit_code == -signal.SIGKILL:
        return Bilingual(
            en="Its process was killed by the system, most likely because memory ran out. "
            "Try nf4, a smaller model, or a larger machine.",
            zh="其进程被系统终止，很可能是内存不足。请尝试 nf4、更小的模型或更大的机器。",
        )
    return Bilingual(
        en=f"Its process ended unexpectedly (exit code {exit_code}). The job's log has the details.",
        zh=f"其进程意外结束（退出码 {exit_code}）。详情见任务日志。",
    )


if __name__ == "__main__":
    run(evaluate)
