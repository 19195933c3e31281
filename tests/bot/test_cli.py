"""The command line as a user meets it: a process, its exit code, standard output and standard error."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

QUESTION = (
    "Which open model for Chinese customer-support summarisation on a single 24 GB GPU? Apache or MIT only."
)


def shortlist(home: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    names = ("PATH", "HOME", "VIRTUAL_ENV", "PYTHONPATH")
    kept = {name: os.environ[name] for name in names if name in os.environ}
    return subprocess.run(
        [sys.executable, "-m", "bot", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**kept, "SHORTLIST_HOME": str(home), "HF_HUB_OFFLINE": "1", **environment},
    )


def test_ask_json_prints_one_object_of_the_contract_and_nothing_else(tmp_path: Path) -> None:
    done = shortlist(tmp_path, "ask", "--json", QUESTION)
    answer = json.loads(done.stdout)
    assert done.returncode == 0
    assert answer["skill"] == "recommend"
    assert len(answer["recommendations"]) >= 3
    assert {
        "rank",
        "model",
        "quantization",
        "score",
        "cost",
        "loss",
        "p_best",
        "vram_gib",
        "evidence",
    } <= set(answer["recommendations"][0])
    assert "budget_usd_per_month" not in answer["requirements"]


def test_a_thread_is_remembered_between_two_processes(tmp_path: Path) -> None:
    shortlist(tmp_path, "ask", "--thread", "t", QUESTION)
    answer = json.loads(shortlist(tmp_path, "ask", "--thread", "t", "--json", "如果只有 16GB 呢？").stdout)
    assert answer["requirements"]["max_memory_gib"] == 16
    assert answer["requirements"]["task"] == "summarization"


@pytest.mark.parametrize("module", ["bot.conversation", "bot.serve", "bot.slack"])
def test_the_bot_never_loads_torch(tmp_path: Path, module: str) -> None:
    code = (
        f"import sys, {module}\n"
        "from bot.console import Output\nfrom bot.conversation import ask_once\n"
        f"ask_once({QUESTION!r}, thread=None, person='me', output=Output(json=True))\n"
        "heavy = {'torch', 'transformers', 'peft', 'bitsandbytes'} & set(sys.modules)\n"
        "sys.exit(f'loaded {heavy}' if heavy else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "SHORTLIST_HOME": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr


BAD_INPUT = {
    "unknown model": (["catalogue", "show", "nobody/nothing-9b"], "nobody/nothing-9b"),
    "unknown model to evaluate": (
        ["evaluate", "--model", "nobody/nothing-9b", "--dataset", "tickets"],
        "nobody/nothing-9b",
    ),
    "unknown quantization": (
        ["evaluate", "--model", "smollm2@int3", "--dataset", "tickets"],
        "Use one of: none, bf16, fp16, int8, nf4",
    ),
    "no model": (["evaluate", "--dataset", "tickets"], "--model"),
    "missing data set": (["evaluate", "--model", "smollm2", "--dataset", "nowhere.csv"], "nowhere.csv"),
    "unknown metric": (
        ["evaluate", "--model", "smollm2", "--dataset", "tickets", "--metric", "vibes"],
        "'vibes'",
    ),
    "impossible learning rate": (
        ["finetune", "--model", "smollm2", "--dataset", "tickets", "--learning-rate", "-1"],
        "--learning-rate cannot be -1",
    ),
    "unknown job": (["jobs", "show", "77"], "no job '77'"),
    "missing token": (["serve"], "SLACK_BOT_TOKEN is not set"),
    "spec file that is none": (["evaluate", "missing.yaml"], "missing.yaml cannot be read"),
}


@pytest.mark.parametrize("case", BAD_INPUT)
def test_bad_input_gets_one_sentence_and_exit_code_2(tmp_path: Path, case: str) -> None:
    arguments, said = BAD_INPUT[case]
    done = shortlist(tmp_path, *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("empty.csv", b"", "empty.csv"),
        ("shape.csv", b"id,created\n1,2026\n2,2026\n", "id, created"),
        ("mixed.csv", b"text,label\ncaf\xc3\xa9 caf\xe9,a\n", "UTF-8"),
        ("one.csv", b"text,label\n" + b"".join(b"ticket %d,same\n" % i for i in range(20)), "label 'same'"),
    ],
)
def test_a_data_set_that_cannot_be_used_is_refused_and_nothing_is_written(
    tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    home = tmp_path / "home"
    done = shortlist(home, "evaluate", "--model", "smollm2", "--dataset", str(file))
    assert done.returncode == 2
    assert said in done.stderr
    assert not list((home / "datasets").glob("*")) if (home / "datasets").exists() else True
    assert "No jobs yet" in shortlist(home, "jobs", "list").stdout


def test_an_error_as_json_is_json(tmp_path: Path) -> None:
    done = shortlist(tmp_path, "catalogue", "show", "nobody/nothing-9b", "--json")
    assert "nobody/nothing-9b" in json.loads(done.stdout)["error"]


def test_errors_are_said_in_the_language_of_the_terminal(tmp_path: Path) -> None:
    assert (
        "我不认识模型" in shortlist(tmp_path, "catalogue", "show", "nobody/x-9b", LANG="zh_CN.UTF-8").stderr
    )


def test_an_unreachable_slack_is_said_in_a_sentence(tmp_path: Path) -> None:
    done = shortlist(
        tmp_path,
        "serve",
        "--http",
        SLACK_BOT_TOKEN="xoxb-test",
        SLACK_SIGNING_SECRET="secret",
        SLACK_API_URL="http://127.0.0.1:9/api/",
    )
    assert done.returncode == 1
    assert "127.0.0.1:9" in done.stderr
    assert "xoxb-test" not in done.stderr


def test_a_setting_with_a_wrong_value_is_named(tmp_path: Path) -> None:
    done = shortlist(tmp_path, "doctor", SHORTLIST_CARD_INTERVAL_S="soon")
    assert done.returncode == 2
    assert "SHORTLIST_CARD_INTERVAL_S" in done.stderr


def test_standard_error_is_quiet_when_nothing_is_wrong(tmp_path: Path) -> None:
    assert shortlist(tmp_path, "ask", "what is LoRA?").stderr == ""


def test_doctor_says_what_is_missing(tmp_path: Path) -> None:
    done = shortlist(tmp_path, "doctor")
    assert done.returncode == 0
    assert "SLACK_BOT_TOKEN: not set" in done.stdout
    assert "SHORTLIST_CHAT_MODEL: not set" in done.stdout


def test_doctor_says_that_the_chat_model_does_not_answer(tmp_path: Path) -> None:
    server = {"SHORTLIST_CHAT_BASE_URL": "http://127.0.0.1:9", "OPENAI_API_KEY": "sk-test"}
    done = shortlist(tmp_path, "doctor", SHORTLIST_CHAT_MODEL="openai:words", **server)
    assert "openai:words does not answer" in done.stdout


def test_footprint_adds_up(tmp_path: Path) -> None:
    found = json.loads(shortlist(tmp_path, "footprint", "Qwen3-8B", "--quantization", "nf4", "--json").stdout)
    parts = [value for name, value in found.items() if name.endswith("_gib") and name != "total_gib"]
    assert found["total_gib"] == pytest.approx(sum(parts), abs=0.01)
    assert found["model"] == "Qwen/Qwen3-8B"


def test_team_documents_are_added_found_and_removed(tmp_path: Path) -> None:
    note = tmp_path / "policy.md"
    note.write_text(
        "# GPU policy\n\nThe zebra cluster is reserved for nightly evaluations.\n", encoding="utf-8"
    )
    home = tmp_path / "home"
    added = json.loads(shortlist(home, "index", "add", str(note), "--json").stdout)
    assert added["added"] == 1
    found = json.loads(shortlist(home, "index", "search", "what is the zebra cluster for?", "--json").stdout)
    assert "zebra" in found["passages"][0]["text"]
    assert shortlist(home, "index", "remove", str(note)).returncode == 0
    again = json.loads(shortlist(home, "index", "search", "what is the zebra cluster for?", "--json").stdout)
    assert all("zebra" not in passage["text"] for passage in again["passages"])


def test_an_estimate_names_memory_and_refusals_and_starts_nothing(tmp_path: Path) -> None:
    encoder = tmp_path / "encoder"
    encoder.mkdir()
    (encoder / "config.json").write_text('{"architectures": ["BertModel"]}')
    (encoder / "model.safetensors").write_bytes(b"\x02\x00\x00\x00\x00\x00\x00\x00{}")
    models = ["--model", "smollm2@nf4", "--model", str(encoder)]
    done = shortlist(tmp_path, "evaluate", *models, "--dataset", "tickets", "--estimate", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    fits, refused = json.loads(done.stdout)["candidates"]
    assert (fits["kind"], fits["quantization"], fits["reason"]) == ("causal", "nf4", None)
    assert 0.6 < fits["memory_gib"] < fits["free_gib"]
    assert "has no head that answers" in refused["reason"]
    assert not (tmp_path / "jobs").exists()
