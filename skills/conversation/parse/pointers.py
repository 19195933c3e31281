"""Read what a turn points at: ranks of the last answer, a data set, a job."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from skills.conversation.parse.lexicon import load, words
from skills.conversation.parse.numbers import number_at
from skills.conversation.parse.phrases import Match
from skills.conversation.parse.quantities import Quantity
from skills.conversation.parse.reading import Reading
from skills.conversation.request import JobAction

_FILE = re.compile(
    r"(?<![\w/.~\\-])((?:~|\.{1,2}|[A-Za-z]:)?[\\/]?(?:[\w\u4e00-\u9fff.-]{1,80}[\\/]){0,12}"
    r"[\w\u4e00-\u9fff-][\w\u4e00-\u9fff.-]{0,80}\.(?:csv|tsv|jsonl|json|parquet|xlsx))(?![A-Za-z0-9_])",
    re.IGNORECASE,
)
_LATIN_FILE = re.compile(r"[A-Za-z0-9_~.\\/-][\w.\\/~-]*$", re.ASCII)
_MOST_DIGITS_OF_A_JOB = 9
_LAST_RANK = 5


def read_ranks(reading: Reading, shown: Sequence[str], recent: Sequence[str]) -> tuple[str, ...]:
    """Ids of the models that the turn points at: "the first one", "前两名" of those shown, "both" of the recent ones."""
    picked: list[str] = []
    matches = list(_rank_matches(reading))
    is_listed = sum(match.value.isdigit() for match in matches) > 1
    for match in matches:
        if match.value == "both" and is_listed:
            continue  # "which of these two, 1 or 3"
        is_group = match.value in ("all", "both") and len(recent) > 1
        picked += (
            recent
            if is_group
            else [shown[rank] for rank in _ranks(reading, match, len(shown)) if rank < len(shown)]
        )
    return tuple(dict.fromkeys(picked))


def has_rank(reading: Reading) -> bool:
    """True when the turn names a rank, whether or not anything was shown."""
    return any(True for _ in _rank_matches(reading))


def _rank_matches(reading: Reading) -> Iterator[Match]:
    found = [
        *reading.all("ordinal"),
        *reading.all("leading"),
        *_listed_numbers(reading),
        *_listed_words(reading),
    ]
    for match in sorted(found, key=lambda m: m.start):
        if match.category == "ordinal" or _count_after(reading, match) is not None:
            yield match


def _listed_numbers(reading: Reading) -> Iterator[Match]:
    """ "1 and 2", "1、3": small bare numbers in a list point at the models shown."""
    tokens, joints = reading.tokens, words("text", "rank_joints")
    digits, words_of_numbers = load("units")["chinese_digits"], load("units")["number_words"]
    for at in range(len(tokens) - 2):
        if tokens[at + 1].text in joints and all(
            _is_rank(reading, i) or _is_spelled_rank(reading, i) for i in (at, at + 2)
        ):
            for position in (at, at + 2):
                said = tokens[position].text
                rank = digits.get(said) or words_of_numbers.get(said, said)
                yield Match("ordinal", str(rank), position, position + 1)


def _listed_words(reading: Reading) -> Iterator[Match]:
    """ "The first and second", "first or third": of two in a list the nouns are left out."""
    names, tokens = load("references")["bare_ordinals"], reading.tokens
    taken = {at for match in reading.all("ordinal") for at in range(match.start, match.end)}
    for at in range(len(tokens) - 2):
        if tokens[at + 1].text not in words("text", "list_joints"):
            continue
        other = at + 3 if tokens[at + 2].text == "the" and at + 3 < len(tokens) else at + 2
        if tokens[at].text in names and tokens[other].text in names:
            for position in {at, other} - taken:
                yield Match("ordinal", str(names[tokens[position].text]), position, position + 1)


def _is_rank(reading: Reading, at: int) -> bool:
    """A number from 1 to 5 that counts nothing and belongs to no name."""
    token = reading.tokens[at]
    is_chinese = token.text in words("text", "rank_numerals") and not _is_counted(reading, at)
    is_digit = token.text.isdigit() and token.text.isascii() and not token.joined
    if not is_chinese and not (is_digit and 1 <= int(token.text) <= _LAST_RANK):
        return False
    owners = ("unit", "scale", "currency_after")
    following = reading.tokens[at + 1].text if at + 1 < len(reading.tokens) else ""
    is_counting = any(reading.at(at + 1, category) for category in owners) or following in (".", "b", "k")
    is_owned = any(match.covers(at) for match in reading.matches if match.category != "ordinal")
    return not is_counting and not is_owned


def _is_spelled_rank(reading: Reading, at: int) -> bool:
    """ "Put one and three side by side": only where things are compared, as "one" says much else."""
    value = load("units")["number_words"].get(reading.tokens[at].text, 0)
    return reading.has("compare") and value in range(1, _LAST_RANK + 1) and not reading.at(at + 1, "unit")


def _is_counted(reading: Reading, at: int) -> bool:
    """一 of 一样, 二 of 十二: part of a word, or of a longer numeral."""
    before = reading.tokens[at - 1].text if at else ""
    after = reading.tokens[at + 1].text if at + 1 < len(reading.tokens) else ""
    numerals = load("units")["chinese_digits"].keys() | load("units")["chinese_units"].keys()
    joints = words("text", "rank_joints") | words("text", "after_a_rank")
    return before in numerals or before == "第" or (after not in joints and after != "")


def _ranks(reading: Reading, match: Match, shown: int) -> range:
    if match.category == "leading":
        return range(_count_after(reading, match) or 0)
    if match.value == "last":
        return range(max(shown - 1, 0), shown)
    if match.value in ("all", "both"):
        return range(shown if match.value == "all" else 2)
    rank = int(match.value)
    return range(rank - 1, rank)


def _count_after(reading: Reading, match: Match) -> int | None:
    """The number of "top three" and "前两名"; not of "top 5%" or "first 100 rows"."""
    if match.end >= len(reading.tokens):
        return None
    number = number_at(reading.tokens, match.end)
    if number is None or number.scale or not 2 <= number.value <= 20 or number.value != int(number.value):
        return None
    unit = reading.at(number.end, "unit")
    return None if unit and unit.value not in ("gpu", "param") else int(number.value)


def find_file(reading: Reading) -> tuple[str, int, int] | None:
    """A data file that the turn names, with its case kept, and its place in the text."""
    found = _FILE.search(reading.text.cased)
    if found is None:
        return None
    path = _without_chinese_lead(found.group(1))
    return path, found.end(1) - len(path), found.end(1)


def named_sample(reading: Reading, *, is_certain: bool) -> str | None:
    """`tickets`, the sample data set, by its own name: after "on our", or anywhere if a data set is meant for certain."""
    found = reading.all("dataset_word")
    return next((m.value for m in found if is_certain or reading.before(m.start, "dataset_lead", 2)), None)


def _without_chinese_lead(path: str) -> str:
    """用tickets.csv -> tickets.csv: Chinese is written without spaces, so a verb may stick to the name."""
    if path.isascii():
        return path
    latin = _LATIN_FILE.search(path)
    if latin is not None and latin.group().rpartition(".")[0]:
        return latin.group()
    return path.lstrip("用在拿对把以")


def read_rows(quantities: Sequence[Quantity]) -> int | None:
    """How many rows of a data set to use: "on 100 rows"."""
    rows = (q.value for q in quantities if q.unit == "row" and q.value >= 1 and float(q.value).is_integer())
    return next((int(value) for value in rows), None)


def read_job(reading: Reading) -> str | None:
    """The number in "job 12", "#12", "12 号任务"."""
    for match in reading.all("job_number_lead"):
        at = match.end
        while at < len(reading.tokens) and reading.tokens[at].text in (
            "#",
            "号",
            "no",
            ".",
            "-",
            "id",
            "编",
            "number",
        ):
            at += 1
        if at < len(reading.tokens) and _is_job_number(reading, at, match):
            return reading.tokens[at].text
        if (
            match.start >= 2
            and reading.tokens[match.start - 1].text == "号"
            and reading.tokens[match.start - 2].is_number
        ):
            return reading.tokens[match.start - 2].text
    return next((token.text for at, token in enumerate(reading.tokens) if _numbers_job(reading, at)), None)


def _numbers_job(reading: Reading, at: int) -> bool:
    """The 12 of "cancel 12", and the 3 of "看看3号的结果", which a date is not."""
    token = reading.tokens[at]
    if not (token.text.isdigit() and len(token.text) <= _MOST_DIGITS_OF_A_JOB):
        return False
    before, after = reading.gap(at - 1, at), reading.gap(at + 1, at + 2)
    if after == "号":
        return before != "月" and reading.has_any("jobs_cue", "job_action")
    is_ordered = any(match.end == at for match in reading.all("job_action"))
    return is_ordered and (not after or not reading.same_clause(at + 1, at + 2))


def read_job_action(reading: Reading) -> JobAction | None:
    """What is ordered of a job; a question ("did it stop?", "怎么取消") orders nothing."""
    asked = reading.has_any("how", "why", "yes_no") or reading.has("which")
    ordered = [match for match in reading.stated("job_action") if not (asked and not reading.has("order"))]
    return min(ordered, key=lambda match: match.start).value if ordered else None  # type: ignore[return-value]


def read_job_rank(reading: Reading) -> int | None:
    """The 2 of "the second job", "第二个任务"."""
    for match in reading.all("ordinal"):
        noun = reading.after(match.end, "jobs_noun", 1)
        if match.value.isdigit() and noun is not None:
            return int(match.value)
    return None


def _is_job_number(reading: Reading, at: int, lead: Match) -> bool:
    token = reading.tokens[at]
    if not (token.text.isdigit() and len(token.text) <= _MOST_DIGITS_OF_A_JOB):
        return False
    unit = reading.at(at + 1, "unit")
    is_plain_hash = (
        reading.gap(lead.start, lead.end) == "#" and len(token.text) < 2 and reading.has("ordinal")
    )
    return unit is None and not is_plain_hash
