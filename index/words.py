"""Turn passages into a word index (BM25), and a query into the passages that share its words.

English is lower-cased, freed of function words and lightly stemmed. Chinese is cut at function words, then
into single characters and overlapping pairs: with 3,219 questions on 848 contexts (CMRC2018) this gives an
MRR@10 of .986, and a dictionary segmenter (jieba, with the same function words) .979, after a second to load.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache

import bm25s
import numpy as np
from numpy.typing import NDArray

HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"

_RUN = re.compile(f"([{HAN}]+)|([^\\W_{HAN}]+)")
_HAN_FUNCTION_WORD = re.compile(
    "什么样|什么|怎么样|怎么|怎样|为什么|为何|如何|是否|哪些|哪个|哪里|哪|多少|请问|"
    "我们|你们|他们|吗|呢|吧|的|了|是|在|和|与|或|我|你|有"
)
_FUNCTION_WORDS = frozenset(
    re.findall(
        "[a-z]+",
        """a an and are as at be been but by can could did do does for from had has have how i if in into is
        it its me my no not of on or our s should so such t than that the their them then there these they
        this those to was we were what when where which who why will with would you your""",
    )
)
_SUFFIXES = (
    "ational",
    "ations",
    "ation",
    "ions",
    "ing",
    "ment",
    "ness",
    "ion",
    "ity",
    "ed",
    "ly",
    "al",
    "er",
)
_MIN_STEM = 4


def tokens(text: str) -> list[str]:
    """The words of a text as the index knows them, in order, repeated words kept."""
    return list(_tokens(unicodedata.normalize("NFKC", text).casefold()))


def _tokens(text: str) -> Iterator[str]:
    for han, word in _RUN.findall(text):
        if han:
            yield from _han_tokens(han)
        elif word not in _FUNCTION_WORDS:
            yield _stem(word)


def _han_tokens(run: str) -> Iterator[str]:
    for piece in _HAN_FUNCTION_WORD.split(run):
        yield from piece
        yield from (piece[i : i + 2] for i in range(len(piece) - 1))


@lru_cache(maxsize=65536)
def _stem(word: str) -> str:
    """Cut plural and the commonest endings, so that "quantized models" finds "quantizing a model"."""
    word = _singular(word)
    for suffix in _SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= _MIN_STEM:
            word = _without_doubled_end(word[: -len(suffix)])
            break
    return word[:-1] if word.endswith("e") and len(word) > _MIN_STEM else word


def _singular(word: str) -> str:
    if len(word) < _MIN_STEM or not word.endswith("s") or word[-2] in "us":
        return word
    if word.endswith("ies"):
        return word[:-3] + "y"
    if word.endswith(("ses", "xes", "zes", "shes", "ches")):
        return word[:-2]
    return word[:-1]


def _without_doubled_end(word: str) -> str:
    return word[:-1] if word[-1] == word[-2] and word[-1] not in "lsz" else word


class WordIndex:
    """BM25 over a fixed list of texts; a row is a position in that list."""

    def __init__(self, texts: Sequence[str]) -> None:
        documents = [tokens(text) for text in texts]
        self._n_rows = len(documents)
        self._document_counts = Counter(word for document in documents for word in set(document))
        self._bm25 = bm25s.BM25(k1=1.5, b=0.75)
        if self._document_counts:
            self._bm25.index(documents, show_progress=False)

    def search(self, query: str, k: int) -> list[tuple[int, float]]:
        """The `k` best rows with their BM25 scores, best first; sharing no word with the query scores 0."""
        scores = self._scores([word for word in tokens(query) if word in self._document_counts])
        best = np.argsort(-scores, kind="stable")[:k]
        return [(int(row), float(scores[row])) for row in best]

    def _scores(self, words: list[str]) -> NDArray[np.float32]:
        if not words:
            return np.zeros(self._n_rows, dtype=np.float32)
        scores: NDArray[np.float32] = self._bm25.get_scores(words)
        return scores

    def coverage_frac(self, query: str, text: str) -> float:
        """Share of the query's words that occur in the text; rare words count more."""
        asked = {word: self._rarity(word) for word in tokens(query)}
        found = set(tokens(text))
        total = sum(asked.values())
        return sum(rarity for word, rarity in asked.items() if word in found) / total if total else 0.0

    def _rarity(self, word: str) -> float:
        n_with = self._document_counts[word]
        return math.log(1 + (self._n_rows - n_with + 0.5) / (n_with + 0.5))
