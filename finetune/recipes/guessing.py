"""Turn rows into the label that is commonest in training: what an encoder without a head is compared with."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence

from finetune.columns import Row
from finetune.recipes.asking import Reply


class CommonestLabel:
    """Answers every row alike, and reads none."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._label = Counter(row.label for row in rows).most_common(1)[0][0]
        self.no_room: list[str] = []

    def fits(self, row: Row) -> bool:  # noqa: ARG002 - nothing is read
        """Every row does."""
        return True

    def ask(self, rows: Sequence[Row]) -> Iterator[Reply]:
        """The same answer to all."""
        for row in rows:
            started_s = time.perf_counter()
            yield Reply(row=row, prediction=self._label, tokens=0, busy_s=time.perf_counter() - started_s)
