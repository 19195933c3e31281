"""The values of a form -> a spec, or what is wrong, by field. Nothing is started here."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import ValidationError
from slack_sdk import WebClient

from bot import launch_wording, wording
from bot.data_choice import PASTE, UPLOAD, DataDesk
from bot.drafts import Draft
from bot.render.fields import AS_FOUND
from finetune.errors import WrongJudge
from finetune.jobs import Jobs
from finetune.selections import SelectionSpec
from finetune.spec import Candidate, DatasetRef, EvaluationSpec, TuningSpec
from index.bilingual import Bilingual
from index.errors import BadInput, ShortlistError

Spec = EvaluationSpec | TuningSpec
T = TypeVar("T")

_MAX_CANDIDATES = 32
_ADAPTER = re.compile(r"^(?P<name>.+?)\s*\+\s*(?:job|任务)\s*#?(?P<job>\d+)$", re.IGNORECASE)
_FIELD_OF = {"use_rslora": "variants", "use_dora": "variants", "full": "manner", "fresh": "manner"}
"""Fields of a spec that a form asks under another name."""
_FIRST = {"evaluation": "candidates", "tuning": "base_model"}


@dataclass
class Reading:
    """One form being read, and what is wrong with it, by field."""

    draft: Draft
    jobs: Jobs
    data: DataDesk
    client: WebClient
    errors: dict[str, Bilingual] = field(default_factory=dict)

    def spec(self) -> Spec | SelectionSpec | None:
        """The spec that the form asks for; None when something is wrong, and then `errors` says what."""
        spec = self._evaluation() if self.draft.kind == "evaluation" else self._tuning()
        if isinstance(spec, EvaluationSpec):
            return self._checked(spec, "metric", lambda: spec.deciding_metric)
        return spec if spec is None or len(self._bases()) < 2 else self._race(spec)

    def dataset(self) -> DatasetRef | None:
        """The data that was chosen, registered."""
        try:
            return self.data.register(self.client, self.draft.values, task=self._chosen("task"))
        except ShortlistError as error:
            chosen = str(self.draft.values.get("dataset") or "")
            self.errors[{PASTE: "rows", UPLOAD: "upload"}.get(chosen, "dataset")] = error.message
            return None

    def candidates(self) -> tuple[Candidate, ...] | None:
        """The models of an evaluation."""
        return self._read("candidates", self._candidates)

    def base_model(self) -> str | None:
        """The model of a fine-tune; the first of several."""
        return self._read("base_model", self._first_base)

    def _first_base(self, _text: str) -> str:
        for base in self._bases():
            self._known_model(base)
        return self._bases()[0]

    def _bases(self) -> list[str]:
        """The models of a fine-tune, one a line."""
        lines = str(self.draft.values.get("base_model") or "").splitlines()
        return [line.strip() for line in lines if line.strip()] if self.draft.kind == "tuning" else []

    def _race(self, spec: Spec) -> SelectionSpec | None:
        """Several bases, each tuned as the form says, on growing numbers of rows."""
        if isinstance(spec, TuningSpec) and spec.search:
            self.errors["search"] = wording.NO_SEARCH_IN_RACE
            return None
        hours = self._optional("budget_hours", float)
        changes = {"export": "adapter", "early_stopping": None, "general_texts": 0}
        candidates = [spec.model_dump() | changes | {"base_model": base} for base in self._bases()]
        if self.errors:
            return None
        try:
            race = SelectionSpec.model_validate(
                {"candidates": candidates, "budget_s": hours and hours * 3600}
            )
            race.require_possible()
        except ValidationError as error:
            first = error.errors()[0]
            name = "budget_hours" if "budget_s" in first["loc"] else "base_model"
            self.errors[name] = wording.filled(wording.BAD_NUMBER, value=shown_value(first["input"]))
            return None
        except BadInput as error:
            self.errors["base_model"] = error.message
            return None
        return race

    def _evaluation(self) -> Spec | None:
        manner = self.draft.values.get("manner") or ()
        given: dict[str, Any] = {
            "candidates": self.candidates(),
            "dataset": self.dataset(),
            "metric": self._chosen("metric"),
            "limit": self._optional("limit", int),
            "judge": self._optional("judge", self._judge),
            "max_usd": self._optional("max_usd", float),
            "max_minutes": self._optional("max_minutes", float),
            "examples": self._optional("examples", _number_of_examples) or 0,
            "instruction": self.draft.values.get("instruction") or None,
            "max_new_tokens": self._optional("max_new_tokens", int),
            "seed": self._optional("seed", int) or 0,
            "full": "full" in manner,
            "fresh": "fresh" in manner,
        }
        return self._build(EvaluationSpec, given)

    def _tuning(self) -> Spec | None:
        variants = self.draft.values.get("variants") or ()
        given: dict[str, Any] = {
            "base_model": self.base_model(),
            "dataset": self.dataset(),
            "epochs": self._read("epochs", float),
            "method": self.draft.values.get("method") or "lora",
            "use_rslora": "use_rslora" in variants,
            "use_dora": "use_dora" in variants,
            "learning_rate": self._optional("learning_rate", float),
            "augmentation": tuple(self.draft.values.get("augmentation") or ()),
            "early_stopping": self._optional("early_stopping", int),
            "limit": self._optional("limit", int),
            "export": self._chosen("export") or "adapter",
            "instruction": self.draft.values.get("instruction") or None,
            "search": self._optional("search", int) or 0,
            "seed": self._optional("seed", int) or 0,
        }
        if (rank := self._optional("lora_rank", int)) is not None:
            given |= {"lora_rank": rank, "lora_alpha": 2 * rank}
        return self._build(TuningSpec, given)

    def _build(self, kind: type[Spec], given: Mapping[str, Any]) -> Spec | None:
        """The spec when all fields are good; its own limits are told at the field as well."""
        if self.errors:
            return None
        try:
            return kind.model_validate({**self._repeated(kind), **given})
        except ValidationError as error:
            first = error.errors()[0]
            name = str(first["loc"][0]) if first["loc"] else ""
            name, shown = _FIELD_OF.get(name, name), shown_value(first["input"])
            self.errors[name] = wording.filled(wording.BAD_NUMBER, value=shown)
        except WrongJudge:
            missing = given.get("judge") is None
            self.errors["judge"] = launch_wording.NO_JUDGE if missing else launch_wording.NOT_A_JUDGE
        except BadInput as error:
            self.errors[_FIRST[self.draft.kind]] = error.message
        return None

    def _repeated(self, kind: type[Spec]) -> dict[str, Any]:
        """What the form does not ask, as the job had it that is repeated."""
        if self.draft.repeats is None:
            return {}
        spec = self.jobs.status(self.draft.repeats).spec
        return spec.model_dump() if isinstance(spec, kind) else {}

    def _read(self, name: str, parse: Callable[[str], T]) -> T | None:
        """Parse one field; None when it is wrong, and then `errors` says why."""
        text = str(self.draft.values.get(name) or "")
        if not text:
            self.errors[name] = wording.FIELD_EMPTY
            return None
        try:
            return parse(text)
        except ShortlistError as error:
            self.errors[name] = error.message
        except ValueError:
            self.errors[name] = wording.filled(wording.BAD_NUMBER, value=text)
        return None

    def _optional(self, name: str, parse: Callable[[str], T]) -> T | None:
        """Parse one field that may be empty."""
        return self._read(name, parse) if self.draft.values.get(name) else None

    def _chosen(self, name: str) -> Any:
        """The choice of a menu; None when it is left to us."""
        value = self.draft.values.get(name)
        return None if value in (None, "", AS_FOUND) else value

    def _checked(self, spec: Spec, name: str, check: Callable[[], object]) -> Spec | None:
        """The spec when it passes a check that is about one field; None otherwise, told at that field."""
        try:
            check()
        except BadInput as error:
            self.errors[name] = error.message
            return None
        return spec

    def _candidates(self, text: str) -> tuple[Candidate, ...]:
        """One model a line, each under every chosen loading unless the line fixes one."""
        loadings = self.draft.values.get("quantizations") or ("none",)
        found: dict[Candidate, None] = {}
        for line in filter(None, (line.strip() for line in text.splitlines())):
            found |= dict.fromkeys(self._of_line(line, tuple(loadings)))
        if len(found) > _MAX_CANDIDATES:
            raise BadInput(
                wording.filled(wording.TOO_MANY_CANDIDATES, count=len(found), limit=_MAX_CANDIDATES)
            )
        return tuple(found)

    def _of_line(self, line: str, loadings: tuple[str, ...]) -> list[Candidate]:
        tuned = _ADAPTER.match(line)
        name = tuned["name"] if tuned else line
        written = Candidate.parse(name)
        if written.is_hosted:
            return [written]
        model = self._known_model(written.model)
        adapter = self._adapter(tuned["job"], model) if tuned else None
        chosen = (written.quantization,) if "@" in name else loadings
        return [
            Candidate.model_validate({"model": model, "quantization": one, "adapter": adapter})
            for one in chosen
        ]

    def _adapter(self, job_id: str, model: str) -> str:
        """The folder of the adapter that a fine-tune of this model left."""
        job = self.jobs.status(job_id)
        same = isinstance(job.spec, TuningSpec) and self._same_model(job.spec.base_model, model)
        adapter = self.jobs.result(job_id).get("adapter") if same and job.state == "succeeded" else None
        if not adapter:
            raise BadInput(wording.filled(launch_wording.NO_ADAPTER, job_id=job_id, model=model))
        return str(adapter)

    def _same_model(self, one: str, other: str) -> bool:
        return self.jobs.resolve_model(one).id == self.jobs.resolve_model(other).id

    def _judge(self, text: str) -> Candidate:
        return Candidate.parse(text)

    def _known_model(self, name: str) -> str:
        """The name, when it means a model that can be loaded; UnknownModel otherwise."""
        self.jobs.resolve_model(name)
        return name


def shown_value(value: object) -> str:
    """A wrong value as a person may have typed it; not a whole structure."""
    return str(value) if isinstance(value, (str, int, float)) else type(value).__name__


def _number_of_examples(text: str) -> int:
    count = int(text)
    most = 32
    if not 0 <= count <= most:
        raise BadInput(wording.filled(wording.OUT_OF_RANGE, value=count, low=0, high=most))
    return count
