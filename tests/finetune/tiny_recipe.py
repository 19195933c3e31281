"""A recipe for tests: `python tiny_recipe.py JOB_DIR`. The name of the data set says how it behaves."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

JOB_DIR = Path(sys.argv[1])


def tell(stage: str, **more: Any) -> None:
    data = {"done": 0, "total": 1, "stage": stage, "pid": os.getpid(), **more}
    with (JOB_DIR / "events.jsonl").open("a") as events:
        events.write(json.dumps({"kind": "progress", "data": data}) + "\n")


def finish(**environment: Any) -> None:
    accuracy = {"value": 0.75, "ci95": [0.5, 0.9], "n": 12}
    candidate = {"model": "tiny", "quantization": "none", "metrics": {"accuracy": accuracy}}
    result = {"candidates": [candidate], "environment": {"device": "test bench", **environment}}
    (JOB_DIR / "result.part").write_text(json.dumps(result))
    (JOB_DIR / "result.part").replace(JOB_DIR / "result.json")


def behave() -> None:
    for stage in ("reading", "scoring", "writing"):
        tell(stage)
    finish()


def tell_environment() -> None:
    finish(names=sorted(os.environ))


def take_a_moment() -> None:
    began_s = time.time()
    tell("begun")
    time.sleep(1.0)
    finish(began_s=began_s, ended_s=time.time(), visible=os.environ.get("CUDA_VISIBLE_DEVICES"))


def work_until_the_gate_opens() -> None:
    tell("begun")
    while not (JOB_DIR / "gate").exists():
        tell("at the gate")
        time.sleep(0.05)
    finish()


def hold_at_first() -> None:
    """Hangs in the first attempt, with half a line in its events; ends well in the second."""
    if not (JOB_DIR / "held").exists():
        (JOB_DIR / "held").touch()
        tell("holding")
        with (JOB_DIR / "events.jsonl").open("a") as events:
            events.write('{"kind": "prog')
        signal.pause()
    tell("second attempt")
    finish()


def be_killed() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def found_a_family() -> None:
    """A grandchild in the same process group, and one that left for a session of its own."""
    forever = [sys.executable, "-c", "import signal; signal.pause()"]
    near = subprocess.Popen(forever)
    far = subprocess.Popen(forever, start_new_session=True)
    tell("family", pids=[os.getpid(), near.pid, far.pid])
    signal.pause()


def refuse() -> None:
    words = {"en": "The labels are all the same. Add another label.", "zh": "标签全都相同，请增加其他标签。"}
    (JOB_DIR / "error.json").write_text(json.dumps(words))
    sys.exit(1)


def crash() -> None:
    sys.exit("ValueError: the matrix has a hole")


def write_half_a_result() -> None:
    (JOB_DIR / "result.json").write_text('{"candidates": [{"mod')


BEHAVIOURS: dict[str, Callable[[], None]] = {
    function.__name__: function
    for function in (
        behave,
        tell_environment,
        take_a_moment,
        work_until_the_gate_opens,
        hold_at_first,
        be_killed,
        found_a_family,
        refuse,
        crash,
        write_half_a_result,
    )
}

if __name__ == "__main__":
    BEHAVIOURS[json.loads((JOB_DIR / "spec.json").read_text())["dataset"]["name"]]()
