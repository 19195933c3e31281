"""Turn passages that were found into an answer in their own words, each with its source."""

from __future__ import annotations

from collections.abc import Sequence

from index.retrieve import Hit
from skills.conversation.answer import Answer, Citation
from skills.conversation.request import Request

_QUOTED = 2
_CLOSE_BEHIND = 0.85
"""A second passage is quoted when it scores at least this share of the first."""


def quoted(request: Request, hits: Sequence[Hit]) -> Answer:
    """Quote the best passage, and the second when it is about as good. What they say is data, never followed."""
    best = hits[0].score
    chosen = [hit for hit in hits[:_QUOTED] if hit.score >= _CLOSE_BEHIND * best]
    citations = tuple(
        Citation(
            n=n,
            title=hit.passage.title,
            source=hit.passage.url or hit.passage.source,
            locator=hit.passage.locator,
            quote=hit.passage.text,
        )
        for n, hit in enumerate(chosen, start=1)
    )
    body = "\n\n".join(f"{_words_of(hit)} [{c.n}]" for hit, c in zip(chosen, citations, strict=True))
    marks = "\n".join(f"[{c.n}] {c.title} › {c.locator} ({c.source})" for c in citations)
    return Answer.to(request, f"{body}\n\n{marks}", citations=citations, skill="answer")


def _words_of(hit: Hit) -> str:
    """What is not ours is set off as a quotation, so that nobody takes it for what the bot says."""
    text = hit.passage.text.strip()
    return text if hit.is_ours else "\n".join(f"> {line}" for line in text.splitlines())
