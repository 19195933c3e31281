"""Lines of text -> answers in the terminal: `shortlist ask` and `shortlist chat`."""

from __future__ import annotations

import sys
import uuid
from collections.abc import Iterable
from pathlib import Path

from bot.console import Output
from bot.offers import carry_out, how_to_accept, is_accepted, offer_of
from bot.render.json import answer_json
from bot.terminal import Terminal, open_terminal
from bot.watch import watch
from index.bilingual import Bilingual
from index.caller import Caller, begin
from index.errors import BadInput, ShortlistError
from skills.conversation.answer import Action, Answer
from skills.conversation.language import language_of
from skills.conversation.request import Turn
from skills.desk import Desk
from skills.pipeline import reply
from skills.recommend import chart
from skills.report import job_line, result_markdown, where_markdown

GREETING = Bilingual(
    en="Hello! Tell me your task, your hardware, your licence and your budget, and I will shortlist models. "
    "`help` shows what else I can do; an empty line ends.",
    zh="你好！告诉我任务、硬件、许可证和预算，我来帮你筛选模型。输入“帮助”了解更多；空行结束。",
)


def ask_once(
    text: str, *, thread: str | None, person: str | None, output: Output, chart_file: Path | None = None
) -> None:
    """Answer one question and print it; draw the candidates into `chart_file` when one is named."""
    terminal = open_terminal()
    desk = terminal.desk()
    answer = _reply(text, thread or f"ask-{uuid.uuid4().hex[:8]}", person, terminal, desk)
    if answer.jobs:
        desk.jobs.ensure_worker()
    output.emit(answer_json(answer), answer.text)
    if chart_file is not None:
        _write_chart(answer, desk, chart_file)


def _write_chart(answer: Answer, desk: Desk, file: Path) -> None:
    picture = chart(answer, desk)
    try:
        file.write_bytes(picture)
    except OSError:
        raise BadInput(
            Bilingual(
                f"I cannot write the chart to {file}. Name a file in a folder that exists.",
                f"无法把图写到 {file}。请给出已有目录中的文件名。",
            )
        ) from None


def converse(*, thread: str | None, person: str | None, output: Output, lines: Iterable[str]) -> None:
    """Answer line after line; follow each job that an answer starts."""
    terminal = open_terminal()
    desk = terminal.desk()
    name = thread or f"chat-{uuid.uuid4().hex[:8]}"
    output.show(GREETING.to(output.language))
    _prompt()
    offer: Action | None = None
    for line in lines:
        if not line.strip():
            break
        if offer is not None and is_accepted(line):
            _accept(offer, person, terminal, desk, output)
            offer = None
        else:
            output.language = language_of(line)
            offer = _one_turn(line, name, person, terminal, desk, output)
        _prompt()


def _one_turn(
    line: str, thread: str, person: str | None, terminal: Terminal, desk: Desk, output: Output
) -> Action | None:
    """Answer a line; return what the answer offers to do, which the next line may accept."""
    try:
        answer = _reply(line, thread, person, terminal, desk)
        output.show(answer.text)
        follow(answer.started_jobs, desk, output)
    except ShortlistError as error:
        output.show(error.to(output.language))
        return None
    offer = offer_of(answer)
    if offer is not None:
        output.show(how_to_accept(offer).to(output.language))
    return offer


def _accept(offer: Action, person: str | None, terminal: Terminal, desk: Desk, output: Output) -> None:
    """Do what was offered, and follow the job that it started."""
    try:
        begin(Caller(person=terminal.person, surface="terminal"))
        job = carry_out(offer, desk.jobs, person=terminal.asker(person))
        output.show(job_line(job, output.language))
        follow(() if offer.id == "cancel" else (job.id,), desk, output)
    except ShortlistError as error:
        output.show(error.to(output.language))


def follow(job_ids: Iterable[str], desk: Desk, output: Output) -> None:
    """Show the progress of jobs, then their results."""
    for job_id in job_ids:
        job = watch(desk.jobs, job_id, output)
        result = desk.jobs.result(job_id)
        output.show(result_markdown(job, result, output.language))
        if where := where_markdown(job, result, output.language):
            output.show(where)


def _reply(text: str, thread: str, person: str | None, terminal: Terminal, desk: Desk) -> Answer:
    """Answer one line, under a request of its own."""
    begin(Caller(person=terminal.person, surface="terminal"))
    terminal.access.require_ask(terminal.person)
    who = terminal.asker(person)
    return reply(Turn(text=text, thread=thread, person=who, channel=terminal.channel), desk)


def _prompt() -> None:
    if sys.stdin.isatty():
        print("> ", end="", flush=True)  # noqa: T201
