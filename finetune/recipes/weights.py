"""Which weights exactly were used: a hash of all their bytes, computed once for each file as it is."""

from __future__ import annotations

import hashlib
import json
import logging
from pathlib import Path
from typing import Any

from huggingface_hub import snapshot_download

from finetune.atomic import write_text
from finetune.models import ModelLocation, models_folder
from finetune.recipes.job_dir import Context

logger = logging.getLogger(__name__)

_KNOWN = "hashes.json"
_BLOCK_BYTES = 2**22


def weights_sha256(location: ModelLocation, context: Context) -> str | None:
    """SHA-256 over the names and SHA-256 of all files of weights; of a single file, its own. None where there are none."""
    files = _files(location)
    if not files:
        return None
    known_file = models_folder(context.home, shared=context.models) / _KNOWN
    known = _known(known_file)
    found = {file: known.get(_stamp(file)) or _sha256(file) for file in files}
    fresh = {_stamp(file): sha256 for file, sha256 in found.items()}
    if not fresh.items() <= known.items():
        _keep(known_file, {**known, **fresh})
    if len(found) == 1:
        return next(iter(found.values()))
    listed = "".join(f"{sha256}  {file.name}\n" for file, sha256 in sorted(found.items()))
    return hashlib.sha256(listed.encode()).hexdigest()


def _files(location: ModelLocation) -> list[Path]:
    path = location.path
    if path is None and location.kind in ("hub", "cache"):  # loaded already, so it is in the cache
        try:
            path = Path(snapshot_download(location.id, revision=location.revision, local_files_only=True))
        except (OSError, ValueError):
            return []
    if path is None:
        return []
    return [path] if path.is_file() else sorted(path.glob("*.safetensors"))


def _stamp(file: Path) -> str:
    """The file as it is: what is written anew has another time, size or place."""
    real = file.resolve()
    stat = real.stat()
    return f"{real}\t{stat.st_size}\t{stat.st_mtime_ns}"


def _sha256(file: Path) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as content:
        while block := content.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def _known(file: Path) -> dict[str, Any]:
    try:
        value = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _keep(file: Path, known: dict[str, Any]) -> None:
    try:
        write_text(file, json.dumps(known, indent=1))
    except OSError:
        logger.warning("hashes not kept", exc_info=True)
