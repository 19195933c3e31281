"""What one audience can search, and for whom new documents are: nothing becomes public unnoticed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from index.bilingual import Bilingual
from index.errors import BadDocument
from index.ingest import is_folder, source_of
from index.passages import Passages
from index.vectors import FaissStore
from index.words import WordIndex


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What one audience can search: its passages, and words and vectors made of nothing else."""

    passages: Passages
    words: WordIndex
    store: FaissStore
    model_id: str

    @property
    def is_behind(self) -> bool:
        """True when passages are not in the word index yet."""
        return self.words.last_row < self.passages.last_row()


class SayForWhom(BadDocument):
    """New files lie among documents that are limited to channels: whether they are too must be said."""

    def __init__(self, source: str, channels: frozenset[str]) -> None:
        names = " ".join(f"--channel {name}" for name in sorted(channels))
        super().__init__(
            Bilingual(
                en=f"{source!r} is new, and others there are limited to channels. Say who may see it: `{names}`, or "
                "`--everybody`. Nothing was added.",
                zh=f"{source!r} 是新文件，而同一目录下有限定频道的文档。请指明谁能看到：`{names}`，"
                "或 `--everybody`。没有添加任何内容。",
            )
        )


def require_audience(
    paths: Sequence[Path], files: Sequence[Path], known: dict[str, str], limited: dict[str, frozenset[str]]
) -> None:
    """Raise SayForWhom where a new file would silently be for everybody beside files that are not."""
    folders = [str(path.resolve()) for path in paths if is_folder(path)]
    beside = [channels for source, channels in limited.items() if any(is_within(source, f) for f in folders)]
    new = [source for source in map(source_of, files) if source not in known]
    for source in new if beside else []:
        if any(is_within(source, folder) for folder in folders):
            raise SayForWhom(source, beside[0])


def is_within(source: str, place: str) -> bool:
    """True when `source` is this file or lies under this folder, however the place is spelled."""
    return any(Path(source) == p or p in Path(source).parents for p in (Path(place), Path(place).resolve()))
