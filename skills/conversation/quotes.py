"""Tell a person's own words from what they quote: lines behind `>`, code, and sentences in quotation marks.

What is quoted may say what is needed (a budget, a model), and is read for that. It never says what to do.
"""

from __future__ import annotations

import re

_LINE = re.compile(r"^[ \t]*(?:>|&gt;|＞).*$", re.MULTILINE)
_FENCE = re.compile(r"```.*?(?:```|\Z)|~~~.*?(?:~~~|\Z)", re.DOTALL)
_MARKED = re.compile(
    r"`[^`]{12,}`|“[^”]{12,}”|\"[^\"\n]{12,}\"|「[^」]{6,}」|『[^』]{6,}』|“[^”]{6,}”|《[^》]{6,}》"
)


def without_quoted_lines(text: str) -> str:
    """The text without lines that quote somebody: `> evaluate it`."""
    return _LINE.sub("", text).strip()


def own_words(text: str) -> str:
    """The text without anything quoted; a name or a file in quotation marks is short, and stays."""
    return _MARKED.sub(" ", _FENCE.sub(" ", without_quoted_lines(text))).strip()
