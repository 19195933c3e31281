"""Refuse what the rules of the house forbid before anything is looked up or sent: hosted models, the hub, models by name."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

from finetune.errors import ModelNotAllowed, NothingLeaves
from finetune.policy import Policy
from finetune.providers import hosted_name
from finetune.spec import EvaluationSpec, TuningSpec
from index.bilingual import Bilingual

OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
"""What keeps the libraries of a recipe from asking the hub."""


def require_inside(policy: Policy, names: Iterable[str]) -> None:
    """NothingLeaves for a model that is asked at a provider, where SHORTLIST_EGRESS is none."""
    if policy.egress == "none":
        for name in names:
            if hosted_name(name) is not None:
                raise NothingLeaves(
                    Bilingual(f"the hosted model {name!r} cannot be asked", f"不能调用托管模型 {name!r}")
                )


def require_model(policy: Policy, name: str) -> None:
    """ModelNotAllowed for one that the lists of the house leave out; what is denied is denied though allowed."""
    folded = name.casefold()
    if denied := _first(policy.models_denied, folded):
        raise ModelNotAllowed(name, setting="SHORTLIST_MODELS_DENIED", pattern=denied)
    if policy.models_allowed and not _first(policy.models_allowed, folded):
        raise ModelNotAllowed(name, setting="SHORTLIST_MODELS_ALLOWED")


def leaving(spec: EvaluationSpec | TuningSpec) -> Bilingual | None:
    """What of the data goes to whom when this job runs; None when nothing does."""
    if isinstance(spec, TuningSpec):
        return None
    hosted = list(dict.fromkeys(asked.label for asked in spec.asked_models if asked.is_hosted))
    if not hosted:
        return None
    rows, names = min(spec.limit or spec.dataset.rows, spec.dataset.rows), ", ".join(hosted)
    return Bilingual(
        f"Leaves this machine: the texts of up to {rows} rows of {spec.dataset.name}, with choices, examples and "
        f"instruction, go to {names}; a judge also gets the answers. SHORTLIST_EGRESS=none forbids it.",
        f"会离开本机的内容：{spec.dataset.name} 最多 {rows} 行的文本（含选项、示例和指令）将发送给 {names}；"
        "裁判模型还会收到各模型的回答。设置 SHORTLIST_EGRESS=none 可以禁止。",
    )


def _first(patterns: Iterable[str], folded: str) -> str | None:
    return next((pattern for pattern in patterns if fnmatchcase(folded, pattern.casefold())), None)
