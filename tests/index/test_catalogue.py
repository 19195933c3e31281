"""The catalogue's files, the names that find a model, and the rules that keep unsound figures out."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from index.catalogue import Catalogue
from index.catalogue.check import gpu_problems, price_problems, problems
from index.catalogue.convert import convert, read_tables
from index.catalogue.gpus import GpuFact, shipped_gpus
from index.catalogue.read import DATA_FILES
from index.catalogue.soundness import fact_problems, unsound_fields, why_unsound
from index.errors import BadInput, UnknownModel
from index.prices import TokenPrice, shipped_prices
from index.records import Benchmark, Evidence, ModelFact, Source

PACKAGE = Path(__file__).parents[2] / "index" / "catalogue"


NEW_MODELS = {
    id_
    for entry in yaml.safe_load((PACKAGE / "additions.yaml").read_text(encoding="utf-8"))["new_models"]
    for id_ in entry["ids"]
}


def lines_of(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (PACKAGE / name).read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return Catalogue.load()


def a_model(**known: object) -> ModelFact:
    values: dict[str, object] = {
        "id": "lab/Model-8B",
        "name": "Model-8B",
        "open_weights": True,
        "kind": "instruct",
        "architecture": "dense",
        "input_modalities": ("text",),
        "sources": (Source(name="card", url="https://huggingface.co/lab/Model-8B"),),
    }
    return ModelFact(**(values | known))  # type: ignore[arg-type]


def a_benchmark(**known: object) -> Benchmark:
    values: dict[str, object] = {
        "name": "MMLU",
        "task": "knowledge",
        "language": "en",
        "metric": "accuracy (%)",
        "scale_min": 0.0,
        "scale_max": 100.0,
        "higher_is_better": True,
    }
    return Benchmark(**(values | known))  # type: ignore[arg-type]


def a_figure(**known: object) -> Evidence:
    values: dict[str, object] = {
        "model_id": "lab/Model-8B",
        "benchmark": a_benchmark(),
        "score": 70.0,
        "kind": "published",
        "source": Source(name="paper", url="https://example.org/paper", licence="MIT"),
    }
    return Evidence(**(values | known))  # type: ignore[arg-type]


def a_catalogue(*figures: Evidence, model: ModelFact | None = None) -> Catalogue:
    model = model or a_model()
    benchmark = a_benchmark()
    return Catalogue(
        models={model.id: model},
        benchmarks={benchmark.name: benchmark},
        evidence=figures,
        updated="2026-11-22",
    )


def test_the_shipped_files_have_no_problems(catalogue: Catalogue) -> None:
    assert problems(catalogue) == []


def test_the_catalogue_holds_every_model_and_nearly_every_figure_of_the_tables(catalogue: Catalogue) -> None:
    added = [line for line in lines_of("models.jsonl") if line["id"] in NEW_MODELS]
    assert len(catalogue.models) - len(added) == 615
    assert len(added) == len(NEW_MODELS)
    assert len({figure.model_id for figure in catalogue.evidence}) == 576
    assert (
        len(catalogue.evidence)
        + sum(count for reason, count in catalogue.left_out.items() if reason.startswith("figure"))
        == 13_752
    )


def test_every_figure_resolves_to_a_page_and_the_licence_of_its_source(catalogue: Catalogue) -> None:
    sources = {figure.source for figure in catalogue.evidence}
    assert all(source.url.startswith("http") and source.licence and source.name for source in sources)


def test_the_small_models_that_we_can_run_are_known(catalogue: Catalogue) -> None:
    smol = catalogue.models["HuggingFaceTB/SmolLM2-135M-Instruct"]
    assert (smol.params_b, smol.n_layers, smol.n_kv_heads, smol.head_dim) == (0.1345, 30, 3, 64)
    assert (smol.hidden_size, smol.vocab_size, smol.max_context_tokens) == (576, 49152, 8192)
    assert (smol.licence, smol.release_date, smol.tied_embeddings) == ("Apache-2.0", "2024-10-31", True)
    assert catalogue.models["sentence-transformers/all-MiniLM-L6-v2"].n_layers == 6


def test_evidence_of_a_model_is_only_about_that_model(catalogue: Catalogue) -> None:
    figures = catalogue.evidence_of("Qwen/Qwen3-8B")
    assert len(figures) > 50
    assert {figure.model_id for figure in figures} == {"Qwen/Qwen3-8B"}


def test_a_model_without_evidence_has_none(catalogue: Catalogue) -> None:
    assert catalogue.evidence_of("nobody/nothing") == ()


def test_quantization_pairs_name_known_models_and_benchmarks(catalogue: Catalogue) -> None:
    assert len(catalogue.quantization) == 329
    assert all(pair.model_id in catalogue.models for pair in catalogue.quantization)


def test_the_version_changes_with_the_data(tmp_path: Path, catalogue: Catalogue) -> None:
    for name in DATA_FILES:
        (tmp_path / name).write_bytes((PACKAGE / name).read_bytes())
    with (tmp_path / "sources.csv").open("a", encoding="utf-8") as lines:
        lines.write("new,New,MIT,https://example.org\n")
    assert Catalogue.load(tmp_path).version != catalogue.version


def test_the_files_stay_small_enough_to_travel() -> None:
    assert sum((PACKAGE / name).stat().st_size for name in DATA_FILES) < 1_500_000


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("Qwen/Qwen3-8B", "Qwen/Qwen3-8B"),
        ("qwen/qwen3-8b", "Qwen/Qwen3-8B"),
        ("qwen3 8b", "Qwen/Qwen3-8B"),
        ("Qwen3:8B", "Qwen/Qwen3-8B"),
        ("Qwen3-8B-Instruct", "Qwen/Qwen3-8B"),
        ("qwen3-4b", "Qwen/Qwen3-4B"),
        ("qwen3-4b-instruct", "Qwen/Qwen3-4B-Instruct-2507"),
        ("quen3 8b", "Qwen/Qwen3-8B"),
        ("通义千问3 8B", "Qwen/Qwen3-8B"),
        ("llama3.1 8b", "meta-llama/Llama-3.1-8B-Instruct"),
        ("Llama-3.1-8B", "meta-llama/Llama-3.1-8B"),
        ("Meta-Llama-3.1-8B-Instruct", "meta-llama/Llama-3.1-8B-Instruct"),
        ("SmolLM2-135M-Instruct", "HuggingFaceTB/SmolLM2-135M-Instruct"),
        ("claude sonnet 4.5", "anthropic/claude-sonnet-4-5"),
        ("haiku 4.5", "anthropic/claude-haiku-4-5"),
        ("gpt-4o", "openai/gpt-4o-2024-11-20"),
        ("mixtral 8x7b", "mistralai/Mixtral-8x7B-Instruct-v0.1"),
        ("gpt oss 20b", "openai/gpt-oss-20b"),
        ("all-minilm-l6-v2", "sentence-transformers/all-MiniLM-L6-v2"),
    ],
)
def test_a_model_is_found_however_it_is_spelled(catalogue: Catalogue, name: str, meant: str) -> None:
    found = catalogue.find(name)
    assert found is not None
    assert found.id == meant


@pytest.mark.parametrize(
    "name", ["", "the", "chat", "llama", "8b", "24 GB", "top 5", "a100 80gb", "qwen3 9b", "mistral"]
)
def test_words_that_name_no_one_model_find_none(catalogue: Catalogue, name: str) -> None:
    assert catalogue.find(name) is None


def test_somebody_elses_copy_is_not_taken_for_the_original(catalogue: Catalogue) -> None:
    assert catalogue.find("someorg/Qwen3-8B") is None


def test_every_id_finds_itself(catalogue: Catalogue) -> None:
    assert [id_ for id_ in catalogue.models if catalogue.require(id_).id != id_] == []


def test_an_unknown_name_is_answered_with_the_three_nearest_in_both_languages(catalogue: Catalogue) -> None:
    with pytest.raises(UnknownModel) as raised:
        catalogue.require("Qwen3-9B")
    for language in ("en", "zh"):
        text = raised.value.to(language)
        assert "'Qwen3-9B'" in text
        assert "Qwen/Qwen3-8B" in text
        assert text.count("/") >= 3
    assert "不认识" in raised.value.to("zh")


def test_a_name_like_no_other_is_answered_without_suggestions(catalogue: Catalogue) -> None:
    with pytest.raises(UnknownModel) as raised:
        catalogue.require("???")
    assert "nearest" not in raised.value.to("en")
    assert "shortlist catalogue list" in raised.value.to("en")


@pytest.mark.parametrize(
    ("known", "problem"),
    [
        ({"n_kv_heads": 64, "head_dim": 128, "hidden_size": 4096}, "n_kv_heads"),
        ({"max_context_tokens": 50_000_000}, "max_context_tokens"),
        ({"params_b": 8.0, "active_params_b": 9.0}, "active_params_b"),
        ({"params_b": 0.1, "vocab_size": 150_000, "hidden_size": 4096}, "vocab_size"),
        ({"n_layers": 10, "n_attention_layers": 12}, "n_attention_layers"),
        ({"licence": "Apache-2.0", "commercial_use": "no"}, "licence Apache-2.0"),
        ({"licence": "Apache 2"}, "licence 'Apache 2' is no licence that we know"),
        ({"commercial_use": "yes"}, "without a licence"),
        ({"n_kv_heads": 6, "head_dim": 128, "hidden_size": 4096}, "do not divide"),
        ({"release_date": "2027-01-01"}, "release_date"),
        ({"open_weights": False}, "open_weights"),
        ({"languages": ("English",)}, "language 'English'"),
        ({"sources": ()}, "no source"),
        ({"sources": (Source(name="card", url="somewhere"),)}, "has no URL"),
    ],
)
def test_an_impossible_fact_is_a_problem(known: dict[str, object], problem: str) -> None:
    found = problems(a_catalogue(model=a_model(**known)))
    assert len(found) == 1
    assert problem in found[0]


@pytest.mark.parametrize(
    ("figure", "problem"),
    [
        (a_figure(score=170.0), "off the scale"),
        (a_figure(model_id="nobody/nothing"), "no such model"),
        (a_figure(benchmark=a_benchmark(name="MMMLU")), "no such benchmark"),
        (a_figure(date="yesterday"), "is no date"),
        (a_figure(date="2026-12-01"), "is no date up to 2026-11-22"),
        (a_figure(source=Source(name="paper", url="https://example.org")), "states no licence"),
        (a_figure(source=Source(name="LMArena", url="https://lmarena.ai", licence="x")), "on purpose"),
    ],
)
def test_an_unsound_figure_is_a_problem(figure: Evidence, problem: str) -> None:
    found = problems(a_catalogue(figure))
    assert len(found) == 1
    assert problem in found[0]


def test_the_same_figure_twice_is_a_problem() -> None:
    assert "2 figures" in problems(a_catalogue(a_figure(), a_figure(score=71.0)))[0]


def test_a_head_size_set_apart_from_the_hidden_size_is_sound() -> None:
    qwen3_4b = a_model(n_kv_heads=8, head_dim=128, hidden_size=2560)
    assert list(unsound_fields(qwen3_4b)) == []


def test_latent_attention_may_have_more_heads_than_the_hidden_size_holds() -> None:
    deepseek_v3 = a_model(n_kv_heads=128, head_dim=192, hidden_size=7168, kv_lora_rank=512)
    assert list(unsound_fields(deepseek_v3)) == []


def why(
    model: ModelFact, benchmark: Benchmark, score: float, *, setting: str = "", median: float = 60.0
) -> str | None:
    return why_unsound(model, benchmark, score, setting, median=median, source="paper https://example.org")


def test_a_reasoning_model_near_zero_on_short_answers_is_left_out() -> None:
    euroeval = a_benchmark(name="EuroEval squad (en)", scale_min=-100.0)
    thinker = a_model(params_b=14.7, reasoning=True)
    assert why(thinker, euroeval, 2.0) == "reasoning model that broke the short-answer format"
    assert why(thinker, euroeval, 40.0) is None


def test_a_small_model_near_zero_is_just_weak() -> None:
    euroeval = a_benchmark(name="EuroEval squad (en)", scale_min=-100.0)
    assert why(a_model(params_b=0.6, reasoning=True), euroeval, 2.0) is None


def test_a_judge_does_not_rate_itself() -> None:
    gemba = a_benchmark(name="WMT25 GEMBA-ESA (GPT-4.1 judge)")
    assert why(a_model(id="openai/gpt-4.1"), gemba, 90.0) == "judged by the model itself"
    assert why(a_model(id="openai/gpt-4.1-mini"), gemba, 80.0) is None


def test_figures_of_excluded_publishers_are_left_out() -> None:
    assert why(a_model(), a_benchmark(name="LiveBench"), 50.0) == "source left out on purpose"


MODELS_HEADER = (
    "id,name,organisation,family,release_date,open_weights,params_b,active_params_b,architecture,n_layers,"
    "n_attention_layers,n_kv_heads,head_dim,hidden_size,vocab_size,sliding_window,kv_lora_rank,"
    "max_context_tokens,input_modalities,languages,licence,commercial_use,tool_calling,reasoning,"
    "knowledge_cutoff,chat,source_urls,sources"
)
EVIDENCE_HEADER = (
    "model_id,benchmark,task,metric,score,scale_min,scale_max,higher_is_better,setting,self_reported,date,"
    "source_url,source,licence"
)


def write_tables(folder: Path, *figures: str) -> Path:
    (folder / "NOTE.md").write_text("Built 2026-01-02 from somewhere", encoding="utf-8")
    (folder / "models.csv").write_text(
        f"{MODELS_HEADER}\nlab/Model-8B,Model-8B,Lab,Model,2025-01-02,true,8.0,,dense,32,,64,128,4096,,,,8192,text,"
        "en;zh,MIT,unknown,,,,instruct,https://huggingface.co/lab/Model-8B;https://lab.example/blog,llmfit\n",
        encoding="utf-8",
    )
    (folder / "benchmarks.csv").write_text(
        "benchmark,task,metric,scale_min,scale_max,higher_is_better,n_items,language\n"
        "MMLU,knowledge,accuracy (%),0,100,true,,en\n",
        encoding="utf-8",
    )
    (folder / "evidence.csv").write_text("\n".join([EVIDENCE_HEADER, *figures, ""]), encoding="utf-8")
    (folder / "quantization.csv").write_text(
        "model_id,base_precision,quant_format,benchmark,score_base,score_quant,source_url\n"
        "lab/Model-8B,bf16,nf4,MMLU,70,68.5,https://lab.example/blog\n",
        encoding="utf-8",
    )
    return folder


def a_row(score: str, self_reported: str, *, setting: str = "5-shot", page: str = "p1") -> str:
    return (
        f"lab/Model-8B,MMLU,knowledge,accuracy (%),{score},0,100,true,{setting},{self_reported},2025-01-02,"
        f"https://lab.example/{page},Lab report,MIT"
    )


def converted(folder: Path, *figures: str) -> Catalogue:
    files = convert(read_tables(write_tables(folder, *figures)))
    for name, text in files.text.items():
        (folder / name).write_text(text, encoding="utf-8")
    return Catalogue.load(folder)


def test_converting_keeps_each_figures_own_page_setting_and_date(tmp_path: Path) -> None:
    first, second = a_row("70.5", "false"), a_row("71", "true", setting="0-shot", page="p2")
    figures = converted(tmp_path, first, second).evidence
    assert {(item.score, item.kind, item.setting, item.date, item.source.url) for item in figures} == {
        (70.5, "published", "5-shot", "2025-01-02", "https://lab.example/p1"),
        (71.0, "self-reported", "0-shot", "2025-01-02", "https://lab.example/p2"),
    }


def test_a_figure_of_unstated_origin_counts_as_self_reported(tmp_path: Path) -> None:
    assert [item.kind for item in converted(tmp_path, a_row("70.5", "")).evidence] == ["self-reported"]


def test_converting_leaves_out_what_is_off_the_scale_and_counts_it(tmp_path: Path) -> None:
    catalogue = converted(tmp_path, a_row("70.5", "false"), a_row("170", "false", page="p2"))
    assert [item.score for item in catalogue.evidence] == [70.5]
    assert catalogue.left_out["figure: off the scale of its benchmark"] == 1


def test_converting_takes_out_impossible_heads_and_derives_commercial_use(tmp_path: Path) -> None:
    model = converted(tmp_path, a_row("70.5", "false")).models["lab/Model-8B"]
    assert model.n_kv_heads is None
    assert model.commercial_use == "yes"
    assert [source.url for source in model.sources] == [
        "https://huggingface.co/lab/Model-8B",
        "https://lab.example/blog",
    ]


def test_converting_twice_gives_the_same_files(tmp_path: Path) -> None:
    figures = [a_row("70.5", "false"), a_row("71", "true", page="p2")]
    once = convert(read_tables(write_tables(tmp_path, *figures)))
    again = convert(read_tables(write_tables(tmp_path, *reversed(figures))))
    assert once.text == again.text


def test_tables_that_do_not_say_when_they_were_built_are_refused(tmp_path: Path) -> None:
    write_tables(tmp_path, a_row("70.5", "false"))
    (tmp_path / "NOTE.md").write_text("no date", encoding="utf-8")
    with pytest.raises(ValueError, match="does not say when"):
        read_tables(tmp_path)


def test_evidence_is_one_figure_a_line_so_that_a_diff_can_be_read(catalogue: Catalogue) -> None:
    with (PACKAGE / "evidence.csv").open(encoding="utf-8", newline="") as lines:
        rows = list(csv.reader(lines))
    assert rows[0] == ["model", "benchmark", "score", "kind", "reading"]
    assert len(rows) - 1 == len(catalogue.evidence)
    assert rows[1:] == sorted(rows[1:])


def test_facts_are_frozen(catalogue: Catalogue) -> None:
    model = catalogue.models["Qwen/Qwen3-8B"]
    with pytest.raises(AttributeError):
        model.params_b = 1.0  # type: ignore[misc]
    assert replace(model, params_b=1.0).params_b == 1.0


def test_the_shipped_prices_and_accelerators_have_no_problems(catalogue: Catalogue) -> None:
    found = [price for id_ in catalogue.models if (price := shipped_prices().price(id_)) is not None]
    assert len(found) > 100
    assert list(price_problems(found)) == []
    assert list(gpu_problems(shipped_gpus())) == []


@pytest.mark.parametrize("value", [0.0, -1.0, float("inf"), float("nan")])
def test_a_price_or_a_rate_that_is_not_above_zero_is_a_problem(value: float) -> None:
    source = Source(name="list", url="https://example.org")
    price = TokenPrice(
        model_id="lab/m", provider="Lab", input_usd_per_mtok=value, source=source, date="2026-11-01"
    )
    card = GpuFact(name="Card", bandwidth_gb_s=900.0, usd_per_hour=value, source=source)
    assert ["above zero" in problem for problem in price_problems([price])] == [True]
    assert ["usd_per_hour" in problem for problem in gpu_problems([card])] == [True]


def test_two_accelerators_of_one_name_are_a_problem() -> None:
    card = GpuFact(name="Card", bandwidth_gb_s=900.0, source=Source(name="maker", url="https://example.org"))
    assert "2 accelerators" in next(iter(gpu_problems([card, card])))


def test_a_million_tokens_among_relatives_of_131072_are_a_placeholder(catalogue: Catalogue) -> None:
    name = "meta-llama/Llama-3.1-8B-Instruct"
    assert catalogue.models[name].max_context_tokens == 131_072
    wrong = replace(catalogue.models[name], max_context_tokens=1_048_576)
    found = problems(replace(catalogue, models={**catalogue.models, name: wrong}))
    assert len(found) == 1
    assert "max_context_tokens 1048576, but its relatives have 131072" in found[0]


def test_kv_heads_that_do_not_divide_stated_heads_are_a_problem() -> None:
    assert fact_problems(a_model(n_kv_heads=8), today="2026-11-22", n_heads=32) == []
    found = fact_problems(a_model(n_kv_heads=6), today="2026-11-22", n_heads=32)
    assert found == ["n_kv_heads: 6 KV heads do not divide 32 heads"]


def test_the_age_of_the_data_is_the_days_since_the_tables_were_built(catalogue: Catalogue) -> None:
    assert catalogue.age_days(date(2026, 12, 2)) == 10
    assert catalogue.refreshed is None


def test_a_model_without_a_figure_is_known_all_the_same(catalogue: Catalogue) -> None:
    pythia = catalogue.require("pythia 1.4b")
    assert (pythia.n_layers, pythia.n_kv_heads, pythia.head_dim) == (24, 16, 128)
    assert catalogue.evidence_of(pythia.id) == ()


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("models.jsonl", "{broken\n", "models.jsonl, line 1 is damaged"),
        ("models.jsonl", '{"id": "a/b"}\n', "models.jsonl, line 1 is damaged"),
        ("models.jsonl", "[]\n", "models.jsonl, line 1 is damaged"),
        ("evidence.csv", "model,benchmark,score,kind,reading\na/b,MMLU\n", "row 2 has 2 cells, not 5"),
        (
            "evidence.csv",
            "model,benchmark,score,kind,reading\na/b,MMLU,1,published,zz\n",
            "evidence.csv is damaged",
        ),
        ("evidence.csv", "", "evidence.csv is damaged"),
        ("benchmarks.csv", "a,b\n1,2\n", "benchmarks.csv is damaged"),
        ("sources.csv", "\x00\x01\x02", "sources.csv is damaged"),
        ("catalogue.yaml", "updated: [", "catalogue.yaml is damaged"),
        ("catalogue.yaml", "updated: soon\nleft_out: {}", "catalogue.yaml is damaged"),
    ],
)
def test_a_damaged_file_is_named_in_clear_words(tmp_path: Path, name: str, text: str, words: str) -> None:
    for file in DATA_FILES:
        (tmp_path / file).write_bytes((PACKAGE / file).read_bytes())
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(BadInput) as raised:
        Catalogue.load(tmp_path)
    assert words in raised.value.to("en")
    assert "已损坏" in raised.value.to("zh")


def test_a_missing_file_is_named_in_clear_words(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"models\.jsonl is damaged"):
        Catalogue.load(tmp_path)
