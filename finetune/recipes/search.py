"""Try settings before the run: Optuna proposes, trials that fall behind are cut short, and the best is what the run uses.

The first trial is the default, so the outcome is never worse on the validation rows than no search; where rows are to be
added, the second is the default with them, so that their effect shows. Every trial has a
checkpoint and the study a journal: a search that was killed goes on inside the trial that it was in, and proposes, cuts
short and chooses what it would have without the kill.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

from finetune.recipes.checkpoint import Progress
from finetune.recipes.job_dir import JobDir
from finetune.recipes.tuning_plan import TuningPlan
from finetune.spec import TuningSpec

logging.getLogger("optuna").setLevel(logging.WARNING)

_TIMES = (1, 2, 3)
"""Epochs tried, as multiples of what is given."""
_RATE_TIMES = 5.0
"""Rates from a fifth to five times the default are tried."""
_LOOKS_BEFORE_PRUNING = 3
"""Of eight: at the first looks all losses of a new head are those of a coin, and small rates still have to begin."""
_TRIALS_AT_RANDOM = 4
_PAIR = 2
"""Trials that differ in nothing but the rows that are added."""
_STUDY = "search"

Settings = Mapping[str, Any]
Train = Callable[["Trial", Callable[[Progress], None]], Progress]
"""Train as a trial says, telling the progress; the loss to beat is `best_loss`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """Settings to try."""

    plan: TuningPlan
    name: str
    """A file name for its checkpoint."""
    number: int
    """From 1; a trial that was killed keeps its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Searched:
    """The settings of the run, and what was tried."""

    plan: TuningPlan
    report: dict[str, Any]


def searched(job: JobDir, plan: TuningPlan, train: Train) -> Searched:
    """Run the trials that are left, and return the plan with the best settings."""
    folder = job.path / "search"
    folder.mkdir(exist_ok=True)
    study = optuna.create_study(
        storage=JournalStorage(JournalFileBackend(str(folder / "study.log"))),
        study_name=_STUDY,
        load_if_exists=True,
        pruner=optuna.pruners.MedianPruner(n_startup_trials=2, n_warmup_steps=_LOOKS_BEFORE_PRUNING),
    )
    for cut_off in study.get_trials(states=(TrialState.RUNNING,)):  # proposed again, it finds its checkpoint
        study.tell(cut_off.number, state=TrialState.FAIL)
    while (ended := _ended(study)) < plan.spec.trials:
        given = _given(plan, ended)
        if given is not None and not study.get_trials(states=(TrialState.WAITING,)):
            study.enqueue_trial(dict(given))
        study.sampler = _sampler(plan.spec.seed, ended)
        proposed = study.ask()
        settings = _proposed(proposed, plan)
        trial = Trial(plan=_with(plan, settings), name=_name(settings), number=ended + 1)
        pruning = _Pruning(proposed)
        try:
            progress = train(trial, pruning.look)
            pruning.look(progress)  # the kill may have come between the last step and its look
            study.tell(proposed, progress.best_loss)
        except optuna.TrialPruned:
            study.tell(proposed, state=TrialState.PRUNED)
    shutil.rmtree(folder / "checkpoints", ignore_errors=True)
    best = _best(study)
    return Searched(plan=_with(plan, best.params), report=_as_report(study, best))


def _given(plan: TuningPlan, ended: int) -> Settings | None:
    """What is tried first: the default, then the same with the rows that are to be added; None where Optuna proposes."""
    default = _default(plan)
    if ended == 0:
        return default
    return {**default, "augmented": True} if ended == 1 and "augmented" in default else None


def _sampler(seed: int, ended: int) -> optuna.samplers.BaseSampler:
    """One for each trial: a sampler's random state does not outlive the process, and would begin anew after a kill."""
    return optuna.samplers.TPESampler(seed=seed * 1000 + ended, n_startup_trials=_TRIALS_AT_RANDOM)


def _ended(study: optuna.Study) -> int:
    return len(study.get_trials(states=(TrialState.COMPLETE, TrialState.PRUNED)))


def _default(plan: TuningPlan) -> Settings:
    spec = plan.spec
    given = {"learning_rate": plan.learning_rate, "lora_rank": spec.lora_rank, "epochs": spec.epochs}
    return given | ({"augmented": False} if spec.augmentation else {})


def _proposed(trial: optuna.Trial, plan: TuningPlan) -> Settings:
    rate, rank, epochs = plan.learning_rate, plan.spec.lora_rank, plan.spec.epochs
    ranks = sorted({max(1, rank // 2), rank, min(256, 2 * rank)})
    settings: dict[str, Any] = {
        "learning_rate": trial.suggest_float(
            "learning_rate", rate / _RATE_TIMES, rate * _RATE_TIMES, log=True
        ),
        "lora_rank": trial.suggest_categorical("lora_rank", ranks),
        "epochs": trial.suggest_categorical("epochs", [times * epochs for times in _TIMES]),
    }
    if plan.spec.augmentation:
        settings["augmented"] = trial.suggest_categorical("augmented", (False, True))
    return settings


def _with(plan: TuningPlan, settings: Settings) -> TuningPlan:
    """The plan with these settings; alpha keeps its ratio to the rank."""
    spec, rank = plan.spec, int(settings["lora_rank"])
    update: dict[str, Any] = {
        "learning_rate": float(settings["learning_rate"]),
        "lora_rank": rank,
        "lora_alpha": max(1, round(spec.lora_alpha * rank / spec.lora_rank)),
        "epochs": float(settings["epochs"]),
    }
    if not settings.get("augmented"):
        update |= {"augmentation": (), "rewriter": None}
    return plan.with_settings(TuningSpec.model_validate(spec.model_dump() | update))


def _effect(ended: Sequence[FrozenTrial], best: FrozenTrial) -> dict[str, Any] | None:
    """What the rows that were added changed, all else being equal; None where none were, or it was not tried."""
    pair = ended[:_PAIR]
    if len(pair) < _PAIR or "augmented" not in pair[0].params:
        return None
    return {
        "loss_without": pair[0].value,
        "loss_with": pair[1].value,
        "is_used": bool(best.params["augmented"]),
    }


class _Pruning:
    """Tells the pruner what was seen at each look, those before a kill included."""

    def __init__(self, trial: optuna.Trial) -> None:
        self._trial, self._told = trial, 0

    def look(self, progress: Progress) -> None:
        """TrialPruned when the trial has fallen behind."""
        looks = [loss for _, _, loss in progress.curve if loss is not None]
        for number in range(self._told, len(looks)):
            self._trial.report(looks[number], number + 1)
            self._told = number + 1
            if self._trial.should_prune():
                raise optuna.TrialPruned


def _best(study: optuna.Study) -> FrozenTrial:
    return min(study.get_trials(states=(TrialState.COMPLETE,)), key=lambda trial: (trial.value, trial.number))


def _as_report(study: optuna.Study, best: FrozenTrial) -> dict[str, Any]:
    ended = study.get_trials(states=(TrialState.COMPLETE, TrialState.PRUNED))
    trials = [
        {
            "number": number,
            "settings": trial.params,
            "validation_loss": trial.value,
            "looks": len(trial.intermediate_values),
            "state": "finished" if trial.state == TrialState.COMPLETE else "cut short",
        }
        for number, trial in enumerate(ended, start=1)
    ]
    return {
        "trials": trials,
        "augmentation": _effect(ended, best),
        "default_loss": trials[0]["validation_loss"],
        "best": 1 + ended.index(best),
        "best_loss": best.value,
    }


def _name(settings: Settings) -> str:
    return "-".join(f"{name}={value:g}" for name, value in sorted(settings.items()))
