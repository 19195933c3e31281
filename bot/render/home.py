"""Turn what concerns a person into their Home tab: what to try, their jobs and questions, the team's defaults."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from bot import ask_wording, wording
from bot.render.jobs import job_rows
from bot.render.slack import ACTION_PREFIX, Block, button, context, escaped, section, shortened
from bot.wording import say
from finetune.state import Job, Outlook
from index.bilingual import Language

_QUESTION_CHARS = 150
_DATA_SETS = 20
_OLD_DAYS = 45


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueAge:
    """How fresh what is known is."""

    updated: date
    models: int
    figures: int
    days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeContent:
    """All that the Home tab of one person shows."""

    jobs: Sequence[Job]
    outlooks: Mapping[str, Outlook]
    questions: Sequence[tuple[str, str]]
    """What they asked lately, newest first, and the channel that it was in; "" for a direct message."""
    defaults: str
    """The team's defaults in words."""
    may_change: bool
    data_sets: Sequence[str]
    catalogue: CatalogueAge | None


def home_view(content: HomeContent, language: Language) -> Block:
    """What to try first, then what is theirs, then what is the team's."""
    divider: Block = {"type": "divider"}
    blocks = [
        section(wording.HOME_HELLO.to(language)),
        section("\n".join([ask_wording.TRY_FIRST.to(language), *_examples(language)])),
        divider,
        section(ask_wording.YOUR_JOBS.to(language)),
        *(job_rows(content.jobs, language, content.outlooks) or [section(wording.NO_JOBS.to(language))]),
        divider,
        section("\n".join([ask_wording.YOUR_QUESTIONS.to(language), *_questions(content, language)])),
        divider,
        _defaults(content, language),
        section(_data_sets(content.data_sets, language)),
        *([context(_catalogue(content.catalogue, language))] if content.catalogue else []),
    ]
    return {"type": "home", "blocks": blocks}


def _examples(language: Language) -> list[str]:
    return [f"• _{message.to(language)}_" for _, message in ask_wording.PROMPTS]


def _questions(content: HomeContent, language: Language) -> list[str]:
    if not content.questions:
        return [ask_wording.NO_QUESTIONS.to(language)]
    return [
        f"• {escaped(shortened(' '.join(text.split()), _QUESTION_CHARS))}{f' · <#{channel}>' if channel else ''}"
        for text, channel in content.questions
    ]


def _defaults(content: HomeContent, language: Language) -> Block:
    block = section(say(ask_wording.TEAM_ASSUMES, language, defaults=escaped(content.defaults)))
    if not content.may_change:
        return block
    label = ask_wording.CHANGE.to(language)
    value = json.dumps({"language": language})
    return block | {"accessory": button(f"{ACTION_PREFIX}change_defaults", label, value)}


def _data_sets(names: Sequence[str], language: Language) -> str:
    listed = [f"`{escaped(shortened(name, 60).replace('`', ''))}`" for name in names[:_DATA_SETS]]
    if len(names) > _DATA_SETS:
        listed.append(say(ask_wording.MORE_DATA_SETS, language, count=len(names) - _DATA_SETS))
    return say(ask_wording.DATA_SETS, language, names=", ".join(listed) or "–")


def _catalogue(age: CatalogueAge, language: Language) -> str:
    told = say(
        ask_wording.CATALOGUE,
        language,
        date=age.updated.isoformat(),
        age=age.days,
        models=age.models,
        figures=f"{age.figures:,}",
    )
    return f"{told} {ask_wording.CATALOGUE_OLD.to(language)}" if age.days > _OLD_DAYS else told
