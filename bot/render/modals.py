"""Turn a draft into the form of an evaluation or a fine-tune, and a form that is open into the same with changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from pydantic import BaseModel, ConfigDict

from bot import launch_wording, wording
from bot.data_choice import PASTE, UPLOAD, Choice, Group, label_of
from bot.drafts import Draft, Values
from bot.inbound import Place
from bot.render.fields import AFTER_DATA, AS_FOUND, BEFORE_DATA, ON_DEMAND, Kind
from bot.render.inputs import OPTION_CHARS, Field, input_block, option, plain, submitted, text_input
from bot.render.slack import ACTION_PREFIX, Block, context, escaped, shortened
from index.bilingual import Bilingual, Language

EVALUATE = "shortlist_evaluate_form"
FINETUNE = "shortlist_finetune_form"
MORE_ACTION = f"{ACTION_PREFIX}more_options"
DATASET = "dataset"

__all__ = ["AS_FOUND", "EVALUATE", "FINETUNE", "FormOrigin", "form", "logs_view", "opened", "submitted"]

_TITLE_CHARS = 24
_LOG_CHARS = 3_000
_NOTE_CHARS = 500
_MAX_OPTIONS = 100
_CALLBACKS: Mapping[Kind, str] = {"evaluation": EVALUATE, "tuning": FINETUNE}
_TITLES = {"evaluation": wording.EVALUATE_TITLE, "tuning": wording.FINETUNE_TITLE}


class FormOrigin(BaseModel):
    """Where a form was opened, and what it repeats; carried through Slack in the view's private metadata."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    team: str
    channel: str
    thread_ts: str | None
    language: Language
    repeats: str | None = None
    """The job whose other settings are kept."""
    more: bool = False
    """Whether all options are shown."""

    @classmethod
    def at(cls, place: Place, language: Language) -> FormOrigin:
        """The origin of a form that is opened at a place."""
        return cls(language=language, **asdict(place))

    @property
    def place(self) -> Place:
        """Where the job's card belongs."""
        return Place(team=self.team, channel=self.channel, thread_ts=self.thread_ts)


def form(
    draft: Draft, origin: FormOrigin, groups: Sequence[Group], notes: Mapping[str, str] | None = None
) -> Block:
    """The form. `notes` are lines of ours below fields, by their names."""
    kind, language = draft.kind, origin.language
    more = origin.more or _says_more(draft)
    origin = origin.model_copy(update={"more": more, "repeats": draft.repeats or origin.repeats})
    blocks: list[Block] = []

    def show(fields: Sequence[Field]) -> None:
        for field in fields:
            blocks.append(field.block(draft.values.get(field.name), language))
            blocks.extend(_note(field.name, notes))

    show(BEFORE_DATA[kind])
    blocks += _data_blocks(draft.values, groups, language)
    blocks += _note(DATASET, notes)
    show(AFTER_DATA[kind])
    if more:
        show(ON_DEMAND[kind])
    else:
        blocks.append(_more_button(language))
    return {
        "type": "modal",
        "callback_id": _CALLBACKS[kind],
        "private_metadata": origin.model_dump_json(),
        "title": plain(_TITLES[kind].to(language)),
        "submit": plain(launch_wording.CONTINUE.to(language)),
        "close": plain(wording.CLOSE.to(language)),
        "blocks": blocks,
    }


def opened(view: Mapping[str, Any]) -> tuple[Draft, FormOrigin, list[Group]]:
    """A form as it stands on somebody's screen: what is filled in, where it came from, what it offers."""
    origin = FormOrigin.model_validate_json(view["private_metadata"])
    kind: Kind = "tuning" if view["callback_id"] == FINETUNE else "evaluation"
    # What a person emptied is empty, not what it was when the form opened.
    draft = Draft(kind=kind, values=submitted(view), repeats=origin.repeats)
    return draft, origin, _groups(view)


def logs_view(job_title: str, log: str, language: Language) -> Block:
    """The end of a job's log."""
    words = log.strip()[-_LOG_CHARS:] or wording.NO_LOGS.to(language)
    preformatted = {"type": "rich_text_preformatted", "elements": [{"type": "text", "text": words}]}
    return {
        "type": "modal",
        "title": plain(shortened(job_title, _TITLE_CHARS)),
        "close": plain(wording.CLOSE.to(language)),
        "blocks": [{"type": "rich_text", "elements": [preformatted]}],
    }


def _says_more(draft: Draft) -> bool:
    """True when the draft fills in what only the long form shows: nothing that is asked for may be hidden."""
    return any(
        (value := draft.values.get(field.name)) is not None and value not in (field.usual, "", (), AS_FOUND)
        for field in ON_DEMAND[draft.kind]
    ) or bool(draft.repeats)


def _data_blocks(values: Values, groups: Sequence[Group], language: Language) -> list[Block]:
    chosen = str(values.get(DATASET) or "")
    blocks = [
        input_block(
            DATASET,
            launch_wording.DATASET_LABEL,
            _data_menu(chosen, groups, language),
            language,
            launch_wording.DATASET_HINT,
            is_live=True,
        )
    ]
    if chosen == PASTE:
        pasted = values.get("rows")
        rows = text_input(pasted if isinstance(pasted, str) else "", multiline=True)
        blocks.append(
            input_block("rows", launch_wording.ROWS_LABEL, rows, language, launch_wording.ROWS_HINT)
        )
    if chosen == UPLOAD:
        blocks.append(
            input_block(
                "upload", launch_wording.UPLOAD_LABEL, {"type": "file_input", "max_files": 1}, language
            )
        )
    return blocks


def _data_menu(chosen: str, groups: Sequence[Group], language: Language) -> Block:
    ways = ((PASTE, launch_wording.PASTE.to(language)), (UPLOAD, launch_wording.UPLOAD.to(language)))
    offered: list[tuple[str, Sequence[Choice]]] = [
        (group.heading.to(language), group.choices) for group in groups if group.choices
    ]
    if chosen and chosen not in (PASTE, UPLOAD, *(value for _, some in offered for value, _ in some)):
        offered.insert(0, (launch_wording.NAMED.to(language), ((chosen, label_of(chosen)),)))
    offered.append((launch_wording.SOMETHING_ELSE.to(language), ways))
    shown: list[Block] = [
        {
            "label": plain(shortened(heading, OPTION_CHARS)),
            "options": [option(*choice) for choice in choices[:_MAX_OPTIONS]],
        }
        for heading, choices in offered
    ]
    menu: Block = {
        "type": "static_select",
        "placeholder": plain(launch_wording.DATASET_PLACEHOLDER.to(language)),
        "option_groups": shown,
    }
    initial = next((one for group in shown for one in group["options"] if one["value"] == chosen), None)
    return menu | ({"initial_option": initial} if initial else {})


def _groups(view: Mapping[str, Any]) -> list[Group]:
    """The choices of an open form, to offer the same ones when it changes."""
    menu = next(block["element"] for block in view["blocks"] if block["block_id"] == DATASET)
    return [
        Group(
            Bilingual(group["label"]["text"], group["label"]["text"]),
            tuple((one["value"], one["text"]["text"]) for one in group["options"]),
        )
        for group in menu["option_groups"][:-1]
    ]


def _note(name: str, notes: Mapping[str, str] | None) -> list[Block]:
    """A line of ours below a field."""
    if not notes or name not in notes:
        return []
    return [context(escaped(shortened(notes[name], _NOTE_CHARS))) | {"block_id": f"{name}_note"}]


def _more_button(language: Language) -> Block:
    text = plain(launch_wording.MORE.to(language))
    element = {"type": "button", "action_id": MORE_ACTION, "text": text, "value": "more"}
    return {"type": "actions", "block_id": "more", "elements": [element]}
