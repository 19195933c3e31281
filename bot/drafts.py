"""Turn a button's value, or a request and the exchange before it, into what a form starts with.

A draft is only a convenience: everything in it is checked again when the form is submitted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from finetune.spec import TuningSpec
from skills.conversation.request import Request
from skills.conversation.threads import Exchange

_TOP = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationDraft:
    """What the evaluation form starts with."""

    candidates: tuple[str, ...] = ()
    """MODEL or MODEL@QUANTIZATION."""
    quantizations: tuple[str, ...] = ("none",)
    dataset: str = ""
    limit: int | None = None
    task: str = ""
    """Empty: recognised from the rows."""
    metric: str = ""
    """Empty: the first of the task."""
    full: bool = False
    examples: int | None = None
    instruction: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TuningDraft:
    """What the fine-tuning form starts with."""

    base_model: str = ""
    dataset: str = ""
    method: str = "lora"
    epochs: float = TuningSpec.model_fields["epochs"].default


def evaluation_from_value(value: Mapping[str, Any]) -> EvaluationDraft:
    """Read the value of an "evaluate" button: models, quantizations, dataset, limit, each optional."""
    limit = value.get("limit")
    return EvaluationDraft(
        candidates=_texts(value.get("models") or value.get("model")),
        quantizations=_texts(value.get("quantizations")) or ("none",),
        dataset=str(value.get("dataset") or ""),
        limit=limit if isinstance(limit, int) else None,
    )


def tuning_from_value(value: Mapping[str, Any]) -> TuningDraft:
    """Read the value of a "finetune" button: model, dataset, method, each optional."""
    models = _texts(value.get("model") or value.get("models"))
    return TuningDraft(
        base_model=models[0] if models else "",
        dataset=str(value.get("dataset") or ""),
        method="qlora" if value.get("method") == "qlora" else "lora",
    )


def evaluation_from_request(request: Request | None, last: Exchange | None) -> EvaluationDraft:
    """What was just said, filled up with what was said before."""
    return EvaluationDraft(
        candidates=_models(request, last),
        quantizations=(request.quantizations if request else ()) or ("none",),
        dataset=_dataset(request, last),
        **_stated(request),
    )


def _stated(request: Request | None) -> dict[str, Any]:
    """How the evaluation is to be done, as far as the words say."""
    if request is None:
        return {}
    wish = request.evaluation
    return {
        "limit": request.rows,
        "task": wish.data_task or "",
        "metric": wish.metric or "",
        "full": bool(wish.full),
        "examples": wish.examples,
        "instruction": wish.instruction or "",
    }


def tuning_from_request(request: Request | None, last: Exchange | None) -> TuningDraft:
    """What was just said, filled up with what was said before."""
    models = _models(request, last)
    return TuningDraft(base_model=models[0] if models else "", dataset=_dataset(request, last))


def _models(request: Request | None, last: Exchange | None) -> tuple[str, ...]:
    """The models named now; else those that the last answer recommended; else those named before."""
    if request and (named := request.references or request.requirements.candidates):
        return named
    if last is None:
        return ()
    shown = tuple(item.model for item in last.answer.recommendations if item.quantization is not None)
    return shown[:_TOP] or last.request.requirements.candidates or ()


def _dataset(request: Request | None, last: Exchange | None) -> str:
    return (request.dataset if request else None) or (last.request.dataset if last else None) or ""


def _texts(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    return tuple(str(item) for item in value) if isinstance(value, Sequence) else ()
