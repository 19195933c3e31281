"""Turn predictions and references into figures. A new metric is one file, one line here, and its task in `spec`."""

from __future__ import annotations

from finetune.metrics import (
    accuracy,
    balanced_accuracy,
    bleu,
    chrf,
    exact_match,
    extraction,
    f1_macro,
    f1_micro,
    precision_macro,
    recall_macro,
    rouge,
    token_f1,
)
from finetune.metrics.base import Metric

METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        accuracy.METRIC,
        balanced_accuracy.METRIC,
        f1_macro.METRIC,
        f1_micro.METRIC,
        precision_macro.METRIC,
        recall_macro.METRIC,
        exact_match.METRIC,
        token_f1.METRIC,
        chrf.METRIC,
        bleu.METRIC,
        rouge.ROUGE_1,
        rouge.ROUGE_2,
        rouge.ROUGE_L,
        extraction.FIELD_F1,
        extraction.VALIDITY,
    )
}

__all__ = ["METRICS", "Metric"]
