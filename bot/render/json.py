"""Answer -> the JSON object of `shortlist ask --json` (docs/cli.md holds the contract)."""

from __future__ import annotations

from typing import Any

from skills.conversation.answer import Answer


def answer_json(answer: Answer) -> dict[str, Any]:
    """All of an answer as JSON values; of the requirements only what was stated."""
    return {**answer.model_dump(mode="json"), "requirements": answer.requirements.stated()}
