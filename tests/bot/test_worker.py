"""The worker that the bot starts: it is told where the quotas are, which its environment does not say."""

from __future__ import annotations

from pathlib import Path

from bot.settings import Settings
from bot.worker_command import worker_command


def test_worker_is_told_the_access_file_by_its_whole_path(tmp_path: Path) -> None:
    file = tmp_path / "access.yaml"
    file.write_text("quotas: {person: {gpu_minutes: 1}}")
    named = Settings(home=tmp_path, access_file=file, _env_file=None)  # type: ignore[call-arg]
    bare = Settings(home=tmp_path, _env_file=None)  # type: ignore[call-arg]

    assert worker_command(named)[1:] == ("-m", "bot.worker", "--access-file", str(file))
    assert worker_command(bare)[1:] == ("-m", "bot.worker")
