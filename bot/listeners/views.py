"""Submitted forms -> jobs. What is wrong is said at the field, before anything is started.

Slack waits three seconds for the verdict. A look-up that takes longer, such as one at a slow model hub, goes on
after the form has closed, and what is wrong is then told in a direct message.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NoReturn, TypeVar

from pydantic import ValidationError
from slack_bolt import Ack, App
from slack_sdk import WebClient

from bot import wording
from bot.failures import error_message
from bot.render.modals import AS_FOUND, EVALUATE, FINETUNE, FormOrigin, submitted
from bot.render.slack import shortened
from bot.surface import Surface
from finetune.jobs import Jobs
from finetune.spec import Candidate, EvaluationSpec, TuningSpec
from index.bilingual import Bilingual
from index.errors import BadInput

logger = logging.getLogger(__name__)

Spec = EvaluationSpec | TuningSpec
T = TypeVar("T")

VERDICT_S = 2.0
"""Longest wait for the look-ups of a form, a second less than Slack's."""
_LOOKUP_THREADS = 8

_MAX_CANDIDATES = 32
_MOST_EXAMPLES = 32
_ERROR_CHARS = 500


def register(app: App, surface: Surface) -> None:
    """Listen for the two forms that start jobs."""
    lookups = ThreadPoolExecutor(_LOOKUP_THREADS, thread_name_prefix="form-lookup")
    app.view(EVALUATE)(partial(_submit, surface, lookups, evaluation_spec))
    app.view(FINETUNE)(partial(_submit, surface, lookups, tuning_spec))


@dataclass(frozen=True, slots=True)
class Form:
    """Submitted values, and what is wrong with them, by field."""

    values: Mapping[str, Any]
    jobs: Jobs
    errors: dict[str, Bilingual] = field(default_factory=dict)

    def read(self, name: str, parse: Callable[[str], T]) -> T | None:
        """Parse one field; None when it is wrong, and then `errors` says why."""
        text = self.values.get(name) or ""
        if not text:
            self.errors[name] = wording.FIELD_EMPTY
            return None
        try:
            return parse(text)
        except BadInput as error:
            self.errors[name] = error.message
        except ValueError:
            self.errors[name] = wording.filled(wording.BAD_NUMBER, value=text)
        return None

    def optional(self, name: str, parse: Callable[[str], T]) -> T | None:
        """Parse one field that may be empty."""
        return self.read(name, parse) if self.values.get(name) else None

    def chosen(self, name: str) -> Any:
        """The choice of a menu; None when it is left to us."""
        value = self.values.get(name)
        return None if value in (None, "", AS_FOUND) else value

    def checked(self, spec: Spec | None, name: str, check: Callable[[Any], object]) -> Spec | None:
        """The spec when it passes a check that is about one field; None otherwise, told at that field."""
        try:
            if spec is not None:
                check(spec)
        except BadInput as error:
            self.errors[name] = error.message
            return None
        return spec

    def build(self, spec: Callable[[], Spec]) -> Spec | None:
        """Build the spec when all fields are good; its own limits are told at the field as well."""
        if self.errors:
            return None
        try:
            return spec()
        except ValidationError as error:
            first = error.errors()[0]
            message = wording.filled(wording.BAD_NUMBER, value=str(first["input"]))
            self.errors[str(first["loc"][0])] = message
            return None

    def refuse(self) -> NoReturn:
        """Raise the first thing that is wrong."""
        raise BadInput(next(iter(self.errors.values())))


Read = Callable[[Form], Spec | None]


def evaluation_spec(form: Form) -> Spec | None:
    """Read the evaluation form."""
    candidates = form.read("candidates", lambda text: _candidates(text, form))
    task = form.chosen("task")
    dataset = form.read("dataset", partial(form.jobs.register_dataset, task=task))
    chosen = {
        "limit": form.optional("limit", int),
        "metric": form.chosen("metric"),
        "full": "full" in (form.values.get("full") or ()),
        "examples": form.optional("examples", _number_of_examples) or 0,
        "instruction": form.values.get("instruction") or None,
    }
    spec = form.build(
        lambda: EvaluationSpec.model_validate({"candidates": candidates, "dataset": dataset, **chosen})
    )
    return form.checked(spec, "metric", lambda found: found.deciding_metric)


def _number_of_examples(text: str) -> int:
    count = int(text)
    if not 0 <= count <= _MOST_EXAMPLES:
        raise BadInput(wording.filled(wording.OUT_OF_RANGE, value=count, low=0, high=_MOST_EXAMPLES))
    return count


def tuning_spec(form: Form) -> Spec | None:
    """Read the fine-tuning form."""
    base_model = form.read("base_model", lambda name: _known_model(name, form))
    dataset = form.read("dataset", form.jobs.register_dataset)
    epochs = form.read("epochs", float)
    method = form.values.get("method") or "lora"
    return form.build(
        lambda: TuningSpec.model_validate(
            {"base_model": base_model, "dataset": dataset, "epochs": epochs, "method": method}
        )
    )


def _candidates(text: str, form: Form) -> tuple[Candidate, ...]:
    """One model a line, each under every chosen loading unless the line fixes one."""
    loadings = form.values.get("quantizations") or ("none",)
    found: dict[Candidate, None] = {}
    for line in filter(None, (line.strip() for line in text.splitlines())):
        written = Candidate.parse(line)
        model = _known_model(written.model, form)
        if written.is_hosted:
            found |= {written: None}
            continue
        chosen = (written.quantization,) if "@" in line else loadings
        found |= {Candidate(model=model, quantization=name): None for name in chosen}
    if len(found) > _MAX_CANDIDATES:
        raise BadInput(wording.filled(wording.TOO_MANY_CANDIDATES, count=len(found), limit=_MAX_CANDIDATES))
    return tuple(found)


def _known_model(name: str, form: Form) -> str:
    """The name, when it means a model that can be loaded; UnknownModel otherwise."""
    form.jobs.resolve_model(name)
    return name


def _submit(
    surface: Surface, lookups: Executor, read: Read, ack: Ack, body: Mapping[str, Any], client: WebClient
) -> None:
    origin = FormOrigin.model_validate_json(body["view"]["private_metadata"])
    form = Form(submitted(body["view"]), surface.jobs)
    reading = lookups.submit(read, form)
    wait([reading], timeout=VERDICT_S)
    if reading.done() and form.errors:
        ack(response_action="errors", errors=_field_errors(form, origin))
        return
    ack()
    try:
        _start(surface, client, reading.result() or form.refuse(), body, origin)
    except Exception as error:  # the listener edge: any bug becomes an apology
        message = error_message(error, origin.language)
        client.chat_postMessage(channel=body["user"]["id"], **message.arguments())


def _start(
    surface: Surface, client: WebClient, spec: Spec, body: Mapping[str, Any], origin: FormOrigin
) -> None:
    """Submit and show the card. The view's id is the key: a form submitted twice is one job."""
    person = body["user"]["id"]
    surface.access.require_launch(person)
    job = surface.jobs.submit(
        spec, dedupe_key=f"view:{body['view']['id']}", owner=person, thread=origin.place.thread
    )
    surface.jobs.ensure_worker()
    surface.cards.post(client, job, origin.place, origin.language)
    logger.info("job started from a form", extra={"job_id": job.id, "kind": spec.kind})


def _field_errors(form: Form, origin: FormOrigin) -> dict[str, str]:
    return {
        name: shortened(message.to(origin.language), _ERROR_CHARS) for name, message in form.errors.items()
    }
