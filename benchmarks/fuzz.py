"""Feed every parser of outside bytes with damaged and made-up input: a result or a refusal in one sentence is right, all else a bug.

    python -m benchmarks.fuzz [--cases 10000] [NAME …]

Prints a line for each parser: cases, how many of them were refused in words, and the crash with its smallest input.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.fuzz_targets import Target, targets
from index.errors import ShortlistError

_PIECES = [
    b'"', b"{", b"[", b"\n", b"\0", b"\xff", b"1e999", b"-1", b"null", b"true", b"[]", b"{}", b"NaN", b"&a", b"*a", b"<",
    b"\xed\xa0\x80", b"\\ud800", b"9" * 5000, b"[" * 3000, "ＡＢ：，".encode(), "\u202e".encode(), b"../", b"!!python/name:os.system",
]  # fmt: skip


@dataclass
class Tally:
    """What came of the cases."""

    cases: int = 0
    refused: int = 0


def damaged(seeds: Sequence[bytes]) -> st.SearchStrategy[bytes]:
    """A seed with pieces replaced, cut, doubled; or anything at all."""
    piece = st.one_of(st.binary(max_size=6), st.sampled_from(_PIECES))
    edit = st.tuples(st.integers(0, 2**16), st.integers(0, 12), piece)

    def edited(seed: bytes, edits: list[tuple[int, int, bytes]]) -> bytes:
        content = seed
        for place, length, new in edits:
            at = place % (len(content) + 1)
            content = content[:at] + new + content[at + length :]
        return content

    made_up = st.one_of(
        st.binary(max_size=200), st.text(max_size=200).map(lambda t: t.encode("utf-8", "replace"))
    )
    changed = st.builds(edited, st.sampled_from(seeds), st.lists(edit, max_size=6))
    return st.one_of(changed, changed, changed, made_up)


def fuzz(target: Target, seeds: Sequence[bytes], cases: int, *, derandomize: bool = False) -> Tally:
    """Count; raise what the target raises when it is no refusal in both languages, with the smallest input that does it."""
    tally = Tally()

    @settings(
        max_examples=cases, deadline=None, database=None, derandomize=derandomize, suppress_health_check=list(HealthCheck)
    )  # fmt: skip
    @given(damaged(seeds))
    def run(content: bytes) -> None:
        tally.cases += 1
        refusal = None
        try:
            target(content)
        except ShortlistError as error:
            refusal = error.message
        if refusal is not None:
            assert refusal.en and refusal.zh, "a refusal without words"  # noqa: PT018
            tally.refused += 1

    run()
    return tally


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*")
    parser.add_argument("--without", action="append", default=[], metavar="NAME")
    parser.add_argument("--cases", type=int, default=10_000)
    asked = parser.parse_args()
    print("| parser | cases | refused in words | crashes | seconds |\n| --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder, targets(Path(folder)) as found:
        for name, (target, seeds) in found.items():
            if (asked.names and name not in asked.names) or name in asked.without:
                continue
            began_s = time.monotonic()
            try:
                tally, said = fuzz(target, seeds, asked.cases), "0"
            except BaseException as error:  # what is looked for; a panic of a library in Rust is no Exception
                if isinstance(error, KeyboardInterrupt):
                    raise
                notes = " ".join(getattr(error, "__notes__", []))
                tally, said = Tally(), f"CRASH {type(error).__name__}: {str(error)[:300]} {notes[:300]}"
            took_s = time.monotonic() - began_s
            print(f"| {name} | {tally.cases} | {tally.refused} | {said} | {took_s:.0f} |", flush=True)


if __name__ == "__main__":
    main()
