"""A YAML spec file and command-line options -> one set of options; the command line wins."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

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
        if not _is_given(options.get(name)):
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


def _is_given(value: Any) -> bool:
    """Whether an option was used: 0 is a value, a switch that was not set is none."""
    return value is not None and value is not False and value != []


def bad_option(error: ValidationError, *, prefix: str = "") -> BadInput:
    """What is wrong with the first option that is, in the words of the command line."""
    first = error.errors()[0]
    name = prefix + ".".join(str(part) for part in first["loc"][:1] if isinstance(part, str))
    option, why = f"--{name.replace('_', '-')}", _in_words(first)
    return BadInput(
        Bilingual(
            f"{option} cannot be {first['input']!r}: {why.en}.",
            f"{option} 不能是 {first['input']!r}：{why.zh}。",
        )
    )


def _in_words(first: ErrorDetails) -> Bilingual:
    """What pydantic found, in both languages."""
    kind = first["type"].removesuffix("_parsing").removesuffix("_type")
    said = _SAID.get(kind)
    if said is None:
        return Bilingual(first["msg"][0].lower() + first["msg"][1:], f"无法使用（{first['msg']}）")
    return Bilingual(*(words.format(**first.get("ctx", {})) for words in (said.en, said.zh)))


_SAID = {
    "greater_than": Bilingual("it must be more than {gt:g}", "必须大于 {gt:g}"),
    "greater_than_equal": Bilingual("it must be at least {ge:g}", "至少为 {ge:g}"),
    "less_than": Bilingual("it must be less than {lt:g}", "必须小于 {lt:g}"),
    "less_than_equal": Bilingual("it may be {le:g} at most", "最大为 {le:g}"),
    "literal_error": Bilingual("use {expected}", "请使用 {expected}"),
    "int": Bilingual("it must be a whole number", "必须是整数"),
    "int_from_float": Bilingual("it must be a whole number", "必须是整数"),
    "float": Bilingual("it must be a number", "必须是数字"),
    "finite_number": Bilingual("it must be a number", "必须是数字"),
    "bool": Bilingual("it must be true or false", "必须是 true 或 false"),
    "string_too_long": Bilingual("it may have {max_length} characters at most", "最多 {max_length} 个字符"),
}
"""What pydantic finds, by its kind."""


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
    except (OSError, ValueError, RecursionError, OverflowError, yaml.YAMLError) as error:
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
