"""Personal data in rows: told with counts, replaced, or refused, in both languages."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from finetune.data import load
from finetune.dataset_errors import HoldsPersonalData
from finetune.jobs import Jobs
from finetune.policy import PersonalData, Policy
from index.store import open_store, sqlite_url

PLANTED = {
    "mail address": "ana.lopez@example.org",
    "phone number": "13812345678",
    "card number": "4111 1111 1111 1111",
    "Chinese ID number": "11010519491231002X",
}


def jobs_with(home: Path, personal_data: PersonalData) -> Jobs:
    policy = Policy(personal_data=personal_data)
    return Jobs(
        open_store(sqlite_url(home)),
        home=home,
        database_url=sqlite_url(home),
        worker_command=None,
        policy=policy,
    )


def rows_with(path: Path) -> str:
    texts = [f"please call {value} 请回电" for value in [*PLANTED.values(), PLANTED["mail address"]]]
    texts += [f"an ordinary ticket number {n}" for n in range(10)]
    rows = [{"text": text, "label": "ab"[n % 2], "group": text[:24]} for n, text in enumerate(texts)]
    path.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), encoding="utf-8")
    return str(path)


def test_what_is_kept_is_told_with_counts(tmp_path: Path) -> None:
    jobs = jobs_with(tmp_path, "keep")
    dataset = jobs.register_dataset(rows_with(tmp_path / "a.jsonl"))
    said = jobs.describe_dataset(dataset)[-1]
    assert "mail address in 2 rows" in said.en
    assert "电子邮箱（2 行）" in said.zh


def test_what_is_redacted_lies_nowhere_under_the_home_and_keeps_who_is_who(tmp_path: Path) -> None:
    home = tmp_path / "home"
    jobs = jobs_with(home, "redact")
    dataset = jobs.register_dataset(rows_with(tmp_path / "a.jsonl"))
    kept = b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file()).decode(errors="replace")
    assert [value for value in PLANTED.values() if value in kept] == []
    texts = [row.text for row in load(dataset.sha256, home=home)]
    assert "please call [mail address 1] 请回电" in texts
    assert "replaced" in jobs.describe_dataset(dataset)[-1].en


def test_what_is_refused_is_counted_and_nothing_is_kept(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with pytest.raises(HoldsPersonalData) as refused:
        jobs_with(home, "refuse").register_dataset(rows_with(tmp_path / "a.jsonl"))
    assert "card number in 1 row" in refused.value.message.en
    assert "身份证号（1 行）" in refused.value.message.zh
    assert not (home / "datasets").exists()
    assert [value for value in PLANTED.values() if value in refused.value.message.en] == []


@pytest.mark.parametrize("policy", ["redact", "refuse"])
def test_rows_that_were_kept_before_the_rule_are_refused(tmp_path: Path, policy: PersonalData) -> None:
    before = jobs_with(tmp_path, "keep").register_dataset(rows_with(tmp_path / "a.jsonl"))
    with pytest.raises(HoldsPersonalData):
        jobs_with(tmp_path, policy).register_dataset(f"sha256:{before.sha256}")
