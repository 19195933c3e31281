"""results_*.json of lm-evaluation-harness -> figures."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from index.catalogue.readers.base import Row, Taken, mapping, number, read_json, unreadable

_TASKS = {
    "arc_challenge": ("ARC-C", ("acc_norm",)),
    "arc_easy": ("ARC-E", ("acc_norm",)),
    "bbh": ("BBH", ("exact_match",)),
    "boolq": ("BoolQ", ("acc",)),
    "ceval-valid": ("C-Eval", ("acc",)),
    "cmmlu": ("CMMLU", ("acc",)),
    "drop": ("DROP", ("f1",)),
    "gsm8k": ("GSM8K", ("exact_match",)),
    "gsm8k_cot": ("GSM8K", ("exact_match",)),
    "hellaswag": ("HellaSwag", ("acc_norm",)),
    "humaneval": ("HumanEval", ("pass@1", "pass_at_1")),
    "humaneval_instruct": ("HumanEval", ("pass@1", "pass_at_1")),
    "ifeval": ("IFEval", ("prompt_level_strict_acc",)),
    "kmmlu": ("KMMLU", ("acc",)),
    "leaderboard_bbh": ("BBH (Open LLM v2)", ()),
    "mbpp": ("MBPP", ("pass_at_1", "pass@1")),
    "mmlu": ("MMLU", ("acc",)),
    "mmlu_pro": ("MMLU-Pro", ("exact_match",)),
    "openbookqa": ("OpenBookQA", ("acc_norm",)),
    "piqa": ("PIQA", ("acc_norm",)),
    "race": ("RACE", ("acc",)),
    "triviaqa": ("TriviaQA", ("exact_match",)),
    "truthfulqa_mc2": ("TruthfulQA", ("acc",)),
    "winogrande": ("WinoGrande", ("acc",)),
}
"""Task -> our benchmark and the metric by which it is commonly reported. Normalised ones are not comparable."""
_FILTERS = ("none", "strict-match", "custom-extract", "create_test", "get-answer", "remove_whitespace")


def read(path: Path, taken: Taken) -> None:
    """Take the scores of one results file."""
    results = mapping(read_json(path))
    scores = results.get("results")
    if not isinstance(scores, dict) or not scores:
        raise unreadable(
            path, "it has no 'results' of lm-evaluation-harness", "缺少 lm-evaluation-harness 的 results"
        )
    model, date = _model(results), _date(results.get("date"))
    subtasks = {
        name
        for group in mapping(results.get("group_subtasks")).values()
        if isinstance(group, list)
        for name in group
    }
    limit = mapping(results.get("config")).get("limit")
    for task, values in scores.items():
        where = f"{path.name}: {task}"
        if limit is not None:
            taken.refuse(
                where,
                f"the run was limited ({limit:g} items a task)"
                if isinstance(limit, (int, float))
                else "the run was limited to some items",
                "该评测只跑了部分样本",
            )
        elif task in subtasks:
            continue
        elif task not in _TASKS or not _TASKS[task][1]:
            taken.refuse(where, "no benchmark of the catalogue is this task", "目录中没有对应的基准")
        else:
            _take(
                taken,
                where,
                task,
                mapping(values),
                results,
                Row(model=model, benchmark="", score=0, date=date),
            )


def _take(
    taken: Taken, where: str, task: str, values: Mapping[str, Any], results: Mapping[str, Any], row: Row
) -> None:
    benchmark, metrics = _TASKS[task]
    found = _score(values, metrics)
    if found is None:
        taken.refuse(where, f"it has no number for {' or '.join(metrics)}", f"缺少指标 {' / '.join(metrics)}")
        return
    key, score = found
    if not 0 <= score <= 1:
        taken.refuse(
            where, f"{key} is {score:g}, not a fraction of 1", f"{key} 为 {score:g}，不在 0 到 1 之间"
        )
        return
    shots = mapping(results.get("n-shot")).get(task)
    version = results.get("lm_eval_version") or results.get("git_hash")
    setting = ", ".join(
        part
        for part in (
            f"{shots}-shot" if isinstance(shots, int) else "",
            key.replace(",none", ""),
            f"lm-evaluation-harness {version}" if version else "lm-evaluation-harness",
            task if task.endswith(("_cot", "_instruct")) else "",
        )
        if part
    )
    taken.take(
        where, Row(model=row.model, benchmark=benchmark, score=score * 100, date=row.date, setting=setting)
    )


def _score(values: Mapping[str, Any], metrics: tuple[str, ...]) -> tuple[str, float] | None:
    for metric in metrics:
        for key in (*(f"{metric},{name}" for name in _FILTERS), metric):
            score = number(values.get(key))
            if score is not None:
                return key, score
    return None


def _model(results: Mapping[str, Any]) -> str:
    """The model that was run: stated by name, or inside the arguments as pretrained=…"""
    config = mapping(results.get("config"))
    arguments = config.get("model_args")
    if isinstance(arguments, dict):
        named = arguments.get("pretrained") or arguments.get("model")
    else:
        stated = re.search(r"(?:pretrained|model)=([^,]+)", str(arguments or ""))
        named = stated[1] if stated else None
    return str(named or results.get("model_name") or "").strip()


def _date(stamp: object) -> str | None:
    seconds = number(stamp)
    if seconds is None or not 0 < seconds < 1e11:
        return None
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()
