"""Turn a draft into a form, and a submitted form back into plain values.

Block ids are the names of the spec's fields, so that an error finds its field.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from pydantic import BaseModel, ConfigDict

from bot import wording
from bot.drafts import EvaluationDraft, TuningDraft
from bot.inbound import Place
from bot.render.slack import Block, shortened
from index.bilingual import Bilingual, Language

EVALUATE = "shortlist_evaluate_form"
FINETUNE = "shortlist_finetune_form"
AS_FOUND = wording.AS_FOUND
"""Value of a choice that leaves it to us."""

_INPUT = "value"
_TITLE_CHARS = 24
_TEXT_CHARS = 3_000


class FormOrigin(BaseModel):
    """Where a form was opened, carried through Slack in the view's private metadata."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    team: str
    channel: str
    thread_ts: str | None
    language: Language

    @classmethod
    def at(cls, place: Place, language: Language) -> FormOrigin:
        """The origin of a form that is opened at a place."""
        return cls(language=language, **asdict(place))

    @property
    def place(self) -> Place:
        """Where the job's card belongs."""
        return Place(team=self.team, channel=self.channel, thread_ts=self.thread_ts)


def evaluation_form(draft: EvaluationDraft, origin: FormOrigin) -> Block:
    """The form behind /evaluate and the Evaluate button."""
    language = origin.language
    models = _text_input("\n".join(draft.candidates), multiline=True)
    loadings = _checkboxes(wording.QUANTIZATION_NAMES, draft.quantizations, language)
    rows = _number_input("" if draft.limit is None else str(draft.limit), min_value="1")
    blocks = [
        _field("candidates", wording.CANDIDATES_LABEL, models, language, hint=wording.CANDIDATES_HINT),
        _field("quantizations", wording.QUANTIZATIONS_LABEL, loadings, language),
        _dataset_field(draft.dataset, language),
        _optional("limit", wording.LIMIT_LABEL, rows, language, hint=wording.LIMIT_HINT),
        *_how_fields(draft, language),
    ]
    return _modal(EVALUATE, wording.EVALUATE_TITLE, blocks, origin)


def _how_fields(draft: EvaluationDraft, language: Language) -> list[Block]:
    """What may be left as it is."""
    tasks = _select(wording.TASK_NAMES, draft.task or AS_FOUND, language)
    metrics = _select(wording.METRIC_NAMES, draft.metric or AS_FOUND, language)
    full = _checkboxes({"full": wording.FULL_OPTION}, ("full",) if draft.full else (), language)
    examples = _number_input(
        "" if draft.examples is None else str(draft.examples), min_value="0", max_value="32"
    )
    instruction = _text_input(draft.instruction, multiline=True)
    return [
        _optional("task", wording.TASK_LABEL, tasks, language),
        _optional("metric", wording.METRIC_LABEL, metrics, language),
        _optional("full", wording.FULL_LABEL, full, language),
        _optional("examples", wording.EXAMPLES_LABEL, examples, language, hint=wording.EXAMPLES_HINT),
        _optional(
            "instruction", wording.INSTRUCTION_LABEL, instruction, language, hint=wording.INSTRUCTION_HINT
        ),
    ]


def tuning_form(draft: TuningDraft, origin: FormOrigin) -> Block:
    """The form behind /finetune and the Fine-tune button."""
    language = origin.language
    method = _select(wording.METHOD_NAMES, draft.method, language)
    epochs = _number_input(f"{draft.epochs:g}", is_decimal_allowed=True, min_value="0.01", max_value="20")
    blocks = [
        _field("base_model", wording.BASE_MODEL_LABEL, _text_input(draft.base_model), language),
        _dataset_field(draft.dataset, language),
        _field("method", wording.METHOD_LABEL, method, language),
        _field("epochs", wording.EPOCHS_LABEL, epochs, language),
    ]
    return _modal(FINETUNE, wording.FINETUNE_TITLE, blocks, origin)


def logs_view(job_title: str, log: str, language: Language) -> Block:
    """The end of a job's log."""
    words = log.strip()[-_TEXT_CHARS:] or wording.NO_LOGS.to(language)
    preformatted = {"type": "rich_text_preformatted", "elements": [{"type": "text", "text": words}]}
    return {
        "type": "modal",
        "title": _plain(shortened(job_title, _TITLE_CHARS)),
        "close": _plain(wording.CLOSE.to(language)),
        "blocks": [{"type": "rich_text", "elements": [preformatted]}],
    }


def submitted(view: Mapping[str, Any]) -> dict[str, str | tuple[str, ...]]:
    """The values of a submitted form by block id; a field left empty is ""."""
    return {block: _value(fields[_INPUT]) for block, fields in view["state"]["values"].items()}


def _value(field: Mapping[str, Any]) -> str | tuple[str, ...]:
    if field["type"] == "checkboxes":
        return tuple(option["value"] for option in field.get("selected_options") or ())
    if field["type"] == "static_select":
        return (field.get("selected_option") or {}).get("value") or ""
    return (field.get("value") or "").strip()


def _dataset_field(initial: str, language: Language) -> Block:
    return _field("dataset", wording.DATASET_LABEL, _text_input(initial), language, hint=wording.DATASET_HINT)


def _field(
    name: str, label: Bilingual, element: Block, language: Language, hint: Bilingual | None = None
) -> Block:
    block = {
        "type": "input",
        "block_id": name,
        "label": _plain(label.to(language)),
        "element": {**element, "action_id": _INPUT},
    }
    return block | ({"hint": _plain(hint.to(language))} if hint else {})


def _optional(
    name: str, label: Bilingual, element: Block, language: Language, hint: Bilingual | None = None
) -> Block:
    return _field(name, label, element, language, hint=hint) | {"optional": True}


def _text_input(initial: str, *, multiline: bool = False) -> Block:
    element = {"type": "plain_text_input", "multiline": multiline, "max_length": _TEXT_CHARS}
    return _with_initial(element, initial[:_TEXT_CHARS])


def _number_input(initial: str, *, is_decimal_allowed: bool = False, **limits: str) -> Block:
    return _with_initial(
        {"type": "number_input", "is_decimal_allowed": is_decimal_allowed, **limits}, initial
    )


def _select(names: Mapping[str, Bilingual], initial: str, language: Language) -> Block:
    options = _options(names, language)
    chosen = next((option for option in options if option["value"] == initial), options[0])
    return {"type": "static_select", "options": options, "initial_option": chosen}


def _checkboxes(names: Mapping[str, Bilingual], initial: tuple[str, ...], language: Language) -> Block:
    options = _options(names, language)
    chosen = [option for option in options if option["value"] in initial]
    return {"type": "checkboxes", "options": options} | ({"initial_options": chosen} if chosen else {})


def _options(names: Mapping[str, Bilingual], language: Language) -> list[Block]:
    return [{"text": _plain(name.to(language)), "value": key} for key, name in names.items()]


def _with_initial(element: Block, initial: str) -> Block:
    """Slack refuses an empty initial value."""
    return element | ({"initial_value": initial} if initial else {})


def _modal(callback_id: str, title: Bilingual, blocks: list[Block], origin: FormOrigin) -> Block:
    language = origin.language
    return {
        "type": "modal",
        "callback_id": callback_id,
        "private_metadata": origin.model_dump_json(),
        "title": _plain(title.to(language)),
        "submit": _plain(wording.START.to(language)),
        "close": _plain(wording.CLOSE.to(language)),
        "blocks": blocks,
    }


def _plain(text: str) -> Block:
    return {"type": "plain_text", "text": text}
