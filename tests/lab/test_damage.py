"""Damage hits what it names and nothing else."""

from __future__ import annotations

import pytest

from kfast.lab.damage import CUT_OFF, DAMAGES, FLIPPED, GARBAGE, ZEROS, erase_records, flip_bit
from kfast.log.names import LOG_SUFFIX, file_path
from kfast.record.builder import RecordBatchBuilder
from kfast.record.layout import HEADER_SIZE


def make_batch(value: bytes) -> bytes:
    builder = RecordBatchBuilder()
    builder.append(None, value, 0)
    return bytes(builder.build())


def test_flip_bit_turns_one_bit_over(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"\x00\x01\x02")
    flip_bit(path, 1)
    assert path.read_bytes() == b"\x00\x00\x02"
    flip_bit(path, 1, bit=7)
    assert path.read_bytes() == b"\x00\x80\x02"


@pytest.mark.parametrize(
    ("damage", "position", "expected"),
    [
        (CUT_OFF, 3, b"abc"),
        (CUT_OFF, 6, b"abcdef"),
        (FLIPPED, 2, b"abbdef"),
        (ZEROS, 4, b"abcd\0\0"),
        (ZEROS, 6, b"abcdef"),
        (GARBAGE, 4, b"abcd" + b"\xa5" * 100),
        (GARBAGE, 6, b"abcdef" + b"\xa5" * 100),
    ],
)
def test_each_damage_hits_the_file_from_its_position_on(tmp_path, damage, position, expected):
    path = tmp_path / "file"
    path.write_bytes(b"abcdef")
    DAMAGES[damage](path, position)
    assert path.read_bytes() == expected


def test_erase_records_leaves_headers_and_sizes(tmp_path):
    first, second = make_batch(b"one" * 100), make_batch(b"other")
    path = file_path(str(tmp_path), 0, LOG_SUFFIX)
    with open(path, "wb") as file:
        file.write(first + second)
    erased = erase_records(tmp_path)
    with open(path, "rb") as file:
        data = file.read()
    assert erased == len(first) + len(second) - 2 * HEADER_SIZE
    assert data == b"".join(batch[:HEADER_SIZE] + bytes(len(batch) - HEADER_SIZE) for batch in (first, second))
