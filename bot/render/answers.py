"""Turn an Answer into Slack messages, short first: what is best and why, the table, the sources, the next steps.

The rest (how the ranking would change, what would settle it, a chart) is one press away. Every message keeps Slack's
limits by construction.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from bot import ask_wording
from bot.render.slack import (
    ACTION_PREFIX,
    MARKDOWN_CHARS,
    Block,
    Message,
    button,
    buttons,
    context,
    escaped,
    fallback,
    markdown,
    shortened,
    source_blocks,
    without_source_list,
)
from bot.render.tables import Rows, fitting, parts_of, table_block, table_text
from index.bilingual import Bilingual
from index.records import EvidenceKind
from skills.conversation.answer import Action, Answer, Recommendation
from skills.wording import money, percent, quantization_name, short_name

_SHOWN_AFTER_TABLE = 3
"""Paragraphs of small print: the evidence by kind, what was understood and assumed, what was left out."""
_SMALL_PRINT_CHARS = 1_500
_NUMBERS = (0, 2, 4, 5)
_RANK_AGAIN = ("cheaper", "faster", "better", "less_memory")
_ABOUT_A_RANKING = ("explain", "compare", "excluded")
"""These stand under the ranking itself; under what they bring up they would only say it again."""
_START = ("evaluate", "finetune")
_ON_THE_CARD = ("cancel",)
"""Stop of a job that has just got a card is there, and goes away when the job ends."""
_JUDGED = frozenset({"recommend", "answer", "explain", "compare"})
_STRENGTH: tuple[EvidenceKind, ...] = ("measured", "published", "self-reported", "estimated")


def answer_messages(answer: Answer, *, heading: str | None = None) -> tuple[Message, ...]:
    """Render an answer as one message, or as several when it is very long. Buttons come under the last."""
    if answer.skill == "recommend" and answer.recommendations:
        return (_ranking_message(answer, heading),)
    body = without_source_list(answer.text) if answer.citations else answer.text
    messages = list(_text_messages(body, heading))
    end = [
        *source_blocks(answer.citations, answer.language),
        *_button_rows(answer),
        *feedback_buttons(answer),
    ]
    last = messages[-1]
    messages[-1] = Message(text=last.text, blocks=(*last.blocks, *end))
    return tuple(messages)


def details_messages(answer: Answer) -> tuple[Message, ...]:
    """What the short form of a ranking leaves out; nothing when it leaves out nothing."""
    rest = "\n\n".join(_after_table(answer)[_SHOWN_AFTER_TABLE:])
    return tuple(_text_messages(rest, None)) if rest else ()


def feedback_buttons(answer: Answer) -> list[Block]:
    """Two thumbs under an answer that is remembered."""
    if answer.exchange is None or answer.skill not in _JUDGED:
        return []
    element = {
        "type": "feedback_buttons",
        "action_id": f"{ACTION_PREFIX}feedback",
        "positive_button": _thumb(ask_wording.GOOD.to(answer.language), answer, vote=1),
        "negative_button": _thumb(ask_wording.BAD.to(answer.language), answer, vote=-1),
    }
    return [{"type": "context_actions", "elements": [element]}]


def _ranking_message(answer: Answer, heading: str | None) -> Message:
    lead = _before_table(answer)
    small_print = [shortened(part, _SMALL_PRINT_CHARS) for part in _after_table(answer)[:_SHOWN_AFTER_TABLE]]
    rows = _ranking_rows(answer)
    table = table_block(rows, numbers=_NUMBERS) or markdown(table_text(rows))
    pieces = list(fitting("\n\n".join(lead), MARKDOWN_CHARS // 2)) if lead else []
    blocks = [
        *([context(heading)] if heading else []),
        *(markdown(piece) for piece in pieces[:1]),
        table,
        *([context(*(escaped(part) for part in small_print))] if small_print else []),
        *source_blocks(answer.citations, answer.language),
        *_button_rows(answer),
        *feedback_buttons(answer),
    ]
    return Message(text=fallback(" ".join(lead) or rows[1][1]), blocks=tuple(blocks))


def _ranking_rows(answer: Answer) -> Rows:
    head = [title.to(answer.language) for title in ask_wording.COLUMNS]
    return [head, *(_ranking_row(answer, item) for item in answer.recommendations)]


def _ranking_row(answer: Answer, item: Recommendation) -> list[str]:
    name = short_name(item.model, item.adapter)
    marks = "".join(f"[{c.n}]" for c in answer.citations if c.title.startswith(f"{name}:"))
    quality = f"{1 - item.loss.value:.2f} ± {1.96 * item.loss.se:.2f}"
    return [
        str(item.rank),
        f"{name} {quantization_name(item.quantization, answer.language)}",
        "" if item.vram_gib is None else f"{item.vram_gib:.1f} GiB",
        f"{quality}, {_kind(item).to(answer.language)}",
        "" if item.cost.value is None else money(item.cost.value, answer.currency),
        percent(item.p_best),
        marks,
    ]


def _kind(item: Recommendation) -> Bilingual:
    """What the quality of a model rests on: the strongest kind of evidence that there is."""
    kinds = {line.kind for line in item.evidence}
    return ask_wording.KINDS[next((kind for kind in _STRENGTH if kind in kinds), "estimated")]


def _before_table(answer: Answer) -> list[str]:
    blocks = without_source_list(answer.text).split("\n\n")
    first = next((n for n, block in enumerate(blocks) if block.startswith("|")), len(blocks))
    return [block for block in blocks[:first] if block.strip()]


def _after_table(answer: Answer) -> list[str]:
    text = without_source_list(answer.text) if answer.citations else answer.text
    blocks = text.split("\n\n")
    first = next((n for n, block in enumerate(blocks) if block.startswith("|")), len(blocks))
    return [block for block in blocks[first + 1 :] if block.strip()]


def _text_messages(text: str, heading: str | None) -> Iterable[Message]:
    """Paragraphs and tables in messages that Slack takes: one table each, and not too many characters."""
    blocks: list[Block] = [context(heading)] if heading else []
    room, said = MARKDOWN_CHARS, ""
    for part in parts_of(text.strip() or "…"):
        table = table_block(part) if isinstance(part, list) else None
        if table is not None and not any(block["type"] == "table" for block in blocks):
            size = sum(len(cell) for row in part for cell in row)
            if size <= room:
                blocks.append(table)
                room -= size
                continue
        for piece in fitting(table_text(part) if isinstance(part, list) else part, MARKDOWN_CHARS):
            if len(piece) > room and any(block["type"] != "context" for block in blocks):
                yield Message(text=fallback(said or piece), blocks=tuple(blocks))
                blocks, room, said = [], MARKDOWN_CHARS, ""
            said = said or piece
            _add_text(blocks, piece)
            room -= len(piece) + 2
    yield Message(text=fallback(said or text), blocks=tuple(blocks))


def _add_text(blocks: list[Block], piece: str) -> None:
    if blocks and blocks[-1]["type"] == "markdown":
        blocks[-1] = {**blocks[-1], "text": f"{blocks[-1]['text']}\n\n{markdown(piece)['text']}"}
    else:
        blocks.append(markdown(piece))


def _button_rows(answer: Answer) -> list[Block]:
    """What starts work, what shows more, and what ranks again: a row each."""
    left_out = _ON_THE_CARD if answer.started_jobs else ()
    if answer.skill != "recommend":
        left_out = (*left_out, *_RANK_AGAIN, *_ABOUT_A_RANKING)
    shown = [action for action in answer.actions if action.id not in left_out]
    start = [action for action in shown if action.id in _START]
    again = [_numbered(action, answer) for action in shown if action.id in _RANK_AGAIN]
    more = [_numbered(action, answer) for action in shown if action.id not in (*_START, *_RANK_AGAIN)]
    rows = [*buttons(start), *_with_extras(buttons(more), answer), *buttons(again)]
    return [{**row, "block_id": f"row-{n}"} for n, row in enumerate(rows)]


def _with_extras(row: list[Block], answer: Answer) -> list[Block]:
    """Chart, and what the short form leaves out, beside the questions."""
    if answer.skill != "recommend" or not answer.recommendations or answer.exchange is None:
        return row
    value = json.dumps({"exchange": answer.exchange})
    extras = [button(f"{ACTION_PREFIX}chart", ask_wording.CHART.to(answer.language), value)]
    if _after_table(answer)[_SHOWN_AFTER_TABLE:]:
        extras.append(button(f"{ACTION_PREFIX}details", ask_wording.MORE.to(answer.language), value))
    elements = row[0]["elements"] if row else []
    return [{"type": "actions", "elements": [*elements, *extras]}]


def _numbered(action: Action, answer: Answer) -> Action:
    """The action with the exchange that it follows: a button means the answer above it, however old."""
    if answer.exchange is None:
        return action
    return action.model_copy(update={"value": {**action.value, "exchange": answer.exchange}})


def _thumb(label: str, answer: Answer, *, vote: int) -> Block:
    value = json.dumps({"exchange": answer.exchange, "vote": vote, "language": answer.language})
    return {"text": {"type": "plain_text", "text": label}, "value": value}
