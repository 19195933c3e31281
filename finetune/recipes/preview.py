"""Turn a planned fine-tune into what a person sees before it begins: `python -m finetune.recipes.preview FOLDER`.

Run by itself it answers `--estimate`: reads spec.json and context.json, loads a tokenizer and no weights, leaves
preview.json. The recipe of a fine-tune tells the same as its first events.
"""

from __future__ import annotations

import time

import torch

from finetune.atomic import write_text
from finetune.device import Device
from finetune.recipes.job_dir import JobDir, run
from finetune.recipes.learners import Learner
from finetune.recipes.loading import compute_dtype, prepare_libraries
from finetune.recipes.tuning_plan import LARGE_MODEL_RATE, TuningPlan, plan_tuning
from finetune.spec import MAX_TOKENS, TuningSpec
from finetune.tuning_admission import TuningNeed, context_tokens, tuning_need, ways_that_fit, would_fit
from finetune.tuning_preview import FILE, Setting, TuningPreview, Words
from index.bilingual import Bilingual
from index.catalogue.gpus import find_gpu
from index.errors import JobFailed
from index.footprint import RESERVED_GIB

_FLOPS_A_TOKEN = 4
"""Times the parameters: 2 forward and 2 back to the activations; the weights themselves get no gradient."""
_REACHED_FRAC = 0.4
"""Of what a large product of matrices reaches."""
_TIMED_SIZE = 768


def preview(job: JobDir) -> None:
    """Leave preview.json, and load nothing but a tokenizer."""
    plan = plan_tuning(job, prepare_libraries(job.context), rewords=False)
    found = preview_of(plan, need_of(plan))
    write_text(job.path / FILE, found.model_dump_json(indent=1))


def tell(job: JobDir, plan: TuningPlan) -> None:
    """Tell in the job's events what begins, once; refuse what does not even lie in memory."""
    need = need_of(plan)
    if need.cannot_fit:
        raise too_large(plan, need)
    if (job.path / FILE).exists():
        return
    found = preview_of(plan, need)
    write_text(job.path / FILE, found.model_dump_json(indent=1))
    for line in found.lines():
        job.note(line)


def need_of(plan: TuningPlan) -> TuningNeed:
    """What the longest rows take here."""
    return tuning_need(plan.spec, plan.fact, plan.device_free, row_tokens=plan.longest_tokens)


def preview_of(plan: TuningPlan, need: TuningNeed) -> TuningPreview:
    """All that can be said before a weight is loaded."""
    spec = plan.spec
    return TuningPreview(
        base_model=plan.location.id,
        task=plan.learner.task,
        method=spec.method,
        asks_for=spec.dataset.task,
        has_template=_has_template(plan.learner),
        has_turns=any(len(row.turns) > 2 for row in plan.train_rows),
        dataset=plan.about_data,
        settings=tuple(_settings(plan)),
        steps=len(plan.steps),
        memory_gib=_with_reserve(need.asked.total_gib if need.asked else None),
        least_memory_gib=_with_reserve(need.least.total_gib if need.least else None),
        free_gib=need.device.free_gib,
        device=need.device.name,
        train_s=_train_s(plan),
        refusal=Words.of(too_large(plan, need).message) if need.cannot_fit else None,
    )


def too_large(plan: TuningPlan, need: TuningNeed) -> JobFailed:
    """The refusal of a model that does not even lie in memory, with what would."""
    spec, device, least = plan.spec, need.device, need.least
    gib = least.total_gib + RESERVED_GIB if least else 0.0
    ways = would_fit(ways_that_fit(spec, plan.fact, device, row_tokens=plan.longest_tokens))
    return JobFailed(
        Bilingual(
            en=f"{spec.base_model} by {spec.method} needs about {gib:.1f} GiB at the least, and {device.name} has "
            f"{device.free_gib:.1f} GiB free. {ways.en}",
            zh=f"以 {spec.method} 微调 {spec.base_model} 至少约需 {gib:.1f} GiB，而 {device.name} 只剩 "
            f"{device.free_gib:.1f} GiB。{ways.zh}",
        )
    )


def _has_template(learner: Learner) -> bool | None:
    prompts = getattr(learner, "prompts", None)
    return None if prompts is None else bool(prompts.has_template)


def _with_reserve(gib: float | None) -> float | None:
    return None if gib is None else round(gib + RESERVED_GIB, 2)


def _settings(plan: TuningPlan) -> list[Setting]:
    """The hyper-parameters, with the reason of those that were not asked for."""
    spec = plan.spec
    rate = spec.learning_rate or plan.planned_rate
    chosen = [
        Setting(name="learning_rate", value=rate, why=None if spec.learning_rate else _why_rate(plan)),
        _defaulted(spec, "epochs", "LoRA learns from few passes", "LoRA 只需少量轮数"),
        _defaulted(spec, "lora_rank", "beside all linear layers", "加在所有线性层上"),
        _defaulted(spec, "lora_alpha", "twice the rank", "秩的两倍"),
        _defaulted(spec, "batch_size", "LoRA learns better from small batches", "LoRA 更适合小批量"),
        Setting(name="max_tokens", value=spec.max_tokens, why=_why_length(plan)),
        Setting(
            name="early_stopping",
            value=spec.patience if plan.validation_rows else 0,
            why=_why_stopping(plan) if spec.early_stopping is None else None,
        ),
        Setting(
            name="gradient_checkpointing", value=spec.gradient_checkpointing, why=_why_checkpointing(spec)
        ),
        Setting(name="precision", value=_precision(plan), why=_why_precision(plan)),
        Setting(name="seed", value=spec.seed),
    ]
    if spec.search:
        tried = _words("tried before the run, the default first", "先试这些设置，从默认值开始")
        chosen.append(Setting(name="search", value=spec.search, why=tried))
    return chosen


def _defaulted(spec: TuningSpec, name: str, en: str, zh: str) -> Setting:
    """A setting, with the reason of its default where that is what it has."""
    value = getattr(spec, name)
    is_default = value == TuningSpec.model_fields[name].default
    return Setting(name=name, value=value, why=_words(en, zh) if is_default else None)


def _why_rate(plan: TuningPlan) -> Words:
    if plan.planned_rate == LARGE_MODEL_RATE:
        return _words("LoRA's usual peak from a billion parameters on", "十亿参数及以上的 LoRA 常用峰值")
    if plan.architecture.kind == "classifier":
        return _words("classifiers are unstable at larger steps", "更大的步长会使分类器不稳定")
    return _words("below a billion parameters larger steps are borne", "十亿参数以下可用更大的步长")


def _why_length(plan: TuningPlan) -> Words | None:
    limit = plan.spec.max_tokens or MAX_TOKENS
    if limit == context_tokens(plan.architecture):
        return _words("the model's context", "模型的上下文长度")
    return _words("longer rows are left out", "更长的行会被排除") if limit == MAX_TOKENS else None


def _why_stopping(plan: TuningPlan) -> Words:
    if plan.spec.patience and not plan.validation_rows:
        return _words("too few rows to keep some aside", "数据太少，无法留出验证行")
    if plan.spec.patience:
        return _words(
            "looks without a gain, as rows are seen more than once",
            "多次使用同一行，连续这么多次无改善即停止",
        )
    return _words("each row is seen once", "每行只用一次")


def _why_checkpointing(spec: TuningSpec) -> Words | None:
    if spec.gradient_checkpointing is None:
        return _words("only if memory runs out", "仅在内存不足时启用")
    return None


def _precision(plan: TuningPlan) -> str:
    dtype = str(compute_dtype(plan.device)).removeprefix("torch.")
    return f"nf4 base, {dtype}" if plan.quantization == "nf4" else dtype


def _why_precision(plan: TuningPlan) -> Words:
    if plan.device.type == "cuda":
        return _words("as fast as the GPU goes", "GPU 上最快")
    return _words("bf16 is slower on most CPUs", "多数 CPU 上 bf16 更慢")


def _train_s(plan: TuningPlan) -> float | None:
    """By the parameters, the tokens of all steps and the speed of this device, measured in a moment."""
    if plan.fact is None or plan.fact.params_b is None:
        return None
    params = (plan.fact.active_params_b or plan.fact.params_b) * 1e9
    tokens = sum(plan.examples[i].length for step in plan.steps for i in step)
    flops_per_s = _flops_per_s(plan.device_free)
    if flops_per_s is None:
        return None
    return _FLOPS_A_TOKEN * params * tokens * (1 + plan.spec.search) / (_REACHED_FRAC * flops_per_s)


def _flops_per_s(device: Device) -> float | None:
    """Of a product of two matrices: as the maker of a GPU says, measured on processors."""
    if device.is_gpu:
        gpu = find_gpu(device.name)
        return gpu.bf16_tflops * 1e12 if gpu is not None and gpu.bf16_tflops else None
    matrix = torch.rand(_TIMED_SIZE, _TIMED_SIZE)
    return 2 * _TIMED_SIZE**3 / min(_timed_s(matrix) for _ in range(4))


def _timed_s(matrix: torch.Tensor) -> float:
    started_s = time.perf_counter()
    _ = matrix @ matrix
    return time.perf_counter() - started_s


def _words(en: str, zh: str) -> Words:
    return Words(en=en, zh=zh)


if __name__ == "__main__":
    run(preview)
