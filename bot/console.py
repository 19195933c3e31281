"""Values and errors -> standard output, standard error and the exit code: the contract of the command line."""

from __future__ import annotations

import json as jsonlib
import logging
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import typer
from rich.console import Console
from rich.markdown import Markdown
from sqlalchemy.exc import OperationalError

from bot.settings import read_language
from index.bilingual import Bilingual, Language
from index.disk import disk_trouble
from index.errors import BadInput, ShortlistError
from index.store import StoreAway
from skills.conversation.language import language_of

logger = logging.getLogger(__name__)

EXIT_FAILED = 1
EXIT_BAD_INPUT = 2


@dataclass(slots=True)
class Output:
    """Where a command prints, and in which language it speaks."""

    json: bool
    language: Language = "en"

    def __post_init__(self) -> None:
        """Speak the language of the terminal until a question says otherwise."""
        self.language = read_language()

    def emit(self, value: dict[str, Any], text: str) -> None:
        """Print the JSON value, or the Markdown text for a person."""
        if self.json:
            print(jsonlib.dumps(value, ensure_ascii=False))  # noqa: T201
        else:
            self.show(text)

    def show(self, text: str) -> None:
        """Print Markdown for a person; plain text when nobody looks."""
        if sys.stdout.isatty():
            Console().print(Markdown(text))
        else:
            print(text, flush=True)  # noqa: T201

    def note(self, message: Bilingual | str) -> None:
        """Print progress on standard error."""
        text = message if isinstance(message, str) else message.to(self.language)
        print(text, file=sys.stderr, flush=True)  # noqa: T201


@contextmanager
def guarded(output: Output, text: str | None = None) -> Iterator[Output]:
    """Turn errors into one sentence and the right exit code. `text` tells the language of the person."""
    if text is not None:
        output.language = language_of(text)
    try:
        yield output
    except ShortlistError as error:
        _report(output, error.message)
        raise typer.Exit(EXIT_BAD_INPUT if isinstance(error, BadInput) else EXIT_FAILED) from None
    except OperationalError as error:
        told = disk_trouble(error) or StoreAway(error)
        _report(output, told.message)
        raise typer.Exit(EXIT_FAILED) from None
    except typer.Exit:
        raise
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    except BrokenPipeError:  # whoever read the output, such as `head`, has seen enough
        sys.stdout = None  # nothing is left to be flushed at exit
        raise typer.Exit(0) from None
    except Exception as error:
        if (trouble := disk_trouble(error)) is not None:
            _report(output, trouble.message)
            raise typer.Exit(EXIT_FAILED) from None
        reference = uuid.uuid4().hex[:8]
        logger.exception("unexpected error", extra={"reference": reference})
        _report(output, _apology(reference))
        raise typer.Exit(EXIT_FAILED) from None


def _report(output: Output, message: Bilingual) -> None:
    if output.json:
        print(jsonlib.dumps({"error": message.to(output.language)}, ensure_ascii=False))  # noqa: T201
    output.note(message)


def _apology(reference: str) -> Bilingual:
    return Bilingual(
        en=f"Sorry, something went wrong on my side (reference {reference}). Nothing you gave was lost; "
        "the log on standard error has the details.",
        zh=f"抱歉，我这边出错了（编号 {reference}）。你提供的内容没有丢失；详情见标准错误输出的日志。",
    )
