"""Settings that exclude each other are refused at the start, in one sentence."""

from __future__ import annotations

import pytest

from bot.settings import read_settings
from index.errors import BadSetting


@pytest.mark.parametrize("name", ["SHORTLIST_CHAT_MODEL", "SHORTLIST_EMBEDDING_MODEL"])
def test_model_of_a_provider_is_refused_where_nothing_leaves(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("SHORTLIST_EGRESS", "none")
    monkeypatch.setenv(name, "openai:some-model")

    with pytest.raises(BadSetting) as refused:
        read_settings()

    for said in (refused.value.message.en, refused.value.message.zh):
        assert "SHORTLIST_EGRESS" in said
        assert name in said


def test_policy_has_the_lists_of_models(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHORTLIST_MODELS_ALLOWED", "Qwen/*, openai:*")
    monkeypatch.setenv("SHORTLIST_PERSONAL_DATA", "redact")

    policy = read_settings().policy

    assert policy.models_allowed == ("Qwen/*", "openai:*")
    assert policy.personal_data == "redact"
