"""The parsers of outside bytes, each with files that it reads, of which damaged ones are made."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import shutil
import struct
import tarfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import pyarrow as pa
from openpyxl import Workbook
from pyarrow import parquet
from safetensors.numpy import save

from benchmarks.fuzz_slack import signed_door
from bot.backup import _unpacked as unpacked_archive
from bot.data_choice import PASTE, DataDesk
from bot.files import FileShelf
from bot.inbound import place_of_message, plain_text, turn_of_message
from bot.roles import read_rules
from bot.spec_file import read_spec
from bot.subcommands import evaluate, finetune
from finetune.architecture import architecture_of, fact_of
from finetune.data import register
from finetune.folder import JobFolder, read_event
from finetune.jobs import Jobs
from finetune.models import ModelLocation
from finetune.publish import measurements_of
from finetune.recipes.kept_answers import KeptAnswers, folder_of
from finetune.spec import Candidate, DatasetRef, EvaluationSpec, TuningSpec
from finetune.state import Job
from finetune.table_files import read_file
from index.bilingual import Bilingual
from index.catalogue.home import open_catalogue
from index.catalogue.imports import _READERS as READERS
from index.catalogue.imports import Page, Taken
from index.catalogue.team import read_team
from index.catalogue.tuned import FILE as TUNED
from index.catalogue.tuned import read_tuned
from index.errors import BadDocument
from index.parsers.extract import Question
from index.parsers.extract.__main__ import _answer as extracted
from index.parsers.registry import PARSERS
from index.store import open_store, sqlite_url
from skills.conversation.answer import Answer, Citation
from skills.conversation.models_named import ModelNames
from skills.conversation.quotes import own_words
from skills.conversation.request import Requirements, Turn
from skills.conversation.understand import understand
from skills.curve_tables import read_curves
from skills.grounding import Report, checked, evidence_of
from skills.outcomes import read_outcomes

Target = Callable[[bytes], object]
Found = dict[str, tuple[Target, Sequence[bytes]]]

_IN_PROCESS = (".md", ".txt", ".csv", ".tsv", ".jsonl", ".json", ".ipynb")
_MODEL = "HuggingFaceTB/SmolLM2-135M-Instruct"
_NAMES = ModelNames.from_ids(["Qwen/Qwen3-8B", _MODEL])
_CSV = ("text,label\n" + "".join(f'"row {n}, 你好",{"ab"[n % 2]}\n' for n in range(12))).encode()
_LINES = "".join(f'{{"text": "row {n} 你好", "label": "{"ab"[n % 2]}"}}\n' for n in range(12)).encode()
_LIST = b"[" + _LINES.strip().replace(b"\n", b",") + b"]"
_CHATS = b'{"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "a"}]}\n' * 2
_MARKDOWN = b"---\ntitle: Leave\nlanguage: en\ntags: [a, b]\n---\n# Head\n\n- a [b](http://c)\n\n| a | b |\n|---|---|\n| 1 | 2 |\n"
_HTML = b"<html><head><title>t</title></head><body><h1>a</h1><table><tr><td>b</td></tr></table><p>c<a href='x'>d</a></body></html>"
_SPEC = b"models: [smollm2]\ndataset: tickets\nlimit: 10\nseed: 1\n"
_TUNING = b"model: smollm2\ndataset: tickets\nepochs: 2\nlora_rank: 8\nmethod: lora\n"
_ACCESS = b"roles:\n  administrator: [U0MIRA]\n  asker: ['*']\nquotas:\n  person: {gpu_minutes: 600, usd: 50}\napproval: {usd: 20}\n"
_TEAM = (
    b"models:\n- id: acme/ours-8b\n  params_b: 8\n  context_tokens: 32768\nprices:\n- model: acme/ours-8b\n"
    b"  input_usd_per_mtok: 0.1\n  output_usd_per_mtok: 0.2\ngpus:\n- name: Ours\n  vram_gib: 48\n"
)
_LM_EVAL = b'{"results": {"gsm8k": {"exact_match,strict-match": 0.5}}, "config": {"model": "hf", "model_args": "pretrained=Qwen/Qwen3-8B", "limit": null}, "date": 1.7e9}'  # fmt: skip
_LLMFIT = b'[{"name": "Qwen/Qwen3-8B", "provider": "Qwen", "parameters_raw": 8000000000, "context_length": 32768, "use_case": "chat"}]'
_MTEB = b'{"task_name": "STS12", "dataset_revision": "a", "mteb_version": "1", "scores": {"test": [{"main_score": 0.5, "hf_subset": "default"}]}}'  # fmt: skip
_SCORES = ("item,a,b\n" + "".join(f"{n},{n % 2},1\n" for n in range(12))).encode()
_CURVES = b"model,200,400,800,1600\na,2.1,1.9,1.8,1.7\nb,2.4,2.0,1.7,1.5\nc,2.0,,1.9,1.85\n"
_EVENT = b'{"kind": "progress", "data": {"done": 3, "of": 10}}\n'
_ANSWER = b'{"row": "k", "prediction": "a", "tokens": 3, "busy_s": 0.1}\n'
_FIGURE = {"value": 0.8, "ci95": [0.7, 0.9], "n": 12}
_RESULT = json.dumps({
    "candidates": [{"model": _MODEL, "quantization": "none", "metrics": {"accuracy": _FIGURE}, "tokens_per_s": 4.0}],
    "comparisons": [], "environment": {"device": "cpu"},
}).encode()  # fmt: skip
_CONFIG = b'{"architectures": ["BertForSequenceClassification"], "id2label": {"0": "a", "1": "b"}, "hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "quantization_config": {"quant_method": "gptq", "bits": 4}, "vocab_size": 9}'  # fmt: skip
_TURNS = [
    "evaluate smollm2 on tickets with nf4, 在 24 GB 上".encode(), b"which model for chat, under $1 per Mtok, 200 tokens/s, not from Meta?",
    "推荐一个中文客服模型，显存 24G 以内，每月 3 万元".encode(), b"> quoted: run it\nwhy is Qwen3-8B better than that?",
]  # fmt: skip
_SAID = b"Qwen3-8B is the best of both at 52.3 points [1]. It needs 16 GB [1]. \xe5\xae\x83\xe6\x9b\xb4\xe5\xbf\xab\xe3\x80\x82"


def _workbook() -> bytes:
    book, out = Workbook(), io.BytesIO()
    for line in _CSV.decode().splitlines():
        book.active.append(line.rsplit(",", 1))
    book.save(out)
    return out.getvalue()


def _parquet() -> bytes:
    out = io.BytesIO()
    parquet.write_table(pa.table({"text": [f"row {n}" for n in range(12)], "label": ["a", "b"] * 6}), out)
    return out.getvalue()


def _docx() -> bytes:
    out = io.BytesIO()
    kinds = (
        '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Override PartName="/word/document.xml" ContentType='
        '"application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>'
    )
    relations = (
        '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="r" Type='
        '"http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="word/document.xml"/>'
        "</Relationships>"
    )
    words = '<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body><w:p><w:r><w:t>hello</w:t></w:r></w:p></w:body></w:document>'  # fmt: skip
    with ZipFile(out, "w") as parts:
        for name, content in (
            ("[Content_Types].xml", kinds),
            ("_rels/.rels", relations),
            ("word/document.xml", words),
        ):
            parts.writestr(name, content)
    return out.getvalue()


def _pdf() -> bytes:
    stream = b"BT /F 12 Tf 9 9 Td (hello) Tj ET"
    parts = [
        b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 99 99]/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>>>",
        b"<</Length %d>>stream\n%s\nendstream" % (len(stream), stream), b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]  # fmt: skip
    body, starts = b"%PDF-1.4\n", []
    for number, part in enumerate(parts, start=1):
        starts.append(len(body))
        body += b"%d 0 obj%sendobj\n" % (number, part)
    table = b"".join(b"%010d 00000 n \n" % start for start in starts)
    end = b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % (len(parts) + 1, len(body))
    return body + b"xref\n0 %d\n0000000000 65535 f \n" % (len(parts) + 1) + table + end


def _backup() -> bytes:
    out = io.BytesIO()
    content = {
        "manifest.json": b'{"format": 1, "store": "sqlite", "sha256": {"home/a": "'
        + hashlib.sha256(b"x").hexdigest().encode()
        + b'"}}',
        "home/a": b"x",
    }
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, text in content.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text))
    return out.getvalue()


def _e5() -> bytes:
    """The beginning of such a file: sizes, then a tokenizer of five pieces, then one weight."""
    pieces = [b"<s>", b"<pad>", b"</s>", b"<unk>", b"\xe2\x96\x81a"]
    starts = np.cumsum([0, *map(len, pieces)]).astype("<u4").tobytes()
    head = struct.pack("<7i", 4, 1, 1, 8, 5, 8, 1) + struct.pack("<fi", 1e-5, 0)
    words = struct.pack("<5iQ", 5, 0, 0, 0, 0, len(b"".join(pieces))) + starts + bytes(20) + b"".join(pieces)
    weight = struct.pack("<iH", 1, 8) + b"emb.word" + struct.pack("<BIQQ", 0, 20, 0, 80)
    magic = import_module("finetune.recipes.convert_e5")._MAGIC
    return magic + bytes(len(magic)) + head + words + struct.pack("<iI", 0, 0) + weight + bytes(80)


def _text(content: bytes) -> str:
    """Outside text: half of a pair is what JSON may bring."""
    return content.decode("utf-8", "surrogatepass" if b"\xed\xa0" in content else "replace") if _is_pairs(content) else content.decode("utf-8", "replace")  # fmt: skip


def _is_pairs(content: bytes) -> bool:
    try:
        content.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return False
    return True


def _file(folder: Path, name: str, read: Callable[[Path], object]) -> Target:
    def run(content: bytes) -> object:
        path = folder / name
        path.write_bytes(content)
        return read(path)

    return run


def _slack(content: bytes) -> object:
    event = {"user": "U0ANA", "text": _text(content), "ts": "1.0"}
    return turn_of_message(place_of_message("T0", "C0", event), event, "U0BOT"), plain_text(
        event["text"], "U0BOT"
    )


def _message(content: bytes) -> object:
    text = _text(content)
    return own_words(text), understand(Turn(text=text, thread="t", person="U0ANA"), None, [], _NAMES)


def _model_output(content: bytes) -> object:
    answer = Answer(
        thread="t", text="Qwen3-8B: 52.3 points.", language="en", skill="answer", requirements=Requirements(),
        citations=(Citation(n=1, title="a", locator="b", quote="Qwen3-8B needs 16 GB and has 52.3 points.", source="a"),),
    )  # fmt: skip
    text = _text(content)
    pieces = (text[at : at + 7] for at in range(0, len(text), 7))
    return Report(tuple(checked(pieces, evidence_of(answer, "which?", _NAMES)))).text


def _extracted(kind: Any) -> Target:
    def run(content: bytes) -> object:
        answer = extracted(Question(kind=kind, size=len(content), max_time_s=60), content)
        if answer.found is None:
            raise BadDocument(Bilingual(answer.problem_en, answer.problem_zh))
        return answer

    return run


def _model_folder(folder: Path, name: str) -> Target:
    """A model's folder with one damaged file."""
    place = folder / f"model-{name}"
    place.mkdir()
    (place / "config.json").write_bytes(_CONFIG)
    location = ModelLocation(id="m", kind="folder", path=place)

    def read(_path: Path) -> object:
        made = architecture_of(location, place)
        return fact_of(location, place, made)

    return _file(place, name, read)


class _Named(FileShelf):
    """Takes every file under the name that Slack tells, without a network."""

    def _download(self, client: Any, url: str, path: Path) -> None:  # noqa: ARG002
        path.write_bytes(b"text,label\n")


class _Client:
    def __init__(self, name: str) -> None:
        self._name = name

    def files_info(self, file: str) -> dict[str, Any]:
        return {
            "file": {"name": self._name, "id": file, "url_private": "https://files.slack.com/a", "size": 11}
        }


def _upload_name(folder: Path) -> Target:
    place = folder / "uploads"
    place.mkdir()

    def run(content: bytes) -> object:
        path = _Named(max_mib=1).fetch(_Client(_text(content)), "F1", place)  # type: ignore[arg-type]
        assert path.resolve().parent == place.resolve(), f"{path} is outside"
        path.unlink()
        return path

    return run


def _archive(folder: Path) -> Target:
    def read(path: Path) -> object:
        place = folder / "restored"
        try:
            return unpacked_archive(path, place)
        finally:
            shutil.rmtree(place, ignore_errors=True)

    return _file(folder, "b.tar", read)


def _result(folder: Path) -> Target:
    dataset = DatasetRef(name="tickets", sha256="0" * 64, rows=12)
    job = Job(id="1", spec=EvaluationSpec(candidates=(Candidate(model=_MODEL), Candidate(model="b")), dataset=dataset), owner="U", thread=None, state="succeeded")  # fmt: skip
    return _file(
        folder, "result.json", lambda path: measurements_of(job, JobFolder(path.parent).result(), at_utc="")
    )


def _left_by_a_recipe(folder: Path) -> Target:
    def read(path: Path) -> object:
        shutil.copyfile(path, folder / "error.json")
        shutil.copyfile(path, folder / "log.txt")
        left = JobFolder(folder)
        return (
            [read_event(line) for line in left.new_lines(0).splitlines()],
            left.stated_reason(),
            left.log_tail(5),
        )

    return _file(folder, "events.jsonl", read)


def _kept(home: Path) -> Target:
    kept = KeptAnswers(home, {"a": 1})
    kept.add([])
    return _file(next(folder_of(home).iterdir()), "answers.jsonl", lambda _: kept.read())


def _tuned(home: Path) -> Target:
    job = home / "jobs" / "1"
    (job / "adapter").mkdir(parents=True)
    (job / "adapter" / "adapter_config.json").write_text("{}")
    return _file(job, TUNED, lambda _: read_tuned(home))


def _ids(jobs: Jobs) -> Target:
    """What people may write where a job, a model or a data set is asked for."""

    def run(content: bytes) -> object:
        text = _text(content)
        return Candidate.parse(text), jobs.status(text)

    return run


def _specs(folder: Path, jobs: Jobs) -> Found:
    fields = set(EvaluationSpec.model_fields) | {
        "models",
        "dataset",
        "text_column",
        "label_column",
        "labels",
        "task",
    }
    tuning = set(TuningSpec.model_fields) - {"base_model"} | {
        "model",
        "dataset",
        "text_column",
        "label_column",
        "labels",
        "task",
    }
    read_evaluation = _file(
        folder,
        "s.yaml",
        lambda path: evaluate.spec_from(read_spec(path, dict.fromkeys(fields), allowed=fields), jobs),
    )
    read_tuning = _file(
        folder,
        "t.yaml",
        lambda path: finetune.spec_from(read_spec(path, dict.fromkeys(tuning), allowed=tuning), jobs),
    )
    return {"spec of an evaluation .yaml": (read_evaluation, [_SPEC]), "spec of a fine-tune .yaml": (read_tuning, [_TUNING])}  # fmt: skip


def _tables(folder: Path, home: Path) -> Found:
    seeds = {".csv": [_CSV], ".tsv": [_CSV.replace(b",", b"\t")], ".jsonl": [_LINES, _CHATS], ".json": [_LIST],
             ".xlsx": [_workbook()], ".parquet": [_parquet()], ".csv.gz": [gzip.compress(_CSV)]}  # fmt: skip
    found: Found = {
        f"table {kind}": (_file(folder, f"t{kind}", read_file), files) for kind, files in seeds.items()
    }
    for kind in (".csv", ".jsonl"):
        found[f"data set {kind}"] = (
            _file(folder, f"d{kind}", lambda path: register(path, home=home)),
            seeds[kind],
        )
    return found


def _documents() -> Found:
    notebook = b'{"cells": [{"cell_type": "markdown", "source": ["# a"]}, {"cell_type": "code", "source": "1", "outputs": []}], "metadata": {}}'  # fmt: skip
    seeds = {
        ".csv": _CSV,
        ".tsv": _CSV.replace(b",", b"\t"),
        ".jsonl": _LINES,
        ".json": _LIST,
        ".ipynb": notebook,
    }
    found: Found = {}
    for kind in _IN_PROCESS:
        found[f"document {kind}"] = (
            lambda content, k=kind: PARSERS[k](content, "stem"),
            [seeds.get(kind, _MARKDOWN)],
        )
    for extractor, seed in (("html", _HTML), ("pdf", _pdf()), ("docx", _docx())):
        found[f"document .{extractor}"] = (_extracted(extractor), [seed])
    return found


def _measured_elsewhere(folder: Path, home: Path) -> Found:
    kinds = {
        "lm-eval": ("results_1.json", _LM_EVAL),
        "llmfit": ("models.json", _LLMFIT),
        "mteb": ("STS12.json", _MTEB),
    }
    catalogue = open_catalogue(home)

    def reader(kind: Any) -> Callable[[Path], object]:
        return lambda path: READERS[kind](path, Taken(catalogue, Page(name=path.name, url=path.name)))

    found: Found = {
        f"catalogue {kind}": (_file(folder, name, reader(kind)), [seed])
        for kind, (name, seed) in kinds.items()
    }
    found["catalogue team.yaml"] = (
        _file(folder, "team.yaml", lambda path: read_team(path, catalogue)),
        [_TEAM],
    )
    samples = b'{"doc_id": 1, "acc": 1.0, "target": "a", "doc": {}}\n' * 3
    found["outcomes .csv"] = (_file(folder, "o.csv", read_outcomes), [_SCORES])
    found["outcomes of lm-eval"] = (_file(folder, "samples_x.jsonl", read_outcomes), [samples])
    found["curves .csv"] = (_file(folder, "c.csv", read_curves), [_CURVES])
    return found


def _of_jobs(folder: Path) -> Found:
    job = folder / "job"
    job.mkdir()
    weights = save({"a": np.zeros((2, 3), "float32")})
    found: Found = {
        "result of a job": (_result(job), [_RESULT]),
        "events, error and log of a job": (_left_by_a_recipe(job), [_EVENT * 3, b'{"en": "a", "zh": "b"}']),
        "kept answers": (_kept(folder / "kept"), [_ANSWER * 3]),
        "tuned model": (_tuned(folder / "tuned"), [b'{"id": "tuned/a-1", "based_on": "a", "job_id": "1", "dataset": "d"}']),
        "model config.json": (_model_folder(folder, "config.json"), [_CONFIG]),
        "safetensors header": (_model_folder(folder, "model.safetensors"), [weights]),
    }  # fmt: skip
    convert = import_module("finetune.recipes.convert_e5").convert
    found["e5 weights"] = (_file(folder, "e5.bin", lambda path: convert(folder / "e5", path)), [_e5()])
    return found


@contextmanager
def targets(folder: Path, *, slack: bool = True) -> Iterator[Found]:
    """Parser by name, and files that it reads."""
    home = folder / "home"
    home.mkdir()
    engine = open_store(sqlite_url(home))
    jobs = Jobs(engine, home=home, database_url=sqlite_url(home), worker_command=None)
    desk = DataDesk(jobs, FileShelf())
    found = {**_tables(folder, home), **_documents(), **_specs(folder, jobs), **_measured_elsewhere(folder, home), **_of_jobs(folder)}  # fmt: skip
    pasted = lambda content: desk.register(None, {"dataset": PASTE, "rows": _text(content)})  # type: ignore[arg-type]  # noqa: E731
    found["pasted rows"] = (pasted, [_CSV, _LINES, _LIST])
    found["name of an upload"] = (
        _upload_name(folder),
        [b"tickets.csv", b"../../etc/passwd", "数据 表.xlsx".encode()],
    )
    found["access file .yaml"] = (_file(folder, "a.yaml", read_rules), [_ACCESS])
    found["backup"] = (_archive(folder), [_backup()])
    found["ids and names"] = (
        _ids(jobs),
        [b"12", b"Qwen/Qwen3-8B@nf4", b"openai:gpt-5@http://a/v1", b"sha256:00"],
    )
    found["Slack's markup"] = (_slack, ["<@U0BOT> evaluate <http://a.csv|a.csv> &gt; 评测 smollm2".encode()])
    found["message"] = (_message, _TURNS)
    found["what a chat model says"] = (_model_output, [_SAID])
    try:
        if slack:
            with signed_door(folder / "slack") as (deliver, payloads):
                yield found | {"Slack's requests, signed": (deliver, payloads)}
        else:
            yield found
    finally:
        engine.dispose()
