"""What the two forms ask: first the few questions that everybody answers, then, on demand, all others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from bot import launch_wording, wording
from bot.render.inputs import Field
from index.bilingual import Bilingual

Kind = Literal["evaluation", "tuning"]

AS_FOUND: Final = wording.AS_FOUND
"""Value of a choice that leaves it to us."""

TASKS: Final[Mapping[str, Bilingual]] = {**wording.TASK_NAMES, "chat": launch_wording.CHAT_TASK}
METRICS: Final[Mapping[str, Bilingual]] = {**wording.METRIC_NAMES, "win_rate": launch_wording.WIN_RATE}

_INSTRUCTION = Field(
    name="instruction", label=wording.INSTRUCTION_LABEL, kind="lines", hint=wording.INSTRUCTION_HINT
)
_SEED = Field(
    name="seed", label=launch_wording.SEED_LABEL, kind="whole", hint=launch_wording.SEED_HINT, usual="0"
)
_LIMIT = Field(
    name="limit", label=wording.LIMIT_LABEL, kind="whole", hint=wording.LIMIT_HINT, limits=("1", None)
)
_TASK = Field(name="task", label=wording.TASK_LABEL, kind="menu", names=TASKS, usual=AS_FOUND)

_CANDIDATES = Field(
    name="candidates",
    label=wording.CANDIDATES_LABEL,
    kind="lines",
    hint=launch_wording.CANDIDATES_HINT,
    is_needed=True,
)
_QUANTIZATIONS = Field(
    name="quantizations",
    label=wording.QUANTIZATIONS_LABEL,
    kind="boxes",
    names=wording.QUANTIZATION_NAMES,
    usual=("none",),
)
_METRIC = Field(name="metric", label=wording.METRIC_LABEL, kind="menu", names=METRICS, usual=AS_FOUND)
_BASE_MODEL = Field(
    name="base_model",
    label=wording.BASE_MODEL_LABEL,
    kind="lines",
    hint=wording.BASE_MODEL_HINT,
    is_needed=True,
)
_METHOD = Field(
    name="method", label=wording.METHOD_LABEL, kind="menu", names=wording.METHOD_NAMES, is_needed=True
)
_EPOCHS = Field(
    name="epochs",
    label=wording.EPOCHS_LABEL,
    kind="number",
    usual="1",
    limits=("0.01", "20"),
    is_needed=True,
)

BEFORE_DATA: Final[Mapping[Kind, tuple[Field, ...]]] = {
    "evaluation": (_CANDIDATES, _QUANTIZATIONS),
    "tuning": (_BASE_MODEL,),
}
AFTER_DATA: Final[Mapping[Kind, tuple[Field, ...]]] = {
    "evaluation": (_LIMIT, _METRIC),
    "tuning": (_METHOD, _EPOCHS),
}
ON_DEMAND: Final[Mapping[Kind, tuple[Field, ...]]] = {
    "evaluation": (
        _TASK,
        Field(name="judge", label=launch_wording.JUDGE_LABEL, kind="text", hint=launch_wording.JUDGE_HINT),
        Field(
            name="max_usd",
            label=launch_wording.BUDGET_LABEL,
            kind="number",
            hint=launch_wording.BUDGET_HINT,
            limits=("0.01", None),
        ),
        Field(name="max_minutes", label=launch_wording.MINUTES_LABEL, kind="number", limits=("0.1", None)),
        Field(
            name="manner", label=launch_wording.MANNER_LABEL, kind="boxes", names=launch_wording.MANNER_NAMES
        ),
        Field(
            name="examples",
            label=wording.EXAMPLES_LABEL,
            kind="whole",
            hint=wording.EXAMPLES_HINT,
            limits=("0", "32"),
        ),
        _INSTRUCTION,
        Field(name="max_new_tokens", label=launch_wording.ANSWER_LABEL, kind="whole", limits=("1", "32768")),
        _SEED,
    ),
    "tuning": (
        Field(
            name="budget_hours",
            label=wording.RACE_BUDGET_LABEL,
            kind="number",
            hint=wording.RACE_BUDGET_HINT,
            limits=("0.01", None),
        ),
        Field(
            name="search",
            label=launch_wording.SEARCH_LABEL,
            kind="whole",
            hint=launch_wording.SEARCH_HINT,
            usual="0",
            limits=("0", "100"),
        ),
        Field(
            name="variants",
            label=launch_wording.VARIANTS_LABEL,
            kind="boxes",
            names=launch_wording.VARIANT_NAMES,
        ),
        Field(
            name="lora_rank", label=launch_wording.RANK_LABEL, kind="whole", usual="16", limits=("1", "256")
        ),
        Field(
            name="learning_rate", label=launch_wording.RATE_LABEL, kind="text", hint=launch_wording.RATE_HINT
        ),
        Field(
            name="augmentation",
            label=launch_wording.AUGMENTATION_LABEL,
            kind="boxes",
            names=launch_wording.AUGMENTATION_NAMES,
        ),
        Field(
            name="early_stopping",
            label=launch_wording.STOPPING_LABEL,
            kind="whole",
            hint=launch_wording.STOPPING_HINT,
        ),
        Field(
            name="export", label=launch_wording.EXPORT_LABEL, kind="menu", names=launch_wording.EXPORT_NAMES
        ),
        _TASK,
        Field(
            name="limit",
            label=wording.LIMIT_LABEL,
            kind="whole",
            hint=wording.LIMIT_HINT,
            limits=("10", None),
        ),
        _INSTRUCTION,
        _SEED,
    ),
}
