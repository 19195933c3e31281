"""Settings of a cluster: what is refused, and that the worker is told the rest."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.settings import read_settings
from index.errors import BadSetting


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("RAY_ADDRESS", "head:6379", "RAY_ADDRESS cannot be used: head:6379 is no address of a dashboard"),
        ("RAY_ADDRESS", "auto", "auto is no address of a dashboard, as http://head:8265"),
        (
            "SHORTLIST_SHARED",
            "s3://Team/jobs",
            "SHORTLIST_SHARED cannot be used: mount s3://Team/jobs on every",
        ),
    ],
)
def test_what_cannot_be_a_cluster_is_refused_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, told: str
) -> None:
    monkeypatch.setenv(variable, value)

    with pytest.raises(BadSetting, match=told):
        read_settings()


def test_worker_and_bot_go_by_the_same_cluster(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "http://head:8265")
    monkeypatch.setenv("SHORTLIST_SHARED", f"file://{tmp_path}")
    monkeypatch.setenv("SHORTLIST_RAY_GPU_GIB", "24")

    policy = read_settings().policy

    assert policy.ray_address == "http://head:8265"
    assert (policy.shared, policy.ray_gpu_gib) == (tmp_path, 24.0)


def test_without_these_settings_jobs_run_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "")
    monkeypatch.setenv("SHORTLIST_SHARED", "")

    policy = read_settings().policy

    assert (policy.ray_address, policy.shared) == (None, None)
