"""Turn words into the blocks of Slack messages, and a fallback text that reads well in a notification.

Slack's limits are kept here by construction, with room to spare, because Slack refuses a whole message for
one character too many. Words from data can never become a mention: `&`, `<` and `>` are defused first.
"""

from __future__ import annotations

import json
import logging
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from bot import wording
from index.bilingual import Language
from skills.conversation.answer import Action, Citation

logger = logging.getLogger(__name__)

Block = dict[str, Any]

MARKDOWN_CHARS = 9_000
"""Slack takes 12,000 in a markdown block, about 13,200 in a message: the rest is for sources and buttons."""
SECTION_CHARS = 3_000
FALLBACK_CHARS = 300
BUTTON_TEXT_CHARS = 75
BUTTON_VALUE_CHARS = 2_000
MAX_BUTTONS = 25
MAX_CONTEXT = 10

ACTION_PREFIX = "shortlist_"
_SOURCE_LINE = re.compile(r"^\s*(?:[-*]\s+)?\[\d+\]\s.*$")
_CONTROL = re.compile(r"<(?=[!@#]|[a-zA-Z][\w+.-]*:[^<>|]*\|)")
_LABELLED = re.compile(
    r"!?\[((?:[^\[\]]|\[[^\[\]]*\])*)\]\(\s*<?([^()\s<>]*(?:\([^()\s]*\)[^()\s<>]*)*)>?[^)\n]*\)"
)
_DEFINITION = re.compile(r"^([ \t>]*)\[([^\]\n]+)\]:(?=[ \t]*\S)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Message:
    """One message as chat.postMessage takes it."""

    text: str
    blocks: tuple[Block, ...]

    def arguments(self) -> dict[str, Any]:
        """Keyword arguments for the Web API. Links in answers are sources, not things to preview."""
        return {"text": self.text, "blocks": list(self.blocks), "unfurl_links": False, "unfurl_media": False}


def text_message(sentence: str, *, heading: str | None = None) -> Message:
    """Render one sentence of ours or of an error, which may quote what a person typed."""
    head = (context(heading),) if heading else ()
    pieces = split_markdown(sentence)[:1]
    return Message(text=fallback(sentence), blocks=(*head, *(markdown(piece) for piece in pieces)))


def markdown(text: str) -> Block:
    """A block of standard Markdown, tables included."""
    return {"type": "markdown", "text": defused(text)}


def section(mrkdwn: str) -> Block:
    """A block in Slack's own markup; the caller has escaped what comes from data."""
    return {"type": "section", "text": {"type": "mrkdwn", "text": shortened(mrkdwn, SECTION_CHARS)}}


def context(*mrkdwn: str) -> Block:
    """A line in small print, of up to ten parts."""
    parts = [{"type": "mrkdwn", "text": shortened(part, SECTION_CHARS)} for part in mrkdwn]
    return {"type": "context", "elements": parts[:MAX_CONTEXT]}


def buttons(actions: Iterable[Action]) -> list[Block]:
    """A row of buttons, or nothing. Ids are told apart by a number when one action comes twice."""
    seen: Counter[str] = Counter()
    elements = []
    for action in actions:
        value = json.dumps(action.value, ensure_ascii=False)
        if len(value) > BUTTON_VALUE_CHARS:
            logger.warning("button left out: its value is too long", extra={"action": action.id})
            continue
        seen[action.id] += 1
        elements.append(button(_action_id(action.id, seen[action.id]), action.label, value))
    return [{"type": "actions", "elements": elements[:MAX_BUTTONS]}] if elements else []


def button(action_id: str, label: str, value: str, **extra: Any) -> Block:
    """One button element."""
    text = {"type": "plain_text", "text": shortened(label, BUTTON_TEXT_CHARS), "emoji": True}
    return {"type": "button", "action_id": action_id, "text": text, "value": value, **extra}


def escaped(text: str) -> str:
    """Text from data, safe in Slack's own markup: it cannot mention, link or notify."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def defused(text: str) -> str:
    """Markdown in which `<!channel>`, `<@U123>` and `<#C123>` are words, and every link shows where it leads.

    Our own sentences hold no links: sources are shown as such. So a label that hides an address came with data.
    """
    shown = _LABELLED.sub(_link_shown, text)
    return _CONTROL.sub("&lt;", _DEFINITION.sub(r"\1\\[\2]:", shown))


def _link_shown(link: re.Match[str]) -> str:
    label, address = link[1], link[2]
    return f"{label} ({address})".strip() if re.search("[:/.]", address) else link[0]


def shortened(text: str, limit: int) -> str:
    """The text, cut with an ellipsis where it is longer than Slack takes."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def fallback(text: str) -> str:
    """What a notification shows: the first paragraph, without markup, short."""
    paragraph = next((part for part in re.split(r"\n\s*\n", text.strip()) if _has_words(part)), text)
    return escaped(shortened(_plain(paragraph), FALLBACK_CHARS))


def split_markdown(text: str, limit: int = MARKDOWN_CHARS) -> tuple[str, ...]:
    """Cut Markdown between paragraphs into pieces of at most `limit` characters."""
    pieces: list[str] = []
    for part in _parts(text.strip() or "…", limit):
        if pieces and len(pieces[-1]) + len(part) + 2 <= limit:
            pieces[-1] += f"\n\n{part}"
        else:
            pieces.append(part)
    return tuple(pieces)


def _parts(text: str, limit: int) -> Iterator[str]:
    """Paragraphs; one that is too long for itself is cut between lines, and a line in the middle."""
    for paragraph in re.split(r"\n\s*\n", text):
        if len(paragraph) <= limit:
            yield paragraph
            continue
        piece = ""
        for line in _lines(paragraph, limit):
            if piece and len(piece) + len(line) + 1 > limit:
                yield piece
                piece = ""
            piece += f"\n{line}" if piece else line
        yield piece


def _lines(paragraph: str, limit: int) -> Iterator[str]:
    for line in paragraph.split("\n"):
        yield from (line[start : start + limit] for start in range(0, max(len(line), 1), limit))


def source_blocks(citations: tuple[Citation, ...], language: Language) -> list[Block]:
    """Context blocks with all sources, ten to a block: an answer's [n] must lead somewhere."""
    marks = [_source(citation) for citation in citations]
    if marks:
        marks[0] = f"{wording.SOURCES.to(language)}: {marks[0]}"
    rows = (marks[start : start + MAX_CONTEXT] for start in range(0, len(marks), MAX_CONTEXT))
    return [context(*row) for row in rows]


def _source(citation: Citation) -> str:
    name = escaped(shortened(" · ".join(filter(None, (citation.title, citation.locator))), 100))
    if citation.source.startswith(("https://", "http://")) and len(citation.source) <= 200:
        return f"[{citation.n}] <{_link_target(citation.source)}|{name.replace('|', '∣')}>"
    return f"[{citation.n}] {name} ({escaped(shortened(citation.source, 60))})"


def _link_target(url: str) -> str:
    return escaped(url).replace("|", "%7C")


def without_source_list(text: str) -> str:
    """Sources are shown as links under the answer: the plain list in it would say them twice."""
    kept = [
        block
        for block in text.strip().split("\n\n")
        if not all(_SOURCE_LINE.match(line) for line in block.split("\n"))
    ]
    return "\n\n".join(kept) or text


def _has_words(paragraph: str) -> bool:
    return not paragraph.lstrip().startswith(("|", "```", "---")) and bool(re.search(r"\w", paragraph))


def _plain(paragraph: str) -> str:
    text = re.sub(r"!?\[([^\]]+)\]\([^)\s]+\)", r"\1", paragraph)
    text = re.sub(r"^\s*(?:#{1,6}|[-*+>]|\|)\s+", "", text, flags=re.MULTILINE)
    text = re.sub(r"(\*\*|__|~~|`)", "", text)
    return re.sub(r"\s+", " ", text).strip()


def _action_id(action: str, count: int) -> str:
    return f"{ACTION_PREFIX}{action}" if count == 1 else f"{ACTION_PREFIX}{action}_{count}"
