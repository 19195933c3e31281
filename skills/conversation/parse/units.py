"""What units are worth in the units of Requirements: GiB, seconds, US dollars."""

from __future__ import annotations

from skills.conversation.parse.lexicon import load
from skills.conversation.parse.quantities import Quantity

SECONDS_PER_UNIT = {"second": 1.0, "ms": 0.001}
GIB_PER_UNIT = {"gib": 1.0, "tib": 1024.0, "mib": 1 / 1024}


def usd(amount: Quantity) -> float:
    """A sum of money in dollars."""
    return amount.value * float(load("units")["constants"]["usd_per"][amount.unit])
