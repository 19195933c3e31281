"""Turn the result of a fine-tune into its model card and the picture of its loss curve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from finetune.atomic import write_text
from finetune.recipes.checkpoint import LossPoint
from finetune.recipes.tuning_plan import TuningPlan

matplotlib.use("Agg")

_CARD = """---
base_model: {base}
license: {licence}
library_name: peft
pipeline_tag: text-classification
tags: [lora, shortlist]
---

# {short_base}, tuned on {dataset}

A {method} adapter that makes [{base}](https://huggingface.co/{base}) answer with one of these labels:
{labels}.

## Results

Accuracy on {held_out} held-out rows, never learned from: **{before:.3f} before, {after:.3f} after**
(paired difference {difference:+.3f}, 95% {low:+.3f} to {high:+.3f}; {method_of_comparison}).
Reloaded and merged, its logits differ by at most {merge_difference:.1e} from those right after training.

## Training

{trained} rows, {steps} steps, data set `{sha256}`, base revision `{revision}`.

| setting | value |
| --- | --- |
{settings}

## How to load

```python
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer
tokenizer = AutoTokenizer.from_pretrained("path/of/this/folder")
base = AutoModelForCausalLM.from_pretrained("{base}")
model = PeftModel.from_pretrained(base, "path/of/this/folder")
```

Ask as in training, through the chat template, with this instruction:

```
{instruction}
```

## 中文说明

本适配器让 {short_base} 用上述标签之一作答。在 {held_out} 条未参与训练的数据上，准确率由 {before:.3f} 变为 {after:.3f}
（配对差异 {difference:+.3f}，95% 区间 {low:+.3f} 至 {high:+.3f}）。使用时须沿用同一指令与对话模板。

## Limits and licence

The licence of the base is {licence}; whether the adapter may be passed on depends on it and on your data.
It was measured on rows like those it learned from: other kinds of text are untested.
"""


def write_model_card(path: Path, result: Mapping[str, Any], plan: TuningPlan) -> None:
    """Write what the adapter is, what it is worth, and how to load it."""
    comparison, dataset = result["comparison"], result["dataset"]
    low, high = comparison["ci95"]
    card = _CARD.format(
        base=result["base_model"],
        short_base=result["base_model"].rsplit("/", 1)[-1],
        licence=plan.location.licence or "unknown",
        dataset=dataset["name"],
        method="QLoRA" if result["method"] == "qlora" else "LoRA",
        labels=", ".join(f"`{label}`" for label in dataset["labels"]),
        held_out=dataset["rows_held_out"],
        before=result["before"]["accuracy"]["value"],
        after=result["after"]["accuracy"]["value"],
        difference=comparison["difference"],
        low=low,
        high=high,
        method_of_comparison=comparison["method"],
        merge_difference=result["merge_check"]["max_abs_logit_difference"],
        trained=dataset["rows_trained"],
        steps=result["steps"],
        sha256=dataset["sha256"],
        revision=result["environment"]["revision"],
        settings="\n".join(f"| {name} | {value} |" for name, value in result["hyperparameters"].items()),
        instruction=plan.prompts.instruction.rstrip(),
    )
    write_text(path, card)


def draw_loss_curve(curve: Sequence[LossPoint], path: Path) -> None:
    """Draw training and held-out loss against steps."""
    figure = Figure(figsize=(6, 3.5), layout="constrained")
    axes = figure.subplots()
    axes.plot([step for step, _, _ in curve], [train for _, train, _ in curve], label="training", alpha=0.6)
    held_out = [(step, loss) for step, _, loss in curve if loss is not None]
    axes.plot([step for step, _ in held_out], [loss for _, loss in held_out], "o-", label="held out")
    axes.set_xlabel("step")
    axes.set_ylabel("loss per token of the answer")
    axes.set_ylim(bottom=0)
    axes.legend()
    figure.savefig(path, dpi=120)
