"""The real worker, with the tiny recipe in place of the ones that need torch."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

from finetune.worker import main

TINY = (sys.executable, str(Path(__file__).with_name("tiny_recipe.py")))

if __name__ == "__main__":
    if sys.argv[1].startswith("--host="):  # a second machine on this one
        name = sys.argv.pop(1).removeprefix("--host=")
        socket.gethostname = lambda: name
    sys.exit(main(recipes={"evaluation": TINY, "tuning": TINY}))
