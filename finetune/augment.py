"""Turn the rows that are learned from into more of them, where the label stays true: never rows that are held out.

Edits imitate how people type: a slip, another case, lost punctuation. Upsampling shows rows of rare labels again, so
that the commonest is not the answer to everything. Texts that a model has reworded are given from outside.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from finetune.columns import Row
from finetune.data import text_key
from finetune.spec import Augmentation

_RARE_FRAC = 0.5
"""A label with fewer rows than this share of the commonest one's is rare."""
_SHORTEST_TO_SLIP = 4
_WORD = re.compile(r"[A-Za-z]{4,}")
_MARKS_OF_TEXT = re.compile(r"(?<!\d)[.,!?;:，。！？；：]+|[.,!?;:，。！？；：]+(?!\d)")
_FULL_WIDTH = str.maketrans(",.!?;:()", "，。！？；：（）")


@dataclass(frozen=True, slots=True, kw_only=True)
class Augmented:
    """The rows, and how many each way has added."""

    rows: tuple[Row, ...]
    added: dict[str, int]


Reworded = Mapping[Augmentation, Mapping[str, str]]
"""For each way, the new text of rows by their ids."""


def augmented(
    rows: Sequence[Row], ways: Sequence[Augmentation], *, seed: int, reworded: Reworded = MappingProxyType({})
) -> Augmented:
    """Add rows in each way; copies that are no new text, or that contradict another row, are dropped."""
    kept, added = list(rows), dict[str, int]()
    for way in dict.fromkeys(ways):
        if way == "edits":
            new = _edited(kept, seed)
        elif way == "upsample":
            new = _upsampled(kept, seed)
        else:
            new = _in_other_words(kept, reworded.get(way, {}), way)
        kept += new
        added[way] = len(new)
    return Augmented(rows=tuple(kept), added=added)


def _edited(rows: Sequence[Row], seed: int) -> list[Row]:
    """One edited copy of each row, where there is anything to edit."""
    seen = {row.text for row in rows}
    copies = []
    for row in rows:
        chance = random.Random(f"{seed}/{row.id}/{row.text}")
        tried = (edit(row.text, chance) for edit in chance.sample(_EDITS, len(_EDITS)))
        edited = next((text for text in tried if text.strip() and text not in seen), None)
        if edited is not None:
            seen.add(edited)
            copies.append(replace(row, id=f"{row.id}~", text=edited))
    return copies


def _in_other_words(rows: Sequence[Row], texts: Mapping[str, str], way: Augmentation) -> list[Row]:
    """The rows that a model has reworded, where that gave a text that nobody has yet."""
    seen = {text_key(row.text) for row in rows}
    copies = []
    for row in rows:
        text = texts.get(row.id)
        if text is not None and (key := text_key(text)) not in seen:
            seen.add(key)
            copies.append(replace(row, id=f"{row.id}~{way}", text=text))
    return copies


def _upsampled(rows: Sequence[Row], seed: int) -> list[Row]:
    """Rows of rare labels once more, until none has fewer than half of the commonest one's."""
    counts = Counter(row.label for row in rows)
    wanted = int(_RARE_FRAC * max(counts.values()))
    copies: list[Row] = []
    for label, count in sorted(counts.items()):
        own = [row for row in rows if row.label == label]
        random.Random(f"{seed}/{label}").shuffle(own)
        missing = max(0, wanted - count)
        copies += [replace(own[i % count], id=f"{own[i % count].id}+{i // count}") for i in range(missing)]
    return copies


def _slip(text: str, chance: random.Random) -> str:
    """Two neighbouring letters of a word change places."""
    words = [match for match in _WORD.finditer(text) if len(match.group()) >= _SHORTEST_TO_SLIP]
    if not words:
        return text
    at = chance.choice(words).start() + chance.randrange(1, _SHORTEST_TO_SLIP - 1)
    return text[:at] + text[at + 1] + text[at] + text[at + 2 :]


def _small_letters(text: str, _: random.Random) -> str:
    return text.lower()


def _without_marks(text: str, _: random.Random) -> str:
    """Between digits a mark belongs to the number."""
    return _MARKS_OF_TEXT.sub(" ", text).strip()


def _other_marks(text: str, _: random.Random) -> str:
    """The marks of a Chinese keyboard."""
    return _MARKS_OF_TEXT.sub(lambda marks: marks.group().translate(_FULL_WIDTH), text)


_EDITS: tuple[Callable[[str, random.Random], str], ...] = (
    _slip,
    _small_letters,
    _without_marks,
    _other_marks,
)
