"""Compare words only, meaning only and our search: nDCG@10 and recall@10 on Cranfield, MRR@10 on CMRC2018.

`python benchmarks/retrieval.py [--data ../shared/data/retrieval] [--cache vectors.npz] [--questions 3219]`
`python benchmarks/retrieval.py --own`: our own questions to our own articles

Relevant on Cranfield is every judged document (the judgements hold no irrelevant ones); on CMRC2018 the one context
that a question was asked about. A context is one passage. Embedding takes most of an hour of one core: it is kept
in the cache, which the next run reads.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import yaml
from langchain_core.embeddings import Embeddings

from index.embed import VectorCache, default_embeddings, normalised
from index.library import Library
from index.records import Passage
from index.retrieve import KnowledgeBase
from index.search import Ours, Search
from index.words import has_han

DATA = Path("../shared/data/retrieval")
OWN = Path(__file__).parents[1] / "tests/index/questions"
K = 10

Ranking = Sequence[str]
Relevant = set[str]


@dataclass(frozen=True)
class Collection:
    """Passages by id, and for each question the ids of those that answer it."""

    name: str
    texts: dict[str, str]
    questions: list[tuple[str, Relevant]]
    measures: dict[str, Callable[[Ranking, Relevant], float]]


class Remembering(Embeddings):
    """The embedded model, with a file of what it has embedded before."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._model, self.model_id = default_embeddings()
        self._cache = VectorCache.load(path, self.model_id)

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        n_known = len(self._cache)
        rows: list[list[float]] = self._cache.passages(texts, self._model).tolist()
        self._save_if_grown(n_known)
        return rows

    def embed_query(self, text: str) -> list[float]:
        row: list[float] = self._cache.queries([text], self._model)[0].tolist()
        return row

    def _save_if_grown(self, n_known: int) -> None:
        if len(self._cache) // 256 > n_known // 256:
            self.save()

    def save(self) -> None:
        self._cache.save(self._path)


def ndcg(ranking: Ranking, relevant: Relevant) -> float:
    gain = sum(1 / math.log2(place + 2) for place, name in enumerate(ranking) if name in relevant)
    return gain / sum(1 / math.log2(place + 2) for place in range(min(K, len(relevant))))


def recall(ranking: Ranking, relevant: Relevant) -> float:
    return len(relevant.intersection(ranking)) / len(relevant)


def reciprocal_rank(ranking: Ranking, relevant: Relevant) -> float:
    return next((1 / place for place, name in enumerate(ranking, 1) if name in relevant), 0.0)


def cranfield(folder: Path) -> Collection:
    texts = {}
    for record in re.split(
        r"^\.I ", (folder / "cran.all.1400").read_text(errors="replace"), flags=re.MULTILINE
    )[1:]:
        number, *fields = re.split(r"^\.([TABW])\s*\n", record, flags=re.MULTILINE)
        parts = {"T": "", "W": ""}
        for name, text in zip(fields[::2], fields[1::2], strict=True):
            parts[name] = " ".join(f"{parts.get(name, '')} {text}".split())
        texts[number.strip()] = f"{parts['T']}\n{parts['W'].removeprefix(parts['T']).strip()}"
    asked = re.split(r"^\.I \d+\n\.W\n", (folder / "cran.qry").read_text(), flags=re.MULTILINE)[1:]
    relevant: list[Relevant] = [set() for _ in asked]
    for line in (folder / "cranqrel").read_text().splitlines():
        question, document, _code = line.split()
        relevant[int(question) - 1].add(document)
    questions = [
        (" ".join(text.split()), found) for text, found in zip(asked, relevant, strict=True) if found
    ]
    return Collection("Cranfield", texts, questions, {"nDCG@10": ndcg, "recall@10": recall})


def cmrc(path: Path, n_questions: int) -> Collection:
    paragraphs = [p for article in json.loads(path.read_text("utf-8"))["data"] for p in article["paragraphs"]]
    texts = {str(n): p["context"] for n, p in enumerate(paragraphs)}
    same: dict[str, Relevant] = {}
    for name, text in texts.items():
        same.setdefault(text, set()).add(name)
    questions = [(qa["question"], same[p["context"]]) for p in paragraphs for qa in p["qas"]]
    step = max(1, len(questions) // n_questions)
    return Collection("CMRC2018", texts, questions[::step], {"MRR@10": reciprocal_rank})


def passages(collection: Collection) -> Iterator[Passage]:
    for name, text in collection.texts.items():
        yield Passage(id=name, source=collection.name, title="", locator="", text=text, language="en")


def measure(collection: Collection, embeddings: Remembering) -> dict[str, dict[str, float]]:
    """Figures by method and measure."""
    scores: dict[str, dict[str, list[float]]] = {
        m: {name: [] for name in collection.measures} for m in METHODS
    }
    with tempfile.TemporaryDirectory() as home:
        library = Library(Path(home), embeddings, embeddings.model_id, Path(home) / "no articles")
        everything = list(passages(collection))
        vectors = normalised(embeddings.embed_documents([p.text for p in everything]))
        library.passages.add(
            everything, dict(zip(collection.texts, vectors, strict=True)), embeddings.model_id
        )
        library.refresh()
        for question, relevant in collection.questions:
            search = Search(library.view(None), Ours({}, None), question, embeddings.embed_query(question))
            for method, rank in METHODS.items():
                ranking = rank(search)
                for name, of in collection.measures.items():
                    scores[method][name].append(of(ranking, relevant))
    embeddings.save()
    return {m: {name: fmean(values) for name, values in of.items()} for m, of in scores.items()}


METHODS: dict[str, Callable[[Search], Ranking]] = {
    "words only": lambda search: [p.id for p, _ in search.by_words(K)],
    "meaning only": lambda search: [p.id for p, _ in search.by_meaning(K)],
    "ours": lambda search: [p.id for p, _ in search.best(K)],
}


def own_questions() -> None:
    """Print, by list and language, how many find their article, are let through, or are refused."""
    with tempfile.TemporaryDirectory() as home:
        knowledge = KnowledgeBase.open(Path(home))
        print("| questions | answerable | in the top 3 | let through | unanswerable | refused |")
        for path in sorted(OWN.glob("*.yaml")):
            rows = [answered(knowledge, *asked) for asked in asked_in(path)]
            for language in ("en", "zh"):
                answerable = [r for r in rows if r.topics and r.language == language]
                others = [r for r in rows if not r.topics and r.language == language]
                print(
                    f"| {path.stem}, {language} | {len(answerable)} | {fmean(r.is_found for r in answerable):.1%} "
                    f"| {fmean(r.is_answered for r in answerable):.1%} | {len(others)} "
                    f"| {fmean(not r.is_answered for r in others):.1%} |"
                )


@dataclass(frozen=True)
class Row:
    language: str
    topics: Relevant
    is_found: bool
    is_answered: bool


def asked_in(path: Path) -> Iterator[tuple[str, Relevant]]:
    content = yaml.safe_load(path.read_text("utf-8"))
    for text in content["unanswerable"]:
        yield text, set()
    for topic, entries in content["answerable"].items():
        for entry in entries:
            yield (entry, {topic}) if isinstance(entry, str) else (entry["question"], set(entry["topics"]))


def answered(knowledge: KnowledgeBase, text: str, topics: Relevant) -> Row:
    hits = knowledge.search(text)
    return Row(
        language="zh" if has_han(text) else "en",
        topics=topics,
        is_found=not topics.isdisjoint(hit.passage.topic for hit in hits[:3]),
        is_answered=knowledge.answerable(text, hits),
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "retrieval-vectors.npz")
    parser.add_argument("--questions", type=int, default=10_000, help="of CMRC2018 at most")
    parser.add_argument("--own", action="store_true", help="our own questions instead")
    given = parser.parse_args()
    if given.own:
        own_questions()
        return
    embeddings = Remembering(given.cache)
    for collection in (
        cranfield(given.data / "cranfield"),
        cmrc(given.data / "cmrc2018_dev.json", given.questions),
    ):
        figures = measure(collection, embeddings)
        print(f"\n{collection.name}: {len(collection.texts)} passages, {len(collection.questions)} questions")
        print("| | " + " | ".join(collection.measures) + " |")
        for method, values in figures.items():
            print(f"| {method} | " + " | ".join(f"{value:.4f}" for value in values.values()) + " |")


if __name__ == "__main__":
    main()
