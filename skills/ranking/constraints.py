"""Requirements and models -> which models may be ranked at all, and why each other one may not.

Only what was stated counts as a limit. A fact that the catalogue does not know never excludes a model,
except where the limit cannot be trusted to hold without it (licence, size, memory, who made it, how it is built).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from index.bilingual import Bilingual
from index.records import ModelFact
from skills.conversation.request import Requirements
from skills.ranking.makers import places_of

Verdict = Bilingual | None
_FAMILIES = frozenset({"llama"})
"""Licences whose versions people do not tell apart."""
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


def breaks(model: ModelFact, requirements: Requirements) -> list[str]:
    """Every hard constraint that the model breaks, as fields of Requirements."""
    return [constraint for constraint, check in CHECKS if check(model, requirements) is not None]


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
    if any(_is_by(model, name) for name in requirements.vendors or ()):
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
    if any(_is_licence(model.licence, name) for name in wanted):
        return None
    if "commercial" in wanted and model.commercial_use == "yes":
        return None
    if "commercial" in wanted and model.commercial_use == "conditional":
        return Bilingual(
            f"licence: {shown} permits commercial use only under conditions",
            f"许可证：{_zh(shown)} 仅有条件允许商用",
        )
    return Bilingual(f"licence: {shown}", f"许可证：{_zh(shown)}")


def _excluded_licences(model: ModelFact, requirements: Requirements) -> Verdict:
    """A licence that is not known may be one of those, so it does not pass."""
    excluded = requirements.excluded_licences
    if not excluded or not (model.licence is None or any(_is_licence(model.licence, n) for n in excluded)):
        return None
    shown = model.licence or Bilingual("unknown", "未知")
    names = ", ".join(excluded)
    return Bilingual(f"licence: {shown}, you ruled out {names}", f"许可证：{_zh(shown)}，你排除了 {names}")


def _is_licence(licence: str | None, name: str) -> bool:
    """The same licence, or a version of the family that is named: Llama-3.1 is a Llama licence."""
    known, named = (licence or "").casefold(), name.casefold()
    return known == named or (named in _FAMILIES and known.startswith(f"{named}-"))


def _vendors(model: ModelFact, requirements: Requirements) -> Verdict:
    wanted = requirements.vendors
    if (
        not wanted
        or model.id in (requirements.candidates or ())
        or any(_is_by(model, name) for name in wanted)
    ):
        return None
    return _made_by(model, f"you asked for {' or '.join(wanted)}", f"你要求 {'、'.join(wanted)}")


def _excluded_vendors(model: ModelFact, requirements: Requirements) -> Verdict:
    excluded = requirements.excluded_vendors
    if not excluded or (model.organisation and not any(_is_by(model, name) for name in excluded)):
        return None
    return _made_by(model, f"you ruled out {', '.join(excluded)}", f"你排除了 {'、'.join(excluded)}")


def _is_by(model: ModelFact, vendor: str) -> bool:
    """Joint work and longer names count: "CMU/Google" is by Google, "Zhipu AI (Z.ai)" by Zhipu AI."""
    makers = (model.organisation or "").casefold().split("/")
    return any(maker.strip().split(" (")[0] == vendor.casefold() for maker in makers)


def _origins(model: ModelFact, requirements: Requirements) -> Verdict:
    wanted = requirements.origins
    if not wanted or places_of(model.organisation) & set(wanted):
        return None
    return _made_in(model, f"you asked for {' or '.join(wanted)}", f"你要求 {'、'.join(wanted)}")


def _excluded_origins(model: ModelFact, requirements: Requirements) -> Verdict:
    excluded = requirements.excluded_origins
    places = places_of(model.organisation)
    if not excluded or (places and not places & set(excluded)):
        return None
    return _made_in(model, f"you ruled out {', '.join(excluded)}", f"你排除了 {'、'.join(excluded)}")


def _made_in(model: ModelFact, limit_en: str, limit_zh: str) -> Bilingual:
    if places_of(model.organisation):
        return _made_by(model, limit_en, limit_zh)
    return Bilingual(f"maker: country unknown, {limit_en}", f"厂商：国别未知，{limit_zh}")


def _made_by(model: ModelFact, limit_en: str, limit_zh: str) -> Bilingual:
    maker = model.organisation or Bilingual("unknown", "未知")
    return Bilingual(f"maker: {maker}, {limit_en}", f"厂商：{_zh(maker)}，{limit_zh}")


def _reasoning(model: ModelFact, requirements: Requirements) -> Verdict:
    """Few cards say that a model does not think first, so unknown passes as one that does not."""
    if requirements.reasoning is None or requirements.reasoning == bool(model.reasoning):
        return None
    if requirements.reasoning:
        return Bilingual(
            "kind: not known to think before it answers", "类型：没有资料表明它是思考（推理）模型"
        )
    return Bilingual("kind: a reasoning model, which you ruled out", "类型：属于推理模型，你已排除")


def _architecture(model: ModelFact, requirements: Requirements) -> Verdict:
    wanted = requirements.architecture
    if wanted is None:
        return None
    if not model.open_weights:
        return Bilingual("kind: its architecture is not published", "类型：架构未公开")
    is_moe = model.architecture == "moe" or (
        model.active_params_b is not None
        and model.params_b is not None
        and model.active_params_b < model.params_b
    )
    if is_moe == (wanted == "moe"):
        return None
    kind = (
        Bilingual("a mixture of experts", "混合专家（MoE）")
        if is_moe
        else Bilingual("not a mixture of experts", "不是混合专家（MoE）")
    )
    return Bilingual(f"kind: {kind.en}", f"类型：{kind.zh}")


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
    ("excluded_licences", _excluded_licences),
    ("vendors", _vendors),
    ("excluded_vendors", _excluded_vendors),
    ("origins", _origins),
    ("excluded_origins", _excluded_origins),
    ("reasoning", _reasoning),
    ("architecture", _architecture),
    ("languages", _languages),
    ("min_context_tokens", _context),
    ("min_params_b", _min_params),
    ("max_params_b", _max_params),
    ("modalities", _modalities),
)
"""In the order in which a person would want to hear the reason. Memory and price need a way of running the
model, so `skills.ranking.options` checks those."""
