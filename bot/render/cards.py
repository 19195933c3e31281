"""Turn a Job and its events into the job card, and its result into the message that ends the thread.

Pure: the same job, events and moment always give the same blocks, so a card is true again after a restart.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from bot import wording
from bot.people import mention
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
from finetune.spec import Candidate, EvaluationSpec
from finetune.state import Job, JobEvent, Outlook
from index.bilingual import Language
from skills.conversation.answer import Action
from skills.outlook import outlook_words
from skills.report import STATE_NAMES, result_markdown

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
    blocks = [markdown(body), section(line), *buttons(_next_steps(job, result, language))]
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
        what = [say(counted, language, count=count), rows, spec.deciding_metric]
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
    value = _with_margin(metric)
    return say(wording.CANDIDATE_SCORE, language, label=label, metric=name, value=value, items=items)


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
    return {"type": "actions", "elements": elements}


def _next_steps(job: Job, result: dict[str, Any], language: Language) -> list[Action]:
    """After an evaluation with a winner: tune it on the same data."""
    winner = result.get("winner")
    if job.state != "succeeded" or not winner or not isinstance(job.spec, EvaluationSpec):
        return []
    local = [candidate for candidate in job.spec.candidates if not candidate.is_hosted]
    model = next((c.model for c in local if winner in (c.label, c.model)), None)
    if model is None:
        return []
    value = {"model": model, "dataset": job.spec.dataset.name}
    return [Action(id="finetune", label=wording.FINETUNE_WINNER.to(language), value=value)]


def _seconds_between(start_utc: str | None, end_utc: str | None) -> float | None:
    if not start_utc or not end_utc:
        return None
    return (datetime.fromisoformat(end_utc) - datetime.fromisoformat(start_utc)).total_seconds()


def _plain(text: str) -> Block:
    return {"type": "plain_text", "text": text}
