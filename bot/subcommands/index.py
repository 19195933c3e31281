"""`shortlist index`: the knowledge base and the team's own documents."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.app import configure_logging, open_knowledge
from bot.console import Output, guarded
from bot.settings import read_settings
from index.bilingual import Bilingual
from index.errors import BadInput
from index.retrieve import KnowledgeBase

if TYPE_CHECKING:
    from index.library import Progress

_SECONDS_BETWEEN_PROGRESS = 2.0

app = typer.Typer(help="What the bot knows: search it, add the team's documents.", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@app.command()
def add(paths: list[Path], json: Json = False) -> None:
    """Add files or folders of the team."""
    with guarded(Output(json=json)) as output:
        report = _knowledge().add(paths, progress=_told_now_and_then(output))
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
        removed = _knowledge().remove(source)
        if not removed:
            raise BadInput(
                Bilingual(
                    f"No document of the team's is called {source!r}. `shortlist index status` lists them.",
                    f"团队文档里没有 {source!r}。用 `shortlist index status` 查看列表。",
                )
            )
        output.emit({"removed": removed}, f"{source}: -{removed}")


@app.command()
def search(
    query: str,
    k: Annotated[int, typer.Option("-k", help="How many passages.", min=1, max=50)] = 5,
    json: Json = False,
) -> None:
    """Find passages."""
    with guarded(Output(json=json), text=query) as output:
        hits = _knowledge().search(query, k=k, language=output.language)
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
def status(json: Json = False) -> None:
    """Say what is indexed."""
    with guarded(Output(json=json)) as output:
        state = asdict(_knowledge().status())
        output.emit(state, "\n".join(f"- {name}: {value}" for name, value in state.items()))


def _knowledge() -> KnowledgeBase:
    settings = read_settings()
    configure_logging(settings)
    return open_knowledge(settings)
