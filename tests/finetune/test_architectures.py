"""Candidates of every local kind: recognised before loading, loaded, asked, and racing on the same rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model

from finetune.admission import Admission, admission
from finetune.architecture import architecture_from_config
from finetune.columns import Row
from finetune.data import register
from finetune.device import Device
from finetune.models import resolve
from finetune.recipes.askers import asker_for
from finetune.recipes.asking import Reply
from finetune.recipes.classifying import ClassAsker
from finetune.recipes.job_dir import Context
from finetune.recipes.loading import architecture_for, load_model, load_tokenizer, max_tokens
from finetune.recipes.seq2seq import DecodedLabelScorer, DecodedWritingAsker, EncodedPrompts
from finetune.spec import Candidate, DatasetRef, DatasetTask, EvaluationSpec
from index.errors import BadInput, JobFailed
from tests.finetune import tiny_models as tiny
from tests.finetune.recipe_runs import job_folder, lines_of, result_of, run

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")

CPU = torch.device("cpu")
ROOMY = Device(name="CPU", free_gib=64.0)
DATASET = DatasetRef(name="rows", sha256="0" * 64, rows=10, labels=tiny.LABELS)
TEXTS = [row["text"] for row in tiny.rows_of(10)]
ROWS = [Row(id=str(n), text=text, label="bug") for n, text in enumerate(TEXTS)]


def looked_at(
    model: Path | str, dataset: DatasetRef = DATASET, device: Device = ROOMY, **more: Any
) -> Admission:
    candidate = Candidate(model=str(model), **more)
    return admission(candidate, dataset, TEXTS, device, models=Path("/nowhere"))


def refusal(model: Path | str, dataset: DatasetRef = DATASET, device: Device = ROOMY, **more: Any) -> str:
    found = looked_at(model, dataset, device, **more)
    assert found.refusal is not None
    assert found.refusal.zh
    return found.refusal.en


def with_config(folder: Path, **changes: Any) -> Path:
    """A checkpoint folder whose config.json says something else."""
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **changes}))
    return folder


@pytest.fixture
def encoder(tmp_path: Path) -> Path:
    return tiny.saved(tmp_path / "encoder", tiny.classifier())


@pytest.mark.parametrize(
    ("name", "is_encoder_decoder", "kind"),
    [
        ("BertForSequenceClassification", False, "classifier"),
        ("DebertaV2ForSequenceClassification", False, "classifier"),
        ("BartForSequenceClassification", True, "classifier"),
        ("T5ForConditionalGeneration", True, "seq2seq"),
        ("MarianMTModel", True, "seq2seq"),
        ("BartModel", True, "seq2seq"),
        ("T5EncoderModel", True, "encoder"),
        ("BertModel", False, "encoder"),
        ("RobertaForMaskedLM", False, "encoder"),
        ("LlamaForCausalLM", False, "causal"),
        ("GPT2LMHeadModel", False, "causal"),
        ("Gemma3ForConditionalGeneration", False, "causal"),
    ],
)
def test_the_kind_of_a_model_is_told_from_its_config(name: str, is_encoder_decoder: bool, kind: str) -> None:
    config = {"architectures": [name], "is_encoder_decoder": is_encoder_decoder}
    assert architecture_from_config(config).kind == kind


def test_what_transformers_saves_is_recognised(tmp_path: Path) -> None:
    models = {"classifier": tiny.classifier(), "encoder": tiny.bare_encoder(), "causal": tiny.causal()}
    for kind, model in {**models, "seq2seq": tiny.t5()}.items():
        assert architecture_from_config(json.loads(model.config.to_json_string())).kind in (kind, "causal")
        folder = tiny.saved(tmp_path / kind, model)
        assert architecture_from_config(json.loads((folder / "config.json").read_text())).kind == kind


def test_a_model_without_a_head_that_answers_is_refused_with_what_would_help(tmp_path: Path) -> None:
    folder = tiny.saved(tmp_path / "bare", tiny.bare_encoder())
    assert "(BertModel) has no head that answers" in refusal(folder)
    assert "Fine-tune it with a classification head first" in refusal(folder)


@pytest.mark.parametrize("task", ["generation", "multiple-choice", "language-modelling"])
def test_a_classifier_is_refused_for_what_is_no_classification(encoder: Path, task: DatasetTask) -> None:
    dataset = DatasetRef(name="texts", sha256="0" * 64, rows=10, task=task)
    assert f"only choose among its own labels, and texts asks for {task}" in refusal(encoder, dataset)


def test_labels_are_matched_whatever_their_case_and_spaces(tmp_path: Path) -> None:
    folder = tiny.saved(tmp_path / "m", tiny.classifier(("Bug", "HOW_TO", " Billing", "other")))
    assert looked_at(folder).refusal is None


def test_labels_that_differ_are_refused_by_naming_both_sets(tmp_path: Path) -> None:
    folder = tiny.saved(tmp_path / "m", tiny.classifier(("positive", "negative", "bug")))
    said = refusal(folder)
    assert "positive, negative, bug" in said
    assert "billing, bug, how to" in said


def test_numbered_labels_are_refused_unless_the_tuned_head_names_them(tmp_path: Path) -> None:
    base = tiny.saved(tmp_path / "m", tiny.classifier(("LABEL_0", "LABEL_1", "LABEL_2")))
    assert "calls its labels LABEL_0, LABEL_1, LABEL_2" in refusal(base)
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text('{"task_type": "SEQ_CLS"}')
    assert "id2label" in refusal(base, adapter=str(adapter))
    names = {str(n): label for n, label in enumerate(tiny.LABELS)}
    (adapter / "config.json").write_text(json.dumps({"id2label": names}))
    assert looked_at(base, adapter=str(adapter)).refusal is None


def replies(folder: Path, tmp_path: Path, **more: Any) -> dict[str, Reply]:
    """What a candidate says about the rows, as the recipe asks it."""
    context, location = Context(home=tmp_path), resolve(str(folder))
    architecture = architecture_for(location, context, more.get("adapter"))
    model = load_model(location, context, "none", CPU, architecture=architecture, **more)
    spec = EvaluationSpec(candidates=(Candidate(model=str(folder)),), dataset=DATASET)
    asker = asker_for(model, load_tokenizer(location, context), architecture, spec, ROWS)
    assert all(map(asker.fits, ROWS))
    return {reply.row.id: reply for reply in asker.ask(ROWS)}


def test_a_classifier_answers_by_its_own_head_alone_or_beside_others(encoder: Path, tmp_path: Path) -> None:
    found, model, words = replies(encoder, tmp_path), tiny.classifier(), tiny.tokenizer()
    for row in ROWS:
        with torch.no_grad():
            scores = model(**words(row.text, return_tensors="pt")).logits[0].log_softmax(-1)
        assert found[row.id].prediction == tiny.LABELS[int(scores.argmax())]
        assert list(found[row.id].log_likelihoods.values()) == pytest.approx(scores.tolist(), abs=1e-5)
    alone = [reply.row.id for reply in found.values() if reply.latency_s is not None]
    assert alone == [row.id for row in ROWS[:5]]


def test_an_adapter_over_a_bare_encoder_answers_by_its_tuned_head(tmp_path: Path) -> None:
    whole = tiny.classifier(seed=1)
    base = tiny.saved(tmp_path / "bare", whole.bert)
    tuned = get_peft_model(whole, LoraConfig(r=2, task_type="SEQ_CLS"))
    for name, weight in tuned.named_parameters():
        if "lora_B" in name:
            weight.data.normal_()
    tuned.save_pretrained(tmp_path / "adapter")
    tiny.classifier().config.save_pretrained(tmp_path / "adapter")
    found = replies(base, tmp_path, adapter=str(tmp_path / "adapter"))
    tuned.eval()
    for row in ROWS[:3]:
        with torch.no_grad():
            scores = tuned(**tiny.tokenizer()(row.text, return_tensors="pt")).logits[0].log_softmax(-1)
        assert list(found[row.id].log_likelihoods.values()) == pytest.approx(scores.tolist(), abs=1e-5)


def test_positions_behind_padding_are_no_room_for_text() -> None:
    assert max_tokens(tiny.classifier(kind="roberta")) == 63
    assert max_tokens(tiny.classifier()) == 64
    asker = ClassAsker(tiny.classifier(), tiny.tokenizer(), {"bug": 1}, 6)
    assert [asker.fits(Row(id="1", text=text, label="bug")) for text in ("a b c d", "a b c d e")] == [
        True,
        False,
    ]


SEQ2SEQ = [(tiny.t5, "$A </s>"), (tiny.bart, "<s> $A </s>")]


@pytest.mark.parametrize(("build", "template"), SEQ2SEQ)
def test_labels_of_a_decoder_score_as_transformers_computes_their_loss(build: Any, template: str) -> None:
    model, words = build(), tiny.tokenizer(template)
    prompts = EncodedPrompts(words, tiny.LABELS, task="classification")
    found = DecodedLabelScorer(model, prompts, tiny.LABELS).score(TEXTS[0])
    read = torch.tensor([prompts.prompt(TEXTS[0])])
    for label in tiny.LABELS:
        wanted = torch.tensor([words(label)["input_ids"]])
        with torch.no_grad():
            loss = model(input_ids=read, labels=wanted).loss.item()
        assert found.log_likelihoods[label] == pytest.approx(-loss * wanted.numel(), rel=1e-4)


@pytest.mark.parametrize(("build", "template"), SEQ2SEQ)
def test_what_a_decoder_writes_does_not_depend_on_the_rows_beside_it(build: Any, template: str) -> None:
    model, prompts = build(), EncodedPrompts(tiny.tokenizer(template), (), task="generation")
    together = {r.row.id: r for r in DecodedWritingAsker(model, prompts, 6, 512, ROWS).ask(ROWS)}
    for row in ROWS[-3:]:
        ids = torch.tensor([prompts.prompt(row.text)])
        alone = model.generate(ids, max_new_tokens=6, num_beams=1, do_sample=False, early_stopping=False)
        text = prompts.tokenizer.decode(alone[0], skip_special_tokens=True)
        assert together[row.id].prediction == text
    assert sum(reply.first_token_s is not None for reply in together.values()) == 5


def test_a_model_made_for_one_kind_of_text_reads_the_bare_text_unless_told_otherwise() -> None:
    words = tiny.tokenizer("$A </s>")
    bare = EncodedPrompts(words, (), task="generation").prompt(TEXTS[0])
    assert bare == words(TEXTS[0])["input_ids"]
    told = EncodedPrompts(words, (), task="generation", instruction="say it again").prompt(TEXTS[0])
    assert len(told) > len(bare)


def test_a_sequence_to_sequence_model_gives_no_likelihood_of_a_text(tmp_path: Path) -> None:
    dataset = DatasetRef(name="texts", sha256="0" * 64, rows=10, task="language-modelling")
    assert "Use a causal model" in refusal(tiny.saved(tmp_path / "t5", tiny.t5()), dataset)


def test_candidates_are_loaded_in_the_precision_that_was_asked_for(tmp_path: Path) -> None:
    assert Candidate.parse("x@bf16").label == "x bf16"
    folder = tiny.saved(tmp_path / "m", tiny.causal())
    context, location = Context(home=tmp_path), resolve(str(folder))
    found = {
        name: load_model(location, context, Candidate.parse(f"m@{name}").quantization, CPU).dtype
        for name in ("none", "bf16", "fp16")
    }
    assert found == {"none": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
    with pytest.raises(BadInput, match="none, bf16, fp16, int8, nf4"):
        Candidate.parse("m@int3")


@pytest.mark.parametrize("build", [tiny.classifier, tiny.t5])
@pytest.mark.parametrize("quantization", ["int8", "nf4"])
def test_every_kind_is_quantized_on_loading(build: Any, quantization: Any, tmp_path: Path) -> None:
    location = resolve(str(tiny.saved(tmp_path / "m", build())))
    context = Context(home=tmp_path)
    architecture = architecture_for(location, context, None)
    model = load_model(location, context, quantization, CPU, architecture=architecture)
    assert model.is_quantized
    assert model.get_memory_footprint() < build().get_memory_footprint()


STORED = {
    "gptq 4-bit": {"quant_method": "gptq", "bits": 4},
    "awq 4-bit": {"quant_method": "awq", "bits": 4},
    "fp8": {"quant_method": "fp8"},
    "compressed-tensors 8-bit": {
        "quant_method": "compressed-tensors",
        "config_groups": {"group_0": {"weights": {"num_bits": 8}}},
    },
    "brandnew": {"quant_method": "brandnew"},
}
MISSING = {
    "gptq 4-bit": "no package gptqmodel",
    "awq 4-bit": "no package gptqmodel",
    "fp8": "no GPU of compute capability 8.9",
    "compressed-tensors 8-bit": "no package compressed_tensors",
    "brandnew": "nothing that reads this format",
}


@pytest.mark.parametrize("stored", STORED)
def test_a_stored_format_that_cannot_be_read_here_is_named_with_what_is_missing(
    stored: str, tmp_path: Path
) -> None:
    folder = tiny.saved(tmp_path / "m", tiny.causal())
    with_config(folder, quantization_config=STORED[stored])
    assert looked_at(folder).stored == stored
    said = refusal(folder)
    assert f"is stored as {stored}, and here is {MISSING[stored]}" in said
    assert "unquantized original" in said


def test_a_stored_format_runs_where_its_hardware_is(tmp_path: Path) -> None:
    folder = with_config(tiny.saved(tmp_path / "m", tiny.causal()), quantization_config=STORED["fp8"])
    hopper = Device(name="H100", free_gib=64.0, is_gpu=True, compute_capability=(9, 0))
    assert looked_at(folder, device=hopper).refusal is None


@pytest.mark.parametrize(("quantization", "stored"), [("int8", "8-bit"), ("nf4", "4-bit")])
def test_a_stored_format_is_loaded_as_it_is_and_not_quantized_again(
    quantization: Any, stored: str, tmp_path: Path
) -> None:
    context = Context(home=tmp_path)
    full = resolve(str(tiny.saved(tmp_path / "full", tiny.causal())))
    quantized = load_model(full, context, quantization, CPU)
    folder = tiny.saved(tmp_path / "stored", quantized)
    assert looked_at(folder).stored == f"bitsandbytes {stored}"
    assert "cannot be loaded as nf4 on top" in refusal(folder, quantization="nf4")
    location = resolve(str(folder))
    again = load_model(location, context, "none", CPU, architecture=architecture_for(location, context, None))
    ids = torch.tensor([[1, 7, 8, 9]])
    with torch.no_grad():
        assert torch.allclose(again(ids).logits, quantized(ids).logits, atol=1e-4)


def test_a_checkpoint_that_lacks_weights_is_refused_instead_of_answering_at_random(tmp_path: Path) -> None:
    folder = tiny.saved(tmp_path / "m", tiny.bare_encoder())
    with_config(
        folder, architectures=["BertForSequenceClassification"], id2label=dict(enumerate(tiny.LABELS))
    )
    location, context = resolve(str(folder)), Context(home=tmp_path)
    with pytest.raises(JobFailed, match=r"lack 2 weights \(classifier.bias, classifier.weight\)"):
        load_model(location, context, "none", CPU, architecture=architecture_for(location, context, None))


def test_what_cannot_fit_is_refused_with_what_it_needs_and_what_there_is(tmp_path: Path) -> None:
    folder = tiny.saved(tmp_path / "m", tiny.causal())
    said = refusal(folder, device=Device(name="CPU", free_gib=0.5))
    assert "needs about 0.6 GiB for one row of up to" in said
    assert "this machine's memory has 0.5 GiB free. Use a smaller model" in said


def test_rows_that_would_fit_are_named_where_only_the_cache_is_too_large(tmp_path: Path) -> None:
    folder = tiny.saved(tmp_path / "m", tiny.causal())
    with_config(
        folder, num_hidden_layers=80, head_dim=128, num_key_value_heads=64, max_position_embeddings=9999
    )
    dataset = DatasetRef(name="rows", sha256="0" * 64, rows=10, task="multiple-choice")
    found = admission(
        Candidate(model=str(folder)),
        dataset,
        ["word " * 4000],
        Device(name="CPU", free_gib=20),
        models=tmp_path,
    )
    assert found.refusal is not None
    assert "It would fit for rows of at most " in found.refusal.en


def test_a_smaller_way_of_loading_is_offered_where_one_fits() -> None:
    said = refusal("smollm2", device=Device(name="GPU X", free_gib=0.82, is_gpu=True))
    assert said.startswith("smollm2 needs about 0.9 GiB for one row of up to 88 tokens")
    assert "the GPU (GPU X) has 0.8 GiB free. It would fit as" in said
    assert "nf4 (0.8 GiB)" in said


def test_a_cpu_computes_in_twice_as_many_bits() -> None:
    of_cpu, of_gpu = (
        looked_at("smollm2"),
        looked_at("smollm2", device=Device(name="?", free_gib=9, is_gpu=True)),
    )
    assert of_cpu.need is not None
    assert of_gpu.need is not None
    assert of_cpu.need.weights_gib == pytest.approx(2 * of_gpu.need.weights_gib)
    assert of_cpu.need.kv_cache_gib == pytest.approx(2 * of_gpu.need.kv_cache_gib)
    in_16_bits = looked_at("smollm2", quantization="bf16").need
    assert in_16_bits is not None
    assert in_16_bits.weights_gib == pytest.approx(of_gpu.need.weights_gib)


def test_kinds_race_on_the_same_rows_and_who_cannot_be_asked_stays_out(tmp_path: Path) -> None:
    models = {
        "encoder": (tiny.classifier(), "<s> $A </s>"),
        "t5": (tiny.t5(), "$A </s>"),
        "causal": (tiny.causal(), ""),
        "bare": (tiny.bare_encoder(), "<s> $A </s>"),
    }
    folders = [tiny.saved(tmp_path / name, *made) for name, made in models.items()]
    rows = tmp_path / "rows.jsonl"
    rows.write_text("\n".join(map(json.dumps, tiny.rows_of(42))))
    spec = EvaluationSpec(
        candidates=tuple(Candidate(model=str(folder)) for folder in folders),
        dataset=register(str(rows), home=tmp_path),
    )
    job = job_folder(tmp_path / "job", spec, tmp_path)
    ended = run("evaluate", job)
    assert (ended.returncode, ended.stderr) == (0, "")
    *answered, bare = result_of(job)["candidates"]
    assert [row["kind"] for row in answered] == ["classifier", "seq2seq", "causal"]
    assert all(row["stopped"] in ("finished", "eliminated") for row in answered)
    assert all(row["metrics"]["accuracy"]["n"] >= 20 for row in answered)
    assert all(row["rows_out_of_memory"] == 0 for row in answered)
    assert (bare["stopped"], bare["items_seen"]) == ("failed", 0)
    assert "has no head that answers" in bare["reason"]
    told = [event["data"] for event in lines_of(job / "events.jsonl") if event["kind"] == "progress"]
    assert not any("bare" in event["stage"] for event in told)
