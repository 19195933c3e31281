"""Blocks as Slack takes them -> HTML that looks like Slack, and from there a PNG by a Chromium that is installed.

For the pictures of the documents only. It draws what our messages and views are made of, and refuses other blocks:
a picture that silently leaves something out would not show what people see.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from html import escape, unescape
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt
from PIL import Image, ImageChops

Block = Mapping[str, Any]

WIDTH = 760
_TALL = 4_000
_SCALE = 2
_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_EMOJI = {
    "warning": "⚠️", "lock": "🔒", "white_check_mark": "✅", "no_entry": "⛔", "hourglass_flowing_sand": "⏳",
}  # fmt: skip
_THUMB = (
    '<svg width="19" height="19" viewBox="0 0 20 20" fill="none" stroke="#616061" stroke-width="1.5">'
    '<path d="M2 9h3v8H2zM5 10l4-7c2 0 2 2 1.500 4h5c1.500 0 2 1 1.700 2.500l-1.400 6c-.3 1-1 1.500-2 1.500H5"/></svg>'
)
_MARKDOWN = MarkdownIt("commonmark", {"html": False, "breaks": True}).enable(["table", "strikethrough"])
_STYLE = """
* { box-sizing: border-box }
body { margin: 0; padding: 20px 24px; background: #fff; color: #1d1c1d;
  font: 15px/1.46 Lato, "Helvetica Neue", Arial, "Noto Sans", "WenQuanYi Micro Hei", "Noto Sans CJK SC", sans-serif }
.message { display: flex; gap: 10px; margin-bottom: 18px }
.face { flex: none; width: 36px; height: 36px; border-radius: 6px; background: #1f3a5f; color: #fff;
  font-weight: 700; display: grid; place-items: center }
.face.person { background: #8a5a83 }
.body { flex: 1; min-width: 0 }
.name { font-weight: 900 } .app { background: #eee; color: #616061; font-size: 10px; padding: 1px 4px;
  border-radius: 3px; margin-left: 5px; vertical-align: 1px } .time { color: #616061; font-size: 12px; margin-left: 6px }
.block { margin: 5px 0 } .block p { margin: 0 0 8px } .block p:last-child, .block ul:last-child { margin-bottom: 0 }
.block ul { margin: 0 0 8px; padding-left: 22px }
table { border-collapse: collapse; margin: 6px 0; font-size: 14px } td, th { border: 1px solid #ddd;
  padding: 5px 10px; text-align: left; vertical-align: top } th { font-weight: 700; background: #f8f8f8 }
td.right, th.right { text-align: right }
code { background: #f6f6f6; border: 1px solid #e1e1e1; color: #c01343; border-radius: 3px; padding: 1px 3px;
  font: 12px Monaco, Menlo, Consolas, "DejaVu Sans Mono", "WenQuanYi Micro Hei Mono", monospace }
a { color: #1264a3; text-decoration: none }
.mention { background: #e8f5fa; color: #1264a3; border-radius: 3px; padding: 0 2px }
.context { color: #616061; font-size: 12.5px } .context p { margin: 0 0 5px }
.actions { display: flex; flex-wrap: wrap; gap: 8px; margin: 8px 0 }
.button { border: 1px solid #bbb; border-radius: 4px; padding: 4px 12px; font-weight: 700; font-size: 13.5px }
.button.danger { color: #e01e5a; border-color: #e01e5a }
.button.primary { background: #007a5a; color: #fff; border-color: #007a5a }
.thumbs { display: flex; gap: 14px; margin-top: 6px } .thumbs svg + svg { transform: rotate(180deg) }
hr { border: 0; border-top: 1px solid #ddd }
.modal { border: 1px solid #ccc; border-radius: 10px; overflow: hidden; box-shadow: 0 4px 18px #0002 }
.modal header, .modal footer { padding: 14px 22px; font-weight: 900; font-size: 18px; border-bottom: 1px solid #ddd }
.modal footer { border: 0; border-top: 1px solid #ddd; text-align: right; font-size: 14px }
.modal main { padding: 12px 22px } .label { font-weight: 700; margin: 12px 0 4px }
.optional { font-weight: 400; color: #616061 }
.input { border: 1px solid #bbb; border-radius: 4px; padding: 7px 11px; min-height: 37px; white-space: pre-wrap }
.input.menu::after { content: "⌄"; float: right; color: #616061 }
.hint { color: #616061; font-size: 12.5px; margin-top: 3px }
"""


def message_html(name: str, blocks: Iterable[Block], *, is_app: bool = True, time: str = "10:42") -> str:
    """A message with its author."""
    app = '<span class="app">APP</span>' if is_app else ""
    face = f'<div class="face{"" if is_app else " person"}">{escape(name[0])}</div>'
    head = f'<span class="name">{escape(name)}</span>{app}<span class="time">{time}</span>'
    return f'<div class="message">{face}<div class="body"><div>{head}</div>{_blocks(blocks)}</div></div>'


def said_html(name: str, text: str, *, time: str = "10:41") -> str:
    """What a person wrote."""
    block = {"type": "section", "text": {"type": "mrkdwn", "text": text}}
    return message_html(name, [block], is_app=False, time=time)


def view_html(view: Mapping[str, Any]) -> str:
    """A form, or another modal view."""
    buttons = [f'<span class="button">{_plain(view["close"])}</span>'] if "close" in view else []
    buttons += [f'<span class="button primary">{_plain(view["submit"])}</span>'] if "submit" in view else []
    return (
        f'<div class="modal"><header>{_plain(view["title"])}</header><main>{_blocks(view["blocks"])}</main>'
        f"<footer>{' '.join(buttons)}</footer></div>"
    )


def draw(parts: Sequence[str], path: Path, *, width: int = WIDTH) -> None:
    """Draw the parts below each other as one PNG."""
    browser = next((found for name in _BROWSERS if (found := shutil.which(name))), None)
    if browser is None:
        raise SystemExit(f"none of {', '.join(_BROWSERS)} is installed: install one to draw the pictures")
    page = f'<!doctype html><meta charset="utf-8"><style>{_STYLE}</style>{"".join(parts)}'
    with tempfile.TemporaryDirectory() as folder:
        source, shot = Path(folder) / "page.html", Path(folder) / "shot.png"
        source.write_text(page, encoding="utf-8")
        command = [
            browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
            f"--force-device-scale-factor={_SCALE}", f"--window-size={width},{_TALL}",
            f"--user-data-dir={folder}/profile", f"--screenshot={shot}", source.as_uri(),
        ]  # fmt: skip
        subprocess.run(command, check=True, capture_output=True, timeout=180)
        _trimmed(Image.open(shot).convert("RGB")).quantize(128).save(path, optimize=True)


def _trimmed(picture: Image.Image) -> Image.Image:
    """Without the white below."""
    blank = Image.new("RGB", picture.size, "white")
    box = ImageChops.difference(picture, blank).getbbox() or (0, 0, *picture.size)
    return picture.crop((0, 0, picture.width, min(box[3] + 20 * _SCALE, picture.height)))


def _blocks(blocks: Iterable[Block]) -> str:
    return "".join(f'<div class="block">{_block(block)}</div>' for block in blocks)


def _block(block: Block) -> str:
    draw_one = {
        "markdown": lambda: _MARKDOWN.render(unescape(block["text"])),
        "section": lambda: _section(block),
        "context": lambda: (
            f'<div class="context">{"".join(f"<p>{_text(e)}</p>" for e in block["elements"])}</div>'
        ),
        "actions": lambda: f'<div class="actions">{"".join(map(_button, block["elements"]))}</div>',
        "table": lambda: _table(block),
        "divider": lambda: "<hr>",
        "context_actions": lambda: f'<div class="thumbs">{_THUMB}{_THUMB}</div>',
        "input": lambda: _input(block),
    }
    return str(draw_one[block["type"]]())


def _section(block: Block) -> str:
    accessory = f'<div class="actions">{_button(block["accessory"])}</div>' if "accessory" in block else ""
    return _text(block["text"]) + accessory


def _button(element: Block) -> str:
    return f'<span class="button {element.get("style", "")}">{_plain(element["text"])}</span>'


def _table(block: Block) -> str:
    settings = block.get("column_settings") or []
    sides = ["right" if (one or {}).get("align") == "right" else "" for one in settings]
    rows = []
    for number, row in enumerate(block["rows"]):
        tag = "td" if number else "th"
        cells = [
            f'<{tag} class="{sides[n] if n < len(sides) else ""}">{_cell(cell)}</{tag}>'
            for n, cell in enumerate(row)
        ]
        rows.append(f"<tr>{''.join(cells)}</tr>")
    return f"<table>{''.join(rows)}</table>"


def _cell(cell: Block) -> str:
    if cell["type"] == "raw_text":
        return escape(str(cell["text"]))
    return "".join(_rich(element) for part in cell["elements"] for element in part["elements"])


def _rich(element: Block) -> str:
    text = escape(str(element.get("text") or element.get("url") or ""))
    if element["type"] == "link":
        return f"<a>{text}</a>"
    return f"<b>{text}</b>" if (element.get("style") or {}).get("bold") else text


def _input(block: Block) -> str:
    label = _plain(block["label"])
    optional = '<span class="optional"> (optional)</span>' if block.get("optional") else ""
    hint = f'<div class="hint">{_plain(block["hint"])}</div>' if "hint" in block else ""
    return f'<div class="label">{label}{optional}</div>{_element(block["element"])}{hint}'


def _element(element: Block) -> str:
    kind = element["type"]
    if kind == "checkboxes":
        chosen = element.get("initial_options") or ()
        boxes = [f"{'☑' if one in chosen else '☐'} {_plain(one['text'])}" for one in element["options"]]
        return "<br>".join(boxes)
    if kind == "static_select":
        chosen = element.get("initial_option")
        shown = _plain(chosen["text"]) if chosen else _plain(element.get("placeholder") or {"text": ""})
        return f'<div class="input menu">{shown}</div>'
    return f'<div class="input">{escape(str(element.get("initial_value") or ""))}</div>'


def _text(text: Block) -> str:
    return _plain(text) if text["type"] == "plain_text" else _mrkdwn(text["text"])


def _plain(text: Block) -> str:
    return escape(str(text["text"]))


def _mrkdwn(text: str) -> str:
    """Slack's own markup. What comes from data is escaped already, so it stays so."""
    text = re.sub(r"<@([A-Z0-9]+)>", r'<span class="mention">@\1</span>', text)
    text = re.sub(r"<(https?://[^|>]+)\|([^>]+)>", r"<a>\2</a>", text)
    text = re.sub(r"`([^`]+)`", r"<code>\1</code>", text)
    text = re.sub(r"(?<![\w*])\*([^*\n]+)\*(?![\w*])", r"<b>\1</b>", text)
    text = re.sub(r"(?<![\w_])_([^_\n]+)_(?![\w_])", r"<i>\1</i>", text)
    text = re.sub(r":(\w+):", lambda match: _EMOJI.get(match[1], match[0]), text)
    return text.replace("\n", "<br>")
