"""Turn the result of a fine-tune into its model card and the picture of its loss curve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from finetune.atomic import write_text
from finetune.recipes.checkpoint import LossPoint
from finetune.recipes.learners import TaskName
from finetune.recipes.tuning_plan import TuningPlan

matplotlib.use("Agg")

_CARD = """---
base_model: {base}
license: {licence}
library_name: peft
pipeline_tag: {pipeline}
tags: [lora, shortlist]
---

# {short_base}, tuned on {dataset}

A {method} adapter for {linked_base} that {does}.

## Results

{metric} on {held_out} held-out rows, never learned from: **{before:.3f} before, {after:.3f} after**
(paired difference {difference:+.3f}, 95% {low:+.3f} to {high:+.3f}; {method_of_comparison}). Before: {before_is}.
{forgotten}Reloaded in a fresh process and merged, its logits differ by at most {merge_difference:.1e} from those right after
training: {passed}.

## Training

{trained} rows, {steps} steps, data set `{sha256}`, base revision `{revision}`.

| setting | value |
| --- | --- |
{settings}
{personal}
One row as it was learned, and what of it was learned:

```
{read}
```

```
{learned}
```

![Loss by step](loss_curve.png)

## How to load

```python
from peft import PeftModel
from transformers import {auto}, AutoTokenizer
tokenizer = AutoTokenizer.from_pretrained("path/of/this/folder")
base = {auto}.from_pretrained("{base_place}"{head})
model = PeftModel.from_pretrained(base, "path/of/this/folder")
```

{other_weights}{how_to_ask}
## 中文说明

本适配器基于 {short_base}。在 {held_out} 条未参与训练的数据上，{metric_zh}由 {before:.3f} 变为 {after:.3f}
（配对差异 {difference:+.3f}，95% 区间 {low:+.3f} 至 {high:+.3f}）。使用时须沿用同一指令与对话模板。

## Limits and licence

The licence of the base is {licence}; whether the adapter may be passed on depends on it and on your data.
It was measured on rows like those it learned from: other kinds of text are untested.
"""
_OTHER_WEIGHTS = """It was trained and measured on the weights that travel in a package: the published ones in 4 bits.
On the published weights its answers may differ a little: `shortlist evaluate` measures it there too.
`python -m finetune.recipes.convert HOME` writes the very weights into a folder.

"""
_AUTO: Mapping[TaskName, str] = {
    "causal-lm": "AutoModelForCausalLM",
    "seq2seq": "AutoModelForSeq2SeqLM",
    "sequence-classification": "AutoModelForSequenceClassification",
}
_PIPELINE: Mapping[TaskName, str] = {
    "causal-lm": "text-generation",
    "seq2seq": "text-generation",
    "sequence-classification": "text-classification",
}


def write_model_card(path: Path, result: Mapping[str, Any], plan: TuningPlan) -> None:
    """Write what the adapter is, what it is worth, and how to load it."""
    comparison, dataset, metric = result["comparison"], result["dataset"], result["metric"]
    low, high = comparison["ci95"]
    card = _CARD.format(
        **_base(plan),
        licence=plan.location.licence or "unknown",
        pipeline=_PIPELINE[plan.learner.task],
        dataset=dataset["name"],
        method="QLoRA" if result["method"] == "qlora" else "LoRA",
        does=_does(plan),
        metric=metric.replace("_", " ").capitalize(),
        metric_zh="准确率" if metric == "accuracy" else f" {metric} ",
        held_out=dataset["rows_held_out"],
        before=result["before"][metric]["value"],
        after=result["after"][metric]["value"],
        before_is=result["before_is"],
        difference=comparison["difference"],
        low=low,
        high=high,
        method_of_comparison=comparison["method"],
        forgotten=_forgotten(result["general"]),
        merge_difference=result["merge_check"]["max_abs_logit_difference"],
        passed="the same model" if result["merge_check"]["passed"] else "NOT the same model, do not merge it",
        trained=dataset["rows_trained"],
        steps=result["steps"],
        sha256=dataset["sha256"],
        revision=result["environment"]["revision"],
        settings="\n".join(f"| {name} | {value} |" for name, value in result["hyperparameters"].items()),
        personal=_personal(dataset["personal_data"]),
        read=dataset["sample"]["read"].strip(),
        learned=dataset["sample"]["learned"].strip(),
        auto=_AUTO[plan.learner.task],
        head=_head(plan),
        how_to_ask=_how_to_ask(plan),
    )
    write_text(path, card)


def draw_loss_curve(curve: Sequence[LossPoint], path: Path) -> None:
    """Draw training and held-out loss against steps."""
    figure = Figure(figsize=(6, 3.5), layout="constrained")
    axes = figure.subplots()
    axes.plot([step for step, _, _ in curve], [train for _, train, _ in curve], label="training", alpha=0.6)
    watched = [(step, loss) for step, _, loss in curve if loss is not None]
    axes.plot([step for step, _ in watched], [loss for _, loss in watched], "o-", label="not learned from")
    axes.set_xlabel("step")
    axes.set_ylabel("loss per token of the answer")
    axes.set_ylim(bottom=0)
    axes.legend()
    figure.savefig(path, dpi=120)


def _base(plan: TuningPlan) -> dict[str, str]:
    """What the base is called and where it is loaded from; a folder of this machine means nothing elsewhere."""
    id_ = plan.location.id
    short = id_.rstrip("/").rsplit("/", 1)[-1]
    if plan.location.kind == "folder":
        place = f"path/of/{short}"
        return {"base": short, "short_base": short, "linked_base": f"`{short}`", "base_place": place} | {
            "other_weights": ""
        }
    linked = f"[{id_}](https://huggingface.co/{id_})"
    return {"base": id_, "short_base": short, "linked_base": linked, "base_place": id_} | {
        "other_weights": _OTHER_WEIGHTS if plan.location.kind == "embedded" else ""
    }


def _does(plan: TuningPlan) -> str:
    labels = ", ".join(f"`{label}`" for label in plan.spec.dataset.labels)
    if plan.spec.dataset.task == "classification":
        return f"answers with one of these labels:\n{labels}"
    return f"was tuned for {plan.spec.dataset.task}"


def _forgotten(general: Mapping[str, Any] | None) -> str:
    if general is None:
        return ""
    said = "something was forgotten" if general["has_forgotten"] else "no more than chance"
    return (
        f"General texts ({general['texts']}) take {general['before']:.3f} bits per byte before and {general['after']:.3f} "
        f"after: {said}.\n"
    )


def _personal(found: Mapping[str, Mapping[str, Any]]) -> str:
    """Models repeat what they have learned, so whoever passes the adapter on must know."""
    if not found:
        return ""
    kinds = ", ".join(f"{kind} in {of['rows']} rows" for kind, of in found.items())
    return f"\n**The data looks as if it held personal data** ({kinds}): a tuned model may repeat it.\n"


def _head(plan: TuningPlan) -> str:
    return f", num_labels={len(plan.spec.dataset.labels)}" if plan.architecture.has_new_head else ""


def _how_to_ask(plan: TuningPlan) -> str:
    if not plan.learner.instruction:
        return "Give it the bare text, as in training.\n"
    return f"Ask as in training, through the chat template, with this instruction:\n\n```\n{plan.learner.instruction}\n```\n"
