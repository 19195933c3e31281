"""Running out of memory: less at once, then without the row; and what a device tells of its energy."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from finetune.columns import Row
from finetune.recipes.asking import LabelAsker, TextAsker
from finetune.recipes.classifying import ClassAsker
from finetune.recipes.energy import EnergyMeter
from finetune.recipes.prompts import Prompts
from finetune.recipes.room import Room
from finetune.recipes.scoring import LabelScorer
from finetune.recipes.seq2seq import DecodedLabelScorer, EncodedPrompts
from tests.finetune import tiny_models as tiny

ROWS = [Row(id=str(n), text=row["text"], label=row["label"]) for n, row in enumerate(tiny.rows_of(8))]


class Cramped:
    """A model in a memory that holds so many numbers of its output; it runs out each time one asks for more."""

    def __init__(self, model: Any, most: int) -> None:
        self._model, self._most = model, most
        self.times_short = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def __call__(self, *inputs: Any, **more: Any) -> Any:
        found = self._model(*inputs, **more)
        if found.logits[..., 0].numel() > self._most:
            self.times_short += 1
            raise torch.OutOfMemoryError("no room")
        return found


def label_asker(model: Any, *, is_decoded: bool) -> LabelAsker:
    words = tiny.tokenizer("$A </s>" if is_decoded else "")
    if is_decoded:
        prompts = EncodedPrompts(words, tiny.LABELS, task="classification")
        return LabelAsker(DecodedLabelScorer(model, prompts, tiny.LABELS), 512)
    return LabelAsker(LabelScorer(model, Prompts(words, tiny.LABELS), tiny.LABELS, ["a", "b"]), 512)


@pytest.mark.parametrize(("build", "is_decoded"), [(tiny.causal, False), (tiny.t5, True)])
def test_labels_are_scored_fewer_at_once_where_memory_runs_out(build: Any, is_decoded: bool) -> None:
    cramped = Cramped(build(), most=4)
    found = list(label_asker(cramped, is_decoded=is_decoded).ask(ROWS))
    roomy = list(label_asker(build(), is_decoded=is_decoded).ask(ROWS))
    assert cramped.times_short == 1
    for one, other in zip(found, roomy, strict=True):
        assert one.log_likelihoods == pytest.approx(other.log_likelihoods, rel=1e-4)


def test_a_text_is_read_in_smaller_pieces_where_memory_runs_out() -> None:
    rows = [Row(id="1", text=" ".join(tiny.WORDS * 3), label="")]
    cramped = Cramped(tiny.causal(), most=40)
    asker = TextAsker(cramped, tiny.tokenizer(""), 512)
    found, whole = next(asker.ask(rows)), next(TextAsker(tiny.causal(), tiny.tokenizer(""), 512).ask(rows))
    assert cramped.times_short == 2
    assert found.likelihood is not None
    assert whole.likelihood is not None
    assert found.likelihood.tokens == whole.likelihood.tokens
    assert found.likelihood.log_likelihood == pytest.approx(whole.likelihood.log_likelihood, rel=1e-5)


def test_a_row_that_does_not_fit_alone_is_left_out_and_the_others_are_answered() -> None:
    asker = ClassAsker(Cramped(tiny.classifier(), most=2), tiny.tokenizer(), {"bug": 1, "billing": 0}, 64)
    assert len(list(asker.ask(ROWS))) == len(ROWS)
    assert asker.no_room == []

    class NoRoomForLongTexts(Cramped):
        def __call__(self, input_ids: torch.Tensor, **more: Any) -> Any:
            if input_ids.shape[1] > 8:
                raise torch.OutOfMemoryError
            return self._model(input_ids=input_ids, **more)

    asker = ClassAsker(
        NoRoomForLongTexts(tiny.classifier(), 0), tiny.tokenizer(), {"bug": 1, "billing": 0}, 64
    )
    answered = {reply.row.id for reply in asker.ask(ROWS)}
    long = {row.id for row in ROWS if len(tiny.tokenizer()(row.text)["input_ids"]) > 8}
    assert long
    assert set(asker.no_room) == long
    assert answered == {row.id for row in ROWS} - long


def test_shares_halve_until_they_fit_and_stay_so() -> None:
    sizes: list[int] = []

    def at_most_two(items: Sequence[int]) -> list[int]:
        sizes.append(len(items))
        if len(items) > 2:
            raise torch.OutOfMemoryError
        return [item * 10 for item in items]

    room = Room(8)
    assert list(room.in_shares(range(9), at_most_two)) == [n * 10 for n in range(9)]
    assert sizes == [8, 4, 2, 2, 2, 2, 1]
    with pytest.raises(torch.OutOfMemoryError):
        list(Room().in_shares(["one"], lambda _: (_ for _ in ()).throw(torch.OutOfMemoryError)))


def package(folder: Path, joules: float) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "energy_uj").write_text(f"{int(joules * 1e6)}\n")
    (folder / "max_energy_range_uj").write_text("1000000000\n")
    return folder


def test_joules_are_those_that_the_packages_counted_while_asked(tmp_path: Path) -> None:
    first, second = package(tmp_path / "intel-rapl:0", 10), package(tmp_path / "intel-rapl:1", 990)
    package(tmp_path / "intel-rapl:0:0", 5)
    meter = EnergyMeter(torch.device("cpu"), powercap=tmp_path)
    with meter.counting(4):
        package(first, 17)
        package(second, 3)  # it began again at 1,000
    assert meter.joules == pytest.approx(7 + 13)
    package(first, 500)
    with meter.counting(4):
        package(first, 501)
    assert meter.joules_per_row == pytest.approx(21 / 8)


def test_joules_are_unknown_where_nothing_counts_them(tmp_path: Path) -> None:
    meter = EnergyMeter(torch.device("cpu"), powercap=tmp_path)
    with meter.counting(4):
        pass
    assert meter.joules_per_row is None
