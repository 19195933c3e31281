"""Turn predictions and targets into figures. One file each; a new metric is one file and one line here."""

from __future__ import annotations

from finetune.metrics import accuracy, balanced_accuracy, exact_match, f1_macro
from finetune.metrics.base import Metric

METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (accuracy.METRIC, balanced_accuracy.METRIC, f1_macro.METRIC, exact_match.METRIC)
}

__all__ = ["METRICS", "Metric"]
