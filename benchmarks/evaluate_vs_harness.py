"""The same model, items and prompts here and in lm-evaluation-harness: same predictions, and time as a ratio.

    PYTHONPATH=. python benchmarks/evaluate_vs_harness.py [--items 60] [--shots 3]

Needs lm-eval beside the project (`pip install lm-eval`); it is no dependency of ours. The items are the tickets of
the sample with four options each, in the chat template of the embedded model, three solved ones before them.
Both get the same token strings, and the harness the better of two batch sizes. Each is timed twice, in turn; the
best time counts.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from finetune.columns import Row
from finetune.data import load, register, sample
from finetune.models import resolve
from finetune.recipes.asking import LabelAsker, WritingAsker
from finetune.recipes.job_dir import Context
from finetune.recipes.loading import load_model, load_tokenizer, max_tokens, prepare_libraries
from finetune.recipes.prompts import Prompts, question_of
from finetune.recipes.scoring import LabelScorer

OPTIONS = 4
WRITTEN_TOKENS = 32
BATCH_SIZES = (1, 8)


def items(home: Path, count: int, shots: int) -> tuple[list[Row], list[tuple[str, str]]]:
    """Tickets with four options each, and solved ones to show first."""
    dataset = register("tickets", home=home)
    chance = random.Random(0)
    rows = []
    for row in sample(load(dataset.sha256, home=home), count + shots, seed=0):
        others = chance.sample([label for label in dataset.labels if label != row.label], OPTIONS - 1)
        choices = [row.label, *others]
        chance.shuffle(choices)
        rows.append(Row(id=row.id, text=row.text, label=row.label, choices=tuple(choices)))
    return rows[shots:], [(question_of(row), row.label) for row in rows[:shots]]


def timed(run: Callable[[], list[str]]) -> tuple[float, list[str]]:
    """Seconds and predictions."""
    started_s = time.perf_counter()
    said = run()
    return time.perf_counter() - started_s, said


def compared(name: str, ours: Callable[[], list[str]], theirs: list[Callable[[], list[str]]]) -> str:
    """One line of the table; both run twice, in turn."""
    best = {"ours": float("inf"), "theirs": float("inf")}
    said: dict[str, list[str]] = {}
    for _ in range(2):
        for who, runs in (("ours", [ours]), ("theirs", theirs)):
            for run in runs:
                seconds, predictions = timed(run)
                if seconds < best[who]:
                    best[who], said[who] = seconds, predictions
    same = sum(a == b for a, b in zip(said["ours"], said["theirs"], strict=True))
    ratio = best["ours"] / best["theirs"]
    n = len(said["ours"])
    return f"| {name} | {same} of {n} | {best['ours']:.1f} s | {best['theirs']:.1f} s | **{ratio:.2f}** |"


class Ours:
    """The askers of the evaluation recipe."""

    def __init__(self, model: Any, prompts: Prompts, rows: list[Row]) -> None:
        self.model, self.prompts, self.rows = model, prompts, rows

    def choose(self) -> list[str]:
        """The likeliest option of each row."""
        scorer = LabelScorer(self.model, self.prompts, (), [question_of(row) for row in self.rows])
        return [reply.prediction for reply in LabelAsker(scorer, max_tokens(self.model)).ask(self.rows)]

    def write(self) -> list[str]:
        """A written answer to each row."""
        asker = WritingAsker(
            self.model,
            self.prompts,
            WRITTEN_TOKENS,
            max_tokens(self.model),
            self.rows,
        )
        found = {reply.row.id: reply.prediction for reply in asker.ask(self.rows)}
        return [found[row.id] for row in self.rows]


class Theirs:
    """The harness's own model class on the very same model."""

    def __init__(self, ours: Ours, batch_size: int) -> None:
        from lm_eval.api.instance import Instance  # noqa: PLC0415 - no dependency of the project
        from lm_eval.models.huggingface import HFLM  # noqa: PLC0415

        self._request = Instance
        tokenizer = ours.prompts.tokenizer
        self.model = HFLM(pretrained=ours.model, tokenizer=tokenizer, batch_size=batch_size, device="cpu")
        self.rows = ours.rows
        self.end = tokenizer.decode(ours.prompts.end_ids)
        decode = tokenizer.decode
        self.contexts = [decode(ours.prompts.prompt(question_of(row))) for row in self.rows]
        self.written = [decode(ours.prompts.prompt(row.text)) for row in self.rows]

    def _ask(self, kind: str, asked: list[tuple[Any, ...]]) -> list[Any]:
        requests = [
            self._request(request_type=kind, doc={}, arguments=arguments, idx=i)
            for i, arguments in enumerate(asked)
        ]
        return list(getattr(self.model, kind)(requests, disable_tqdm=True))

    def choose(self) -> list[str]:
        """The likeliest option of each row."""
        pairs = [
            (context, choice + self.end)
            for context, row in zip(self.contexts, self.rows, strict=True)
            for choice in row.choices
        ]
        scores = [float(found[0]) for found in self._ask("loglikelihood", pairs)]
        groups = [scores[i : i + OPTIONS] for i in range(0, len(scores), OPTIONS)]
        return [row.choices[of_row.index(max(of_row))] for row, of_row in zip(self.rows, groups, strict=True)]

    def write(self) -> list[str]:
        """A written answer to each row."""
        options = {"until": [self.end], "max_gen_toks": WRITTEN_TOKENS, "do_sample": False}
        return [text.strip() for text in self._ask("generate_until", [(c, options) for c in self.written])]


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--items", type=int, default=60)
    parser.add_argument("--shots", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        context = Context(home=Path(folder), threads=torch.get_num_threads())
        device = prepare_libraries(context)
        location = resolve("smollm2")
        model = load_model(location, context, "none", device)
        rows, shots = items(Path(folder), arguments.items, arguments.shots)
        prompts = Prompts(load_tokenizer(location, context), (), task="multiple-choice", shots=shots)
        ours = Ours(model, prompts, rows)
        theirs = [Theirs(ours, size) for size in BATCH_SIZES]
        print(
            "| | same predictions | ours | lm-evaluation-harness | ratio |\n| --- | ---: | ---: | ---: | ---: |"
        )
        name = f"multiple choice, {OPTIONS} options, {arguments.shots} examples"
        print(compared(name, ours.choose, [them.choose for them in theirs]), flush=True)
        print(compared(f"generation, {WRITTEN_TOKENS} tokens", ours.write, [them.write for them in theirs]))


if __name__ == "__main__":
    main()
