import pytest

from kfast.lab.sizes import size_text, tick_text


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (1019, "1019 B"),
        (4096, "4 KiB"),
        (65536, "64 KiB"),
        (1 << 20, "1 MiB"),
        (3 << 19, "1.5 MiB"),
        ((1 << 20) - 5, "1,024 KiB"),
        (1 << 30, "1 GiB"),
    ],
)
def test_sizes_as_people_read_them(size, text):
    assert size_text(size) == text


@pytest.mark.parametrize(("size", "text"), [(64, "64"), (4096, "4 Ki"), (1 << 20, "1 Mi")])
def test_ticks_leave_the_unit_to_the_axis(size, text):
    assert tick_text(size) == text
