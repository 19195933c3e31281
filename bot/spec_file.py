"""A YAML spec file and command-line options -> one set of options; the command line wins."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import yaml

from finetune.spec import DatasetTask
from index.bilingual import Bilingual
from index.errors import BadInput

_REQUIRED = {"models": "--model", "model": "--model", "dataset": "--dataset"}
_INSTEAD = {"dataset": "benchmark"}
_MAX_BYTES = 1_000_000


def read_spec(path: Path | None, given: dict[str, Any], *, allowed: set[str]) -> dict[str, Any]:
    """Merge the file's options under the given ones; refuse unknown names and missing ones."""
    options = dict(given)
    for name, value in (_load(path, allowed) if path else {}).items():
        if not options.get(name):
            options[name] = value
    for name, flag in _REQUIRED.items():
        instead = options.get(_INSTEAD.get(name, ""))
        if name in allowed and not options.get(name) and not instead:
            raise BadInput(
                Bilingual(
                    f"Nothing says which {flag.strip('-')} to use: add {flag}, or `{name}:` in a spec file.",
                    f"没有指定 {flag.strip('-')}：请加上 {flag}，或在配置文件里写 `{name}:`。",
                )
            )
    return options


def known_task(task: str | None) -> DatasetTask | None:
    """The task of that name; BadInput for one that there is not."""
    if task is None:
        return None
    names: tuple[DatasetTask, ...] = get_args(DatasetTask)
    for name in names:
        if name == task:
            return name
    listed = ", ".join(names)
    raise BadInput(
        Bilingual(
            f"The task {task!r} is unknown. Use one of: {listed}.", f"未知的任务 {task!r}。可用：{listed}。"
        )
    )


def _load(path: Path, allowed: set[str]) -> dict[str, Any]:
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise _unreadable(path, "over 1 MB")
        loaded = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise _unreadable(path, type(error).__name__) from None
    if not isinstance(loaded, dict):
        raise _unreadable(path, "no `name: value` lines")
    unknown = sorted(set(map(str, loaded)) - allowed)
    if unknown:
        names = ", ".join(unknown)
        raise BadInput(
            Bilingual(
                f"{path} has options that I do not know: {names}. Known ones: {', '.join(sorted(allowed))}.",
                f"{path} 里有不认识的选项：{names}。可用：{', '.join(sorted(allowed))}。",
            )
        )
    return {str(name): value for name, value in loaded.items()}


def _unreadable(path: Path, why: str) -> BadInput:
    return BadInput(
        Bilingual(
            f"The spec file {path} cannot be read ({why}). Give a YAML file, or use the options instead.",
            f"无法读取配置文件 {path}（{why}）。请提供 YAML 文件，或直接使用命令行选项。",
        )
    )
