"""Values -> pieces of an HTML page in two languages. Whatever came from a person or a model is escaped here."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from index.bilingual import Bilingual

STYLE = """
:root { color-scheme: light dark; --line: #8884; --faint: #8881; --accent: #0072b2; --bad: #d55e00 }
* { box-sizing: border-box }
body { font: 15px/1.55 system-ui, -apple-system, "Segoe UI", "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC",
       sans-serif; margin: 2rem auto 4rem; max-width: 68rem; padding: 0 1.2rem; overflow-wrap: anywhere }
h1 { font-size: 1.5rem; margin: .2rem 0 } h2 { font-size: 1.15rem; margin: 2.4rem 0 .4rem }
h3 { font-size: 1rem; margin: 1.4rem 0 .4rem }
p { margin: .4rem 0; max-width: 52rem } ul { margin: .4rem 0; padding-left: 1.2rem }
.small { font-size: .85rem; opacity: .8 }
.verdict { border-left: 4px solid var(--accent); padding: .1rem 0 .1rem .9rem; margin: 1rem 0 }
.verdict strong { font-size: 1.15rem; line-height: 1.4 }
.wide { overflow-x: auto; margin: .5rem 0 }
table { border-collapse: collapse; font-variant-numeric: tabular-nums }
th, td { border-bottom: 1px solid var(--line); padding: .35rem .8rem .35rem 0; text-align: right; vertical-align: top;
  overflow-wrap: normal }
th { font-weight: 600; font-size: .85rem } td { white-space: nowrap }
th:first-child, td:first-child { text-align: left; min-width: 11rem; white-space: normal }
td.words, .quality th:nth-child(4) { text-align: left; white-space: normal; min-width: 12rem }
tr.leader td:first-child { font-weight: 600; color: var(--accent) }
td i { font-style: normal; opacity: .7; font-size: .85em }
.matrix table { font-size: .85rem } .matrix th, .matrix td { padding: .3rem .6rem; text-align: center }
.matrix th:first-child, .matrix td:first-child { min-width: 6rem; text-align: left }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(27rem, 100%), 1fr)); gap: 1.2rem 2rem }
figure { margin: .4rem 0; min-width: 0 } figure svg { width: 100%; height: auto; display: block }
figcaption { font-weight: 600 } .axis { font-size: .8rem; opacity: .8; margin: 0 } .axis.x { text-align: right }
.case { border: 1px solid var(--line); border-radius: 6px; padding: .6rem .9rem; margin: .6rem 0 }
.case dl { display: grid; grid-template-columns: minmax(7rem, max-content) 1fr; gap: .15rem 1rem; margin: .4rem 0 0 }
.case dt { opacity: .8; max-width: 18rem } .case dd { margin: 0; white-space: pre-wrap }
.case dd.wrong { color: var(--bad) } .case dd.right { color: var(--accent) } .case p { margin: 0; white-space: pre-wrap }
summary { cursor: pointer } pre { background: var(--faint); padding: .7rem .9rem; overflow-x: auto; border-radius: 6px;
  font-size: .85rem; white-space: pre-wrap } code { font-size: .9em }
.switch { float: right } .switch label { cursor: pointer; margin-left: .8rem; text-decoration: underline }
input[name=language] { position: absolute; opacity: 0 }
#en:focus-visible ~ .switch label[for=en], #zh:focus-visible ~ .switch label[for=zh] { outline: 2px solid var(--accent) }
#en:checked ~ .switch label[for=en], #zh:checked ~ .switch label[for=zh] { font-weight: 600; text-decoration: none }
#en:checked ~ main [lang=zh], #zh:checked ~ main [lang=en] { display: none }
@media (max-width: 42rem) { .case dl { grid-template-columns: 1fr } .case dd { margin-bottom: .3rem } }
@media print { .switch { display: none } body { max-width: none } }
"""

_SHORT_CHARS, _WHOLE_CHARS = 240, 20_000


def filled(words: Bilingual, **values: object) -> Bilingual:
    """The words with their blanks filled; a value that is a Bilingual itself gives each language its own."""

    def of(language: str) -> str:
        own = {
            name: getattr(value, language) if isinstance(value, Bilingual) else value
            for name, value in values.items()
        }
        text: str = getattr(words, language)
        return text.format(**own)

    return Bilingual(of("en"), of("zh"))


def both(words: Bilingual) -> str:
    """Words in both languages, of which the page shows one."""
    if words.en == words.zh:
        return escape(words.en)
    return f'<span lang="en">{escape(words.en)}</span><span lang="zh">{escape(words.zh)}</span>'


def said(words: Bilingual, **values: object) -> str:
    """Words with their blanks filled, in both languages."""
    return both(filled(words, **values))


def paragraph(words: str, kind: str = "") -> str:
    """One paragraph of what is HTML already."""
    return f'<p class="{kind}">{words}</p>' if kind else f"<p>{words}</p>"


def cells(*values: str) -> str:
    """Table cells of plain text."""
    return "".join(f"<td>{escape(value)}</td>" for value in values)


def table(heads: Sequence[str], rows: Sequence[str], kind: str = "") -> str:
    """A table that scrolls by itself where it is too wide; heads and rows are HTML already."""
    head = "".join(f'<th scope="col">{text}</th>' for text in heads)
    body = "".join(rows)
    return (
        f'<div class="wide {kind}"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
    )


def folded(text: str) -> str:
    """A text; of a long one the beginning, and the whole of it for whoever opens it."""
    if len(text) <= _SHORT_CHARS:
        return escape(text)
    whole = text if len(text) <= _WHOLE_CHARS else text[:_WHOLE_CHARS] + " …"
    return f"<details><summary>{escape(text[:_SHORT_CHARS].rstrip())} …</summary>{escape(whole)}</details>"
