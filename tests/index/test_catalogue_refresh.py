"""Refreshing a home's catalogue from a model hub and a price list, which a local server stands in for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from index.catalogue.gpus import use_gpus
from index.catalogue.home import open_catalogue, read_refreshed
from index.catalogue.hub import Hub, architecture_from
from index.catalogue.refresh import Report, refresh
from index.prices import hosted_price, use_prices

QWEN = "Qwen/Qwen3-8B"
SNOWFLAKE = "Snowflake/snowflake-arctic-embed-l"
"""An embedding model of which the shipped catalogue knows no licence."""
LLAMA = "meta-llama/Llama-3.1-8B-Instruct"


class FakeHub:
    """What the server answers, and what it was asked."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {}
        self.status: dict[str, int] = {}
        self.asked: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.url = ""

    def add(self, model_id: str, *, config: Any = None, sha: str = "a" * 40, **known: Any) -> None:
        self.answers[f"/api/models/{model_id}"] = {"id": model_id, "sha": sha, **known}
        if config is not None:
            self.answers[f"/{model_id}/resolve/{sha}/config.json"] = config


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    fake = FakeHub()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.split("?")[0]
            fake.asked.append(path)
            fake.headers.append(dict(self.headers))
            status = fake.status.get(path, 200 if path in fake.answers else 404)
            value = fake.answers.get(path, {"error": "Repository not found"})
            body = value if isinstance(value, bytes) else json.dumps(value).encode()
            self.send_response(status)
            if status == 404:
                self.send_header("X-Error-Code", "RepoNotFound")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    fake.url = f"http://127.0.0.1:{server.server_port}"
    yield fake
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(autouse=True)
def nothing_in_force() -> Iterator[None]:
    yield
    use_prices({})
    use_gpus(())


def refreshed(home: Path, hub: FakeHub, *names: str, limit: int = 100) -> Report:
    return refresh(
        home,
        hub=Hub(endpoint=hub.url, timeout_s=5),
        names=names,
        limit=limit,
        prices_url=f"{hub.url}/prices.json",
        pause=lambda _seconds: None,
    )


def a_price_list(*, input_mtok: float) -> list[dict[str, Any]]:
    model = {
        "id": "gpt-4.1",
        "match": {"equals": "gpt-4.1"},
        "prices": {"input_mtok": input_mtok, "output_mtok": 8},
    }
    return [
        {
            "id": "openai",
            "name": "OpenAI",
            "api_pattern": "https://api.openai.com",
            "pricing_urls": ["https://openai.com/prices"],
            "models": [model],
        }
    ]


def test_an_unknown_fact_is_filled_and_told(tmp_path: Path, hub: FakeHub) -> None:
    hub.add(
        SNOWFLAKE,
        cardData={"license": "apache-2.0"},
        safetensors={"parameters": {"F32": 334_000_000}, "total": 334_000_000},
        config={"num_hidden_layers": 24, "num_attention_heads": 16, "hidden_size": 1024, "vocab_size": 30522},
    )
    report = refreshed(tmp_path, hub, SNOWFLAKE)
    model = open_catalogue(tmp_path).models[SNOWFLAKE]
    assert (model.licence, model.commercial_use) == ("Apache-2.0", "yes")
    assert (model.n_layers, model.n_kv_heads, model.head_dim) == (24, 16, 64)
    assert "licence" in {change.field for change in report.changes}
    assert f"https://huggingface.co/{SNOWFLAKE}" in {source.url for source in model.sources}


def test_what_is_known_stays_where_the_hub_differs_and_the_difference_is_told(
    tmp_path: Path, hub: FakeHub
) -> None:
    hub.add(QWEN, config={"num_hidden_layers": 99})
    report = refreshed(tmp_path, hub, QWEN)
    assert open_catalogue(tmp_path).models[QWEN].n_layers == 36
    assert [(change.field, change.before, change.after) for change in report.differences] == [
        ("n_layers", 36, 99)
    ]


def test_a_change_of_licence_is_taken(tmp_path: Path, hub: FakeHub) -> None:
    hub.add(QWEN, cardData={"license": "cc-by-nc-4.0"})
    report = refreshed(tmp_path, hub, QWEN)
    model = open_catalogue(tmp_path).models[QWEN]
    assert (model.licence, model.commercial_use) == ("CC-BY-NC-4.0", "no")
    assert ("licence", "Apache-2.0", "CC-BY-NC-4.0") in {(c.field, c.before, c.after) for c in report.changes}


def test_a_new_model_is_added_when_it_is_named(tmp_path: Path, hub: FakeHub) -> None:
    hub.add(
        "lab/Brand-New-3B-Instruct",
        createdAt="2026-10-01T00:00:00.000Z",
        cardData={"license": "mit"},
        config={"num_hidden_layers": 28, "num_attention_heads": 16, "num_key_value_heads": 8},
        pipeline_tag="text-generation",
    )
    refreshed(tmp_path, hub, "lab/Brand-New-3B-Instruct")
    model = open_catalogue(tmp_path).require("brand new 3b instruct")
    assert (model.release_date, model.licence, model.n_kv_heads) == ("2026-10-01", "MIT", 8)


def test_kv_heads_that_do_not_divide_the_heads_are_not_taken(tmp_path: Path, hub: FakeHub) -> None:
    hub.add(SNOWFLAKE, config={"num_hidden_layers": 24, "num_attention_heads": 16, "num_key_value_heads": 5})
    refreshed(tmp_path, hub, SNOWFLAKE)
    model = open_catalogue(tmp_path).models[SNOWFLAKE]
    assert model.n_layers == 24
    assert model.n_kv_heads is None


def test_a_result_on_the_card_becomes_a_self_reported_figure(tmp_path: Path, hub: FakeHub) -> None:
    hub.add(
        LLAMA,
        **{
            "model-index": [
                {
                    "name": "Llama",
                    "results": [
                        {
                            "task": {"type": "text-generation"},
                            "dataset": {"name": "MMLU (5-Shot)", "type": "cais/mmlu"},
                            "metrics": [{"type": "acc", "value": 0.691, "name": "accuracy"}],
                        },
                        {"dataset": {"name": "No such benchmark"}, "metrics": [{"type": "acc", "value": 3}]},
                        {"dataset": {"name": "GSM8K"}, "metrics": [{"type": "acc", "value": 640}]},
                        {"dataset": {"name": "LiveBench"}, "metrics": [{"type": "acc", "value": 40}]},
                    ],
                }
            ]
        },
    )
    report = refreshed(tmp_path, hub, LLAMA)
    found = [f for f in open_catalogue(tmp_path).evidence_of(LLAMA) if f.setting == "5-shot, accuracy"]
    assert [(f.benchmark.name, f.score, f.kind) for f in found] == [("MMLU", 69.1, "self-reported")]
    assert report.figures == 1


def test_an_unchanged_repository_is_not_read_twice(tmp_path: Path, hub: FakeHub) -> None:
    hub.add(QWEN, config={"vocab_size": 151936})
    refreshed(tmp_path, hub, QWEN)
    hub.asked.clear()
    assert refreshed(tmp_path, hub, QWEN).unchanged == 1
    assert hub.asked == [f"/api/models/{QWEN}", "/prices.json"]


def test_what_an_earlier_refresh_brought_survives_a_later_commit(tmp_path: Path, hub: FakeHub) -> None:
    hub.add(SNOWFLAKE, cardData={"license": "apache-2.0"}, config={})
    refreshed(tmp_path, hub, SNOWFLAKE)
    hub.add(SNOWFLAKE, sha="b" * 40, cardData={"license": "apache-2.0"}, config={"num_hidden_layers": 24})
    refreshed(tmp_path, hub, SNOWFLAKE)
    model = open_catalogue(tmp_path).models[SNOWFLAKE]
    assert (model.licence, model.n_layers) == ("Apache-2.0", 24)


@pytest.mark.parametrize("status", [500, 503])
def test_a_failure_keeps_what_was_held_and_the_other_models_go_on(
    tmp_path: Path, hub: FakeHub, status: int
) -> None:
    hub.add(SNOWFLAKE, cardData={"license": "apache-2.0"})
    refreshed(tmp_path, hub, SNOWFLAKE)
    hub.status[f"/api/models/{SNOWFLAKE}"] = status
    hub.add(QWEN, config={})
    report = refreshed(tmp_path, hub, SNOWFLAKE, QWEN)
    assert ("no answer", SNOWFLAKE) in {(failure.why, failure.name) for failure in report.failures}
    assert open_catalogue(tmp_path).models[SNOWFLAKE].licence == "Apache-2.0"
    assert QWEN in read_refreshed(tmp_path).models


def test_a_model_that_is_not_on_the_hub_is_told(tmp_path: Path, hub: FakeHub) -> None:
    report = refreshed(tmp_path, hub, "nobody/nothing-1b")
    assert ("no such model", "nobody/nothing-1b") in {(item.why, item.name) for item in report.failures}


def test_nonsense_for_an_answer_changes_nothing(tmp_path: Path, hub: FakeHub) -> None:
    hub.answers[f"/api/models/{QWEN}"] = b"<html>maintenance</html>"
    hub.add(LLAMA, config=b"[1, 2]")
    report = refreshed(tmp_path, hub, QWEN, LLAMA)
    assert {item.why for item in report.failures if item.name != "genai-prices"} == {"not understood"}
    assert read_refreshed(tmp_path).models == {}


def test_a_hub_that_is_away_is_not_asked_on_and_on(tmp_path: Path) -> None:
    away = Hub(endpoint="http://127.0.0.1:9", timeout_s=1)
    report = refresh(tmp_path, hub=away, prices_url="http://127.0.0.1:9/", pause=lambda _seconds: None)
    assert report.asked == 3
    assert report.learnt_nothing
    assert not (tmp_path / "catalogue").exists()


def test_a_hub_that_limits_requests_is_left_alone(tmp_path: Path, hub: FakeHub) -> None:
    for name in (QWEN, LLAMA):
        hub.add(name)
        hub.status[f"/api/models/{name}"] = 429
    assert refreshed(tmp_path, hub, QWEN, LLAMA).asked == 1


def test_a_run_asks_no_more_than_its_limit_and_the_next_run_goes_on(tmp_path: Path, hub: FakeHub) -> None:
    first = refreshed(tmp_path, hub, limit=2)
    assert first.asked == 2
    assert first.left > 300
    assert sum(path.startswith("/api/models/") for path in hub.asked) == 2


def test_no_token_leaves_and_no_code_of_a_repository_is_asked_for(
    tmp_path: Path, hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    hub.add(QWEN, config={"auto_map": {"AutoConfig": "evil.EvilConfig"}})
    refreshed(tmp_path, hub, QWEN)
    assert not any(path.endswith(".py") for path in hub.asked)
    assert "hf_secret" not in str(hub.headers)


def test_fetched_prices_come_into_force_and_the_change_is_told(tmp_path: Path, hub: FakeHub) -> None:
    hub.answers["/prices.json"] = a_price_list(input_mtok=1.25)
    report = refreshed(tmp_path, hub, limit=0)
    open_catalogue(tmp_path)
    price = hosted_price("openai/gpt-4.1")
    assert price is not None
    assert (price.input_usd_per_mtok, price.source.url) == (1.25, "https://openai.com/prices")
    assert [(c.name, c.field) for c in report.changes] == [("openai/gpt-4.1", "price")]


@pytest.mark.parametrize(
    "answer", [b"not json", b"{}", b"[]", a_price_list(input_mtok=-3), a_price_list(input_mtok=0)]
)
def test_a_bad_price_list_leaves_the_prices_as_they_were(tmp_path: Path, hub: FakeHub, answer: Any) -> None:
    hub.answers["/prices.json"] = a_price_list(input_mtok=1.25)
    refreshed(tmp_path, hub, limit=0)
    hub.answers["/prices.json"] = answer
    report = refreshed(tmp_path, hub, limit=0)
    open_catalogue(tmp_path)
    price = hosted_price("openai/gpt-4.1")
    assert report.prices is None
    assert price is not None
    assert price.input_usd_per_mtok == 1.25


def test_a_configuration_with_other_names_is_read() -> None:
    gpt2 = architecture_from({"n_layer": 12, "n_head": 12, "n_embd": 768, "n_positions": 1024})
    assert (gpt2["n_layers"], gpt2["n_kv_heads"], gpt2["head_dim"]) == (12, 12, 64)
    assert gpt2["max_context_tokens"] == 1024


def test_latent_attention_has_no_head_size_of_its_own() -> None:
    found = architecture_from({"num_attention_heads": 128, "hidden_size": 7168, "kv_lora_rank": 512})
    assert "head_dim" not in found
    assert "n_kv_heads" not in found


def test_the_command_refreshes_from_the_hub_that_hf_endpoint_names(tmp_path: Path, hub: FakeHub) -> None:
    hub.add(SNOWFLAKE, cardData={"license": "apache-2.0"})
    command = [sys.executable, "-m", "bot", "catalogue", "refresh", SNOWFLAKE, "--json"]
    done = subprocess.run(
        [*command, "--prices-url", f"{hub.url}/prices.json"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "SHORTLIST_HOME": str(tmp_path), "HF_ENDPOINT": hub.url, "HF_HUB_OFFLINE": "0"},
    )
    told = json.loads(done.stdout)
    assert done.returncode == 0
    assert [change["field"] for change in told["changes"]] == ["licence", "commercial_use"]
    assert told["failures"] == [{"name": "genai-prices", "why": "no answer"}]
