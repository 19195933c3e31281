"""The team's tuned models in the catalogue: found by all their names, with what they have of their base."""

from __future__ import annotations

from pathlib import Path

import pytest

from index.catalogue.home import open_catalogue
from index.catalogue.tuned import (
    FILE,
    MeasuredHere,
    TunedModel,
    adapter_of,
    name_of,
    read_tuned,
    write_tuned,
)
from index.errors import UnknownModel

BASE = "Qwen/Qwen3-8B"


def tuned(home: Path, *, job_id: str = "7", based_on: str = BASE, **more: object) -> TunedModel:
    model = TunedModel.model_validate(
        {
            "id": name_of(based_on, "support tickets.csv", job_id), "based_on": based_on, "job_id": job_id,
            "quantization": "nf4", "dataset": "support tickets.csv", "task": "classification", "verdict": "better",
            "measured": (MeasuredHere(metric="accuracy", before=0.61, after=0.84, n_items=96),),
            "made_on": "2026-12-01", **more,
        }
    )  # fmt: skip
    adapter = adapter_of(home, model)
    adapter.mkdir(parents=True)
    (adapter / "adapter_config.json").write_text("{}")
    write_tuned(adapter.parent, model)
    return model


@pytest.mark.parametrize(
    "name",
    [
        "tuned/Qwen3-8B-support-tickets-7",
        "qwen3-8b-support-tickets-7",
        "job-7",
        "Qwen3-8B + job-7",
        "Qwen3-8B+job-7",
    ],
)
def test_a_tuned_model_is_found_by_all_its_names(tmp_path: Path, name: str) -> None:
    tuned(tmp_path)
    catalogue = open_catalogue(tmp_path)
    fact = catalogue.require(name)
    base = catalogue.models[BASE]
    assert fact.id == "tuned/Qwen3-8B-support-tickets-7"
    assert (fact.params_b, fact.licence, fact.commercial_use) == (
        base.params_b,
        base.licence,
        base.commercial_use,
    )
    assert fact.sources[0].name == "job 7"


def test_it_is_there_at_once_and_gone_with_its_adapter(tmp_path: Path) -> None:
    catalogue = open_catalogue(tmp_path)
    with pytest.raises(UnknownModel):
        catalogue.require("job-7")
    model = tuned(tmp_path)
    assert [found.id for found in catalogue.tuned] == [model.id]
    assert catalogue.nearest("tickets-7")[0] == model.id
    (adapter_of(tmp_path, model) / "adapter_config.json").unlink()
    assert catalogue.tuned == ()


def test_the_licence_of_the_base_is_told_with_what_it_implies(tmp_path: Path) -> None:
    catalogue = open_catalogue(tmp_path)
    said = tuned(tmp_path).implies(catalogue.models[BASE])
    assert "licence of its base, apache-2.0: commercial use is allowed" in said.en.lower().replace(
        "Apache", "apache"
    )
    assert "允许商用" in said.zh
    unknown = tuned(tmp_path, job_id="8", based_on="/models/mine").implies(None)
    assert "is not known: keep the adapter to yourselves" in unknown.en
    own = tuned(tmp_path, job_id="9", based_on="/models/mine", licence="mit").implies(None)
    assert "It has the licence of its base, mit" in own.en


def test_a_base_that_no_catalogue_knows_keeps_the_facts_of_its_files(tmp_path: Path) -> None:
    tuned(
        tmp_path,
        based_on="/models/mine",
        licence="mit",
        facts={"params_b": 0.3, "kind": "encoder", "id": "x"},
    )
    fact = open_catalogue(tmp_path).require("job-7")
    assert (fact.id, fact.kind, fact.params_b, fact.licence) == (
        "tuned/mine-support-tickets-7",
        "encoder",
        0.3,
        "mit",
    )


def test_tuned_models_are_no_part_of_a_ranking_by_themselves(tmp_path: Path) -> None:
    tuned(tmp_path)
    assert not any(name.startswith("tuned/") for name in open_catalogue(tmp_path).models)


def test_a_damaged_file_hides_no_other(tmp_path: Path) -> None:
    model = tuned(tmp_path)
    tuned(tmp_path, job_id="12")
    (tmp_path / "jobs" / "7" / FILE).write_text("{")
    assert [found.job_id for found in read_tuned(tmp_path)] == ["12"]
    assert model.job_id == "7"
