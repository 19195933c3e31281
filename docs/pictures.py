"""Draw the README's picture: a real answer, as the terminal shows it. Run as `python docs/pictures.py`."""

from __future__ import annotations

import tempfile
from pathlib import Path

from rich.console import Console
from rich.markdown import Markdown

from bot.app import build_desk
from bot.settings import Settings
from skills.conversation.request import Turn
from skills.pipeline import reply

QUESTION = (
    "Which open model for Chinese customer-support summarisation on a single 24 GB GPU? Apache or MIT only."
)
PICTURE = Path(__file__).parent / "images" / "answer.svg"


def main() -> None:
    """Ask the question in an empty home and save what comes back."""
    with tempfile.TemporaryDirectory() as home, Path("/dev/null").open("w", encoding="utf-8") as nowhere:
        answer = reply(Turn(text=QUESTION, thread="t", person="ana"), build_desk(Settings(home=Path(home))))
        console = Console(record=True, width=118, file=nowhere, highlight=False)
        console.print(f"[bold]> {QUESTION}[/bold]\n")
        console.print(Markdown(answer.text.split("\n\n[1]")[0]))
    console.save_svg(str(PICTURE), title="shortlist chat")


if __name__ == "__main__":
    main()
