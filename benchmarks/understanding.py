"""How well and how fast turns are understood: the project's own turns, or a file of the same form.

    PYTHONPATH=. python benchmarks/understanding.py [TURNS.yaml ...]

Prints, per file: turns right in everything, stated fields, invented fields, skills, and the time a turn takes.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from tests.skills.conversation import test_understand as own

OWN = (
    "turns.yaml",
    "turns_fresh.yaml",
    "turns_third.yaml",
    "turns_wide.yaml",
    "turns_fourth.yaml",
    "turns_fifth.yaml",
    "turns_sixth.yaml",
    "turns_seventh.yaml",
    "turns_back.yaml",
    "turns_tasks.yaml",
    "turns_figures.yaml",
)


def cases(entries: Sequence[dict[str, Any]]) -> list[own.Case]:
    """Every entry with what was understood."""
    return [
        own.Case(entry, own.say(entry["say"], own.thread(entry["after"]) if "after" in entry else None))
        for entry in entries
    ]


def accuracy(found: Sequence[own.Case]) -> str:
    """One line of shares."""
    stated = [(case, field) for case in found for field in case.entry.get("fields", {})]
    right = sum(case.actual.get(field) == case.expected[field] for case, field in stated)
    understood = [(case, field) for case in found for field in case.actual]
    invented = sum(field not in case.expected for case, field in understood)
    skills = sum(case.request.skill == case.entry["skill"] for case in found)
    whole = sum(not case.problems() for case in found)
    n, n_stated, n_understood = len(found), max(len(stated), 1), max(len(understood), 1)
    return (
        f"{n} turns: {whole / n:.1%} right in everything, {right / n_stated:.1%} of {n_stated} stated fields, "
        f"{invented / n_understood:.2%} of fields invented, {skills / n:.1%} of skills"
    )


def seconds_a_turn(entries: Sequence[dict[str, Any]]) -> list[float]:
    """Sorted times, each turn by itself, once everything is loaded."""
    times = []
    for entry in entries:
        previous = own.thread(entry["after"]) if "after" in entry else None
        started = time.perf_counter()
        own.say(entry["say"], previous)
        times.append(time.perf_counter() - started)
    return sorted(times)


def main(paths: Sequence[str]) -> None:
    here = Path(own.__file__).parent
    for path in [Path(p) for p in paths] or [here / name for name in OWN]:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        own.TURNS["threads"] |= content.get("threads") or {}
        entries = content["turns"]
        print(f"{path.name}: {accuracy(cases(entries))}")
        times = seconds_a_turn(entries)
        middle, p95, worst = (
            1e3 * t for t in (statistics.median(times), times[int(0.95 * (len(times) - 1))], times[-1])
        )
        print(f"  a turn: median {middle:.2f} ms, p95 {p95:.2f} ms, worst {worst:.2f} ms")


if __name__ == "__main__":
    main(sys.argv[1:])
