"""Every field of a fine-tune from the command line, from a spec file and in the documentation."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from typer.testing import CliRunner

from bot.cli import app
from bot.spec_file import read_spec
from bot.subcommands.finetune import finetune, spec_from
from finetune.jobs import Jobs
from finetune.spec import TuningSpec
from index.errors import BadInput
from index.store import open_store, sqlite_url

ROOT = Path(__file__).parents[2]
OTHERWISE = {
    "base_model": "model",
    "dataset": "dataset",
    **dict.fromkeys(("kind", "rewriter", "learn_rows", "continues")),
}
"""Fields that the command line calls something else, or that the settings (the chat model) and races of bases fill in."""
GIVEN: dict[str, Any] = {
    "method": "qlora", "lora_rank": 8, "lora_alpha": 24, "use_rslora": True, "use_dora": True, "learning_rate": 0.002,
    "epochs": 2.5, "max_steps": 7, "batch_size": 3, "max_tokens": 100, "held_out_frac": 0.35, "held_out_limit": 9,
    "limit": 60, "early_stopping": 2, "search": 1, "augmentation": ("upsample",), "gradient_checkpointing": False,
    "general_texts": 0, "instruction": "Sort it.", "max_new_tokens": 20, "export": "merged", "seed": 5,
}  # fmt: skip
OPTIONS = sorted(set(TuningSpec.model_fields) - set(OTHERWISE))


def jobs_at(home: Path) -> Jobs:
    home.mkdir(exist_ok=True)
    url = sqlite_url(home)
    return Jobs(open_store(url), home=home, database_url=url, worker_command=None)


def names() -> set[str]:
    return set(inspect.signature(finetune).parameters)


def unset() -> dict[str, Any]:
    return dict.fromkeys(names() - {"spec", "gpus", "max_hours", "user", "estimate", "wait", "json"})


def test_a_value_is_known_here_for_every_field() -> None:
    assert set(GIVEN) == set(OPTIONS)
    assert all(GIVEN[name] != TuningSpec.model_fields[name].default for name in OPTIONS)


@pytest.mark.parametrize("field", OPTIONS)
def test_every_field_is_an_option_and_documented(field: str) -> None:
    assert field in names()
    assert f"`--{field.replace('_', '-')}" in (ROOT / "docs" / "finetuning.md").read_text(encoding="utf-8")


def test_every_field_arrives_from_a_spec_file(tmp_path: Path) -> None:
    file = tmp_path / "spec.yaml"
    plain = {**GIVEN, "augmentation": "upsample", "model": "smollm2", "dataset": "tickets"}
    file.write_text(yaml.safe_dump(plain))
    found = spec_from(read_spec(file, unset(), allowed=set(unset())), jobs_at(tmp_path / "home"))
    assert {name: getattr(found, name) for name in OPTIONS} == GIVEN


def test_every_field_arrives_from_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[TuningSpec] = []

    def caught(_: Jobs, spec: TuningSpec, **__: Any) -> None:
        seen.append(spec)
        raise typer.Exit(0)

    monkeypatch.setenv("SHORTLIST_HOME", str(tmp_path))
    monkeypatch.setattr(Jobs, "submit", caught)
    words = ["finetune", "--model", "smollm2", "--dataset", "tickets"]
    for name, value in GIVEN.items():
        option = f"--{name.replace('_', '-')}"
        if value is True:
            words.append(option)
        elif value is False:
            words.append(f"--no-{name.replace('_', '-')}")
        else:
            words += [option, *value] if isinstance(value, tuple) else [option, str(value)]
    ended = CliRunner().invoke(app, words)
    assert ended.exit_code == 0, ended.output
    assert {name: getattr(seen[0], name) for name in OPTIONS} == GIVEN


def test_a_zero_on_the_command_line_is_not_overruled_by_the_file(tmp_path: Path) -> None:
    file = tmp_path / "spec.yaml"
    file.write_text("model: smollm2\ndataset: tickets\nseed: 7\ngeneral_texts: 12\nearly_stopping: 3\n")
    given = unset() | {"seed": 0, "general_texts": 0, "early_stopping": 0}
    options = read_spec(file, given, allowed=set(given))
    assert [options[name] for name in ("seed", "general_texts", "early_stopping")] == [0, 0, 0]


@pytest.mark.parametrize(
    ("option", "value", "en", "zh"),
    [
        ("learning_rate", 5.0, "--learning-rate cannot be 5.0: it may be 0.1 at most.", "最大为 0.1"),
        ("held_out_frac", 0, "--held-out-frac cannot be 0: it must be more than 0.", "必须大于 0"),
        ("method", "foo", "--method cannot be 'foo': use 'lora' or 'qlora'.", "请使用"),
        ("epochs", "two", "--epochs cannot be 'two': it must be a number.", "必须是数字"),
        ("lora_rank", 1.5, "--lora-rank cannot be 1.5: it must be a whole number.", "必须是整数"),
    ],
)
def test_a_value_that_cannot_be_is_said_in_both_languages_and_leaves_nothing_behind(
    tmp_path: Path, option: str, value: Any, en: str, zh: str
) -> None:
    home = tmp_path / "home"
    options = unset() | {"model": "smollm2", "dataset": "tickets", option: value}
    with pytest.raises(BadInput) as caught:
        spec_from(options, jobs_at(home))
    assert caught.value.message.en == en
    assert zh in caught.value.message.zh
    assert not (home / "datasets").exists()


def test_a_model_that_is_not_there_leaves_no_data_behind(tmp_path: Path) -> None:
    home = tmp_path / "home"
    options = unset() | {"model": "./nowhere", "dataset": "tickets"}
    with pytest.raises(BadInput, match="nowhere"):
        spec_from(options, jobs_at(home))
    assert not (home / "datasets").exists()
