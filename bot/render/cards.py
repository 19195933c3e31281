"""Turn a Job and its events into the job card, and its result into the message that ends the thread.

Pure: the same job, events and moment always give the same blocks, so a card is true again after a restart.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from bot import launch_wording, wording
from bot.drafts import candidate_line
from bot.people import mention
from bot.render.fields import METRICS
from bot.render.slack import (
    ACTION_PREFIX,
    Block,
    Message,
    button,
    buttons,
    escaped,
    fallback,
    markdown,
    section,
    shortened,
    split_markdown,
)
from bot.wording import say
from finetune.spec import Candidate, EvaluationSpec, TuningSpec
from finetune.state import Job, JobEvent, Outlook
from index.bilingual import Language
from skills.conversation.answer import Action
from skills.outlook import outlook_words
from skills.report import STATE_NAMES, result_markdown
from skills.wording import short_name

_BAR_CELLS = 12
_SHOWN_CANDIDATES = 12
_RETRIABLE = frozenset({"failed", "cancelled"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What a job's events say so far."""

    done: int = 0
    total: int = 0
    stage: str | None = None
    note: dict[str, str] | None = None
    candidates: tuple[dict[str, Any], ...] = ()
    loss: dict[str, Any] | None = None
    held_out_loss: float | None = None
    spent_usd: dict[str, float] = field(default_factory=dict)
    """By stage: what it has cost so far."""

    @property
    def frac(self) -> float | None:
        """Share of the work that is done, None before anybody has counted it."""
        return min(self.done / self.total, 1.0) if self.total > 0 else None


def progress_of(events: Iterable[JobEvent]) -> Progress:
    """Fold events into what is true now. A new attempt (`starting`) counts from the beginning."""
    values: dict[str, Any] = {}
    for event in events:
        if event.kind == "state" and event.data.get("state") == "starting":
            values = {}
        elif event.kind == "progress":
            values |= {key: event.data.get(key) or 0 for key in ("done", "total")}
            values["stage"] = event.data.get("stage")
            if (usd := event.data.get("spent_usd")) is not None:
                values["spent_usd"] = {**values.get("spent_usd", {}), str(event.data.get("stage")): usd}
        elif event.kind == "candidate":
            values["candidates"] = (*values.get("candidates", ()), event.data)
        elif event.kind == "note":
            values["note"] = event.data
        elif event.kind == "loss":
            values |= _loss_values(event.data)
    return Progress(**values)


def _loss_values(data: dict[str, Any]) -> dict[str, Any]:
    held_out = data.get("eval")
    return {"loss": data} if held_out is None else {"loss": data, "held_out_loss": held_out}


def card(
    job: Job,
    events: Sequence[JobEvent],
    *,
    owner: str,
    outlook: Outlook | None = None,
    language: Language,
) -> Message:
    """The one message of a job that is edited while it runs. `owner` is a name, not a mention."""
    progress = progress_of(events)
    lines = [_status_line(job, progress, outlook, language), *_detail_lines(job, progress, language)]
    blocks = [section(_head(job, owner, language)), section("\n".join(lines)), _card_buttons(job, language)]
    text = f"{title(job, language)}: {lines[0]}"
    return Message(text=fallback(text), blocks=tuple(blocks))


def result_message(job: Job, result: dict[str, Any], *, language: Language) -> Message:
    """How a job ended: verdict first, then the figures, the next step, and the one mention of who asked."""
    body = split_markdown(result_markdown(job, result, language))[0]
    line = say(wording.FOR_PERSON, language, person=mention(job.owner), title=title(job, language))
    steps = [*_blocks_elements(buttons(_next_steps(job, result, language))), _reproduce_button(job, language)]
    blocks = [markdown(body), section(line), {"type": "actions", "elements": steps}]
    return Message(text=fallback(body), blocks=tuple(blocks))


def result_files(job: Job, result: dict[str, Any], language: Language) -> list[dict[str, str]]:
    """The files of a result as files_upload_v2 takes them: the picture first, which Slack shows."""
    paths = [result.get("chart"), result.get("report"), *(result.get("csv") or ())]
    return [_file(job, Path(path), language) for path in paths if path]


def _file(job: Job, path: Path, language: Language) -> dict[str, str]:
    words = wording.FILE_TITLES.get(path.name)
    file_title = say(words, language, job_id=job.id) if words else path.name
    return {"file": str(path), "filename": f"job-{job.id}-{path.name}", "title": file_title}


def title(job: Job, language: Language) -> str:
    """`Evaluation #42`."""
    kind = wording.EVALUATION if isinstance(job.spec, EvaluationSpec) else wording.TUNING
    return f"{kind.to(language)} #{job.id}"


def state_words(job: Job, language: Language) -> str:
    """The state of a job, and how long it took when it is over."""
    words = STATE_NAMES[job.state].to(language)
    if job.is_finished and (seconds := _seconds_between(job.started_at_utc, job.ended_at_utc)) is not None:
        words += " · " + say(wording.TOOK, language, duration=duration(seconds, language))
    return words


def duration(seconds: float, language: Language) -> str:
    """A length of time in one rounded unit."""
    if seconds < 90:
        return say(wording.SECONDS, language, count=round(seconds))
    if seconds < 5_400:
        return say(wording.MINUTES, language, count=round(seconds / 60))
    return say(wording.HOURS, language, count=round(seconds / 3_600, 1))


def cancel_button(job: Job, language: Language) -> Block:
    """Stop, with a second question: what was measured so far is lost."""
    dialog = {
        "title": _plain(say(wording.STOP_TITLE, language, job_id=job.id)),
        "text": _plain(wording.STOP_TEXT.to(language)),
        "confirm": _plain(wording.STOP.to(language)),
        "deny": _plain(wording.KEEP_GOING.to(language)),
    }
    value = json.dumps({"job_id": job.id})
    return button(f"{ACTION_PREFIX}cancel", wording.STOP.to(language), value, style="danger", confirm=dialog)


def _head(job: Job, owner: str, language: Language) -> str:
    spec = job.spec
    rows = say(
        wording.ROWS, language, dataset=escaped(spec.dataset.name), rows=spec.limit or spec.dataset.rows
    )
    if isinstance(spec, EvaluationSpec):
        count = len(spec.candidates)
        counted = wording.ONE_CANDIDATE if count == 1 else wording.CANDIDATE_COUNT
        what = [say(counted, language, count=count), rows, _metric_name(spec.deciding_metric, language)]
    else:
        what = [escaped(spec.base_model), rows, wording.METHOD_NAMES[spec.method].to(language)]
    parts = [f"*{title(job, language)}*", *what, say(wording.STARTED_BY, language, name=escaped(owner))]
    return " · ".join(parts)


def _status_line(job: Job, progress: Progress, outlook: Outlook | None, language: Language) -> str:
    """The bar while there is one, the place in the line while it waits, and what is expected."""
    words = state_words(job, language)
    frac = progress.frac
    if job.is_finished:
        return words
    expected = outlook_words(outlook and replace(outlook, done_frac=None), language)
    if frac is None:
        return words + expected
    filled = round(frac * _BAR_CELLS)
    bar = "█" * filled + "░" * (_BAR_CELLS - filled)
    return f"`{bar}` {frac:.0%}{expected} · {words}"


def _detail_lines(job: Job, progress: Progress, language: Language) -> list[str]:
    lines = [f"• {_candidate_line(row, language)}" for row in progress.candidates[:_SHOWN_CANDIDATES]]
    if (hidden := len(progress.candidates) - _SHOWN_CANDIDATES) > 0:
        lines.append(say(wording.MORE_CANDIDATES, language, count=hidden))
    if progress.loss is not None:
        lines.append(_loss_line(progress, language))
    if progress.spent_usd and not job.is_finished:
        lines.append(_spent_line(job, progress, language))
    if job.reason is not None:
        lines.append(escaped(shortened(job.reason.to(language), 1_000)))
    elif progress.note is not None and not job.is_finished:
        lines.append(escaped(shortened(progress.note.get(language, ""), 500)))
    return lines


def _candidate_line(row: dict[str, Any], language: Language) -> str:
    label = escaped(candidate_label(row))
    if row.get("stopped") == "failed":
        return say(wording.CANDIDATE_FAILED, language, label=label)
    items = row.get("items_seen") or 0
    if row.get("stopped") == "eliminated":
        return say(wording.CANDIDATE_DROPPED, language, label=label, items=items)
    name, metric = next(iter((row.get("metrics") or {}).items()), ("", {}))
    value, name = _with_margin(metric), _metric_name(name, language)
    return say(wording.CANDIDATE_SCORE, language, label=label, metric=name, value=value, items=items)


def _metric_name(name: str, language: Language) -> str:
    """As reports call it in English, by its Chinese name in Chinese."""
    words = METRICS.get(name)
    return words.zh if words and language == "zh" else name


def candidate_label(row: dict[str, Any]) -> str:
    """The short name that specs use too."""
    if row.get("hosted"):
        return str(row["label"])
    return Candidate(
        model=row["model"], quantization=row.get("quantization") or "none", adapter=row.get("adapter")
    ).label


def _with_margin(metric: dict[str, Any]) -> str:
    value, interval = metric.get("value"), metric.get("ci95")
    if value is None:
        return "–"
    return f"{value:.2f} ± {(interval[1] - interval[0]) / 2:.2f}" if interval else f"{value:.2f}"


def _spent_line(job: Job, progress: Progress, language: Language) -> str:
    """What hosted models and a judge have cost so far."""
    spent = _dollars(sum(progress.spent_usd.values()))
    most = job.spec.max_usd if isinstance(job.spec, EvaluationSpec) else None
    if most is None:
        return say(wording.SPENT_SO_FAR, language, spent=spent)
    return say(wording.SPENT_OF, language, spent=spent, most=_dollars(most))


def _dollars(usd: float) -> str:
    """Cents, and more digits where that would say nothing."""
    return f"{usd:.4f}" if 0 < usd < 0.1 else f"{usd:.2f}"


def _loss_line(progress: Progress, language: Language) -> str:
    loss = progress.loss or {}
    train = loss.get("train")
    shown = "–" if train is None else f"{train:.3f}"
    line = say(wording.LOSS_SO_FAR, language, step=loss.get("step", "–"), train=shown)
    if progress.held_out_loss is None:
        return line
    return f"{line} · " + say(wording.LOSS_HELD_OUT, language, loss=f"{progress.held_out_loss:.3f}")


def _card_buttons(job: Job, language: Language) -> Block:
    value = json.dumps({"job_id": job.id})
    elements = [button(f"{ACTION_PREFIX}logs", wording.LOGS.to(language), value)]
    if not job.is_finished and job.state != "cancelling":
        elements.insert(0, cancel_button(job, language))
    if job.state in _RETRIABLE:
        elements.append(button(f"{ACTION_PREFIX}retry", wording.RETRY.to(language), value))
    if job.is_finished:
        elements.append(_reproduce_button(job, language))
    return {"type": "actions", "elements": elements}


def _reproduce_button(job: Job, language: Language) -> Block:
    value = json.dumps({"job_id": job.id})
    return button(f"{ACTION_PREFIX}reproduce", launch_wording.REPRODUCE.to(language), value)


def _blocks_elements(rows: Sequence[Block]) -> list[Block]:
    return [element for row in rows for element in row["elements"]]


def _next_steps(job: Job, result: dict[str, Any], language: Language) -> list[Action]:
    """What follows from a result: tune the winner, evaluate what was tuned, recommend with what is known now."""
    if job.state != "succeeded":
        return []
    if isinstance(job.spec, TuningSpec):
        return _after_tuning(job, job.spec, language)
    return [
        *_tune_winner(job.spec, result, language),
        *_on_more_rows(job.spec, result, language),
        *_recommend(job.spec, language),
    ]


def _tune_winner(spec: EvaluationSpec, result: dict[str, Any], language: Language) -> list[Action]:
    """The winner on the same data, unless its weights are somebody else's or it is tuned already."""
    local = [candidate for candidate in spec.candidates if not candidate.is_hosted and not candidate.adapter]
    names = (
        (result.get("winner"), result.get("leader"))
        if len(spec.candidates) > 1
        else (local and local[0].label,)
    )
    model = next((c.model for name in names if name for c in local if name in (c.label, c.model)), None)
    if model is None or spec.dataset.task in ("chat", "language-modelling"):
        return []
    label = wording.FINETUNE_WINNER if result.get("winner") else launch_wording.FINETUNE_THIS
    value = {"model": model, "dataset": _same_data(spec)}
    return [Action(id="finetune", label=label.to(language), value=value)]


def _on_more_rows(spec: EvaluationSpec, result: dict[str, Any], language: Language) -> list[Action]:
    """The same candidates on as many rows as would settle it, where the data has more."""
    used = min(spec.limit or spec.dataset.rows, spec.dataset.rows)
    if result.get("verdict") != "insufficient" or used >= spec.dataset.rows:
        return []
    wanted = used + int(result.get("more_rows_needed") or used)
    value = {
        "models": [candidate_line(candidate) for candidate in spec.candidates],
        "dataset": _same_data(spec),
        "limit": min(wanted, spec.dataset.rows),
        "metric": spec.metric,
    }
    return [Action(id="evaluate", label=launch_wording.EVALUATE_ON_MORE.to(language), value=value)]


def _after_tuning(job: Job, spec: TuningSpec, language: Language) -> list[Action]:
    """The tuned model beside its base, on the same data."""
    loading = "@nf4" if spec.method == "qlora" else ""
    models = [f"{spec.base_model}{loading} + job {job.id}", f"{spec.base_model}{loading}"]
    value = {"models": models, "dataset": _same_data(spec)}
    return [Action(id="evaluate", label=launch_wording.EVALUATE_TUNED.to(language), value=value)]


def _recommend(spec: EvaluationSpec, language: Language) -> list[Action]:
    """The same models again, now that they were measured here."""
    models = list(dict.fromkeys(short_name(candidate.model) for candidate in spec.candidates))
    names = (" or " if language == "en" else "、").join(models[:4])
    question = launch_wording.RECOMMEND_QUESTION.get(
        spec.dataset.task, launch_wording.RECOMMEND_QUESTION["other"]
    )
    value = {"say": say(question, language, models=names)}
    return [Action(id="ask", label=launch_wording.RECOMMEND_AGAIN.to(language), value=value)]


def _same_data(spec: EvaluationSpec | TuningSpec) -> str:
    """The very rows, whatever has become of the file."""
    return f"sha256:{spec.dataset.sha256}"


def _seconds_between(start_utc: str | None, end_utc: str | None) -> float | None:
    if not start_utc or not end_utc:
        return None
    return (datetime.fromisoformat(end_utc) - datetime.fromisoformat(start_utc)).total_seconds()


def _plain(text: str) -> Block:
    return {"type": "plain_text", "text": text}
