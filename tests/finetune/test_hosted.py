"""Hosted candidates over real HTTP: how they are asked, what is waited out, what is counted, what it costs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from finetune.columns import Row
from finetune.data import register
from finetune.recipes.api import Api, NotAnswered, measured_as, price_of
from finetune.recipes.asking import Reply
from finetune.recipes.hosted import HostedAsker, HostedCandidate, label_in
from finetune.recipes.job_dir import Context
from finetune.spec import Candidate, DatasetRef, DatasetTask, EvaluationSpec
from index.errors import BadInput, JobFailed, ShortlistError
from index.prices import TokenPrice, use_prices
from index.records import Source
from tests.finetune.recipe_runs import job_folder, lines_of, result_of, run
from tests.openai_server import Payload, Server, openai_server

LABELS = ("refund", "refund request", "shipping")
PRICE = TokenPrice(
    model_id="m",
    provider="p",
    input_usd_per_mtok=1.0,
    output_usd_per_mtok=3.0,
    source=Source(name="s", url="u"),
    date="2026-01-01",
)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-test")
    with openai_server() as running:
        yield running


@pytest.fixture(autouse=True)
def _prices() -> Iterator[None]:
    yield
    use_prices({})


def candidate(server: Server, name: str = "openai:m") -> Candidate:
    return Candidate(model=name, base_url=server.url)


def api(server: Server, *, timeout_s: float = 20.0, price: TokenPrice | None = PRICE) -> Api:
    return Api(candidate(server), price, max_tokens=64, timeout_s=timeout_s, retry_waits=False)


def spec(server: Server, task: DatasetTask = "classification", **more: Any) -> EvaluationSpec:
    labels = LABELS if task == "classification" else ()
    dataset = DatasetRef(name="d", sha256="0" * 64, rows=10, labels=labels, task=task)
    return EvaluationSpec(candidates=(candidate(server),), dataset=dataset, **more)


def rows(count: int) -> list[Row]:
    return [Row(id=str(n), text=f"text {n}", label="refund") for n in range(count)]


def asked(server: Server, count: int = 1, task: DatasetTask = "classification") -> list[Reply]:
    return list(HostedAsker(api(server), spec(server, task), ()).ask(rows(count)))


def question(body: Payload) -> str:
    return str(body["messages"][-1]["content"])


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("refund", "refund"),
        ('"Refund."', "refund"),
        ("The label is: **Refund Request**", "refund request"),
        ("I would say shipping, because it never came.", "shipping"),
        ("It is a refund request", "refund request"),
        ("答案是shipping。", "shipping"),
        ("refund or shipping", None),
        ("refunds", None),
        ("no idea", None),
    ],
)
def test_an_answer_means_the_label_that_it_is_or_the_only_one_in_it(text: str, label: str | None) -> None:
    assert label_in(text, LABELS) == label


def test_it_is_told_the_same_as_a_local_model_as_chat_messages(server: Server) -> None:
    server.says = "refund"
    asker = HostedAsker(api(server), spec(server), [("where is it?", "shipping")])
    reply = next(asker.ask(rows(1)))
    system, shot, answer, last = server.chats[0]["messages"]
    assert system["content"].startswith("Classify the user's message with one label.\nLabels:\n- refund\n")
    assert [shot["content"], answer["content"], last["content"]] == ["where is it?", "shipping", "text 0"]
    assert server.chats[0]["temperature"] == 0
    assert (reply.prediction, reply.problem, reply.usd) == ("refund", None, pytest.approx(4e-6))


def test_a_written_answer_is_streamed_with_its_tokens_and_its_first_one_timed(server: Server) -> None:
    server.says, server.usage = "<think>hm, Paris?</think>\n Paris it is", (200, 100)
    reply = asked(server, task="question-answering")[0]
    assert reply.prediction == "Paris it is"
    assert (reply.input_tokens, reply.output_tokens, reply.usd) == (200, 100, pytest.approx(500e-6))
    assert reply.first_token_s is not None
    assert reply.latency_s is not None
    assert reply.first_token_s <= reply.latency_s


def test_rows_come_back_in_their_order_however_late_each_answer_is(server: Server) -> None:
    server.answers = lambda body: LABELS[int(question(body).split()[1]) % 3]
    replies = asked(server, 30)
    assert [reply.row.id for reply in replies] == [str(n) for n in range(30)]
    assert [reply.prediction for reply in replies] == [LABELS[n % 3] for n in range(30)]


def test_a_cost_without_price_or_tokens_is_unknown_and_not_zero(server: Server) -> None:
    assert api(server, price=None).say([("human", "?")]).usd is None
    server.usage = None
    assert api(server).say([("human", "?")]).usd is None


@pytest.mark.parametrize("status", [429, 500, 503])
def test_passing_trouble_is_waited_out(server: Server, status: int) -> None:
    server.says, server.fails = "refund", [(status, {"Retry-After": "0"})] * 3
    assert asked(server)[0].prediction == "refund"
    assert len(server.chats) == 4


def test_the_server_says_how_long_to_wait(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    asking, waits = api(server), list[float]()
    monkeypatch.setattr(asking, "_sleep", waits.append)
    server.fails = [(429, {"Retry-After": "7"}), (429, {"Retry-After": "soon"}), (503, {})]
    asking.say([("human", "?")])
    assert waits[0] == 7
    assert 0 < waits[1] < waits[2] < 20


def test_a_model_that_takes_no_temperature_is_asked_without_one(server: Server) -> None:
    server.takes_temperature, server.says = False, "refund"
    asking = api(server)
    assert asking.say([("human", "?")]).text == "refund"
    assert asking.temperature is None


def failure(asking: Api) -> NotAnswered:
    with pytest.raises(NotAnswered) as raised:
        asking.say([("human", "?")])
    return raised.value


@pytest.mark.parametrize(
    ("status", "code", "words", "is_hopeless"),
    [
        (404, None, "has no model 'm'", True),
        (429, "insufficient_quota", "no credit left", True),
        (429, None, "too many requests", False),
        (500, None, "HTTP 500", False),
        (400, "context_length_exceeded", "context_length_exceeded", False),
    ],
)
def test_what_went_wrong_is_said_in_a_sentence(
    server: Server, status: int, code: str | None, words: str, is_hopeless: bool
) -> None:
    server.fails, server.error_code = [(status, {})] * 9, code
    failed = failure(api(server))
    assert words in failed.reason.en
    assert failed.is_hopeless is is_hopeless
    assert all(text and "{" not in text for text in (failed.reason.en, failed.reason.zh))


def test_a_wrong_key_is_named_and_not_shown(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    server.key = "another"
    failed = failure(api(server))
    assert "does not accept the key" in failed.reason.en
    assert "OPENAI_API_KEY" in failed.reason.en
    assert failed.is_hopeless
    assert "sk-of-the-test" not in failed.reason.en + failed.reason.zh + caplog.text
    assert len(server.chats) == 1


def test_a_server_that_hangs_is_left_in_time(server: Server) -> None:
    server.waits_s = 30
    assert "did not answer in time" in failure(api(server, timeout_s=0.05)).reason.en


@pytest.mark.parametrize("raw", [b"<html>welcome</html>", b'{"choices": null}', b"{}"])
def test_garbled_answers_are_failures(server: Server, raw: bytes) -> None:
    server.raw = raw
    assert "no chat answer" in failure(api(server)).reason.en


def test_nobody_at_the_address_fails_at_the_first_row() -> None:
    with openai_server() as gone:
        pass
    with pytest.raises(JobFailed, match="cannot be reached"):
        asked(gone, 40)


def test_rows_that_keep_failing_are_counted_and_the_others_answered(server: Server) -> None:
    server.says = "refund"
    server.fails = [(400, {})] * 2
    replies = asked(server, 20)
    assert [reply.problem for reply in replies].count("failed") == 2
    assert [reply.problem for reply in replies].count(None) == 18


def test_after_several_failures_in_a_row_the_candidate_is_given_up_and_nothing_is_kept(
    server: Server,
) -> None:
    server.fails = [(400, {})] * 100
    asker, kept = HostedAsker(api(server), spec(server), ()), list[Reply]()
    with pytest.raises(JobFailed, match="HTTP 400"):
        kept.extend(asker.ask(rows(100)))
    assert kept == []
    assert len(server.chats) < 40


@pytest.mark.parametrize(
    ("scripted", "problem"),
    [
        ({"says": ""}, "empty"),
        ({"says": "I cannot tell"}, "no-label"),
        ({"says": "x", "ends_with": "content_filter"}, "refused"),
        ({"says": "", "refusal": "I will not"}, "refused"),
        ({"fails": [(400, {})], "error_code": "content_filter"}, "refused"),
    ],
)
def test_no_usable_answer_is_a_wrong_answer_that_is_counted(
    server: Server, scripted: dict[str, Any], problem: str
) -> None:
    for name, value in scripted.items():
        setattr(server, name, value)
    reply = asked(server)[0]
    assert (reply.prediction, reply.problem) == ("", problem)


def context(tmp_path: Path) -> Context:
    return Context(home=tmp_path)


def test_the_price_is_the_providers_or_the_teams_own(tmp_path: Path) -> None:
    listed = price_of(Candidate(model="openai:gpt-4.1-mini"), tmp_path)
    assert listed is not None
    assert (listed.input_usd_per_mtok, listed.output_usd_per_mtok) == (0.4, 1.6)
    own = Candidate(model="openai:gpt-4.1-mini", base_url="http://127.0.0.1:9/v1")
    assert price_of(own, tmp_path) is None
    (tmp_path / "team.yaml").write_text(
        "prices: [{model: 'openai:gpt-4.1-mini@http://127.0.0.1:9/v1', input_usd_per_mtok: 2, output_usd_per_mtok: 5}]"
    )
    stated = price_of(own, tmp_path)
    assert stated is not None
    assert stated.input_usd_per_mtok == 2


def test_what_a_maker_serves_is_measured_under_the_catalogues_name(tmp_path: Path) -> None:
    assert measured_as(Candidate(model="openai:gpt-4.1-mini"), tmp_path) == "openai/gpt-4.1-mini"
    assert measured_as(Candidate(model="openai:of-nobody"), tmp_path) == "openai:of-nobody"
    own = Candidate(model="openai:gpt-4.1-mini", base_url="http://127.0.0.1:9/v1")
    assert measured_as(own, tmp_path) == "openai:gpt-4.1-mini@http://127.0.0.1:9/v1"


def opening(tmp_path: Path, wanted: EvaluationSpec) -> ShortlistError:
    with pytest.raises(ShortlistError) as raised:
        HostedCandidate(wanted.candidates[0], wanted, (), context(tmp_path))
    return raised.value


def test_what_an_api_cannot_do_is_refused_in_a_sentence(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "how likely a text is" in str(opening(tmp_path, spec(server, "language-modelling")))
    assert "price" in str(opening(tmp_path, spec(server, max_usd=1.0)))
    monkeypatch.delenv("OPENAI_API_KEY")
    at_openai = spec(server).model_copy(update={"candidates": (Candidate(model="openai:gpt-4.1-mini"),)})
    assert "OPENAI_API_KEY is not set" in str(opening(tmp_path, at_openai))
    absent = spec(server).model_copy(update={"candidates": (Candidate(model="xai:grok-4"),)})
    assert "pip install langchain-xai" in str(opening(tmp_path, absent))


def test_an_own_server_needs_no_key(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    server.says = "refund"
    assert asked(server)[0].prediction == "refund"


# The recipe itself, as a child process.


def written(folder: Path, count: int) -> Path:
    lines = [{"text": f"text {n}", "label": LABELS[n % 3]} for n in range(count)]
    path = folder / "rows.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    return path


def job_of(tmp_path: Path, count: int, candidates: Sequence[Candidate], **more: Any) -> Path:
    dataset = register(written(tmp_path, count), home=tmp_path)
    wanted = EvaluationSpec(candidates=tuple(candidates), dataset=dataset, **more)
    return job_folder(tmp_path / "job", wanted, tmp_path)


def right(body: Payload) -> str:
    """One model is always right, another half of the time, a third is refused."""
    number = int(question(body).split()[1])
    return LABELS[(number + (body["model"] == "half" and number % 2)) % 3]


def test_hosted_candidates_race_and_their_cost_is_in_the_result(server: Server, tmp_path: Path) -> None:
    server.answers, server.usage = right, (100, 10)
    (tmp_path / "team.yaml").write_text(
        "prices: [{model: 'openai:right', input_usd_per_mtok: 1, output_usd_per_mtok: 10}]"
    )
    candidates = [candidate(server, name) for name in ("openai:right", "openai:half")]
    candidates.append(Candidate(model="openai:gone", base_url="http://127.0.0.1:1/v1"))
    job = job_of(tmp_path, 90, candidates)
    ended = run("evaluate", job)
    assert ended.returncode == 0, ended.stderr
    result = result_of(job)
    best, half, gone = result["candidates"]
    assert (result["verdict"], result["winner"]) == ("winner", best["label"])
    assert (best["usd"], best["input_usd_per_mtok"]) == (pytest.approx(200e-6 * best["items_seen"]), 1)
    assert (half["usd"], half["input_usd_per_mtok"], half["peak_memory_gib"]) == (None, None, None)
    assert half["stopped"] == "eliminated"
    assert half["latency_p95_s"] > 0
    assert (gone["stopped"], "cannot be reached" in gone["reason"]) == ("failed", True)
    assert result["spent_usd"] is None
    assert gone["hosted"] == {"provider": "openai", "model": "gone", "base_url": "http://127.0.0.1:1/v1"}
    page = Path(result["report"]).read_text(encoding="utf-8")
    assert "$1.00 / $10.00" in page
    assert "its price is unknown" in page
    left = [path for path in tmp_path.rglob("*") if path.is_file() and b"sk-of-the-test" in path.read_bytes()]
    assert left == []
    assert "sk-of-the-test" not in ended.stderr
    assert {chat["key"] for chat in server.chats} == {"sk-of-the-test"}


def test_the_budget_ends_the_asking_before_it_is_exceeded(server: Server, tmp_path: Path) -> None:
    server.answers, server.usage = right, (100, 0)
    (tmp_path / "team.yaml").write_text(
        "prices: [{model: 'openai:right', input_usd_per_mtok: 10000, output_usd_per_mtok: 1}]"
    )
    job = job_of(tmp_path, 90, [candidate(server, "openai:right")], max_usd=50.0)
    assert run("evaluate", job).returncode == 0
    result = result_of(job)
    assert 20 <= result["spent_usd"] <= 50
    assert result["candidates"][0]["items_seen"] == round(result["spent_usd"])
    notes = [line["data"]["en"] for line in lines_of(job / "events.jsonl") if line["kind"] == "note"]
    assert "the budget" in notes[-1]
    told = [line["data"] for line in lines_of(job / "events.jsonl") if line["kind"] == "progress"]
    spent = [one["spent_usd"] for one in told if "spent_usd" in one]
    assert spent == sorted(spent)
    assert 0 < spent[-1] <= result["spent_usd"]
    # Another job goes on where this one stopped, and pays for no answer twice.
    again = job_folder(
        tmp_path / "again", EvaluationSpec.model_validate_json((job / "spec.json").read_text()), tmp_path
    )
    assert run("evaluate", again).returncode == 0
    seen, more = result["candidates"][0]["items_seen"], result_of(again)["candidates"][0]
    assert (more["items_seen"], more["items_cached"]) == (90, seen)
    assert result_of(again)["spent_usd"] == pytest.approx(90 - seen)
    assert len(server.chats) == 90


def test_bad_addresses_and_loadings_of_hosted_models_are_refused() -> None:
    for text, words in {
        "openai:m@int8": "cannot be quantized",
        "openai:m@http://user:secret@host/v1": "without user, password",
        "openai:m@http://": "no such address",
        "smollm2@http://127.0.0.1/v1": "A server cannot be named",
        "groq:m@http://127.0.0.1/v1": "A server cannot be named",
    }.items():
        with pytest.raises(BadInput, match=words) as raised:
            Candidate.parse(text)
        assert "secret" not in str(raised.value)
    with pytest.raises(BadInput, match="no adapter"):
        Candidate(model="openai:m", adapter="/a")


def test_hosted_candidates_are_written_with_their_server() -> None:
    parsed = Candidate.parse("openai:qwen3@http://127.0.0.1:8000/v1/")
    assert (parsed.model, parsed.base_url) == ("openai:qwen3", "http://127.0.0.1:8000/v1")
    assert parsed.label == "openai:qwen3 at 127.0.0.1:8000"
    assert Candidate.parse(parsed.address) == parsed
    assert Candidate.parse("openai:@cf/meta/llama-4").model == "openai:@cf/meta/llama-4"
