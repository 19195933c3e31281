"""Draw the pictures of the documents, from real runs: an answer as the terminal shows it, the chart of an evaluation.

Run as `python docs/pictures.py`; the evaluation takes some minutes.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from rich.console import Console
from rich.markdown import Markdown

from bot.app import build_desk
from bot.settings import Settings
from finetune.spec import Candidate, EvaluationSpec
from skills.conversation.request import Turn
from skills.pipeline import reply

QUESTION = (
    "Which open model for Chinese customer-support summarisation on a single 24 GB GPU? Apache or MIT only."
)
IMAGES = Path(__file__).parent / "images"
QUANTIZATIONS = ("none", "int8", "nf4")
ROWS = 200


def main() -> None:
    """Draw both."""
    draw_answer()
    draw_evaluation()


def draw_evaluation() -> None:
    """Evaluate the embedded model in three precisions on the sample tickets, and keep the chart."""
    with tempfile.TemporaryDirectory() as home:
        desk = build_desk(Settings(home=Path(home)))
        spec = EvaluationSpec(
            candidates=tuple(Candidate(model="smollm2", quantization=name) for name in QUANTIZATIONS),
            dataset=desk.jobs.register_dataset("tickets"),
            limit=ROWS,
            full=True,
        )
        job = desk.jobs.wait(desk.jobs.submit(spec, dedupe_key="picture", owner="docs").id)
        shutil.copy(desk.jobs.result(job.id)["chart"], IMAGES / "evaluation.png")


def draw_answer() -> None:
    """Ask the question in an empty home and save what comes back."""
    with tempfile.TemporaryDirectory() as home, Path("/dev/null").open("w", encoding="utf-8") as nowhere:
        answer = reply(Turn(text=QUESTION, thread="t", person="ana"), build_desk(Settings(home=Path(home))))
        console = Console(record=True, width=118, file=nowhere, highlight=False)
        console.print(f"[bold]> {QUESTION}[/bold]\n")
        console.print(Markdown(answer.text.split("\n\n[1]")[0]))
    console.save_svg(str(IMAGES / "answer.svg"), title="shortlist chat")


if __name__ == "__main__":
    main()
