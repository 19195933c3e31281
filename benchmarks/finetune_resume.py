"""A fine-tune that is killed at random points against the same one left alone: how far apart are their losses?

    PYTHONPATH=. python benchmarks/finetune_resume.py [--model smollm2] [--dataset tickets] [--kills 3] [--seed 0]
        [--threads 2] [--set search=6 --set limit=120 ...]

Each is a real process of the recipe. Kills are SIGKILL, each at a random mark of the whole run: a step of the training, or
an entry of the search's journal (a trial begun, a look at its loss, its end). Fails when any loss differs by more than 1e-5.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from finetune.data import register
from finetune.spec import TuningSpec

SAME = 1e-5


def main() -> None:
    """Run both, and print how they compare."""
    arguments = parsed()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        dataset = register(arguments.dataset, home=home)
        settings = dict(text.split("=", 1) for text in arguments.set)
        spec = TuningSpec.model_validate({"base_model": arguments.model, "dataset": dataset, **settings})
        whole = job_folder(home, "whole", spec, arguments.threads)
        run(whole)
        total = marks(whole)
        killed = job_folder(home, "killed", spec, arguments.threads)
        chosen = sorted(random.Random(arguments.seed).sample(range(1, total), arguments.kills))
        where = [kill_at(killed, mark) for mark in chosen]
        run(killed)
        report(result_of(whole), result_of(killed), where)


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--dataset", default="tickets", help="`tickets`, or a file")
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0, help="of the points to kill at")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--set", action="append", default=[], help="field=value of the fine-tune")
    return parser.parse_args()


def job_folder(home: Path, name: str, spec: TuningSpec, threads: int) -> Path:
    folder = home / name
    folder.mkdir()
    (folder / "spec.json").write_text(spec.model_dump_json())
    (folder / "context.json").write_text(json.dumps({"home": str(home), "threads": threads}))
    return folder


def command(job: Path) -> list[str]:
    return [sys.executable, "-m", "finetune.recipes.lora", str(job)]


def run(job: Path) -> None:
    ended = subprocess.run(command(job), check=False, capture_output=True, text=True)
    if ended.returncode != 0:
        raise SystemExit(f"{job.name} failed: {ended.stderr[-2000:]}")


def kill_at(job: Path, mark: int) -> str:
    """Run until the mark and kill it there; says where that was."""
    child = subprocess.Popen(command(job), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while child.poll() is None and marks(job) < mark:
        with suppress(subprocess.TimeoutExpired):
            child.wait(0.01)
    if child.poll() is not None:
        raise SystemExit(f"it ended before mark {mark}")
    child.kill()
    child.wait()
    stage = [event["data"] for event in events(job) if event["kind"] == "progress"][-1]["stage"]
    steps = [event["data"]["step"] for event in events(job) if event["kind"] == "loss"]
    return f"training, step {steps[-1]}" if steps else stage


def marks(job: Path) -> int:
    journal = job / "search" / "study.log"
    entries = journal.read_bytes().count(b"\n") if journal.is_file() else 0
    return entries + sum(event["kind"] == "loss" for event in events(job))


def events(job: Path) -> list[dict[str, Any]]:
    file = job / "events.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.is_file() else []


def result_of(job: Path) -> dict[str, Any]:
    result: dict[str, Any] = json.loads((job / "result.json").read_text())
    return result


def report(whole: dict[str, Any], killed: dict[str, Any], where: list[str]) -> None:
    """Print the comparison; fails when they differ."""
    print(f"killed at: {'; '.join(where)}")
    pairs = list(zip(whole["loss_curve"], killed["loss_curve"], strict=True))
    steps_agree = all(a[0] == b[0] for a, b in pairs)
    apart = [abs(a[1] - b[1]) for a, b in pairs]
    apart += [abs(a[2] - b[2]) for a, b in pairs if a[2] is not None]
    worst = max(apart)
    print(f"training: {len(pairs)} steps, largest difference of a loss {worst:.1e}")
    if whole["search"]:
        ours, theirs = whole["search"]["trials"], killed["search"]["trials"]
        for one, other in zip(ours, theirs, strict=True):
            same = one["settings"] == other["settings"] and one["state"] == other["state"]
            steps_agree &= same
            both = [trial["validation_loss"] for trial in (one, other)]
            if both[0] is not None and both[1] is not None:
                worst = max(worst, abs(both[0] - both[1]))
            print(
                f"trial {one['number']}: {one['settings']}, {one['state']}, {both}: {'same' if same else 'OTHER'}"
            )
        print(f"best: {whole['search']['best']} and {killed['search']['best']}")
        steps_agree &= whole["search"]["best"] == killed["search"]["best"]
    accuracy = [r["after"][r["metric"]]["value"] for r in (whole, killed)]
    print(f"{whole['metric']} on held-out rows: {accuracy[0]:.4f} and {accuracy[1]:.4f}")
    if worst > SAME or not steps_agree:
        raise SystemExit(f"they differ: by {worst:.1e}")
    print(f"the same within {SAME:.0e}")


if __name__ == "__main__":
    main()
