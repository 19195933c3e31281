"""A file of evaluations or facts -> checked evidence in the home, and a report of what was not taken."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, get_args

from index.bilingual import Bilingual
from index.catalogue.home import open_catalogue, write_import
from index.catalogue.layers import Layer, Page
from index.catalogue.readers import llmfit, lm_eval, mteb, table
from index.catalogue.readers.base import Refused, Taken
from index.errors import BadInput

Kind = Literal["lm-eval", "mteb", "llmfit", "csv"]
KINDS: tuple[Kind, ...] = get_args(Kind)

_READERS: Mapping[Kind, Callable[[Path, Taken], None]] = {
    "lm-eval": lm_eval.read,
    "mteb": mteb.read,
    "llmfit": llmfit.read,
    "csv": table.read,
}
_FILES_IN_FOLDER: Mapping[Kind, str] = {"lm-eval": "results*.json", "mteb": "*.json"}


@dataclass(frozen=True, slots=True)
class Imported:
    """What one import brought."""

    figures: int
    models: int
    refused: tuple[Refused, ...]
    kept_in: Path | None
    """None when nothing was taken, so nothing was written."""


def import_path(home: Path, kind: str, path: Path, *, source: str | None = None) -> Imported:
    """Read a file, or for lm-eval and mteb a folder; what is sound is kept in the home under its source.

    Importing the same path again replaces what it brought before.
    """
    chosen = _kind(kind)
    page = Page(name=f"imported: {path.name} ({chosen})", url=_link(source) or path.name)
    taken = Taken(open_catalogue(home), page)
    files = _files(chosen, path)
    for file in files:
        try:
            _READERS[chosen](file, taken)
        except BadInput as error:
            if len(files) == 1:
                raise
            taken.refused.append(Refused(file.name, error.message))
    kept_in = None
    if taken.figures or taken.models:
        layer = Layer(
            made_at_utc=datetime.now(UTC).isoformat(timespec="seconds"),
            models=tuple(taken.models),
            figures=tuple(taken.figures),
        )
        kept_in = write_import(home, _name(chosen, path), layer)
    return Imported(len(taken.figures), len(taken.models), tuple(taken.refused), kept_in)


def _kind(kind: str) -> Kind:
    for known in KINDS:
        if kind == known:
            return known
    raise BadInput(
        Bilingual(
            f"There is no import of the kind {kind!r}. Use one of: {', '.join(KINDS)}.",
            f"没有名为 {kind!r} 的导入类型。可用：{'、'.join(KINDS)}。",
        )
    )


def _link(source: str | None) -> str | None:
    if source is not None and not re.match(r"https?://[^/\s]+", source):
        raise BadInput(
            Bilingual(
                f"--source must be an http link, not {source!r}.",
                f"--source 必须是 http 链接，而不是 {source!r}。",
            )
        )
    return source


def _files(kind: Kind, path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    pattern = _FILES_IN_FOLDER.get(kind)
    files = sorted(path.rglob(pattern)) if pattern and path.is_dir() else []
    if not files:
        raise BadInput(
            Bilingual(
                f"There is no file to import at {str(path)!r}. Check the path.",
                f"{str(path)!r} 处没有可导入的文件。请检查路径。",
            )
        )
    return files


def _name(kind: Kind, path: Path) -> str:
    digest = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:8]
    bare = re.sub(r"[^a-z0-9]+", "-", path.stem.casefold())[:40].strip("-")
    return f"{kind}-{bare}-{digest}" if bare else f"{kind}-{digest}"
