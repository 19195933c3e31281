"""How the index behaves when it is large: time and recall of a search, memory, time to build and to add a document.

`python benchmarks/index_scale.py [--vectors 1000000] [--passages 100000]`

Vectors are drawn at random in three ways: near the passages of our articles, with real questions put to them; evenly in
all directions; and as one cloud with the mean and covariance of our passages. The last two have no clusters, which is
hard on any index, and their questions are drawn like their vectors. Everything runs on one core; the texts of the first
part are random words, embedded by hashing.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

import faiss
import numpy as np
import yaml
from langchain_core.embeddings import Embeddings

from index.embed import Matrix, default_embeddings, normalised
from index.ingest import SHIPPED_VECTORS, LoadedDocument
from index.library import Library
from index.records import Passage
from index.retrieve import KnowledgeBase
from index.vectors import Part, compressed, exact

QUESTIONS = Path(__file__).parents[1] / "tests/index/questions/held_out.yaml"
DIMENSIONS = 384
N_QUESTIONS = 200
K = 10
RNG = np.random.default_rng(0)

Draw = Callable[[int], Matrix]


def shipped_vectors() -> Matrix:
    with SHIPPED_VECTORS.open("rb") as file, np.load(file, allow_pickle=False) as shipped:
        return normalised(shipped["vectors"])


def near_articles() -> Draw:
    """Each the vector of one of our passages, moved as far as its fifth neighbour is, in ways passages differ."""
    own = shipped_vectors()
    cosines = own @ own.T
    neighbours = np.argsort(-cosines, axis=1)[:, 5]
    _, sizes, axes = np.linalg.svd(own - own[neighbours], full_matrices=False)
    spread = (sizes[:, None] * axes / np.sqrt(2 * len(own))).astype(np.float32)
    return lambda n: normalised(
        own[RNG.integers(0, len(own), n)] + RNG.standard_normal((n, len(spread)), dtype=np.float32) @ spread
    )


def one_cloud() -> Draw:
    """With mean and covariance of our passages, but without clusters: neighbours are hardly nearer than others."""
    own = shipped_vectors()
    mean = own.mean(axis=0)
    _, sizes, axes = np.linalg.svd(own - mean, full_matrices=False)
    spread = (sizes[:, None] * axes / np.sqrt(len(own))).astype(np.float32)
    return lambda n: normalised(mean + RNG.standard_normal((n, len(spread)), dtype=np.float32) @ spread)


def real_questions(n: int) -> Matrix:
    """Questions of our own, embedded for real."""
    content = yaml.safe_load(QUESTIONS.read_text("utf-8"))["answerable"].values()
    asked = [q if isinstance(q, str) else q["question"] for several in content for q in several]
    embeddings, _ = default_embeddings()
    chosen = RNG.choice(asked, n, replace=False)
    return normalised([embeddings.embed_query(str(text)) for text in chosen])


def evenly(n: int) -> Matrix:
    return normalised(RNG.standard_normal((n, DIMENSIONS), dtype=np.float32))


def many(draw: Draw, n: int) -> Matrix:
    rows = np.empty((n, DIMENSIONS), dtype=np.float32)
    for start in range(0, n, 50_000):
        rows[start : start + 50_000] = draw(min(50_000, n - start))
    return rows


def timed_s(work: Callable[[], object]) -> float:
    started_s = time.perf_counter()
    work()
    return time.perf_counter() - started_s


def search_vectors(name: str, draw: Draw, n: int, questions: Matrix) -> None:
    vectors = many(draw, n)
    _, truth = exact(vectors).search(questions, K)
    started_s = time.perf_counter()
    index = compressed(vectors)
    build_s = time.perf_counter() - started_s
    size_gib = len(faiss.serialize_index(index)) / 2**30
    del vectors
    part = Part(index, np.arange(n))
    times_ms, n_right = [], 0
    for question, right in zip(questions, truth, strict=True):
        started_s = time.perf_counter()
        found = part.search(question[None], K)
        times_ms.append(1e3 * (time.perf_counter() - started_s))
        n_right += len(set(found).intersection(right.tolist()))
    print(
        f"| {name} | {n_right / N_QUESTIONS / K:.4f} | {median(times_ms):.1f} | {np.quantile(times_ms, 0.95):.1f} "
        f"| {build_s:.0f} | {size_gib:.2f} |"
    )


class Hashed(Embeddings):
    """A vector drawn from the hash of each text, and the time that took."""

    model_id = "hashed"
    spent_s = 0.0

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [self.embed_query(text) for text in texts]

    def embed_query(self, text: str) -> list[float]:
        started_s = time.perf_counter()
        row: list[float] = np.random.default_rng(abs(hash(text))).standard_normal(DIMENSIONS).tolist()
        self.spent_s += time.perf_counter() - started_s
        return row


def documents(n_passages: int, in_each: int) -> Iterator[LoadedDocument]:
    """Documents of passages of 120 words, rare and common as in a language (Zipf)."""
    words = np.array([f"word{rank}" for rank in range(50_000)])
    for number in range(n_passages // in_each):
        drawn = np.minimum(RNG.zipf(1.2, (in_each, 120)), len(words)) - 1
        passages = tuple(
            Passage(
                id=f"{number}-{place}",
                source=f"{number}.md",
                title="",
                locator=f"part {place}",
                text=" ".join(words[row]),
                language="en",
            )
            for place, row in enumerate(drawn)
        )
        yield LoadedDocument(source=f"{number}.md", sha256="", passages=passages, note=None)


def filled(home: Path, n_passages: int, embeddings: Hashed) -> Library:
    library = Library(home / "index", embeddings, embeddings.model_id, home / "no articles")
    for document in documents(n_passages, 50):
        library.put(document, lambda _: None)
    library.refresh()
    library.store.compress()
    return library


def grow_and_ask(n_passages: int) -> None:
    embeddings = Hashed()
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        build_s = timed_s(lambda: filled(home, n_passages, embeddings)) - embeddings.spent_s
        knowledge = KnowledgeBase.open(home, embeddings=embeddings, articles=home / "no articles")
        start_s = timed_s(lambda: knowledge.search("word7"))
        added_s, asked_s = [], []
        for number in range(20):
            path = home / "new" / f"{number}.md"
            path.parent.mkdir(exist_ok=True)
            path.write_text(f"## New\nfresh{number} " + next(documents(1, 1)).passages[0].text)
            embeddings.spent_s = 0.0
            added_s.append(timed_s(lambda: knowledge.add([path])) - embeddings.spent_s)  # noqa: B023
            found = knowledge.search(f"fresh{number}")
            assert found[0].passage.source == str(path.resolve()), found[0].passage.source
        for document in documents(100, 1):
            question = " ".join(document.passages[0].text.split()[:12])
            embeddings.spent_s = 0.0
            took_s = timed_s(lambda: knowledge.answerable(question, knowledge.search(question)))  # noqa: B023
            asked_s.append(took_s - embeddings.spent_s)
        print(
            f"| {n_passages:,} | {build_s:.0f} | {start_s:.2f} | {median(added_s):.3f} | {max(added_s):.3f} "
            f"| {1e3 * median(asked_s):.1f} | {1e3 * float(np.quantile(asked_s, 0.95)):.1f} |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--vectors", type=int, default=1_000_000)
    parser.add_argument("--passages", type=int, default=100_000)
    given = parser.parse_args()
    faiss.omp_set_num_threads(1)
    print(
        "| passages | build, s | first question, s | add one, median s | worst s | question, median ms | p95 ms |"
    )
    for n_passages in (10_000, given.passages):
        grow_and_ask(n_passages)
    print(f"\n{given.vectors:,} vectors of {DIMENSIONS}, on one core")
    print("| vectors | recall@10 | median ms | p95 ms | build, s | index, GiB |")
    near, cloud = near_articles(), one_cloud()
    search_vectors("near our passages, real questions", near, given.vectors, real_questions(N_QUESTIONS))
    search_vectors("evenly spread", evenly, given.vectors, evenly(N_QUESTIONS))
    search_vectors("one cloud", cloud, given.vectors, cloud(N_QUESTIONS))
    peak_gib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (
        2**20 if sys.platform == "linux" else 2**30
    )
    print(
        f"peak memory of this process, the exact search that it is compared with included: {peak_gib:.1f} GiB"
    )


if __name__ == "__main__":
    main()
