"""The still picture has the whole way in words."""

from __future__ import annotations

from kfast.lab.data_way import Traffic, data_way
from kfast.viz.way_picture import draw_way


def test_each_mode_says_how_often_a_byte_is_copied():
    for mode, times in (("read_send", "three times"), ("mmap_send", "twice"), ("sendfile", "once")):
        shown = draw_way(data_way(Traffic(mode, sent_bytes_per_s={mode: 5e8}, consumed_bytes_per_s=5e8)))
        assert f"the CPU copies each byte {times} on its read path" in shown.finding
        assert "500 MB/s" in shown.description
        assert shown.png().startswith(b"\x89PNG")
