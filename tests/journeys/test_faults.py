"""A dozen jobs while bot, workers and recipes are killed: the short form of benchmarks/faults.py."""

from __future__ import annotations

from pathlib import Path

from benchmarks import faults


def test_no_job_is_lost_doubled_or_mistold_whatever_is_killed(tmp_path: Path) -> None:
    counts = faults.run(tmp_path / "home", jobs=12, seed=3, most_faults=10, pause_s=(0.2, 0.6))

    assert counts.is_sound, counts
    assert counts.jobs == 12
    assert counts.published == counts.states["succeeded"]
    assert sum(counts.faults.values()) > 0
