"""What was measured here -> its figures by job, newest first: of a time, a model, a data set, when these are named."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import PurePath

from index.bilingual import Bilingual, Language
from index.records import Measurement
from skills.cited import Sources
from skills.conversation.answer import Answer
from skills.conversation.parse.asked import asks_how_it_did, asks_of_the_past, recalled
from skills.conversation.parse.composed import read_message
from skills.conversation.parse.lexicon import load
from skills.conversation.parse.periods import Period, names_period, read_period
from skills.conversation.parse.statement import Statement, state
from skills.conversation.request import Request
from skills.desk import Desk
from skills.wording import quantization_name, short_name

_LINES = 10
NOTHING_YET = Bilingual(
    "Nothing has been measured here yet. Say “evaluate Qwen3-8B on tickets.csv” with your own data set to start.",
    "这里还没有任何实测结果。用你自己的数据集说一句“在 tickets.csv 上评测 Qwen3-8B”就能开始。",
)
START_ONE = Bilingual(
    "To measure more, say “evaluate … on …”.",
    "想再测，说“在……上评测……”即可。",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which measurements are asked for. Empty and None mean "any"."""

    models: frozenset[str] = frozenset()
    datasets: frozenset[str] = frozenset()
    adapters: frozenset[str] = frozenset()
    metric: str | None = None
    job_id: str | None = None
    period: Period | None = None

    def takes(self, row: Measurement) -> bool:
        """Whether a measurement is one of those."""
        return (
            (not self.models or row.model_id in self.models)
            and (not self.datasets or _plain(row.dataset_name) in self.datasets)
            and (not self.adapters or row.adapter in self.adapters)
            and (self.job_id is None or row.job_id == self.job_id)
            and (self.period is None or self.period.covers(row.created_at_utc))
        )


def is_asked(request: Request, statement: Statement, desk: Desk) -> bool:
    """Whether a question is about what was measured here."""
    if recalled(statement):
        return True
    text = statement.reading.text.folded
    if asks_how_it_did(statement) and any(
        _is_in(_plain(row.dataset_name), text) for row in desk.measured_here()
    ):
        return True
    return _goes_on(request, statement, desk) is not None


def answer(request: Request, statement: Statement, desk: Desk) -> Answer:
    """The measurements that are asked for, or that there are none and how to start."""
    rows = desk.measured_here()
    language = request.language
    if not rows:
        return Answer.to(request, NOTHING_YET.to(language))
    wanted = _wanted(request, statement, desk, rows)
    found = [row for row in rows if wanted.takes(row)]
    of_metric = [row for row in found if row.metric == wanted.metric]
    sources = Sources()
    shown, text = _listed(of_metric or found or rows[:1], sources, language)
    lead = _lead(wanted, language) if found else _nothing(wanted, language)
    end = "" if found else START_ONE.to(language)
    body = "\n\n".join(part for part in (lead, text, end, sources.listed) if part)
    return Answer.to(request, body, citations=tuple(sources.citations), jobs=shown)


def latest_line(desk: Desk, model_id: str, language: Language) -> str:
    """The newest figure of a model in a sentence, or nothing."""
    row = next(iter(desk.measured_here(model_id)), None)
    if row is None:
        return ""
    name = _name(row, language)
    return Bilingual(
        f"Measured here: {name}: {_figure(row)} on {row.dataset_name} (job {row.job_id}, {row.created_at_utc[:10]}).",
        f"本地实测：{name}，{row.dataset_name} 上 {_figure(row)}（任务 {row.job_id}，{row.created_at_utc[:10]}）。",
    ).to(language)


def _wanted(request: Request, statement: Statement, desk: Desk, rows: Sequence[Measurement]) -> Wanted:
    today = desk.clock().date()
    period = read_period(statement.reading.tokens, today)
    statement = _goes_on(request, statement, desk) or statement
    text = statement.reading.text.folded
    named = {_plain(row.dataset_name) for row in rows if _is_in(_plain(row.dataset_name), text)}
    asked_data = {_plain(statement.dataset)} if statement.dataset else set()
    mentioned = (model for m in statement.mentions for model in ((m.id,) if m.id else m.members) if model)
    return Wanted(
        models=frozenset((*mentioned, *request.references)),
        datasets=frozenset(asked_data or named),
        adapters=frozenset(row.adapter for row in rows if row.adapter and _is_in(row.adapter, text)),
        metric=_metric(text),
        job_id=request.job_id,
        period=period,
    )


def _goes_on(request: Request, statement: Statement, desk: Desk) -> Statement | None:
    """ "and last month?": the earlier question of the thread, asked again of another time."""
    if not names_period(statement.reading.tokens) or recalled(statement) or statement.mentions:
        return None
    last = desk.threads.last(request.turn.thread)
    if last is None or last.request.skill != "answer" or not asks_of_the_past(last.request.turn.text):
        return None
    return state(read_message(last.request.turn.text), desk.names, (), ())


def _metric(text: str) -> str | None:
    said = [
        (len(word), name)
        for name, listed in load("measured")["metrics"].items()
        for word in listed
        if word in text
    ]
    return max(said)[1] if said else None


def _listed(rows: Sequence[Measurement], sources: Sources, language: Language) -> tuple[tuple[str, ...], str]:
    """The jobs told about, and a line for each thing measured under the heading of its job; ten lines at most."""
    candidates = [list(group) for group in _candidates(rows)]
    told = candidates[:_LINES]
    blocks = []
    for _job_id, group in groupby(told, key=lambda rows: rows[0].job_id):
        measured = list(group)
        blocks.append(
            "\n".join([_heading(measured[0][0], sources, language), *(_line(m, language) for m in measured)])
        )
    rest = len(candidates) - len(told)
    if rest:
        blocks.append(Bilingual(f"… and {rest} more.", f"……另有 {rest} 条。").to(language))
    jobs = tuple(dict.fromkeys(rows[0].job_id for rows in told))
    return jobs, "\n\n".join(blocks)


def _candidates(rows: Sequence[Measurement]) -> Iterator[list[Measurement]]:
    """Rows of one model, loaded one way, in one job; newest job first, within it as they were measured."""
    by_job: dict[str, dict[tuple[object, ...], list[Measurement]]] = {}
    for row in rows:
        key = (row.model_id, row.adapter, row.quantization)
        by_job.setdefault(row.job_id, {}).setdefault(key, []).insert(0, row)
    for candidates in by_job.values():
        yield from reversed(candidates.values())


def _heading(row: Measurement, sources: Sources, language: Language) -> str:
    day = row.created_at_utc[:10]
    job = Bilingual(f"job {row.job_id}", f"任务 {row.job_id}").to(language)
    locator = Bilingual(f"measured here, {day}", f"本地实测，{day}").to(language)
    mark = sources.mark(title=row.dataset_name, source=f"job {row.job_id}", locator=locator)
    return f"**{day} · {row.dataset_name} · {job}** · {row.device} {mark}"


def _line(rows: Sequence[Measurement], language: Language) -> str:
    row = rows[0]
    colon, comma = ("：", "，") if language == "zh" else (": ", ", ")
    return f"- {_name(row, language)}{colon}{comma.join(_figure(item) for item in rows)}"


def _name(row: Measurement, language: Language) -> str:
    comma = "，" if language == "zh" else ", "
    return f"{short_name(row.model_id, row.adapter)}{comma}{quantization_name(row.quantization, language)}"


def _figure(row: Measurement) -> str:
    interval = ""
    if row.ci95_low is not None and row.ci95_high is not None:
        interval = f"95% {row.ci95_low:.2f}–{row.ci95_high:.2f}, "
    return f"{row.metric} {row.value:.2f} ({interval}n = {row.n_items})"


def _lead(wanted: Wanted, language: Language) -> str:
    when = wanted.period.in_words.to(language) if wanted.period else ""
    if language == "zh":
        return f"本地实测（{when}），由新到旧：" if when else "本地实测，由新到旧："
    return f"Measured here {when}, newest first:" if when else "Measured here, newest first:"


def _nothing(wanted: Wanted, language: Language) -> str:
    """What was looked for and not found, before the newest of all."""
    names = sorted(short_name(model) for model in wanted.models)
    models = ("、" if language == "zh" else " or ").join(names[:3])
    data = ", ".join(sorted(wanted.datasets))
    when = wanted.period.in_words.to(language) if wanted.period else ""
    if language == "zh":
        told = "，".join(part for part in (models, data and f"数据集 {data}", when) if part)
        return f"没有符合条件的实测结果（{told}）。最近一次实测是："
    told = " ".join(part for part in (models and f"of {models}", data and f"on {data}", when) if part)
    return f"Nothing was measured here {told}. The newest measurement is:".replace("  ", " ")


def _plain(name: str) -> str:
    """A data set's name as people say it: no folder, no ending."""
    return PurePath(name).stem.casefold()


def _is_in(name: str, text: str) -> bool:
    """Whether a name stands in a text as a word."""
    padded = "".join(char if char.isalnum() and char.isascii() else " " for char in text)
    wanted = " ".join("".join(char if char.isalnum() else " " for char in name.casefold()).split())
    return bool(wanted) and f" {wanted} " in f" {' '.join(padded.split())} "
