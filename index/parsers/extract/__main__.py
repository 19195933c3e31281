"""The program that `index.parsers.child` starts: answer questions until there are no more.

It knows its limits itself, so that it ends in time even if whoever started it was killed.
"""

from __future__ import annotations

import faulthandler
import os
import sys
from importlib import import_module
from typing import BinaryIO

from index.bilingual import Bilingual
from index.errors import BadDocument
from index.parsers.extract import OUT_OF_MEMORY, Answer, Found, Question

_MAX_TEXT_CHARACTERS = 20_000_000
_MAX_DEPTH = 3_000
_TITLES = {"docx": "DOCX", "html": "HTML", "pdf": "PDF"}


def main() -> None:
    """Questions come by standard input; the answers leave by what was standard output."""
    _limit_memory(int(sys.argv[1]) * 1_000_000)
    sys.setrecursionlimit(_MAX_DEPTH)
    questions, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    while line := questions.readline():
        question = Question.model_validate_json(line)
        answers.write(_answer_in_time(question, questions).model_dump_json().encode() + b"\n")
        answers.flush()


def _limit_memory(n_bytes: int) -> None:
    """Where the system knows such a limit; elsewhere the one of time has to do."""
    try:
        import resource  # noqa: PLC0415 - not on Windows

        resource.setrlimit(resource.RLIMIT_AS, (n_bytes, n_bytes))
    except (ImportError, OSError, ValueError):
        return


def _answer_in_time(question: Question, source: BinaryIO) -> Answer:
    """Answer, or end this process: a loop in C hears no signal."""
    data = source.read(question.size)
    faulthandler.dump_traceback_later(question.max_time_s, exit=True)
    try:
        return _answer(question, data)
    except MemoryError:
        os._exit(OUT_OF_MEMORY)
    finally:
        faulthandler.cancel_dump_traceback_later()


def _answer(question: Question, data: bytes) -> Answer:
    try:
        found: Found = import_module(f"{__package__}.{question.kind}").extract(data).printable()
    except BadDocument as error:
        problem = error.message
    except (ImportError, MemoryError):
        raise
    except RecursionError:
        problem = _NESTED_TOO_DEEPLY
    except Exception:  # a damaged file makes a parser raise whatever it likes
        problem = _damaged(_TITLES[question.kind])
    else:
        if sum(map(len, found.texts)) <= _MAX_TEXT_CHARACTERS:
            return Answer(found=found)
        problem = _TOO_MUCH_TEXT
    return Answer(problem_en=problem.en, problem_zh=problem.zh)


def _damaged(kind: str) -> Bilingual:
    return Bilingual(
        en=f"It is damaged, or no {kind} file in spite of its name. Save it again from the program that made it.",
        zh=f"文件已损坏，或者并不是 {kind} 文件。请用原来的程序重新保存。",
    )


_NESTED_TOO_DEEPLY = Bilingual(
    en="It is nested too deeply to be read. Export the part that matters as text.",
    zh="嵌套过深，无法读取。请把需要的部分导出为文本。",
)
_TOO_MUCH_TEXT = Bilingual(
    en=f"It holds more than {_MAX_TEXT_CHARACTERS // 1_000_000} million characters of text. "
    "Split it, or add only what matters.",
    zh=f"其中的文字超过 {_MAX_TEXT_CHARACTERS // 10_000} 万字。请拆分文件，或只添加需要的部分。",
)

if __name__ == "__main__":
    main()
