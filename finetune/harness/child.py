"""Run lm-evaluation-harness on its own: `python -m finetune.harness.child NAME OUT.json [FOLDER]`.

Leaves {"task", "records"}, or {"problem"} and what helps.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from lm_eval.tasks import TaskManager
from rapidfuzz import fuzz, process

from finetune.harness.convert import UnlikeOurs, records_of, task_of

_NEAR = 3
_UNREACHED = (ConnectionError, TimeoutError)


def main(name: str, out: Path, folder: Path | None) -> None:
    """Load the tasks that the name means and write their records."""
    tasks = _tasks(name, folder)
    names = [name] if name in tasks.all_tasks else tasks.match_tasks([name])
    if names:
        answer = _read(tasks, names)
    else:
        likest = process.extract(name, tasks.all_tasks, scorer=fuzz.ratio, limit=_NEAR, score_cutoff=75)
        near = [found for found, _, _ in likest]
        answer = {"problem": "unknown", "near": near}
    out.write_text(json.dumps(answer, ensure_ascii=False, default=str), encoding="utf-8")


def _tasks(name: str, folder: Path | None) -> TaskManager:
    """Those of the folder where one of them is meant: looking through the harness's own takes seconds."""
    if folder is not None:
        own = TaskManager(include_path=folder, include_defaults=False)
        if name in own.all_subtasks:
            return own
    return TaskManager(include_path=folder)


def _read(manager: TaskManager, names: list[str]) -> dict[str, Any]:
    try:
        tasks = manager.load(names)["tasks"]
        records = [
            record
            for name, task in tasks.items()
            for record in records_of(task, task.eval_docs, name if len(tasks) > 1 else None)
        ]
        kinds = {str(task.get_config("output_type")) for task in tasks.values()}
        return {"task": task_of(kinds, records), "records": records}
    except UnlikeOurs as error:
        return {"problem": str(error)}
    except _UNREACHED:
        return {"problem": "out of reach"}
    except Exception as error:  # a task is somebody's code and may raise anything
        is_unreached = "offline" in str(error).casefold() or isinstance(error.__cause__, _UNREACHED)
        return {
            "problem": "out of reach"
            if is_unreached
            else f"{type(error).__name__}: {str(error).split(chr(10))[0]}"
        }


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]) if len(sys.argv) > 3 else None)
