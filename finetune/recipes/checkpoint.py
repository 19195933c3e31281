"""Turn the state of a training run into a file, and the file into the state: a killed run goes on there."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from peft import get_peft_model_state_dict, set_peft_model_state_dict

LossPoint = tuple[int, float, float | None]
"""Step, training loss, and the loss on rows that are not learned from where it was measured."""


@dataclass(slots=True)
class Progress:
    """How far a training run is."""

    step: int = 0
    """Steps done."""
    seconds: float = 0.0
    tokens: int = 0
    curve: list[LossPoint] = field(default_factory=list)
    rows_at_once: int = 0
    """Of a step; fewer than the batch where memory ran out."""
    best: dict[str, torch.Tensor] | None = None
    """The adapter at its lowest validation loss; None where nothing is chosen by it."""
    best_loss: float = math.inf
    best_step: int = 0
    looks_without_gain: int = 0
    is_over: bool = False
    """Ended before its last step: the validation loss no longer fell."""


_PLAIN = (
    "step",
    "seconds",
    "tokens",
    "rows_at_once",
    "best",
    "best_loss",
    "best_step",
    "looks_without_gain",
    "is_over",
)


def save_checkpoint(
    path: Path, model: Any, optimizer: torch.optim.Optimizer, progress: Progress, *, of: str
) -> None:
    """Replace the checkpoint in one step; `of` names the run that it belongs to."""
    state = {
        "of": of,
        **{name: getattr(progress, name) for name in _PLAIN},
        "curve": [list(point) for point in progress.curve],
        "adapter": get_peft_model_state_dict(model),
        "optimizer": optimizer.state_dict(),
        "random": torch.get_rng_state(),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".unfinished")
    with unfinished.open("wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)


def load_checkpoint(path: Path, model: Any, optimizer: torch.optim.Optimizer, *, of: str) -> Progress:
    """Bring model and optimizer to where the run `of` was, or leave them as they are if it never began."""
    if not path.is_file():
        return Progress()
    # weights_only: tensors and plain values, no code.
    state = torch.load(path, map_location=model.device, weights_only=True)
    if state["of"] != of:
        return Progress()
    set_peft_model_state_dict(model, state["adapter"])
    optimizer.load_state_dict(state["optimizer"])
    torch.set_rng_state(state["random"].cpu())
    curve: list[LossPoint] = [(int(step), train, watched) for step, train, watched in state["curve"]]
    return Progress(curve=curve, **{name: state[name] for name in _PLAIN})
