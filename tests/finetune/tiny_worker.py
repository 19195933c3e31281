"""The real worker, with the tiny recipe in place of the ones that need torch."""

from __future__ import annotations

import sys
from pathlib import Path

from finetune.worker import main

TINY = (sys.executable, str(Path(__file__).with_name("tiny_recipe.py")))

if __name__ == "__main__":
    sys.exit(main(recipes={"evaluation": TINY, "tuning": TINY}))
