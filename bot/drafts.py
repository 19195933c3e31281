"""Turn a button's value, a request and the exchange before it, or an earlier job into what a form starts with.

A draft has the values of a form by field, as they come back when it is submitted. It is only a convenience:
everything in it is checked again then.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from bot.data_choice import choice_of
from finetune.spec import Candidate, EvaluationSpec, TuningSpec
from finetune.state import Job
from skills.conversation.parse.base_choice import budget_s
from skills.conversation.request import Request
from skills.conversation.threads import Exchange

Values = Mapping[str, str | tuple[str, ...]]

_TOP = 3
_NAMED = {
    "evaluation": ("limit", "metric", "max_usd", "max_minutes", "examples", "instruction", "max_new_tokens", "seed"),
    "tuning": (
        "method", "epochs", "lora_rank", "learning_rate", "search", "early_stopping", "limit", "export",
        "instruction", "seed",
    ),
}  # fmt: skip
"""Fields of a form that are fields of the spec."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What a form starts with."""

    kind: Literal["evaluation", "tuning"]
    values: Values = field(default_factory=dict)
    """Text by field; several choices as a tuple. A field that is left out starts as usual."""
    repeats: str | None = None
    """The job whose other settings are kept."""


def from_value(kind: Literal["evaluation", "tuning"], value: Mapping[str, Any]) -> Draft:
    """Read the value of a button: models, quantizations, dataset and any field of the form, each optional."""
    models = _texts(value.get("models") or value.get("model"))
    values: dict[str, str | tuple[str, ...]] = {"dataset": choice_of(str(value.get("dataset") or ""))}
    if kind == "evaluation":
        values["candidates"] = "\n".join(models)
        if quantizations := _texts(value.get("quantizations")):
            values["quantizations"] = quantizations
    else:
        values["base_model"] = "\n".join(models)
    for name in _NAMED[kind]:
        if isinstance(given := value.get(name), (str, int, float)):
            values[name] = str(given)
    return Draft(kind=kind, values=_stated(values))


def evaluation_from_request(request: Request | None, last: Exchange | None) -> Draft:
    """What was just said, filled up with what was said before."""
    values: dict[str, Any] = {
        "candidates": "\n".join(_models(request, last)),
        "dataset": choice_of(_dataset(request, last)),
    }
    if request is not None:
        wish = request.evaluation
        values |= {
            "quantizations": request.quantizations,
            "limit": request.rows,
            "task": wish.data_task,
            "metric": wish.metric,
            "manner": ("full",) if wish.full else (),
            "examples": wish.examples,
            "instruction": wish.instruction,
            "max_usd": wish.max_usd,
        }
    return Draft(kind="evaluation", values=_stated(values))


def tuning_from_request(request: Request | None, last: Exchange | None) -> Draft:
    """What was just said, filled up with what was said before."""
    named, models = _named(request), _models(request, last)
    values: dict[str, Any] = {
        "base_model": "\n".join(named or models[:1]),
        "dataset": choice_of(_dataset(request, last)),
    }
    if request is not None:
        values["limit"] = request.rows
        seconds = budget_s(request.turn.text) if len(named) > 1 else None
        values["budget_hours"] = seconds and round(seconds / 3600, 3)
        values["method"] = "qlora" if "nf4" in request.quantizations else ""
    return Draft(kind="tuning", values=_stated(values))


def from_job(job: Job) -> Draft:
    """The form as it would have to be filled in for this very job, seed included."""
    spec = job.spec
    values: dict[str, Any] = {"dataset": f"sha256:{spec.dataset.sha256}", "task": spec.dataset.task}
    usual = type(spec).model_fields
    for name in _NAMED[spec.kind]:
        value = getattr(spec, name)
        if value != usual[name].default or name in ("seed", "method", "epochs"):
            values[name] = value
    values |= _of_evaluation(spec) if isinstance(spec, EvaluationSpec) else _of_tuning(spec)
    if isinstance(spec, EvaluationSpec):  # else what was answered then would only be read back
        values["manner"] = tuple(dict.fromkeys([*values["manner"], "fresh"]))
    return Draft(kind=spec.kind, values=_stated(values), repeats=job.id)


def candidate_line(candidate: Candidate) -> str:
    """A candidate as the form takes it."""
    if candidate.is_hosted:
        return candidate.address
    loading = "" if candidate.quantization == "none" else f"@{candidate.quantization}"
    job_id = adapter_job(candidate.adapter)
    return candidate.model + loading + (f" + job {job_id}" if job_id else "")


def adapter_job(adapter: str | None) -> str | None:
    """The job that left an adapter, which lies in its folder: `…/jobs/12/adapter`."""
    parts = (adapter or "").rsplit("/jobs/", 1)
    return (parts[1].split("/", 1)[0] or None) if len(parts) == 2 else None


def _of_evaluation(spec: EvaluationSpec) -> dict[str, Any]:
    return {
        "candidates": "\n".join(candidate_line(candidate) for candidate in spec.candidates),
        "judge": spec.judge.address if spec.judge else "",
        "manner": tuple(name for name in ("full", "fresh") if getattr(spec, name)),
    }


def _of_tuning(spec: TuningSpec) -> dict[str, Any]:
    return {
        "base_model": spec.base_model,
        "variants": tuple(name for name in ("use_rslora", "use_dora") if getattr(spec, name)),
        "augmentation": spec.augmentation,
    }


def _stated(values: Mapping[str, Any]) -> Values:
    """Without what is not said; numbers as a field shows them."""
    shown = {
        name: tuple(map(str, value)) if isinstance(value, tuple) else _text(value)
        for name, value in values.items()
        if value is not None
    }
    return {name: value for name, value in shown.items() if value not in ("", ())}


def _text(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _models(request: Request | None, last: Exchange | None) -> tuple[str, ...]:
    """The models named now; else those that the last answer recommended; else those named before."""
    if named := _named(request):
        return named
    if last is None:
        return ()
    shown = tuple(item.model for item in last.answer.recommendations if item.quantization is not None)
    return shown[:_TOP] or last.request.requirements.candidates or ()


def _named(request: Request | None) -> tuple[str, ...]:
    """The models that the words name or point at."""
    return (request.references or request.requirements.candidates or ()) if request else ()


def _dataset(request: Request | None, last: Exchange | None) -> str:
    return (request.dataset if request else None) or (last.request.dataset if last else None) or ""


def _texts(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    return tuple(str(item) for item in value) if isinstance(value, Sequence) else ()
