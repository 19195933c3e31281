"""Turn team.yaml in the home into the team's own models, prices and accelerators, or into clear words.

Everything wrong is said at once, each with its line: a price of zero or an unknown accelerator never passes
silently.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from index.bilingual import Bilingual
from index.catalogue.catalogue import Catalogue
from index.catalogue.gpus import GpuFact, shipped_gpus
from index.catalogue.layers import REQUIRED, Facts, Page, facts_of
from index.catalogue.soundness import fact_problems
from index.errors import BadInput
from index.prices import TokenPrice
from index.records import Source

FILE = "team.yaml"
_SHOWN = 8
"""Problems told at once; more would only scroll the first away."""
_RATE = Bilingual(en="your own rate", zh="团队自己的价格")

_AS_ASKED = re.compile(r"[a-z_]+:\S+")

Usd = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Size = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Link = Annotated[str, Field(pattern=r"^https?://")]


class OwnModel(Facts):
    """A model of the team's: facts, perhaps on top of those of the model that it was made from."""

    based_on: str | None = None
    url: Link | None = None


class OwnPrice(BaseModel):
    """What the team pays for a hosted model."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    """As the catalogue calls it, or as evaluations ask it: `openai:qwen3`, `openai:qwen3@http://127.0.0.1:8000/v1`."""
    input_usd_per_mtok: Usd
    output_usd_per_mtok: Usd | None = None
    provider: str = "your own price"
    url: Link | None = None


class OwnGpu(BaseModel):
    """An accelerator that the team has, or its own rate for a known one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1)
    aliases: tuple[str, ...] = ()
    memory_gib: Size | None = None
    usable_gib: Size | None = None
    bandwidth_gb_s: Size | None = None
    bf16_tflops: Size | None = None
    usd_per_hour: Usd | None = None
    url: Link | None = None


class TeamFile(BaseModel):
    """team.yaml as a whole."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    models: tuple[OwnModel, ...] = ()
    prices: tuple[OwnPrice, ...] = ()
    gpus: tuple[OwnGpu, ...] = ()


@dataclass(frozen=True, slots=True)
class Team:
    """What the team added."""

    models: tuple[Facts, ...] = ()
    prices: dict[str, TokenPrice] = field(default_factory=dict)
    gpus: tuple[GpuFact, ...] = ()


@dataclass(frozen=True, slots=True)
class _Problem:
    place: tuple[str | int, ...]
    """The keys that lead to the entry."""
    what: Bilingual


class _Refused(Exception):
    def __init__(self, what: Bilingual) -> None:
        super().__init__(what.en)
        self.what = what


def read_team(path: Path, catalogue: Catalogue) -> Team:
    """What the team's file adds to a catalogue; nothing when there is no file."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return Team()
    except (OSError, UnicodeDecodeError) as error:
        raise _bad(path, [Bilingual("it is not readable as UTF-8 text", "无法按 UTF-8 文本读取")]) from error
    try:
        data, tree = yaml.safe_load(text), yaml.compose(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise _bad(path, [_yaml_problem(error)]) from error
    team, problems = _checked(data if data is not None else {}, catalogue)
    if problems:
        raise _bad(path, [_with_line(problem, tree) for problem in problems])
    return team


def _checked(data: Any, catalogue: Catalogue) -> tuple[Team, list[_Problem]]:
    try:
        stated = TeamFile.model_validate(data)
    except ValidationError as error:
        return Team(), [_Problem(details["loc"], _in_words(details)) for details in error.errors()]
    models: list[Facts] = []
    prices: dict[str, TokenPrice] = {}
    gpus: list[GpuFact] = []
    problems = [*_doubles(stated)]

    def take(place: tuple[str | int, ...], add: Any, entry: Any) -> None:
        try:
            add(entry)
        except _Refused as refused:
            problems.append(_Problem(place, refused.what))

    for n, model in enumerate(stated.models):
        take(("models", n), lambda entry: models.append(_model(entry, catalogue)), model)
    own = {model.id for model in stated.models}
    for n, price in enumerate(stated.prices):
        take(("prices", n), lambda entry: prices.update(_price(entry, catalogue, own)), price)
    for n, gpu in enumerate(stated.gpus):
        take(("gpus", n), lambda entry: gpus.append(_gpu(entry)), gpu)
    return Team(tuple(models), prices, tuple(gpus)), problems


def _model(own: OwnModel, catalogue: Catalogue) -> Facts:
    page = Page(name=FILE, url=own.url or FILE)
    known = {name: value for name, value in own.stated().items() if name not in {"based_on", "url"}}
    if own.based_on is not None:
        base = catalogue.find(own.based_on)
        if base is None:
            raise _Refused(_unknown(own.based_on, catalogue))
        inherited = facts_of(base).model_dump(exclude_none=True, exclude={"id", "name", "sources"})
        known = {**inherited, **known}
    facts = Facts(**known, n_heads=own.n_heads, sources=(page, *own.sources))
    before = catalogue.models.get(own.id)
    missing = [name for name in REQUIRED if getattr(facts, name) is None and before is None]
    if missing:
        raise _Refused(
            Bilingual(
                f"the model {own.id} needs {', '.join(missing)}, or based_on with a model that I know",
                f"模型 {own.id} 缺少 {'、'.join(missing)}，或用 based_on 指明已知的基础模型",
            )
        )
    wrong = fact_problems(facts.over(before), today=datetime.now(UTC).date().isoformat(), n_heads=own.n_heads)
    if wrong:
        raise _Refused(
            Bilingual(f"the model {own.id}: {'; '.join(wrong)}", f"模型 {own.id}：{'；'.join(wrong)}")
        )
    return facts


def _price(own: OwnPrice, catalogue: Catalogue, own_models: set[str]) -> dict[str, TokenPrice]:
    id_ = own.model if _AS_ASKED.fullmatch(own.model) else _known_id(own.model, catalogue, own_models)
    price = TokenPrice(
        model_id=id_,
        provider=own.provider,
        input_usd_per_mtok=own.input_usd_per_mtok,
        output_usd_per_mtok=own.output_usd_per_mtok,
        source=Source(name=FILE, url=own.url or FILE),
        date=datetime.now(UTC).date().isoformat(),
    )
    return {id_: price}


def _known_id(name: str, catalogue: Catalogue, own_models: set[str]) -> str:
    model = catalogue.find(name)
    if model is None and name not in own_models:
        raise _Refused(_unknown(name, catalogue))
    return name if name in own_models or model is None else model.id


def _gpu(own: OwnGpu) -> GpuFact:
    stated: dict[str, Any] = own.model_dump(exclude_none=True, exclude={"url"})
    if own.usd_per_hour is not None:
        stated["rate_basis"] = _RATE
    known = next((gpu for gpu in shipped_gpus() if _same_gpu(gpu, own.name)), None)
    if known is not None:
        aliases = tuple(dict.fromkeys((*own.aliases, *known.aliases)))
        return replace(known, **{**stated, "name": known.name, "aliases": aliases})
    if own.memory_gib is None or own.bandwidth_gb_s is None:
        raise _Refused(
            Bilingual(
                f"unknown accelerator {own.name!r}: give its memory_gib and bandwidth_gb_s, or use a known name",
                f"未知的加速卡 {own.name!r}：请写明 memory_gib 和 bandwidth_gb_s，或使用已知名称",
            )
        )
    return GpuFact(**stated, source=Source(name=FILE, url=own.url or FILE))


def _same_gpu(gpu: GpuFact, name: str) -> bool:
    wanted = name.casefold().strip()
    return wanted in {gpu.name.casefold(), *(alias.casefold() for alias in gpu.aliases)}


def _doubles(stated: TeamFile) -> Iterator[_Problem]:
    lists: dict[str, Sequence[str]] = {
        "models": [model.id for model in stated.models],
        "prices": [price.model for price in stated.prices],
        "gpus": [gpu.name for gpu in stated.gpus],
    }
    for part, names in lists.items():
        for name, count in Counter(item.casefold() for item in names).items():
            if count > 1:
                place = max(n for n, item in enumerate(names) if item.casefold() == name)
                yield _Problem(
                    (part, place),
                    Bilingual(
                        f"{names[place]!r} is there {count} times", f"{names[place]!r} 出现了 {count} 次"
                    ),
                )


def _unknown(name: str, catalogue: Catalogue) -> Bilingual:
    nearest = catalogue.nearest(name)
    return Bilingual(
        f"unknown model {name!r}" + (f"; the nearest that I know: {', '.join(nearest)}" if nearest else ""),
        f"未知的模型 {name!r}" + (f"；最接近的是 {'、'.join(nearest)}" if nearest else ""),
    )


def _in_words(details: ErrorDetails) -> Bilingual:
    name = details["loc"][-1] if details["loc"] else FILE
    value = details["input"]
    match details["type"]:
        case "extra_forbidden":
            return Bilingual(f"unknown field {name!r}", f"未知字段 {name!r}")
        case "missing":
            return Bilingual(f"{name!r} is missing", f"缺少 {name!r}")
        case "greater_than" | "finite_number":
            return Bilingual(f"{name} must be above zero, not {value}", f"{name} 必须大于零，而不是 {value}")
        case "string_pattern_mismatch":
            wanted = "organisation/name" if name == "id" else "an http link"
            return Bilingual(
                f"{name} must look like {wanted}, not {value!r}", f"{name} 应形如 {wanted}，而不是 {value!r}"
            )
        case "literal_error":
            allowed = details.get("ctx", {}).get("expected", "")
            return Bilingual(
                f"{name} must be {allowed}, not {value!r}", f"{name} 只能是 {allowed}，而不是 {value!r}"
            )
        case _:
            shown = repr(value) if not isinstance(value, dict | list) else type(value).__name__
            return Bilingual(f"{name} cannot be {shown[:60]}", f"{name} 的值不可用：{shown[:60]}")


def _with_line(problem: _Problem, tree: yaml.Node | None) -> Bilingual:
    line = _line(tree, problem.place)
    where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in problem.place).lstrip(
        "."
    )
    at = f" ({where})" if where else ""
    return Bilingual(f"line {line}{at}: {problem.what.en}", f"第 {line} 行{at}：{problem.what.zh}")


def _line(node: yaml.Node | None, place: Sequence[str | int]) -> int:
    """The line of the entry that the keys lead to, as near as they lead."""
    line = 1 if node is None else node.start_mark.line + 1
    if node is None or not place:
        return line
    key, *rest = place
    if isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            if name.value == key:
                return _line(value, rest) if rest else int(name.start_mark.line) + 1
    if isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
        return _line(node.value[key], rest)
    return line


def _yaml_problem(error: Exception) -> Bilingual:
    mark = getattr(error, "problem_mark", None)
    line = f"line {mark.line + 1}: " if mark is not None else ""
    line_zh = f"第 {mark.line + 1} 行：" if mark is not None else ""
    return Bilingual(f"{line}this is not valid YAML", f"{line_zh}不是有效的 YAML")


def _bad(path: Path, problems: Sequence[Bilingual]) -> BadInput:
    shown = problems[:_SHOWN]
    more = len(problems) - len(shown)
    rest = Bilingual(f" And {more} more.", f"另有 {more} 处。") if more else Bilingual("", "")
    return BadInput(
        Bilingual(
            en=f"{path} cannot be used. {'; '.join(p.en for p in shown)}.{rest.en} Mend it, or move it away.",
            zh=f"{path} 无法使用。{'；'.join(p.zh for p in shown)}。{rest.zh}请修正，或先移走该文件。",
        )
    )
