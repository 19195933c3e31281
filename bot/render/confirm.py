"""Turn a spec and its effort into the view before the Start button; and what else a form may turn into. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bot import launch_wording as wording
from bot import wording as words
from bot.access import Limits
from bot.people import mention
from bot.render.approvals import limits_words, spec_words
from bot.render.inputs import plain
from bot.render.slack import Block, context, escaped, section, shortened
from bot.wording import say
from finetune.effort import Effort
from finetune.selections import SelectionSpec
from finetune.spec import EvaluationSpec, TuningSpec
from index.bilingual import Bilingual, Language
from skills.outlook import duration
from skills.wording import short_name

CONFIRM = "shortlist_confirm"
_SHOWN_REFUSALS = 6
_LINE_CHARS = 600


def confirm_view(  # noqa: PLR0913  what is known of the job, from five sides
    key: str,
    spec: EvaluationSpec | TuningSpec,
    effort: Effort,
    *,
    recognised: Sequence[Bilingual],
    limits: Limits,
    approvers: Sequence[str],
    language: Language,
) -> Block:
    """What will be started, what was seen in the data, what it takes; and Start, or the question for leave."""
    lines = [wording.ESTIMATE.to(language), *(f"• {line}" for line in effort_lines(effort, language))]
    blocks = [
        section(f"*{escaped(spec_words(spec).to(language))}*"),
        section("\n".join(lines)),
        *(_refused(label, reason, language) for label, reason in effort.refusals[:_SHOWN_REFUSALS]),
    ]
    blocks += _seen(recognised, language)
    if approvers:
        asked = ", ".join(mention(person) for person in approvers[:3])
        leave = say(wording.ABOVE_LIMIT, language, limits=limits_words(limits, language), approvers=asked)
        blocks.append(section(leave))
    submit = wording.ASK_TO_APPROVE if approvers else wording.START
    return _view(blocks, language) | {
        "callback_id": CONFIRM,
        "private_metadata": key,
        "submit": plain(submit.to(language)),
    }


def confirm_race_view(
    key: str, race: SelectionSpec, effort: Effort, *, recognised: Sequence[Bilingual], language: Language
) -> Block:
    """Which bases will race on what, the rounds, what all of it takes at most; and Start."""
    first = race.candidates[0]
    names = (", " if language == "en" else "、").join(short_name(name) for name in race.names)
    head = say(words.RACE_OF, language, names=escaped(names), dataset=escaped(first.dataset.name))
    sizes = ", ".join(f"{size:,}" for size in race.sizes)
    lines = [words.RACE_AT_MOST.to(language), *(f"• {line}" for line in effort_lines(effort, language))]
    if race.budget_s is not None:
        limit = duration(race.budget_s).to(language)
        lines.append("• " + say(words.RACE_BUDGET, language, duration=limit))
    blocks = [
        section(f"*{shortened(head, _LINE_CHARS)}*"),
        section(say(words.RACE_ROUNDS, language, sizes=sizes)),
        section("\n".join(lines)),
        *_seen(recognised, language),
    ]
    return _view(blocks, language) | {
        "callback_id": CONFIRM,
        "private_metadata": key,
        "submit": plain(wording.START.to(language)),
    }


def _seen(recognised: Sequence[Bilingual], language: Language) -> list[Block]:
    """What was recognised in the data."""
    if not recognised:
        return []
    seen = [escaped(shortened(line.to(language), _LINE_CHARS)) for line in recognised[:8]]
    return [section("\n".join([wording.RECOGNISED.to(language), *(f"• {line}" for line in seen)]))]


def checking_view(language: Language) -> Block:
    """What is shown while models and data are looked at."""
    return _view([section(f":hourglass_flowing_sand: {wording.CHECKING.to(language)}")], language)


def problem_view(problems: Mapping[str, str], language: Language) -> Block:
    """What is wrong, once the form has been left: the way back keeps what was filled in."""
    lines = [f"• {escaped(shortened(problem, _LINE_CHARS))}" for problem in problems.values()]
    return _view([section(wording.PROBLEM.to(language)), section("\n".join(lines[:20]))], language)


def effort_lines(effort: Effort, language: Language) -> list[str]:
    """Time, memory, cost: a line each."""
    return [_time(effort, language), _memory(effort, language), _cost(effort, language)]


def _view(blocks: list[Block], language: Language) -> Block:
    return {
        "type": "modal",
        "title": plain(wording.CONFIRM_TITLE.to(language)),
        "close": plain(wording.BACK.to(language)),
        "blocks": blocks,
    }


def _refused(label: str, reason: Bilingual, language: Language) -> Block:
    why = escaped(shortened(reason.to(language), _LINE_CHARS))
    return context(say(wording.WILL_NOT_RUN, language, label=escaped(label), reason=why))


def _time(effort: Effort, language: Language) -> str:
    if effort.seconds is None:
        return wording.TIME_UNKNOWN.to(language)
    sentence = wording.TIME_MEASURED if effort.was_measured else wording.TIME_RECKONED
    return say(sentence, language, duration=duration(effort.seconds).to(language))


def _memory(effort: Effort, language: Language) -> str:
    if effort.memory_gib is None:
        return wording.MEMORY_UNKNOWN.to(language)
    if effort.memory_gib == 0:
        return wording.NO_MEMORY.to(language)
    device = effort.device
    return say(
        wording.MEMORY,
        language,
        need=effort.memory_gib,
        free=device.free_gib,
        device=escaped(device.name),
    )


def _cost(effort: Effort, language: Language) -> str:
    if effort.usd is None or effort.api_usd is None or effort.device_usd is None:
        return wording.COST_UNKNOWN.to(language)
    if effort.usd == 0:
        return wording.COST_NONE.to(language)
    if effort.api_usd > 0 and effort.device_usd > 0:
        return say(wording.COST_PARTS, language, usd=effort.usd, api=effort.api_usd, device=effort.device_usd)
    return say(wording.COST, language, usd=effort.usd)
