"""A spec and changes to it -> the spec of the job that repeats it, or the sentence that refuses them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from finetune.spec import EvaluationSpec, TuningSpec
from index.bilingual import Bilingual
from index.errors import BadInput


def changed(spec: EvaluationSpec | TuningSpec, changes: Mapping[str, Any]) -> EvaluationSpec | TuningSpec:
    """The spec with other values, checked as a whole; what a job is about cannot be changed."""
    fixed = {"kind", "candidates", "base_model", "dataset"}
    for name in changes:
        if name in fixed or name not in type(spec).model_fields:
            known = ", ".join(sorted(type(spec).model_fields.keys() - fixed))
            raise BadInput(
                Bilingual(
                    en=f"{name!r} cannot be changed in a repeated job. What can: {known}.",
                    zh=f"重复任务时不能修改 {name!r}。可以修改：{known}。",
                )
            )
    try:
        return type(spec).model_validate(spec.model_dump() | dict(changes))
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(map(str, first["loc"]))
        raise BadInput(
            Bilingual(
                en=f"{name} cannot be {first['input']!r}: {first['msg'].lower()}.",
                zh=f"{name} 不能为 {first['input']!r}：{first['msg']}。",
            )
        ) from None
