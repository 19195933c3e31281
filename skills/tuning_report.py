"""The result of a fine-tune -> what a person is told of it: whether it helped, what it cost, and what would help more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from finetune.spec import TuningSpec
from index.bilingual import Bilingual, Language
from index.catalogue.tuned import name_of
from skills.wording import short_name

_FEW_ROWS_OF_A_LABEL = 20


def tuning_markdown(spec: TuningSpec, result: Mapping[str, Any], language: Language) -> str:
    """The verdict first, plainly; then training, what was forgotten, what would help, and where the adapter is."""
    parts = (
        _verdict(spec, result),
        _training(spec, result),
        _added(result),
        _forgotten(result),
        _advice(result),
        _personal(result),
        _adapter(spec, result),
        _gguf(result),
    )
    return "\n\n".join(part.to(language) for part in parts if part is not None)


def method_name(spec: TuningSpec) -> str:
    """`QLoRA r=16`."""
    return _method(spec, spec.lora_rank)


def _method(spec: TuningSpec, rank: int) -> str:
    return f"{spec.method.replace('lora', 'LoRA').replace('qL', 'QL')} r={rank}"


def difference_text(comparison: Mapping[str, Any]) -> str:
    """A difference with its interval and p-value."""
    low, high = comparison["ci95"]
    return f"{comparison['difference']:+.3f}, 95% [{low:+.3f}, {high:+.3f}], p = {comparison['p_value']:.3g}"


def _verdict(spec: TuningSpec, result: Mapping[str, Any]) -> Bilingual:
    metric = str(result.get("metric") or "accuracy")
    before, after = result["before"][metric], result["after"][metric]
    name = short_name(spec.base_model)
    low, high = result["comparison"]["ci95"]
    if low > 0:
        head = Bilingual(f"**The fine-tune helped {name}**", f"**微调对 {name} 有效**")
    elif high < 0:
        head = Bilingual(f"**The fine-tune made {name} worse**", f"**微调让 {name} 变差了**")
    else:
        head = Bilingual(f"**The fine-tune did not clearly help {name}**", f"**微调对 {name} 没有明显帮助**")
    is_guess = result.get("before_is") == "the commonest label"
    against = (
        Bilingual(" (before: always the commonest label)", "（之前：总是回答最常见的标签）")
        if is_guess
        else None
    )
    figures = f"{before['value']:.2f} → {after['value']:.2f}"
    said = "准确率" if metric == "accuracy" else f" {metric} "
    return Bilingual(
        f"{head.en}: {metric} {figures} on {after['n']} held-out rows{against.en if against else ''} "
        f"(paired difference {difference_text(result['comparison'])}).",
        f"{head.zh}：留出的 {after['n']} 行上{said}{figures}{against.zh if against else ''}"
        f"（配对差值 {difference_text(result['comparison'])}）。",
    )


def _training(spec: TuningSpec, result: Mapping[str, Any]) -> Bilingual:
    check = result["merge_check"]
    passed = Bilingual("passed", "通过") if check["passed"] else Bilingual("FAILED", "未通过")
    curve = [point for point in result["loss_curve"] if point[1] is not None]
    losses = f"{curve[0][1]:.2f} → {curve[-1][1]:.2f}" if curve else "–"
    search = result.get("search") if spec.search else None
    tried = (
        Bilingual(
            f" {len(search['trials'])} settings were tried; number {search['best']} was best on validation rows "
            f"({search['default_loss']:.3f} → {search['best_loss']:.3f}): {_settings(result).en}.",
            f"共尝试 {len(search['trials'])} 组设置，验证行上第 {search['best']} 组最好"
            f"（{search['default_loss']:.3f} → {search['best_loss']:.3f}）：{_settings(result).zh}。",
        )
        if search
        else Bilingual("", "")
    )
    method = _method(spec, (result.get("hyperparameters") or {}).get("lora_rank") or spec.lora_rank)
    return Bilingual(
        f"{method}, {result['steps']} steps, training loss {losses}; "
        f"reload check {passed.en} (largest difference of a logit {check['max_abs_logit_difference']:.2g}).{tried.en}",
        f"{method}，{result['steps']} 步，训练损失 {losses}；"
        f"重新加载校验{passed.zh}（logit 最大差 {check['max_abs_logit_difference']:.2g}）。{tried.zh}",
    )


def _settings(result: Mapping[str, Any]) -> Bilingual:
    used = result["hyperparameters"]
    rate, epochs = f"{used['learning_rate']:.2g}", f"{used['epochs']:g}"
    return Bilingual(
        f"learning rate {rate}, rank {used['lora_rank']}, {epochs} epochs",
        f"学习率 {rate}，秩 {used['lora_rank']}，{epochs} 轮",
    )


def leaves_machine(spec: TuningSpec) -> Bilingual | None:
    """What is sent elsewhere, said before the job is queued; None where nothing is."""
    if spec.rewriter is None:
        return None
    model = spec.rewriter.address
    return Bilingual(
        f"The texts of the training rows will be sent to {model} to be reworded: no labels, no held-out rows, and none "
        "that looks as if it held personal data.",
        f"训练数据的文本将发送给 {model} 改写：不含标签、留出的行，以及疑似含有个人信息的行。",
    )


def _added(result: Mapping[str, Any]) -> Bilingual | None:
    """Rows that were made from others, whether they helped, and what a model could not reword."""
    added = {way: rows for way, rows in (result["dataset"].get("rows_added") or {}).items() if rows}
    reworded = result["dataset"].get("reworded")
    if not added and not reworded:
        return None
    ways = ", ".join(f"{way} {rows}" for way, rows in added.items()) or "0"
    parts = [Bilingual(f"Rows added to learn from: {ways}.", f"增加的训练行：{ways}。"), _effect(result)]
    if reworded:
        lost = [f"{n} {why}" for of in reworded["rows"].values() for why, n in of.items() if why != "used"]
        reason = reworded["reason"] or {"en": "", "zh": ""}
        said = ", ".join(lost) or "0"
        parts.append(
            Bilingual(
                f"Reworded by {reworded['model']}; kept in their own words alone: {said}. {reason['en']}".rstrip(),
                f"由 {reworded['model']} 改写；仅保留原文的行：{said}。{reason['zh']}",
            )
        )
    return Bilingual(" ".join(part.en for part in parts), "".join(part.zh for part in parts))


def _effect(result: Mapping[str, Any]) -> Bilingual:
    effect = (result.get("search") or {}).get("augmentation")
    if not effect:
        return Bilingual(
            "Their effect was not measured: too few rows to keep some aside.", "数据太少，未能衡量其效果。"
        )
    losses = f"{effect['loss_without']:.3f} → {effect['loss_with']:.3f}"
    used = effect["is_used"]
    return Bilingual(
        f"Validation loss without and with them: {losses}; the run {'uses them' if used else 'goes without them'}.",
        f"验证损失（不加 → 加）：{losses}；正式训练{'采用' if used else '未采用'}这些行。",
    )


def _forgotten(result: Mapping[str, Any]) -> Bilingual | None:
    general = result.get("general")
    if not general:
        return None
    figures = f"{general['before']:.3f} → {general['after']:.3f}"
    if general["has_forgotten"]:
        return Bilingual(
            f"It forgot something: general texts take more bits per byte ({figures}). "
            "A lower learning rate or rank forgets less.",
            f"有所遗忘：通用文本的每字节比特数上升（{figures}）。降低学习率或秩可减少遗忘。",
        )
    return Bilingual(
        f"General skill unchanged (bits per byte {figures}).", f"通用能力未变（每字节比特数 {figures}）。"
    )


def _advice(result: Mapping[str, Any]) -> Bilingual | None:
    """Where it did not help, what would: rows of rare labels before anything else."""
    counts = result["dataset"].get("rows_of_label") or {}
    if result["comparison"]["ci95"][0] > 0 or not counts:
        return None
    rarest = min(counts, key=counts.__getitem__)
    if counts[rarest] >= _FEW_ROWS_OF_A_LABEL:
        return Bilingual(
            "Try a search over settings (`--search 6`) or a larger base before more rows.",
            "可先搜索设置（`--search 6`）或换更大的基座，再考虑增加数据。",
        )
    rows = result["dataset"]["rows_trained"]
    return Bilingual(
        f"{rows} training rows are few for {len(counts)} labels, and *{rarest}* has only {counts[rarest]}. "
        "More rows of the rare labels would help more than a higher rank.",
        f"{rows} 行训练数据对 {len(counts)} 个标签来说偏少，其中 *{rarest}* 只有 {counts[rarest]} 行。"
        "增加稀有标签的数据比提高秩更有用。",
    )


def _personal(result: Mapping[str, Any]) -> Bilingual | None:
    found = result["dataset"].get("personal_data")
    if not found:
        return None
    kinds = ", ".join(f"{kind} ({of['rows']})" for kind, of in found.items())
    return Bilingual(
        f"The data looks as if it held personal data: {kinds} rows. A tuned model may repeat it; look before you share it.",
        f"数据中疑似含有个人信息：{kinds} 行。微调后的模型可能会复述，共享前请先检查。",
    )


def _adapter(spec: TuningSpec, result: Mapping[str, Any]) -> Bilingual:
    name = name_of(str(result.get("base_model") or spec.base_model), spec.dataset.name, str(result["job_id"]))
    data, job, merged = result["dataset"]["name"], result["job_id"], result.get("merged")
    also = (
        Bilingual(f", merged in `{merged}`", f"，合并后的模型在 `{merged}`") if merged else Bilingual("", "")
    )
    return Bilingual(
        f"The adapter is in `{result['adapter']}`{also.en}. Measured here on {data} (job {job}); the next recommendation "
        f"uses it. It is in the catalogue as `{name}`: “evaluate it against the others”, or "
        f"`shortlist evaluate --model {name} --model … --dataset …`.",
        f"适配器在 `{result['adapter']}`{also.zh}。以上为在 {data} 上的本地实测（任务 {job}），下次推荐会用到。"
        f"它在目录中名为 `{name}`：可以说“评测它，和其他的比一比”，或运行 "
        f"`shortlist evaluate --model {name} --model … --dataset …`。",
    )


def _gguf(result: Mapping[str, Any]) -> Bilingual | None:
    """The file and what it was compared by, or why there is none."""
    if reason := result.get("gguf_reason"):
        return Bilingual(reason["en"], reason["zh"])
    if not result.get("gguf"):
        return None
    check = result["gguf_check"]
    apart = f"{check['max_abs_logit_difference']:.2g}"
    return Bilingual(
        f"The GGUF file is `{result['gguf']}`: read back, all {check['weights']} weights are the merged ones in 16 bits, "
        f"and a logit differs by at most {apart}.",
        f"GGUF 文件：`{result['gguf']}`。读回后，全部 {check['weights']} 个权重与合并模型的 16 位值一致，"
        f"logit 最大差 {apart}。",
    )
