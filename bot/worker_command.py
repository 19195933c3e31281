"""How the worker of a home is started: the command line of `bot.worker`."""

from __future__ import annotations

import sys

from bot.settings import Settings


def worker_command(settings: Settings) -> tuple[str, ...]:
    """How such a worker is started. It gets no environment of ours, so the file is named to it."""
    file = settings.access_file
    named = ("--access-file", str(file.expanduser().absolute())) if file else ()
    return (sys.executable, "-m", "bot.worker", *named)
