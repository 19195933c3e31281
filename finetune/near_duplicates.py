"""Find texts that are nearly those of another set, so that what is held out was not as good as seen in training.

Texts are compared without case, width and punctuation, character by character, which suits Chinese too. Only
pairs that share one of their rarest pieces by hash are compared: almost all pairs that matter, and few others.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from rapidfuzz import fuzz

from finetune.data import text_key

SIMILAR_FRAC = 0.9
_PIECE_CHARACTERS = 4
_PIECES = 24
"""Of a text, the ones with the smallest hashes: similar texts have mostly the same."""
_COMMON = 200
"""A piece that so many texts have, such as a greeting, is passed over while there are others."""


@dataclass(frozen=True, slots=True)
class NearDuplicate:
    """Two texts, one of each set."""

    index: int
    """In the texts that were looked up."""
    other: int
    """The most similar one in the set that was looked in."""
    similarity_frac: float


def near_duplicates(
    texts: Sequence[str], among: Sequence[str], *, at_least_frac: float = SIMILAR_FRAC
) -> list[NearDuplicate]:
    """For each text that has one, the most similar of the others; 1 means equal up to case and punctuation."""
    keys = [text_key(other) for other in among]
    by_piece: dict[int, list[int]] = {}
    for index, key in enumerate(keys):
        for piece in _smallest_pieces(key):
            by_piece.setdefault(piece, []).append(index)
    found = []
    for index, text in enumerate(texts):
        key = text_key(text)
        scored = [
            (_similarity_frac(key, keys[other], at_least_frac), -other) for other in _near(key, by_piece)
        ]
        best = max(scored, default=(0.0, 0))
        if best[0] >= at_least_frac:
            found.append(NearDuplicate(index, -best[1], best[0]))
    return found


def _near(key: str, by_piece: dict[int, list[int]]) -> set[int]:
    """Those that share a piece; of pieces that very many have, the rarest alone."""
    shared = sorted((by_piece[piece] for piece in _smallest_pieces(key) if piece in by_piece), key=len)
    return {other for n, others in enumerate(shared) if n == 0 or len(others) <= _COMMON for other in others}


def _similarity_frac(one: str, other: str, at_least_frac: float) -> float:
    return fuzz.ratio(one, other, score_cutoff=100 * at_least_frac) / 100


def _smallest_pieces(key: str) -> list[int]:
    """Hashes that are the same in every process, unlike Python's own."""
    last = max(1, len(key) - _PIECE_CHARACTERS + 1)
    pieces = {zlib.crc32(key[start : start + _PIECE_CHARACTERS].encode()) for start in range(last)}
    return sorted(pieces)[:_PIECES]
