"""The words of a turn about a job -> what is to be done with it, and whether that was said or only wondered.

"Cancel job 3" is an order; "should I cancel job 3?" asks, and gets a button; "is job 3 cancelled?" and "don't
cancel job 3" order nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Deed = Literal["cancel", "retry", "reproduce", "first"]

_EN = re.IGNORECASE
_VERBS: dict[Deed, re.Pattern[str]] = {
    "cancel": re.compile(
        r"\b(cancel|stop|abort|kill|terminate|call off)\b(?!\s+(loss|word|button))|^\s*(please\s+)?end\b"
        r"|取消|停止|停掉|停下|终止|中止|停了|叫停|杀掉|结束掉|撤销",
        _EN,
    ),
    "reproduce": re.compile(
        r"\b(reproduce|repeat|replicate|measure\s.*\bagain)\b|复现|重现|重复|再测|重新测|重测", _EN
    ),
    "retry": re.compile(
        r"\b(retry|re-?run|re-?start|re-?launch|re-?submit|try\s.*\bagain|(run|start|launch)\s.*\b(again|once more))\b"
        r"|重试|重跑|重新(跑|运行|执行|提交|启动|开始)|再(跑|试|运行|来|执行)(一?[次遍下回])?",
        _EN,
    ),
    "first": re.compile(
        r"\bprioriti[sz]e\b|\b(put|move)\b.*\b(first|front|top)\b|优先|插队|排到最前|提到最前", _EN
    ),
}
"""The first that fits counts: "stop job 3 and run it again" stops it."""

_NOT = re.compile(
    r"\b(don'?t|do not|never|without|rather than|instead of|no need to|not to)\b[^.!?]*$"
    r"|(别|不要|不用|不必|无需|勿|不想|没有?)[^，。！？]*$",
    _EN,
)
"""Before the verb, in its sentence."""
_ASKS = re.compile(
    r"^\W*((so|and|but)\s+)?(why|when|where|what|which|who|whose|is|are|was|were|has|have|had|did|does|do"
    r"|how(?! (do|can|could|should|would) (i|we)\b| to\b)|will (?!you\b)|would (?!you\b))\b"
    r"|为什么|为何|怎么(?!还不|$)|什么时候|何时|哪",
    _EN,
)
"""Questions about what was done, or how one does it."""
_DONE = re.compile(r"^\s*(了|过|成功|完)?\s*(吗|么|没|没有|的)|^了(?=\s*(没|吗|么|多久|几次|[?？]))")
"""After the verb: it asks whether that was done, or names what was."""
_WONDERS = re.compile(
    r"\b(should|shall|can|could|may|might|do|would)\s+(i|we)\b|\bhow to\b"
    r"|\b(is it possible|possible to|worth|maybe|perhaps)\b"
    r"|要不要|该不该|应不应该|可不可以|能不能|可以.*吗|能.*吗|是否|好吗|行吗|怎么(?!还不)|如何",
    _EN,
)


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be done with a job."""

    deed: Deed
    is_said: bool
    """False where the person only wonders whether to."""


_JOB_NUMBER = re.compile(r"(?:\bjobs?|#|任务|作业)\s*(?:#|号|no\.?)?\s*(\d{1,9})", _EN)
_MORE = re.compile(r"\s*(?:,|，|、|&|and|和|与|及|or|或)\s*#?(\d{1,9})\b(?!\s*(times|rows|次|遍|行|条))", _EN)


def numbers_in(text: str) -> tuple[str, ...]:
    """The numbers of all jobs that are named: "jobs 2, 3 and #5"."""
    found: dict[str, None] = {}
    for first in _JOB_NUMBER.finditer(text):
        found[first[1]] = None
        end = first.end()
        while more := _MORE.match(text, end):
            found[more[1]] = None
            end = more.end()
    return tuple(found)


def order_in(text: str) -> Order | None:
    """Read the order; None where there is none."""
    for deed, verb in _VERBS.items():
        for found in verb.finditer(text):
            before, after = _sentence_before(text, found.start()), text[found.end() :]
            if not (_NOT.search(before) or _ASKS.search(before) or _DONE.search(after)):
                return Order(deed, is_said=not _WONDERS.search(text))
    return None


def _sentence_before(text: str, end: int) -> str:
    """What was said before the verb, back to where its sentence begins."""
    return re.split(r"[.!?;。！？；]\s*", text[:end])[-1]
