"""Feed every parser of outside bytes with damaged and made-up input: a refusal in one sentence is right, all else a bug.

Small numbers of cases are run by tests/test_outside_bytes.py. Slack's door takes a thirtieth of the cases, and results of
lm-eval a tenth: each of theirs takes 50 to 1,000 ms.

python -m benchmarks.fuzz [--cases 10000] [NAME …]
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
import logging
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlencode

import pyarrow as pa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl import Workbook
from pyarrow import parquet
from pypdf import PdfWriter

from bot.backup import _unpacked
from bot.inbound import place_of_message, plain_text, turn_of_message
from bot.spec_file import read_spec
from finetune.architecture import architecture_from_config
from finetune.data import register
from finetune.folder import JobFolder
from finetune.models import resolve
from finetune.table_files import read_file
from index.catalogue.home import read_prices, read_refreshed
from index.catalogue.imports import import_path
from index.errors import ShortlistError
from index.parsers.extract import Question
from index.parsers.extract.__main__ import _answer
from index.parsers.registry import PARSERS
from skills.conversation.models_named import ModelNames
from skills.conversation.quotes import own_words
from skills.conversation.request import Turn
from skills.conversation.understand import understand
from skills.curve_tables import read_curves
from skills.grounding.check import check
from skills.grounding.evidence import Evidence
from skills.outcomes import read_outcomes
from tests.slack_bot import open_surface, running_bot
from tests.slack_person import post_signed
from tests.slack_server import SIGNING_SECRET, SlackServer

Target = Callable[[bytes], object]
_IN_PROCESS = (".md", ".txt", ".csv", ".tsv", ".jsonl", ".json", ".ipynb")
_FEWER = {"lm-eval results": 10, "slack command": 100}
_NAMES = ModelNames.from_ids(["Qwen/Qwen3-8B", "HuggingFaceTB/SmolLM2-135M-Instruct"])
_CSV = "text,label\n" + "".join(f'"row {n}, 你好",{"ab"[n % 2]}\n' for n in range(12))
_LINES = "".join(f'{{"text": "row {n} 你好", "label": "{"ab"[n % 2]}"}}\n' for n in range(12))
_LM_EVAL = (
    '{"results": {"gsm8k": {"exact_match,strict-match": 0.5}}, "config": {"model": "hf"}, "date": 1.7e9}'
)
_SCORES = "item,a,b\n" + "".join(f"{n},{n % 2},1\n" for n in range(12))


_WEIGHTS = (
    (58).to_bytes(8, "little") + b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}    ' + b"\0" * 4
)
_EVENT = {
    "type": "event_callback", "team_id": "T0TEAM", "api_app_id": "A0APP", "event_id": "E1",
    "event": {"type": "app_mention", "user": "U0ANA", "text": "<@U0BOT> hi", "ts": "1.1", "channel": "C0TEAM"},
}  # fmt: skip
_COMMAND = {
    "command": "/evaluate", "text": "smollm2 on tickets", "channel_id": "C0TEAM", "user_id": "U0ANA",
    "team_id": "T0TEAM", "trigger_id": "1.2", "response_url": "http://127.0.0.1:9/r",
}  # fmt: skip
_WHO = {
    "user": {"id": "U0ANA"},
    "team": {"id": "T0TEAM"},
    "trigger_id": "1.2",
    "response_url": "http://127.0.0.1:9/r",
}
_PRESS = {
    **_WHO, "type": "block_actions", "channel": {"id": "C0TEAM"}, "message": {"ts": "1.1"},
    "container": {"type": "message", "message_ts": "1.1", "channel_id": "C0TEAM"},
    "actions": [{"action_id": "shortlist_cancel", "block_id": "b", "value": "1", "type": "button"}],
}  # fmt: skip
_FORM = {
    **_WHO, "type": "view_submission",
    "view": {
        "id": "V1", "type": "modal", "callback_id": "shortlist_evaluate", "private_metadata": "{}",
        "state": {"values": {}},
    },
}  # fmt: skip


def _archive() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, content in {
            "manifest.json": b'{"format": 1, "store": "sqlite", "sha256": {}}',
            "home/a": b"a",
        }.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def _docx() -> bytes:
    """The least that is a Word document."""
    office, out = "http://schemas.openxmlformats.org", io.BytesIO()
    kind = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
    part, relation = "word/document.xml", f"{office}/officeDocument/2006/relationships/officeDocument"
    body = "<w:body><w:p><w:r><w:t>words 你好</w:t></w:r></w:p></w:body>"
    files = {
        "[Content_Types].xml": f'<Types xmlns="{office}/package/2006/content-types">'
        f'<Override PartName="/{part}" ContentType="{kind}"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{office}/package/2006/relationships">'
        f'<Relationship Id="r" Type="{relation}" Target="{part}"/></Relationships>',
        part: f'<w:document xmlns:w="{office}/wordprocessingml/2006/main">{body}</w:document>',
    }
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


def _pdf() -> bytes:
    writer, out = PdfWriter(), io.BytesIO()
    writer.add_blank_page(72, 72)
    writer.write(out)
    return out.getvalue()


def _kept_file(home: Path, name: str, read: Callable[[Path], object]) -> Target:
    def run(content: bytes) -> object:
        path = home / "catalogue" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return read(home)

    return run


def _workbook() -> bytes:
    book, out = Workbook(), io.BytesIO()
    for line in _CSV.splitlines():
        book.active.append(line.rsplit(",", 1))
    book.save(out)
    return out.getvalue()


def _parquet() -> bytes:
    out = io.BytesIO()
    parquet.write_table(pa.table({"text": [f"row {n}" for n in range(12)], "label": ["a", "b"] * 6}), out)
    return out.getvalue()


def _file(folder: Path, name: str, read: Callable[[Path], object]) -> Target:
    def run(content: bytes) -> object:
        path = folder / name
        path.write_bytes(content)
        return read(path)

    return run


def _slack(content: bytes) -> object:
    text = content.decode("utf-8", "replace")
    event = {"user": "U0ANA", "text": text, "ts": "1.0"}
    return turn_of_message(place_of_message("T0", "C0", event), event, "U0BOT"), plain_text(text, "U0BOT")


def _message(content: bytes) -> object:
    text = content.decode("utf-8", "replace")
    return own_words(text), understand(Turn(text=text, thread="t", person="U0ANA"), None, [], _NAMES)


def _worded(content: bytes) -> object:
    """What a chat model may answer, against evidence of one sentence."""
    evidence = Evidence(facts=(), marks=frozenset({1}), texts=("Qwen3-8B needs 16 GiB [1].",), names=_NAMES,
        source_models={1: frozenset({"Qwen/Qwen3-8B"})}, source_texts={1: "Qwen3-8B needs 16 GiB."})  # fmt: skip
    return check(content.decode("utf-8", "replace"), evidence).text


def _config(content: bytes) -> object:
    """A `config.json` that somebody published."""
    try:
        config = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return architecture_from_config(config) if isinstance(config, dict) else None


def _extracted(kind: str) -> Target:
    return lambda content: _answer(Question(kind=kind, size=len(content), max_time_s=60), content)


def _model_folder(folder: Path, name: str) -> Target:
    """A folder that is said to be a model, one file of which is the input."""
    place = folder / "model"
    place.mkdir(exist_ok=True)
    (place / "config.json").write_text('{"model_type": "llama"}')
    (place / "model.safetensors").write_bytes(_WEIGHTS)

    def run(content: bytes) -> object:
        (place / name).write_bytes(content)
        try:
            return resolve(str(place))
        finally:
            (place / "model.safetensors").write_bytes(_WEIGHTS)

    return run


@contextmanager
def slack_door(folder: Path) -> Iterator[dict[str, tuple[Target, bytes]]]:
    """The real app behind its HTTP door; every body is signed, so that it gets past the first check.

    What Slack never sends may be refused or may fail in its listener, in the log: the door answers, and nothing starts.
    """
    server = SlackServer()
    with running_bot(open_surface(folder / "slack"), server) as bot:

        def post(content_type: str, wrap: Callable[[str], str]) -> Target:
            def run(content: bytes) -> None:
                body = wrap(content.decode("utf-8", "replace"))
                status, _ = post_signed(bot.port, SIGNING_SECRET, body, {"Content-Type": content_type})
                if status >= 500 or bot.surface.jobs.list():
                    raise AssertionError(f"answered {status}, jobs {bot.surface.jobs.list()}")

            return run

        form = "application/x-www-form-urlencoded"
        yield {
            "slack event": (post("application/json", str), json.dumps(_EVENT).encode()),
            "slack command": (post(form, str), urlencode(_COMMAND).encode()),
            "slack button": (
                post(form, lambda text: urlencode({"payload": text})),
                json.dumps(_PRESS).encode(),
            ),
            "slack form": (post(form, lambda text: urlencode({"payload": text})), json.dumps(_FORM).encode()),
        }
    server.close()


def targets(folder: Path) -> dict[str, tuple[Target, bytes]]:
    """Parser by name, and a file that it reads, of which damaged ones are made."""
    csv, lines = _CSV.encode(), _LINES.encode()
    home = folder / "home"
    as_list = b"[" + lines.strip().replace(b"\n", b",") + b"]"
    seeds = {
        ".csv": csv,
        ".tsv": csv.replace(b",", b"\t"),
        ".jsonl": lines,
        ".json": as_list,
        ".xlsx": _workbook(),
        ".parquet": _parquet(),
        ".csv.gz": gzip.compress(csv),
    }
    found = {f"table {kind}": (_file(folder, f"t{kind}", read_file), seed) for kind, seed in seeds.items()}
    found["data set .csv"] = (_file(folder, "d.csv", lambda path: register(path, home=home)), csv)
    documents = {".ipynb": b'{"cells": [{"cell_type": "markdown", "source": ["# a"]}], "metadata": {}}'}
    for kind in _IN_PROCESS:
        seed = (
            seeds.get(kind) or documents.get(kind) or b"# Head\n\n- a [b](http://c)\n\n| a | b |\n|---|---|\n"
        )
        found[f"document {kind}"] = (lambda content, k=kind: PARSERS[k](content, "stem"), seed)
    spec = b"models: [smollm2]\ndataset: tickets\nlimit: 10\n"
    allowed = {"models", "dataset", "limit"}
    found["spec .yaml"] = (_file(folder, "s.yaml", lambda path: read_spec(path, {}, allowed=allowed)), spec)
    found["outcomes .csv"] = (_file(folder, "o.csv", read_outcomes), _SCORES.encode())
    samples = b'{"doc_id": 1, "acc": 1.0, "target": "a", "doc": {}}\n' * 3
    found["lm-eval samples"] = (_file(folder, "samples_x.jsonl", read_outcomes), samples)
    results = _file(folder, "results_1.json", lambda path: import_path(home, "lm-eval", path))
    found["lm-eval results"] = (results, _LM_EVAL.encode())
    found["curves .csv"] = (
        _file(folder, "c.csv", read_curves),
        b"model,200,400,800\na,1.5,1.2,1.1\nb,1.9,1.0,0.8\n",
    )
    found["job result .json"] = (
        _file(folder, "result.json", lambda path: JobFolder(path.parent).result()),
        b'{"a": [1]}',
    )
    found["catalogue of the home"] = (_kept_file(home, "models.json", read_refreshed), b'{"models": {}}')
    found["prices of the home"] = (_kept_file(home, "prices.json", read_prices), b'{"prices": []}')
    found["model config.json"] = (
        _config,
        b'{"architectures": ["LlamaForCausalLM"], "num_hidden_layers": 2, "id2label": {"0": "a"}}',
    )
    found["model folder, weights"] = (_model_folder(folder, "model.safetensors"), _WEIGHTS)
    found["model folder, index"] = (
        _model_folder(folder, "model.safetensors.index.json"),
        b'{"weight_map": {"a": "model.safetensors"}}',
    )
    found["backup archive"] = (
        _file(folder, "b.tar.gz", lambda path: _unpacked(path, folder / "unpacked")),
        _archive(),
    )
    found["words of a chat model"] = (_worded, b"Qwen3-8B needs 16 GiB [1]. It is best, 99% sure [2].")
    for kind, seed in {
        "html": b"<html><h1>a</h1><p>b <a href='c'>d</a></p></html>",
        "docx": _docx(),
        "pdf": _pdf(),
    }.items():
        found[f"document .{kind}"] = (_extracted(kind), seed)
    found["slack text"] = (_slack, "<@U0BOT> evaluate <http://a.csv|a.csv> &gt; 评测 smollm2".encode())
    found["message"] = (_message, "evaluate smollm2 on tickets with nf4, 在 24 GB 上".encode())
    return found


_PIECES = (
    b'"', b"{", b"[", b"\n", b"\0", b"\xff", b"1e999", b"null", b"[]", b"{}", b"NaN", b"&a", b"\xed\xa0\x80",
)  # fmt: skip


def damaged(seed: bytes) -> st.SearchStrategy[bytes]:
    """The seed with pieces replaced, cut, doubled; or anything at all."""
    piece = st.one_of(st.binary(max_size=6), st.sampled_from(_PIECES))
    edit = st.tuples(st.integers(0, len(seed)), st.integers(0, 12), piece)

    def edited(edits: list[tuple[int, int, bytes]]) -> bytes:
        content = seed
        for at, length, new in edits:
            content = content[:at] + new + content[at + length :]
        return content

    words = st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace"))
    return st.one_of(st.lists(edit, max_size=6).map(edited), st.binary(max_size=200), words)


def fuzz(target: Target, seed: bytes, cases: int, *, is_random: bool = True) -> None:
    """Raise what the target raises when it is no refusal, with the smallest input that does it."""

    @settings(
        max_examples=cases,
        deadline=None,
        database=None,
        derandomize=not is_random,
        suppress_health_check=list(HealthCheck),
    )
    @given(damaged(seed))
    def run(content: bytes) -> None:
        with suppress(ShortlistError):
            target(content)

    run()


def main() -> None:
    """Print a line for each parser."""
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--cases", type=int, default=10_000)
    asked = parser.parse_args()
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as folder, slack_door(Path(folder)) as door:
        for name, (target, seed) in {**targets(Path(folder)), **door}.items():
            if not asked.names or name in asked.names:
                cases = max(1, asked.cases // _FEWER.get(name, 30 if name in door else 1))
                print(f"{name}\t{cases:,} cases\t{_outcome(target, seed, cases)}", flush=True)


def _outcome(target: Target, seed: bytes, cases: int) -> str:
    began_s = time.monotonic()
    try:
        fuzz(target, seed, cases)
        said = "no crash"
    except Exception as error:  # what is looked for
        notes = " ".join(getattr(error, "__notes__", []))
        said = f"CRASH {type(error).__name__}: {str(error)[:200]} {notes[:200]}"
    return f"{time.monotonic() - began_s:.0f} s\t{said}"


if __name__ == "__main__":
    main()
