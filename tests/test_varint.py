import pytest
from hypothesis import given
from hypothesis import strategies as st

from kfast import varint
from kfast.errors import CorruptRecordError

INT64 = st.integers(min_value=-(2**63), max_value=2**63 - 1)


@given(INT64)
def test_signed_numbers_come_back(value: int) -> None:
    out = bytearray()
    varint.write_signed(value, out)
    assert varint.read_signed(out, 0) == (value, len(out))


@given(st.integers(min_value=0, max_value=2**64 - 1))
def test_unsigned_numbers_come_back(value: int) -> None:
    out = bytearray()
    varint.write_unsigned(value, out)
    assert varint.read_unsigned(out, 0) == (value, len(out))


@pytest.mark.parametrize(
    ("value", "expected"), [(0, "00"), (-1, "01"), (1, "02"), (63, "7e"), (-64, "7f"), (64, "8001"), (-65, "8101")]
)
def test_signed_numbers_are_folded_as_kafka_does(value: int, expected: str) -> None:
    out = bytearray()
    varint.write_signed(value, out)
    assert out.hex() == expected


@given(INT64)
def test_every_cut_is_noticed(value: int) -> None:
    out = bytearray()
    varint.write_signed(value, out)
    for size in range(len(out)):
        with pytest.raises(CorruptRecordError, match=f"position {size}"):
            varint.read_signed(out[:size], 0)


def test_a_number_that_does_not_end_is_refused() -> None:
    with pytest.raises(CorruptRecordError, match="longer than 10 bytes"):
        varint.read_unsigned(b"\xff" * 11, 0)


def test_what_follows_is_left_alone() -> None:
    assert varint.read_unsigned(b"\x05\xff\xff", 0) == (5, 1)


def test_a_negative_number_has_no_unsigned_form() -> None:
    with pytest.raises(ValueError, match="-1"):
        varint.write_unsigned(-1, bytearray())
