"""Results of the mteb package, a JSON file a task -> figures.

The model is named by model_meta.json beside the results, or by the folder: organisation__name/revision/Task.json.
"""

from __future__ import annotations

from pathlib import Path
from statistics import fmean
from typing import Any

from index.catalogue.readers.base import Row, Taken, mapping, number, read_json, unreadable

_META = "model_meta.json"
_SPLITS = ("test", "validation", "dev")


def read(path: Path, taken: Taken) -> None:
    """Take the main score of one task."""
    if path.name == _META:
        return
    result = mapping(read_json(path))
    if "mteb_dataset_name" in result and "scores" not in result:
        raise unreadable(
            path, "it is of mteb before 1.11; run mteb again", "它来自 1.11 之前的 mteb，请重新运行"
        )
    task, scores = result.get("task_name"), mapping(result.get("scores"))
    if not isinstance(task, str) or not scores:
        raise unreadable(
            path, "it has no 'task_name' and 'scores' of mteb", "缺少 mteb 的 task_name 与 scores"
        )
    where = f"{path.name}: {task}"
    split = next((name for name in _SPLITS if scores.get(name)), None)
    entries = scores.get(split) if split else None
    main = _main_score(entries, "en" if task.startswith("MassiveIntent") else None)
    if main is None:
        taken.refuse(where, "it has no main_score", "缺少 main_score")
        return
    if not -1 <= main <= 1:
        taken.refuse(
            where, f"main_score {main:g} is not between -1 and 1", f"main_score {main:g} 不在 -1 到 1 之间"
        )
        return
    name = "MASSIVE intent en (MTEB)" if task == "MassiveIntentClassification" else task
    version = result.get("mteb_version")
    setting = f"{split} split; mteb {version}" if version else f"{split} split; mteb"
    taken.take(where, Row(model=_model(path), benchmark=name, score=main * 100, setting=setting))


def _main_score(entries: Any, subset: str | None) -> float | None:
    """The mean over the subsets, or the one subset that the benchmark is of."""
    if not isinstance(entries, list):
        return None
    scores = [
        number(mapping(entry).get("main_score"))
        for entry in entries
        if subset is None or mapping(entry).get("hf_subset") == subset
    ]
    known = [score for score in scores if score is not None]
    return fmean(known) if known and len(known) == len(scores) else None


def _model(path: Path) -> str:
    meta = path.with_name(_META)
    if meta.is_file():
        named = mapping(read_json(meta)).get("name")
        if isinstance(named, str):
            return named
    folder = next((parent.name for parent in path.parents if "__" in parent.name), "")
    return folder.replace("__", "/", 1)
