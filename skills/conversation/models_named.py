"""Find named models in free text: "qwen 3 8b", "llama3.1", "千问" -> catalogue ids, families, or unknown names.

A mention fits a model when everything it says is part of the model's id. What fits nothing is reported as
unknown, never replaced by a guess.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass, replace

from rapidfuzz import process
from rapidfuzz.distance import OSA

from skills.conversation.parse.lexicon import load, words
from skills.conversation.parse.names import INSTRUCT, SEPARATORS, Name, Part, cut, family_words, name_of

_REPOSITORY = re.compile(r"(?<![\w./-])[a-z0-9][\w.-]{1,60}/[a-z0-9][\w.-]{1,90}")
_SIZED_NAME = re.compile(
    r"(?<![\w./-])[a-z][a-z0-9_.]{1,30}-(?:[\w.]{1,20}-){0,4}\d+(?:\.\d+)?[bm](?![a-z0-9])[\w.-]{0,40}"
)
_HAS_SIZE = re.compile(r"\d[bm](?![a-z0-9])")
_MAX_PARTS = 12
_MIN_FUZZY_LETTERS = 4
_MIN_FUZZY_LETTERS_ALONE = 6


@dataclass(frozen=True, slots=True)
class Mention:
    """One model (`id`), or a family of them, or an unknown name, at a character span of the text."""

    start: int
    end: int
    id: str | None = None
    family: str | None = None
    members: tuple[str, ...] = ()
    """Ids of the family that fit what was said, newest first, when no single model was meant."""
    unknown: str | None = None


@dataclass(frozen=True, slots=True)
class _Said:
    """What stands after the head of a mention."""

    version: str | None = None
    size: str | None = None
    words: frozenset[str] = frozenset()
    dates: frozenset[str] = frozenset()
    is_instruct: bool = False

    @property
    def is_bare(self) -> bool:
        return self == _Said()


class ModelNames:
    """The names of the models in a catalogue, ready to be found in text."""

    def __init__(self, names: Sequence[Name]) -> None:
        self._ids = {name.id.lower(): name.id for name in names}
        self._by_head: dict[str, list[Name]] = {}
        for name in names:
            for head in name.heads:
                self._by_head.setdefault(head, []).append(name)
        self._vocabulary = {head: _vocabulary(listed) for head, listed in self._by_head.items()}
        self._fuzzy_heads = [head for head in self._by_head if len(head) >= _MIN_FUZZY_LETTERS]
        self._aliases = dict(self._read_aliases())

    @classmethod
    def from_ids(cls, ids: Iterable[str]) -> ModelNames:
        """Build from catalogue ids such as `Qwen/Qwen3-8B`."""
        return cls([name_of(model_id) for model_id in dict.fromkeys(ids)])

    def knowing(self, ids: Iterable[str]) -> ModelNames:
        """The same names and these, which are only found when they are written in full."""
        more = copy(self)
        more._ids = self._ids | {model_id.lower(): model_id for model_id in ids}
        return more

    def find(self, folded: str, skip: Iterable[tuple[int, int]] = ()) -> tuple[Mention, ...]:
        """Every mention in lower-case text, from left to right, outside the character spans to skip."""
        skipped = list(skip)
        repositories = [m for m in self._repositories(folded) if not _overlaps(m, skipped)]
        skipped += [(mention.start, mention.end) for mention in repositories]
        named = list(self._named(folded, skipped))
        skipped += [(mention.start, mention.end) for mention in named]
        unknown = [m for m in _sized_names(folded) if not _overlaps(m, skipped)]
        return tuple(sorted([*repositories, *named, *unknown], key=lambda mention: mention.start))

    def _read_aliases(self) -> Iterator[tuple[tuple[str, _Said], str]]:
        for alias, model_id in load("models")["aliases"].items():
            parts = cut(alias)
            if model_id.lower() in self._ids:
                yield (parts[0].text, _said(parts[1:])), self._ids[model_id.lower()]

    def _repositories(self, folded: str) -> Iterator[Mention]:
        """Names in the shape organisation/name."""
        for match in _REPOSITORY.finditer(folded):
            text = match.group().rstrip(".")
            end = match.start() + len(text)
            if text in self._ids:
                yield Mention(match.start(), end, id=self._ids[text])
            elif _HAS_SIZE.search(text) and not text.rpartition("/")[0].isdigit():
                inside = self._named(text.rpartition("/")[2], ())
                same = next((m.id for m in inside if m.id), None)
                yield Mention(match.start(), end, id=same, unknown=None if same else text)

    def _named(self, folded: str, skipped: Sequence[tuple[int, int]]) -> Iterator[Mention]:
        parts = cut(folded)
        at = 0
        while at < len(parts):
            mention, following = self._mention_at(parts, at)
            if mention is not None and not _overlaps(mention, skipped):
                yield mention
                if mention.id is not None:
                    more, following = self._siblings(parts, at, following)
                    yield from more
            at = following

    def _siblings(self, parts: Sequence[Part], at: int, after: int) -> tuple[list[Mention], int]:
        """ "Qwen3 4B and 8B", "qwen3 4b 和 8b": sizes listed after a name are of the same family."""
        stem = [part for part in parts[at:after] if part.kind != "size"]
        found: list[Mention] = []
        while _lists_size(parts, after):
            size = parts[after + 1]
            said = [*stem[1:], size]
            mention = (
                self._resolved(parts[at].text, parts[at], said) if parts[at].text in self._by_head else None
            )
            if mention is None or mention.id is None:
                break
            found.append(replace(mention, start=size.start, end=size.end))
            after += 2
        return found, after

    def _mention_at(self, parts: Sequence[Part], at: int) -> tuple[Mention | None, int]:
        part = parts[at]
        if part.kind not in ("word", "code"):
            return None, at + 1
        if part.text in words("models", "elsewhere"):
            return _elsewhere(parts, at)
        head = part.text if part.text in self._by_head else self._fuzzy_head(parts, at)
        if head is None:
            return None, at + 1
        taken = [*_size_before(parts, at), *self._taken(parts, at, head)]
        mention = self._resolved(head, part, taken)
        is_doubtful = head != part.text or head in words("models", "ordinary_heads")
        if mention is None or (is_doubtful and mention.id is None):
            return None, at + 1
        return mention, next(
            (i for i in range(at + 1, len(parts)) if parts[i].start >= mention.end), len(parts)
        )

    def _taken(self, parts: Sequence[Part], at: int, head: str) -> list[Part]:
        """The parts after a head that can belong to its name."""
        taken: list[Part] = []
        for i in range(at + 1, min(at + 1 + _MAX_PARTS, len(parts))):
            part = parts[i]
            if part.text == "的" or (part.text in SEPARATORS and part.joined):
                continue
            if not self._belongs(parts, i, head, taken):
                break
            taken.append(part)
        return taken

    def _belongs(self, parts: Sequence[Part], at: int, head: str, taken: Sequence[Part]) -> bool:
        part = parts[at]
        if part.kind == "mark":
            return False
        if part.kind in ("version", "size"):
            is_first = all(part.kind != other.kind for other in taken)
            return is_first and (part.joined or part.kind == "size" or self._is_version(parts, at, head))
        is_hyphenated = part.joined and parts[at - 1].text in ("-", "_")
        return is_hyphenated or part.text in self._vocabulary[head] or part.text in words("models", "neutral")

    def _is_version(self, parts: Sequence[Part], at: int, head: str) -> bool:
        """A number after a space is a version if the family has it, or if a size follows it."""
        has_size = any(part.kind == "size" for part in parts[at + 1 : at + 3])
        return parts[at].text in self._vocabulary[head] or has_size

    def _resolved(self, head: str, part: Part, taken: list[Part]) -> Mention | None:
        """Try all that was taken, then less: trailing words after a space may belong to the sentence."""
        kept = list(taken)
        while True:
            mention = self._fitting(head, part, kept)
            if mention is not None or not kept or not _may_drop(kept[-1]):
                break
            kept.pop()
        if mention is None and kept:
            start, end = min(part.start, kept[0].start), max(part.end, kept[-1].end)
            return Mention(start, end, unknown=" ".join([part.text, *(other.text for other in kept)]))
        return mention

    def _fitting(self, head: str, part: Part, kept: Sequence[Part]) -> Mention | None:
        said = _said(kept)
        start = min([part.start, *(other.start for other in kept)])
        end = max([part.end, *(other.end for other in kept)])
        if (alias := self._aliases.get((head, said))) is not None:
            return Mention(start, end, id=alias)
        if head in words("models", "ordinary_heads") and not _is_name_like(part, kept):
            return None
        fitting = [name for name in self._by_head[head] if _fits(name, said)]
        chosen = _single(fitting, head, said)
        if chosen is not None:
            return Mention(start, end, id=chosen.id)
        if not fitting:
            return None
        own = [name for name in fitting if name.heads[0] == head] or fitting
        own.sort(key=lambda name: (name.order[0], name.is_instruct, name.order[1]), reverse=True)
        display = family_words().get(head, head.capitalize()) + _version_suffix(said)
        return Mention(start, end, family=display, members=tuple(name.id for name in own))

    def _fuzzy_head(self, parts: Sequence[Part], at: int) -> str | None:
        """A family word with one slip in it, where a version, a size or its length makes that likely."""
        part = parts[at]
        following = parts[at + 1] if at + 1 < len(parts) else None
        has_number = following is not None and following.kind in ("version", "size", "code")
        shortest = _MIN_FUZZY_LETTERS if has_number else _MIN_FUZZY_LETTERS_ALONE
        if part.kind != "word" or len(part.text) < shortest or part.text in words("spelling", "ordinary"):
            return None
        heads = [head for head in self._fuzzy_heads if len(head) >= shortest - 1 and head[0] == part.text[0]]
        best = process.extractOne(part.text, heads, scorer=OSA.distance, score_cutoff=1)
        return best[0] if best else None


def _fits(name: Name, said: _Said) -> bool:
    """True when nothing that was said contradicts the id."""
    if said.size is not None and said.size != name.size:
        return False
    if said.version is not None and not any(_is_version(said, version) for version in name.versions):
        return False
    wants_base = not said.words.isdisjoint(words("models", "base_words"))
    unsaid = said.words - words("models", "base_words") - name.words
    return not unsaid and said.dates <= frozenset(name.dates) and not (wants_base and name.is_instruct)


def _is_version(said: _Said, version: str) -> bool:
    """ "Llama 3" stands for every Llama 3.x while no size narrows it down."""
    return version == said.version or (said.size is None and version.startswith(f"{said.version}."))


def _single(fitting: Sequence[Name], head: str, said: _Said) -> Name | None:
    """The one model meant: the plainest that fits, if the plainest ones differ in their release only."""
    fewest = min((len(_extras(name, head, said)) for name in fitting), default=0)
    plain = [name for name in fitting if len(_extras(name, head, said)) == fewest]
    exact = [name for name in plain if said.version in name.versions]
    if said.size or said.words or all(name.size is None for name in exact):
        plain = exact or plain
    kinds = {(name.size, _extras(name, head, said)) for name in plain}
    is_whole_name = len(plain) == 1 and fewest == 0 and not plain[0].versions and plain[0].size is None
    is_open = said.is_bare and len(fitting) > 1 and not is_whole_name
    return max(plain, key=lambda name: _preference(name, said)) if len(kinds) == 1 and not is_open else None


def _extras(name: Name, head: str, said: _Said) -> frozenset[str]:
    """What the id says beyond the mention. Whether it is a base model, or a sparse one, is no extra."""
    extras = name.words - said.words - words("models", "base_words") - {head}
    return frozenset(word for word in extras if not _is_active_size(word))


def _is_active_size(word: str) -> bool:
    return word[0] == "a" and word.endswith("b") and word[1:-1].replace(".", "").isdigit()


def _preference(name: Name, said: _Said) -> tuple[object, ...]:
    """Among releases of one model: the one whose kind was said, undated, for chat, latest."""
    wants_base = not said.words.isdisjoint(words("models", "base_words"))
    is_plain_base = not name.words.isdisjoint(words("models", "base_words"))
    return (
        said.is_instruct and name.is_instruct,
        -len(set(name.dates) - said.dates),
        is_plain_base == wants_base,
        name.is_instruct != wants_base,
        name.order,
    )


def _said(parts: Sequence[Part]) -> _Said:
    def first(kind: str) -> str | None:
        return next((part.text for part in parts if part.kind == kind), None)

    spoken = frozenset(part.text for part in parts if part.kind in ("word", "code", "active"))
    return _Said(
        version=first("version"),
        size=first("size"),
        words=spoken - words("models", "neutral"),
        dates=frozenset(part.text for part in parts if part.kind == "date"),
        is_instruct=not spoken.isdisjoint(INSTRUCT),
    )


def _size_before(parts: Sequence[Part], at: int) -> list[Part]:
    """ "the 8B Qwen3", "8B 的 Qwen3": a size right before the head, unless a limit stands before it."""
    before = [part for part in parts[max(0, at - 3) : at] if part.text != "的"]
    if not before or before[-1].kind != "size" or not before[-1].text.endswith("b"):
        return []
    lead = before[-2].text if len(before) > 1 else ""
    return [before[-1]] if lead in ("the", "a", "an", "use", "用", "") else []


def _lists_size(parts: Sequence[Part], at: int) -> bool:
    """A joint and a bare size after it, which is no limit ("and 8b or less")."""
    if at + 1 >= len(parts) or parts[at].text not in words("text", "list_joints"):
        return False
    following = parts[at + 2].text if at + 2 < len(parts) else ""
    return parts[at + 1].kind == "size" and following not in words("models", "after_a_limit")


def _elsewhere(parts: Sequence[Part], at: int) -> tuple[Mention, int]:
    """A family that the catalogue does not hold, with its version and size."""
    end = at + 1
    for i in range(at + 1, min(at + _MAX_PARTS, len(parts))):
        if parts[i].kind in ("version", "size"):
            end = i + 1
        elif parts[i].text not in SEPARATORS:
            break
    named = [part.text for part in parts[at:end] if part.kind != "mark"]
    return Mention(parts[at].start, parts[end - 1].end, unknown=" ".join(named)), end


def _sized_names(folded: str) -> Iterator[Mention]:
    """Names such as foo-7b that no catalogue knows."""
    for match in _SIZED_NAME.finditer(folded):
        text = match.group().rstrip(".-_")
        if text.partition("-")[0] not in words("models", "not_a_name"):
            yield Mention(match.start(), match.start() + len(text), unknown=text)


def _may_drop(part: Part) -> bool:
    """True for what may belong to the sentence. "4.6" does not: without it another release would be meant."""
    is_release = part.kind == "version" and "." in part.text
    return not part.joined and part.kind != "size" and not is_release


def _is_name_like(part: Part, kept: Sequence[Part]) -> bool:
    """A head that is an everyday word needs a number, or a hyphen right after it, to be a name."""
    has_number = any(other.kind != "word" for other in kept)
    return has_number or any(other.start == part.end + 1 and other.joined for other in kept)


def _version_suffix(said: _Said) -> str:
    return f" {said.version}" if said.version else ""


def _vocabulary(names: Iterable[Name]) -> frozenset[str]:
    return frozenset(
        piece for name in names for piece in (*name.words, *name.versions, *name.dates, *INSTRUCT, "base")
    )


def _overlaps(mention: Mention, spans: Iterable[tuple[int, int]]) -> bool:
    return any(mention.start < end and start < mention.end for start, end in spans)
