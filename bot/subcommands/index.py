"""`shortlist index`: the knowledge base and the team's own documents."""

from __future__ import annotations

import re
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.app import open_knowledge
from bot.console import Output, guarded
from bot.terminal import Terminal, open_terminal
from index.bilingual import Bilingual
from index.errors import BadInput

if TYPE_CHECKING:
    from index.library import Progress

_CHANNEL = re.compile(r"[CGD][A-Z0-9]{2,}")
_SECONDS_BETWEEN_PROGRESS = 2.0

app = typer.Typer(help="What the bot knows: search it, add the team's documents.", no_args_is_help=True)
Channel = Annotated[str | None, typer.Option(help="As it is seen from this Slack channel.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@app.command()
def add(
    paths: list[Path],
    channel: Annotated[
        list[str] | None, typer.Option(help="Only this Slack channel (C…) sees them; may be repeated.")
    ] = None,
    everybody: Annotated[
        bool, typer.Option("--everybody", help="Everybody sees them, also where they were limited before.")
    ] = False,
    json: Json = False,
) -> None:
    """Add files or folders of the team, for everybody or for some channels."""
    with guarded(Output(json=json)) as output:
        terminal = open_terminal()
        what = " ".join(str(path) for path in paths)
        terminal.access.require("knowledge", terminal.person, subject=what)
        channels = _channels(channel, everybody)
        knowledge = open_knowledge(terminal.settings)
        report = knowledge.add(paths, progress=_told_now_and_then(output), channels=channels)
        for_whom = "" if channels is None else f" for {' '.join(sorted(channels)) or 'everybody'}"
        terminal.trail.record("add knowledge", f"{what}{for_whom}", "allowed")
        counts = {name: len(getattr(report, name)) for name in ("added", "changed", "unchanged", "removed")}
        skipped = [
            {"source": item.source, "reason": item.reason.to(output.language)} for item in report.skipped
        ]
        told = Bilingual(
            f"Added {counts['added']}, changed {counts['changed']}, unchanged {counts['unchanged']}, "
            f"removed {counts['removed']}, skipped {len(skipped)}; {report.passages} new passages.",
            f"新增 {counts['added']}，更新 {counts['changed']}，未变 {counts['unchanged']}，"
            f"移除 {counts['removed']}，跳过 {len(skipped)}；新片段 {report.passages} 个。",
        ).to(output.language)
        noted = [{"source": item.source, "note": item.note.to(output.language)} for item in report.noted]
        lines = [told, *(f"- {source}: {why}" for source, why in map(dict.values, [*skipped, *noted]))]
        figures = {**counts, "passages": report.passages, "skipped": skipped, "noted": noted}
        output.emit(figures, "\n".join(lines))


def _told_now_and_then(output: Output) -> Progress:
    """Progress on standard error, at most once in a second or two."""
    told_s = time.monotonic()

    def tell(files_done: int, files: int, passages: int) -> None:
        nonlocal told_s
        if time.monotonic() - told_s >= _SECONDS_BETWEEN_PROGRESS:
            told_s = time.monotonic()
            output.note(
                Bilingual(
                    f"{files_done} of {files} files read, {passages} passages so far",
                    f"已读取 {files_done}/{files} 个文件，共 {passages} 个片段",
                )
            )

    return tell


@app.command()
def remove(source: str, json: Json = False) -> None:
    """Remove a document that was added."""
    with guarded(Output(json=json)) as output:
        terminal = open_terminal()
        terminal.access.require("knowledge", terminal.person, subject=source)
        removed = open_knowledge(terminal.settings).remove(source)
        if not removed:
            raise BadInput(
                Bilingual(
                    f"No document of the team's is called {source!r}. `shortlist index status` lists them.",
                    f"团队文档里没有 {source!r}。用 `shortlist index status` 查看列表。",
                )
            )
        terminal.trail.record("remove knowledge", source, "allowed")
        output.emit({"removed": removed}, f"{source}: -{removed}")


@app.command()
def search(
    query: str,
    k: Annotated[int, typer.Option("-k", help="How many passages.", min=1, max=50)] = 5,
    channel: Channel = None,
    json: Json = False,
) -> None:
    """Find passages."""
    with guarded(Output(json=json), text=query) as output:
        terminal = open_terminal()
        audience = _seen(terminal, channel)
        knowledge = open_knowledge(terminal.settings)
        hits = knowledge.search(query, k=k, language=output.language, audience=audience)
        passages = [
            {
                "rank": hit.rank,
                "score": round(hit.score, 4),
                "source": hit.passage.url or hit.passage.source,
                "title": hit.passage.title,
                "locator": hit.passage.locator,
                "text": hit.passage.text,
            }
            for hit in hits
        ]
        text = "\n\n".join(f"{p['rank']}. **{p['title']} › {p['locator']}**\n{p['text']}" for p in passages)
        output.emit({"query": query, "passages": passages}, text)


@app.command()
def status(channel: Channel = None, json: Json = False) -> None:
    """Say what is indexed."""
    with guarded(Output(json=json)) as output:
        terminal = open_terminal()
        state = asdict(open_knowledge(terminal.settings).status(_seen(terminal, channel)))
        output.emit(state, "\n".join(f"- {name}: {value}" for name, value in state.items()))


def _channels(given: list[str] | None, everybody: bool) -> frozenset[str] | None:
    """Who may see it; None leaves it as it was."""
    if given and everybody:
        raise BadInput(
            Bilingual(
                "Both --channel and --everybody are given. Leave one out.",
                "同时指定了 --channel 和 --everybody，请去掉一个。",
            )
        )
    for name in given or ():
        if not _CHANNEL.fullmatch(name):
            raise BadInput(
                Bilingual(
                    f"{name!r} is no channel id. It begins with C, G or D, as in C0123ABC: see the channel's details.",
                    f"{name!r} 不是频道 ID。频道 ID 以 C、G 或 D 开头，例如 C0123ABC，可在频道详情中查看。",
                )
            )
    return frozenset() if everybody else frozenset(given) if given else None


def _seen(terminal: Terminal, channel: str | None) -> str | None:
    """What this person may see: all who administers knowledge, and they may look as a channel does; else the public."""
    if terminal.channel is None:
        return None
    return channel or terminal.channel
