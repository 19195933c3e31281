"""Names that people say, and the catalogue models that they mean."""

from __future__ import annotations

import pytest

from skills.conversation.models_named import ModelNames

IDS = [
    "Qwen/Qwen3-4B",
    "Qwen/Qwen3-4B-Instruct-2507",
    "Qwen/Qwen3-8B",
    "Qwen/Qwen3-30B-A3B",
    "Qwen/Qwen2.5-7B-Instruct",
    "Qwen/Qwen2.5-Coder-7B-Instruct",
    "meta-llama/Llama-3.1-8B",
    "meta-llama/Llama-3.1-8B-Instruct",
    "meta-llama/Meta-Llama-3-8B-Instruct",
    "meta-llama/Llama-3.3-70B-Instruct",
    "mistralai/Mistral-7B-Instruct-v0.2",
    "mistralai/Mistral-7B-Instruct-v0.3",
    "mistralai/Mixtral-8x7B-Instruct-v0.1",
    "deepseek-ai/DeepSeek-R1",
    "deepseek-ai/DeepSeek-R1-Distill-Qwen-7B",
    "deepseek-ai/DeepSeek-V3.1",
    "google/gemma-3-12b-it",
    "google/gemma-3-12b-pt",
    "microsoft/phi-4",
    "microsoft/Phi-4-mini-instruct",
    "openai/gpt-4o-2024-08-06",
    "openai/gpt-4o-2024-11-20",
    "openai/gpt-4o-mini",
    "openai/gpt-oss-20b",
    "openai/o3",
    "openai/o3-mini",
    "anthropic/claude-3-5-haiku-20241022",
    "anthropic/claude-sonnet-4-5",
    "zai-org/GLM-4.7-Flash",
    "stepfun-ai/Step-3.5-Flash",
    "HuggingFaceTB/SmolLM2-135M",
    "HuggingFaceTB/SmolLM2-135M-Instruct",
    "HuggingFaceTB/SmolLM2-1.7B-Instruct",
]
NAMES = ModelNames.from_ids(IDS)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("qwen 3 8b", "Qwen/Qwen3-8B"),
        ("qwen3-8b-instruct", "Qwen/Qwen3-8B"),
        ("qwen/qwen3-8b", "Qwen/Qwen3-8B"),
        ("千问3 的 8b", "Qwen/Qwen3-8B"),
        ("通义千问 2.5 7b", "Qwen/Qwen2.5-7B-Instruct"),
        ("the 8b qwen3", "Qwen/Qwen3-8B"),
        ("qwne3 8b", "Qwen/Qwen3-8B"),
        ("qwen3-4b", "Qwen/Qwen3-4B"),
        ("qwen3 4b instruct 2507", "Qwen/Qwen3-4B-Instruct-2507"),
        ("qwen3 30b a3b", "Qwen/Qwen3-30B-A3B"),
        ("qwen coder 7b", "Qwen/Qwen2.5-Coder-7B-Instruct"),
        ("qwen3-8b-awq", "Qwen/Qwen3-8B"),
        ("qwen3 8b code generation", "Qwen/Qwen3-8B"),
        ("llama 3.1 8b", "meta-llama/Llama-3.1-8B-Instruct"),
        ("llama 3.1 8b base", "meta-llama/Llama-3.1-8B"),
        ("meta-llama/llama-3.1-8b", "meta-llama/Llama-3.1-8B"),
        ("llama3 8b", "meta-llama/Meta-Llama-3-8B-Instruct"),
        ("llama 70b", "meta-llama/Llama-3.3-70B-Instruct"),
        ("mistral 7b", "mistralai/Mistral-7B-Instruct-v0.3"),
        ("mistral 7b v0.2", "mistralai/Mistral-7B-Instruct-v0.2"),
        ("mistal 7b", "mistralai/Mistral-7B-Instruct-v0.3"),
        ("mixtral", "mistralai/Mixtral-8x7B-Instruct-v0.1"),
        ("deepseek r1", "deepseek-ai/DeepSeek-R1"),
        ("deep seek v3.1", "deepseek-ai/DeepSeek-V3.1"),
        ("gemma 3 12b", "google/gemma-3-12b-it"),
        ("phi4", "microsoft/phi-4"),
        ("phi 4 mini", "microsoft/Phi-4-mini-instruct"),
        ("gpt-4o", "openai/gpt-4o-2024-11-20"),
        ("gpt 4o mini", "openai/gpt-4o-mini"),
        ("gpt oss 20b", "openai/gpt-oss-20b"),
        ("o3", "openai/o3"),
        ("claude 3.5 haiku", "anthropic/claude-3-5-haiku-20241022"),
        ("claude sonnet 4.5", "anthropic/claude-sonnet-4-5"),
        ("glm 4.7 flash", "zai-org/GLM-4.7-Flash"),
        ("smollm2", "HuggingFaceTB/SmolLM2-135M-Instruct"),
        ("smollm2 1.7b", "HuggingFaceTB/SmolLM2-1.7B-Instruct"),
    ],
)
def test_a_name_means_one_model(text: str, meant: str) -> None:
    assert [mention.id for mention in NAMES.find(text)] == [meant]


@pytest.mark.parametrize(
    ("text", "family"),
    [
        ("why not llama?", "Llama"),
        ("千问", "Qwen"),
        ("qwen3", "Qwen 3"),
        ("深度求索", "DeepSeek"),
        ("llama 3", "Llama 3"),
    ],
)
def test_a_family_name_alone_means_no_single_model(text: str, family: str) -> None:
    mentions = NAMES.find(text)
    assert [mention.family for mention in mentions] == [family]


def test_a_family_holds_its_newest_models_first() -> None:
    (mention,) = NAMES.find("llama")
    assert mention.members[0] == "meta-llama/Llama-3.3-70B-Instruct"
    assert set(mention.members) == {name for name in IDS if name.startswith("meta-llama/")}


@pytest.mark.parametrize(
    "text",
    ["qwen 3 9b", "foo-7b", "org/some-model-7b", "baichuan2-13b", "qwen3-8b-tuned-by-me", "claude haiku 4.5"],
)
def test_a_name_that_fits_nothing_is_unknown(text: str) -> None:
    (mention,) = NAMES.find(text)
    assert mention.id is None
    assert mention.unknown is not None


@pytest.mark.parametrize(
    "text",
    [
        "step 2 of the plan",
        "a sub-3b model",
        "apache/mit",
        "int8/nf4",
        "24gb and 128k",
        "under 8b",
        "data/test.csv",
    ],
)
def test_ordinary_words_and_sizes_name_no_model(text: str) -> None:
    assert NAMES.find(text) == ()


def test_several_names_are_found_in_the_order_of_mention() -> None:
    found = NAMES.find("phi-4 or qwen3-8b, or else gpt-oss-20b")
    assert [mention.id for mention in found] == ["microsoft/phi-4", "Qwen/Qwen3-8B", "openai/gpt-oss-20b"]
