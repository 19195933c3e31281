"""Turn a model's name as people write it into a catalogue id, or into the nearest ones.

A name is compared as a row of words and numbers, so that "qwen3 8b", "Qwen3-8B" and "QWEN 3:8B" are one name
while "qwen2.5-3b" and "qwen2-53b" are two. Numbers must agree exactly: a neighbouring size is another model.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable

from rapidfuzz import fuzz, process

from index.records import ModelFact

_FUZZY_CUTOFF = 88.0
_FUZZY_LEAD = 4.0
_ALIKE = 60.0
"""Of 200: less is not worth suggesting."""

_WORD = re.compile(r"\d+(?:\.\d+)?|[a-z]+|[^\W\d_a-z]+")
_REVISION = re.compile(r"(?<![a-z])v0\.\d+")
_DATE = re.compile(
    r"(?<![\d.])(?:20\d{2}-\d\d-\d\d|20\d{6}|(?:0[1-9]|1[0-2])-20\d\d|2[3-6](?:0[1-9]|1[0-2]))(?![\d.])"
)
_CHINESE = {
    "通义千问": "qwen",
    "千问": "qwen",
    "深度求索": "deepseek",
    "智谱": "glm",
    "混元": "hunyuan",
    "文心": "ernie",
    "书生": "internlm",
    "面壁": "minicpm",
}
_GENERIC = frozenset({"instruct", "it", "chat", "hf", "meta", "latest", "model", "v", "模型", "大模型"})
_INSTRUCT = frozenset({"instruct", "it", "chat"})
_BASE = frozenset({"base", "pt"})

Words = tuple[str, ...]


class NameIndex:
    """The names of a set of models, ready to be looked up."""

    def __init__(self, models: Iterable[ModelFact]) -> None:
        self._models = {model.id: model for model in models}
        self._by_id = {id_.casefold(): id_ for id_ in self._models}
        self._by_bare_name: dict[str, list[str]] = defaultdict(list)
        self._by_core: dict[Words, list[str]] = defaultdict(list)
        for model in self._models.values():
            bare = _bare(model.id).casefold()
            self._by_bare_name[bare].append(model.id)
            for spelling in {_bare(model.id), model.name}:
                self._by_core[_core(spelling)].append(model.id)
        self._fuzzy = {id_: " ".join(_words(_bare(id_))) for id_ in self._models}

    def find(self, name: str) -> str | None:
        """The id that `name` stands for, or None when none is clearly meant."""
        wanted = name.strip().strip("`\"'")
        exact = self._by_id.get(wanted.casefold())
        if exact is not None:
            return exact
        organisation, _, bare = wanted.rpartition("/")
        for candidates in (
            self._by_bare_name.get(bare.casefold(), []),
            self._by_core.get(_core(bare), []) if _core(bare) else [],
        ):
            meant = self._best(self._of(organisation, candidates), bare)
            if meant is not None:
                return meant
        return self._only_one_with(organisation, bare) or self._clearly_nearest(organisation, bare)

    def nearest(self, name: str, count: int) -> list[str]:
        """The ids most like `name`, best first; fewer when nothing is at all like it."""
        wanted = " ".join(_words(_bare(name.strip())))
        likeness = {
            id_: fuzz.ratio(wanted, text) + fuzz.token_set_ratio(wanted, text)
            for id_, text in self._fuzzy.items()
        }
        alike = [id_ for id_ in likeness if likeness[id_] > _ALIKE]
        return sorted(alike, key=lambda id_: (-likeness[id_], id_))[:count]

    def _of(self, organisation: str, ids: Iterable[str]) -> list[str]:
        """Only those of the organisation, when one is named: somebody else's copy is another model."""
        wanted = organisation.casefold()
        return [id_ for id_ in ids if not wanted or id_.rpartition("/")[0].casefold() == wanted]

    def _best(self, ids: list[str], bare: str) -> str | None:
        """Of several that fit, the kind that was asked for, then the closest spelling, then the newest."""
        if not ids:
            return None
        asked = set(_words(bare))
        kind = "base" if asked & _BASE else "instruct"
        wanted = " ".join(_words(bare))

        def merit(id_: str) -> tuple[bool, bool, float, str]:
            says_instruct = bool(asked & _INSTRUCT & set(_words(_bare(id_))))
            model = self._models[id_]
            return (
                model.kind == kind,
                says_instruct,
                fuzz.ratio(wanted, self._fuzzy[id_]),
                model.release_date or "",
            )

        return max(ids, key=merit)

    def _only_one_with(self, organisation: str, bare: str) -> str | None:
        """The one model that has all these words and no other number: "haiku 4.5"."""
        wanted = _core(bare)
        if not _numbers(wanted) or not any(len(word) > 2 for word in wanted if word.isalpha()):
            return None
        having = {
            id_
            for core, ids in self._by_core.items()
            if set(wanted) < set(core) and _numbers(core) == _numbers(wanted)
            for id_ in self._of(organisation, ids)
        }
        return having.pop() if len(having) == 1 else None

    def _clearly_nearest(self, organisation: str, bare: str) -> str | None:
        wanted = _words(bare)
        numbers = _numbers(wanted)
        same_numbers = {
            id_: text
            for id_, text in self._fuzzy.items()
            if _numbers(tuple(text.split())) == numbers and self._of(organisation, [id_])
        }
        hits = process.extract(
            " ".join(wanted), same_numbers, scorer=fuzz.ratio, limit=2, score_cutoff=_FUZZY_CUTOFF
        )
        if not hits or (len(hits) == 2 and hits[0][1] - hits[1][1] < _FUZZY_LEAD):
            return None
        return hits[0][2]


def _bare(name: str) -> str:
    return name.rsplit("/", 1)[-1]


def _words(text: str) -> Words:
    text = text.casefold()
    for chinese, latin in _CHINESE.items():
        text = text.replace(chinese, latin)
    return tuple(_WORD.findall(text))


def _core(text: str) -> Words:
    """The words that tell models apart: without dates, revisions, and "instruct", "chat" and the like."""
    words = _words(_REVISION.sub(" ", _DATE.sub(" ", text.casefold())))
    return tuple(word for word in words if word not in _GENERIC)


def _numbers(words: Words) -> Words:
    return tuple(sorted(word for word in words if word[0].isdigit()))
