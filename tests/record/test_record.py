from __future__ import annotations

import pytest

from kfast.errors import CorruptRecordError
from kfast.record.record import Record, read_record, write_record


def written(*arguments: object) -> bytearray:
    out = bytearray()
    write_record(out, *arguments)  # type: ignore[arg-type]
    return out


def read(data: bytes | bytearray, base_timestamp_ms: int = 1000) -> tuple[Record, int]:
    return read_record(memoryview(data), 0, 50, base_timestamp_ms, None)


def test_bytes_are_those_of_the_format() -> None:
    data = written(1, -2, b"k", b"vv", [("h", None)])
    assert data.hex(" ") == "18 00 03 02 02 6b 04 76 76 02 02 68 01"
    record, end = read(data)
    assert record == Record(51, 998, b"k", b"vv", (("h", None),))
    assert end == len(data)


@pytest.mark.parametrize("data", [None, b"", b"x", bytes(63), bytes(64), bytes(100_000)])
def test_null_and_empty_are_kept_apart(data: bytes | None) -> None:
    record, _ = read(written(0, 0, data, data, [("", data), ("", data)]))
    assert (record.key, record.value) == (data, data)
    assert record.headers == (("", data), ("", data))


def test_timestamps_further_apart_than_64_bits_wrap_as_in_java() -> None:
    earliest, latest = -(2**63), 2**63 - 1
    record, _ = read(written(0, latest - earliest, None, None), base_timestamp_ms=earliest)
    assert record.timestamp_ms == latest


def test_the_time_of_the_append_overrides_the_records() -> None:
    record, _ = read_record(memoryview(written(0, 5, None, None)), 0, 0, 1000, 7)
    assert record.timestamp_ms == 7


def test_header_names_that_are_no_utf8_are_read_as_java_reads_them() -> None:
    data = written(0, 0, None, None, [("ab", b"")])
    data[data.index(b"ab")] = 0xFF
    assert read(data)[0].headers == (("\ufffdb", b""),)


@pytest.mark.parametrize("headers", [[], [("name", b"value"), ("other", None)]])
def test_a_cut_record_is_corrupt_wherever_it_is_cut(headers: list[tuple[str, bytes | None]]) -> None:
    data = written(1, 300, b"key", b"value", headers)
    for size in range(len(data)):
        with pytest.raises(CorruptRecordError):
            read(data[:size])


def test_bytes_after_a_record_are_the_next_ones() -> None:
    data = written(0, 0, b"key", b"value")
    assert read(data + b"\xa5" * 50)[1] == len(data)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ("01", "says -1 bytes"),
        ("fe ff ff ff 0f 00", "says 2147483647 bytes"),
        ("0e 00 00 00 01 01 00 00", "says it ends at 8 but its parts end at 7"),
        ("0c 00 00 00 02 6b 01 00", "says it ends at 7 but its parts end at 8"),
        ("0e 00 00 00 20 6b 01 00 00", "says 16 bytes; the record ends at 8"),
        ("0e 00 00 00 01 01 01 00 00", "-1 headers"),
        ("0e 00 00 00 01 01 7e 00 00", "63 headers in the 1 bytes"),
        ("10 00 00 00 01 01 02 01 01", "has no name"),
        ("ff ff ff ff ff ff ff ff ff ff 01", "longer than 10 bytes"),
    ],
)
def test_parts_that_do_not_add_up_are_corrupt(data: str, reason: str) -> None:
    with pytest.raises(CorruptRecordError, match=reason):
        read(bytes.fromhex(data))


def test_repr_shows_short_data_and_the_size_of_long() -> None:
    record = Record(1, 2, memoryview(b"k"), bytes(1000), ())
    assert repr(record) == "Record(offset=1, timestamp_ms=2, key=b'k', value=<1000 bytes>, headers=())"
