"""Bytes from outside, damaged or made up, are read or refused in a sentence: a few cases of benchmarks/fuzz.py each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from benchmarks.fuzz import Target, fuzz, slack_door, targets

SLOW = {"lm-eval results": 2, "slack event": 8, "slack command": 3, "slack button": 8, "slack form": 8}


@pytest.fixture(scope="module")
def parsers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, tuple[Target, bytes]]]:
    folder = tmp_path_factory.mktemp("bytes")
    with slack_door(folder) as door:
        yield {**targets(folder), **door}


def test_every_parser_reads_or_refuses(
    parsers: dict[str, tuple[Target, bytes]], subtests: pytest.Subtests
) -> None:
    for name, (target, seed) in parsers.items():
        with subtests.test(parser=name):
            fuzz(target, seed, SLOW.get(name, 40), is_random=False)
