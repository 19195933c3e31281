"""Turn running out of memory into doing less at once: half as much from then on, and what does not fit alone is left out."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import torch

ItemT = TypeVar("ItemT")
FoundT = TypeVar("FoundT")


class Room:
    """How much fits into memory at once, as far as is known."""

    def __init__(self, at_once: int = sys.maxsize) -> None:
        self.at_once = at_once

    def in_shares(
        self,
        items: Sequence[ItemT],
        compute: Callable[[Sequence[ItemT]], Sequence[FoundT]],
        *,
        at_most: int = sys.maxsize,
        leave_out: Callable[[ItemT], None] | None = None,
    ) -> Iterator[FoundT]:
        """Compute all items, some at once. One that does not fit alone goes to `leave_out`, or is an error."""
        done = 0
        while done < len(items):
            share = items[done : done + max(1, min(self.at_once, at_most))]
            try:
                found = compute(share)
            except torch.OutOfMemoryError:
                if len(share) == 1 and leave_out is None:
                    raise
                found = None
            if found is not None:
                done += len(share)
                yield from found
                continue
            # Outside of the handler: until it is left, the error keeps alive what did not fit.
            torch.cuda.empty_cache()
            if len(share) == 1 and leave_out is not None:
                leave_out(share[0])
                done += 1
            self.at_once = max(1, len(share) // 2)
