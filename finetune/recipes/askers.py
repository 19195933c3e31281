"""Turn a loaded model and what the rows ask for into the way of asking it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from finetune.admission import label_numbers
from finetune.architecture import Architecture
from finetune.columns import Row
from finetune.recipes.asking import WRITTEN_TOKENS, LabelAsker, LocalAsker, TextAsker, WritingAsker
from finetune.recipes.classifying import ClassAsker
from finetune.recipes.loading import max_tokens
from finetune.recipes.prompts import Prompts, Shots, question_of
from finetune.recipes.scoring import SCORING, LabelScorer
from finetune.recipes.seq2seq import DecodedLabelScorer, DecodedWritingAsker, EncodedPrompts
from finetune.spec import DatasetTask, EvaluationSpec


def asker_for(
    model: Any,
    tokenizer: Any,
    architecture: Architecture,
    spec: EvaluationSpec,
    rows: Sequence[Row],
    shots: Shots = (),
) -> LocalAsker:
    """The way of asking that the task of the data set and the kind of model need."""
    task, limit = spec.dataset.task, max_tokens(model)
    if architecture.kind == "classifier":
        numbers = label_numbers(architecture.labels, spec.dataset.labels) or {}
        return ClassAsker(model, tokenizer, numbers, limit)
    if task == "language-modelling":
        return TextAsker(model, tokenizer, limit)
    is_decoded = architecture.kind == "seq2seq"
    prompts = (EncodedPrompts if is_decoded else Prompts)(
        tokenizer, spec.dataset.labels, task=task, instruction=spec.instruction, shots=shots
    )
    if task in ("classification", "multiple-choice"):
        labels = spec.dataset.labels
        if is_decoded:
            return LabelAsker(DecodedLabelScorer(model, prompts, labels), limit)
        return LabelAsker(LabelScorer(model, prompts, labels, [question_of(row) for row in rows]), limit)
    longest = spec.max_new_tokens or WRITTEN_TOKENS[task]
    writing = DecodedWritingAsker if is_decoded else WritingAsker
    return writing(model, prompts, longest, limit, rows)


def scoring_rule(architecture: Architecture, task: DatasetTask) -> str:
    """How an answer comes about, in a line for results."""
    if architecture.kind == "classifier":
        return "highest score of the model's own head among the rows' labels"
    if task in ("classification", "multiple-choice"):
        return SCORING
    return "sum of log-probabilities of all tokens" if task == "language-modelling" else "greedy decoding"
