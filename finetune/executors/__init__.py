"""Where a recipe runs: `base.py` is the protocol, every other file one place."""
