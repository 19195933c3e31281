"""Turn a launch that waits for leave into the question to the approvers, and into what it became. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence

from bot import launch_wording as wording
from bot.access import Limits
from bot.launches import Launch
from bot.people import mention
from bot.render.slack import ACTION_PREFIX, Message, button, escaped, fallback, section, shortened
from bot.wording import say
from finetune.effort import Effort
from finetune.spec import EvaluationSpec, TuningSpec
from index.bilingual import Bilingual, Language
from skills.outlook import duration
from skills.tuning_report import method_name
from skills.wording import short_name

_SHOWN_MODELS = 6
_MOST_ASKED = 3


def asked_message(
    launch: Launch, effort: Effort, limits: Limits, asked: Sequence[str], *, name: str
) -> Message:
    """The question, with the mention of who may answer it. `name` is that of the asker, not a mention."""
    language = launch.language
    sentence = say(
        wording.APPROVAL_ASKED,
        language,
        approvers=", ".join(mention(person) for person in asked[:_MOST_ASKED]),
        name=escaped(name),
        title=escaped(spec_words(launch.wanted.spec).to(language)),
        takes=takes_words(effort, language),
        limits=limits_words(limits, language),
    )
    value = json.dumps({"key": launch.key})
    elements = [
        button(f"{ACTION_PREFIX}approve", wording.APPROVE.to(language), value, style="primary"),
        button(f"{ACTION_PREFIX}decline", wording.DECLINE.to(language), value),
    ]
    return Message(
        text=shortened(sentence.replace("*", ""), 500),
        blocks=(section(sentence), {"type": "actions", "elements": elements}),
    )


def decided_message(
    launch: Launch, *, by: str, name: str, job_id: str | None, declined: bool | None = None
) -> Message:
    """What the question became. `name` may be a mention where the asker is to be told."""
    language = launch.language
    title = escaped(spec_words(launch.wanted.spec).to(language))
    is_declined = launch.state == "declined" if declined is None else declined
    if is_declined:
        sentence = say(wording.DECLINED, language, by=escaped(by), title=title, person=name)
    else:
        sentence = say(wording.APPROVED, language, by=escaped(by), title=title, name=name, job_id=job_id)
    return Message(text=fallback(sentence), blocks=(section(sentence),))


def spec_words(spec: EvaluationSpec | TuningSpec) -> Bilingual:
    """What a job that has no number yet is: kind, models, data set, rows."""
    rows = min(spec.limit or spec.dataset.rows, spec.dataset.rows)
    data = spec.dataset.name
    if isinstance(spec, TuningSpec):
        model, method = short_name(spec.base_model), method_name(spec)
        return Bilingual(
            f"Fine-tune of {model} on {data} ({rows:,} rows) by {method}",
            f"微调 {model}，数据 {data}（{rows:,} 行），{method}",
        )
    names = [candidate.label for candidate in spec.candidates]
    shown = ", ".join(names[:_SHOWN_MODELS])
    more = len(names) - _SHOWN_MODELS
    en = f"{shown} and {more} more" if more > 0 else shown
    zh = f"{shown} 等 {len(names)} 个" if more > 0 else shown
    return Bilingual(
        f"Evaluation of {en} on {data} ({rows:,} rows)", f"评测 {zh}，数据 {data}（{rows:,} 行）"
    )


def takes_words(effort: Effort, language: Language) -> str:
    """`2.4 GPU hours, $7.10`; what is unknown is called so."""
    unknown = wording.UNKNOWN_AMOUNT.to(language)
    parts = []
    if effort.device.is_gpu:
        hours = effort.gpu_hours
        parts.append(
            unknown
            if hours is None
            else say(wording.GPU_HOURS, language, hours=round(hours, 2 if hours < 1 else 1))
        )
    elif effort.seconds is not None:
        parts.append(duration(effort.seconds).to(language))
    if effort.usd is None:
        parts.append(unknown)
    elif effort.usd > 0:
        parts.append(f"${effort.usd:.2f}")
    return ", ".join(dict.fromkeys(parts)) or unknown


def limits_words(limits: Limits, language: Language) -> str:
    """`1 GPU hours, $5`."""
    parts = []
    if limits.gpu_hours is not None:
        parts.append(say(wording.GPU_HOURS, language, hours=limits.gpu_hours))
    if limits.usd is not None:
        parts.append(say(wording.DOLLARS, language, usd=limits.usd))
    return ", ".join(parts)
