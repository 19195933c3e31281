"""What was understood is said back, field by field, in both languages."""

from __future__ import annotations

from skills.conversation.request import Gpus, Requirements
from skills.stated import stated

EVERYTHING = Requirements(
    task="rag",
    languages=("en", "zh"),
    max_memory_gib=48,
    gpus=Gpus(name="RTX 4090", count=2, memory_gib=24),
    licences=("Apache-2.0", "MIT"),
    min_context_tokens=128_000,
    min_params_b=3,
    max_params_b=40,
    hosting="self",
    max_usd_per_mtok=0.5,
    budget_usd_per_month=2000,
    tokens_per_month=1e9,
    modalities=("image",),
    priority="quality",
    alpha=12.5,
    finetune=True,
    candidates=("Qwen/Qwen3-8B",),
    quantization="nf4",
    excluded_licences=("GPL-3.0", "Llama"),
    vendors=("Google", "IBM"),
    excluded_vendors=("Meta",),
    origins=("EU",),
    excluded_origins=("CN", "US"),
    reasoning=False,
    architecture="dense",
    max_latency_s=0.5,
    max_first_token_s=0.2,
    min_tokens_per_s=50,
    requests_per_month=600_000,
    peak_requests_per_min=500,
)


def test_every_field_is_said_in_both_languages() -> None:
    assert set(EVERYTHING.stated()) == set(Requirements.model_fields)
    assert stated(EVERYTHING, "en") == (
        "answering from documents (RAG), text in English and Chinese, 2 × RTX 4090 24 GiB, "
        "licence Apache-2.0 or MIT, no GPL-3.0 or Llama licence, "
        "a context of at least 128,000 tokens, at least 3B parameters, "
        "at most 40B parameters, open weights, on your own hardware, at most $0.5 per million tokens, "
        "at most $2,000 a month, 1,000,000,000 tokens a month, reading image, quality first, alpha 12.5, "
        "to be fine-tuned, among Qwen/Qwen3-8B, loaded in nf4, "
        "made by Google or IBM, nothing by Meta, from Europe only, nothing from China or the US, "
        "no reasoning model, as far as cards say, dense, no mixture of experts, "
        "an answer within 0.5 s (by estimated speed; hosted models not checked), "
        "a first token within 0.2 s (not checked: only a test here can tell), "
        "at least 50 tokens/s (by estimate; hosted models not checked), "
        "600,000 requests a month (their length was not said, so not priced), "
        "500 requests a minute at the peak (not checked)"
    )
    assert stated(EVERYTHING, "zh").startswith(
        "基于文档的问答（RAG）、英文、中文文本、2 × RTX 4090 24 GiB、许可证 "
    )


def test_what_could_not_be_checked_is_said_so_in_both_languages() -> None:
    assert stated(Requirements(max_first_token_s=2), "zh") == "2 秒内出首个 token（未核实：需实测）"
    assert "hosted models not checked" in stated(Requirements(min_tokens_per_s=50), "en")


def test_memory_is_said_when_no_accelerator_was_named() -> None:
    assert stated(Requirements(max_memory_gib=16), "zh") == "显存 16 GiB"


def test_nothing_stated_is_said_so() -> None:
    assert stated(Requirements(), "en") == "nothing in particular"
