"""Try settings before the run: Optuna proposes, trials that fall behind are cut short, and the best is what the run uses.

The first trial is the default, so the outcome is never worse on the validation rows than no search. Every trial has a
checkpoint and the study a journal: a search that was killed goes on inside the trial that it was in.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Mapping
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
_STUDY = "search"

Settings = Mapping[str, Any]
Train = Callable[[TuningPlan, str, Callable[[Progress], None]], Progress]
"""Train with these settings under this name, telling the progress; the loss to beat is `best_loss`."""


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
        sampler=optuna.samplers.TPESampler(seed=plan.spec.seed, n_startup_trials=4),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=2, n_warmup_steps=1),
    )
    _take_up(study, _default(plan))
    while _ended(study) < plan.spec.search:
        trial = study.ask()
        settings = _proposed(trial, plan)
        name = _name(settings)
        try:
            progress = train(_with(plan, settings), name, lambda p, t=trial: _report(t, p))  # type: ignore[misc]
            study.tell(trial, progress.best_loss)
        except optuna.TrialPruned:
            study.tell(trial, state=TrialState.PRUNED)
    shutil.rmtree(folder / "checkpoints", ignore_errors=True)
    best = _best(study)
    return Searched(plan=_with(plan, best.params), report=_as_report(study, best))


def _take_up(study: optuna.Study, default: Settings) -> None:
    """Begin with the default; a trial that a kill cut off is asked for again, and finds its checkpoint."""
    if not study.trials:
        study.enqueue_trial(dict(default))
    for trial in study.get_trials(states=(TrialState.RUNNING,)):
        study.tell(trial.number, state=TrialState.FAIL)
        study.enqueue_trial(trial.params)


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
    update = {
        "learning_rate": float(settings["learning_rate"]),
        "lora_rank": rank,
        "lora_alpha": max(1, round(spec.lora_alpha * rank / spec.lora_rank)),
        "epochs": float(settings["epochs"]),
        "augmentation": spec.augmentation if settings.get("augmented") else (),
    }
    return plan.with_settings(TuningSpec.model_validate(spec.model_dump() | update))


def _report(trial: optuna.Trial, progress: Progress) -> None:
    """Tell the pruner what was seen at a look; TrialPruned when the trial has fallen behind."""
    looks = [loss for _, _, loss in progress.curve if loss is not None]
    if progress.curve and progress.curve[-1][2] is not None:
        trial.report(looks[-1], len(looks))
        if trial.should_prune():
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
        "default_loss": trials[0]["validation_loss"],
        "best": 1 + ended.index(best),
        "best_loss": best.value,
    }


def _name(settings: Settings) -> str:
    """A file name for the checkpoint of these settings."""
    return "-".join(f"{name}={value:g}" for name, value in sorted(settings.items()))
