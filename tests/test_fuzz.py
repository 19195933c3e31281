"""Every parser of outside bytes on damaged input: the short form of benchmarks/fuzz.py, the same cases each time."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.fuzz import fuzz
from benchmarks.fuzz_targets import targets

CASES = 25


@pytest.mark.filterwarnings("ignore")  # damaged files make libraries warn, as they should
def test_damaged_input_is_read_or_refused_in_words_by_every_parser(tmp_path: Path) -> None:
    crashes = {}
    with targets(tmp_path, slack=False) as found:  # tests/journeys/test_slack_transport.py has the door
        for name, (target, seeds) in found.items():
            try:
                tally = fuzz(target, seeds, CASES, derandomize=True)
            except Exception as error:
                crashes[name] = f"{type(error).__name__}: {error} {getattr(error, '__notes__', '')}"
            else:
                assert tally.cases >= CASES / 2, name

    assert crashes == {}
    assert len(found) > 30


def test_a_crash_is_found_with_its_smallest_input() -> None:
    def divides(content: bytes) -> object:
        return 1 / (content.count(b"x") - 1)

    with pytest.raises(ZeroDivisionError):
        fuzz(divides, [b"x"], CASES, derandomize=True)
