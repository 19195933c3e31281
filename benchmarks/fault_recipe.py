"""A recipe that does next to nothing, but keeps a ledger: `python fault_recipe.py JOB_DIR`. Only standard library.

It locks the file of its device while it lives, so that a device in two hands is seen at once and for sure. It works in
steps, each kept, and goes on behind the last one after a kill. It notes its end, once the result is there.
"""

from __future__ import annotations

import fcntl
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

STEPS = 8
STEP_S = 0.12


def main(job_dir: Path) -> None:
    ledger = Path(json.loads((job_dir / "context.json").read_text())["home"]) / "ledger"
    device = os.environ.get("CUDA_VISIBLE_DEVICES", "none")
    with (ledger / f"device-{device}.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            note(ledger / "doubled_devices", f"{device} {job_dir.name}")
        work(job_dir)
        note(ledger / "completed", job_dir.name)


def work(job_dir: Path) -> None:
    kept = job_dir / "steps"
    for step in range(len(kept.read_text()) if kept.exists() else 0, STEPS):
        time.sleep(STEP_S)
        append(kept, ".")
        progress = {"done": step + 1, "total": STEPS, "stage": "working", "pid": os.getpid()}
        append(job_dir / "events.jsonl", json.dumps({"kind": "progress", "data": progress}) + "\n")
    write(job_dir / "result.json", json.dumps(result()))


def result() -> dict[str, Any]:
    accuracy = {"value": 0.5, "ci95": [0.4, 0.6], "n": STEPS}
    row = {"model": "tiny", "quantization": "none", "metrics": {"accuracy": accuracy}, "items_seen": STEPS}
    figures = {"tokens_per_s": 1.0, "latency_p50_s": 0.1, "latency_p95_s": 0.1, "peak_memory_gib": 0.1}
    return {
        "candidates": [row | figures | {"stopped": "finished", "reason": None}],
        "comparisons": [],
        "winner": None,
        "verdict": "insufficient",
        "share_of_full_cost": 1.0,
        "dataset": {"name": "faults", "sha256": "0" * 64, "rows": STEPS},
        "environment": {"device": "none"},
        "report": None,
    }


def note(path: Path, line: str) -> None:
    append(path, line + "\n")


def append(path: Path, text: str) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        os.write(handle, text.encode())
    finally:
        os.close(handle)


def write(path: Path, text: str) -> None:
    part = path.with_suffix(".part")
    part.write_text(text)
    part.replace(path)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
