"""Requirements and models -> which models may be ranked at all, and why each other one may not.

Only what was stated counts as a limit. A fact that the catalogue does not know never excludes a model,
except where the limit cannot be trusted to hold without it (licence, size, memory).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from index.bilingual import Bilingual
from index.records import ModelFact
from skills.conversation.request import Requirements

Verdict = Bilingual | None
Check = Callable[[ModelFact, Requirements], Verdict]


@dataclass(frozen=True, slots=True)
class Excluded:
    """A model that breaks a hard constraint."""

    model: ModelFact
    constraint: str
    """The field of Requirements that it breaks."""
    reason: Bilingual


def apply(
    models: Iterable[ModelFact],
    requirements: Requirements,
    *,
    measured: Collection[str] = (),
    rejected: Collection[str] = (),
) -> tuple[list[ModelFact], list[Excluded]]:
    """Split models into those that pass every check and those that fail one: the first that they fail.

    `measured` are models that were measured on the asker's own data: a score there says more about a
    language than the list on a model card. `rejected` are models that the asker does not want.
    """
    kept: list[ModelFact] = []
    excluded: list[Excluded] = []
    for model in models:
        if not is_of_the_right_kind(model, requirements):
            continue
        if model.id in rejected:
            excluded.append(Excluded(model, "rejected", Bilingual("you ruled it out", "你已排除它")))
            continue
        trusted = {"languages"} if model.id in measured else set()
        failure = _first_failure(model, requirements, trusted)
        if failure is None:
            kept.append(model)
        else:
            excluded.append(Excluded(model, *failure))
    return kept, excluded


def is_of_the_right_kind(model: ModelFact, requirements: Requirements) -> bool:
    """Whether the model is made for this kind of work; the others are no candidates, so not exclusions."""
    if requirements.candidates and model.id in requirements.candidates:
        return True
    if requirements.task == "embedding":
        return model.kind == "embedding"
    if requirements.finetune:
        return model.open_weights and model.kind in {"instruct", "base"}
    return model.kind == "instruct"


def _first_failure(
    model: ModelFact, requirements: Requirements, trusted: Collection[str]
) -> tuple[str, Bilingual] | None:
    for constraint, check in CHECKS:
        reason = None if constraint in trusted else check(model, requirements)
        if reason is not None:
            return constraint, reason
    return None


def _candidates(model: ModelFact, requirements: Requirements) -> Verdict:
    if not requirements.candidates or model.id in requirements.candidates:
        return None
    return Bilingual("not among the models that you named", "不在你点名的模型里")


def _hosting(model: ModelFact, requirements: Requirements) -> Verdict:
    if model.open_weights or requirements.hosting in {"api", "any"}:
        return None
    if requirements.hosting == "self":
        return Bilingual("hosting: its weights are not open", "部署：权重未公开，无法自行部署")
    if requirements.max_memory_gib is not None or requirements.gpus is not None:
        return Bilingual(
            "hosting: its weights are not open, so it cannot run on your hardware",
            "部署：权重未公开，无法在你的硬件上运行",
        )
    return None


def _licences(model: ModelFact, requirements: Requirements) -> Verdict:
    wanted = requirements.licences
    if not wanted:
        return None
    shown = model.licence or Bilingual("unknown", "未知")
    if any(name.casefold() == (model.licence or "").casefold() for name in wanted):
        return None
    if "commercial" in wanted and model.commercial_use == "yes":
        return None
    if "commercial" in wanted and model.commercial_use == "conditional":
        return Bilingual(
            f"licence: {shown} permits commercial use only under conditions",
            f"许可证：{_zh(shown)} 仅有条件允许商用",
        )
    return Bilingual(f"licence: {shown}", f"许可证：{_zh(shown)}")


def _languages(model: ModelFact, requirements: Requirements) -> Verdict:
    missing = [
        code for code in requirements.languages or () if model.languages and code not in model.languages
    ]
    if not missing:
        return None
    spoken = ", ".join(model.languages[:6])
    return Bilingual(
        f"languages: no {', '.join(missing)} (its card names {spoken})",
        f"语言：不含 {'、'.join(missing)}（模型卡写的是 {spoken}）",
    )


def _context(model: ModelFact, requirements: Requirements) -> Verdict:
    need, have = requirements.min_context_tokens, model.max_context_tokens
    if need is None or have is None or have >= need:
        return None
    return Bilingual(f"context: {have:,} tokens, you need {need:,}", f"上下文：{have:,} token，需要 {need:,}")


def _min_params(model: ModelFact, requirements: Requirements) -> Verdict:
    least = requirements.min_params_b
    if least is None or (model.params_b is not None and model.params_b >= least):
        return None
    return _size_reason(model, f"at least {least:g}B", f"不少于 {least:g}B")


def _max_params(model: ModelFact, requirements: Requirements) -> Verdict:
    most = requirements.max_params_b
    if most is None or (model.params_b is not None and model.params_b <= most):
        return None
    return _size_reason(model, f"at most {most:g}B", f"不超过 {most:g}B")


def _size_reason(model: ModelFact, limit_en: str, limit_zh: str) -> Bilingual:
    if model.params_b is None:
        return Bilingual(f"size: unknown, you asked for {limit_en}", f"规模：未知，要求{limit_zh}")
    size = f"{model.params_b:.3g}B"
    return Bilingual(f"size: {size}, you asked for {limit_en}", f"规模：{size}，要求{limit_zh}")


def _modalities(model: ModelFact, requirements: Requirements) -> Verdict:
    wanted = set(requirements.modalities or ()) | ({"image"} if requirements.task == "vision" else set())
    missing = sorted(wanted - {"text"} - set(model.input_modalities)) if model.input_modalities else []
    if not missing:
        return None
    names = ", ".join(missing)
    return Bilingual(f"modalities: does not read {names}", f"模态：不支持 {names}")


def _zh(shown: str | Bilingual) -> str:
    return shown.zh if isinstance(shown, Bilingual) else shown


CHECKS: tuple[tuple[str, Check], ...] = (
    ("candidates", _candidates),
    ("hosting", _hosting),
    ("licences", _licences),
    ("languages", _languages),
    ("min_context_tokens", _context),
    ("min_params_b", _min_params),
    ("max_params_b", _max_params),
    ("modalities", _modalities),
)
"""In the order in which a person would want to hear the reason. Memory and price need a way of running the
model, so `skills.ranking.options` checks those."""
