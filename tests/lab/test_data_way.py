import pytest

from kfast.lab.data_way import Mover, Station, Traffic, copies_by_cpu, data_way, sentences
from kfast.lab.unavailable import Unavailable

RATE = 1e9


def read_traffic(copy_mode: str, **rest) -> Traffic:
    return Traffic(copy_mode, sent_bytes_per_s={copy_mode: RATE}, consumed_bytes_per_s=RATE, **rest)


@pytest.mark.parametrize(
    ("copy_mode", "copied", "discarded"),
    [("read_send", 3, 2), ("mmap_send", 2, 1), ("sendfile", 1, 0), ("splice", 1, 0)],
)
def test_cpu_copies_of_each_byte_on_loopback(copy_mode, copied, discarded):
    assert copies_by_cpu(data_way(read_traffic(copy_mode))) == copied
    assert copies_by_cpu(data_way(read_traffic(copy_mode, receiver_discards=True))) == discarded


@pytest.mark.parametrize(
    ("copy_mode", "skipped"),
    [
        ("read_send", {"3.2"}),
        ("mmap_send", {"2.2", "3.2"}),
        ("sendfile", {"2.2", "2.3"}),
        ("splice", {"2.2", "2.3"}),
    ],
)
def test_hops_that_a_mode_goes_around_are_skipped(copy_mode, skipped):
    way = data_way(read_traffic(copy_mode))
    assert {hop.number for hop in way.hops if hop.is_skipped} == skipped
    assert all(hop.bytes_per_s == 0 for hop in way.hops if hop.is_skipped)


def test_bytes_of_two_modes_are_on_both_ways_while_the_mode_is_switched():
    way = data_way(Traffic("sendfile", sent_bytes_per_s={"read_send": 100.0, "mmap_send": 10.0, "splice": 1.0}))
    assert way.hop(Station.PAGE_CACHE, Station.APPLICATION).bytes_per_s == 100.0
    assert way.hop(Station.APPLICATION, Station.SOCKET_BUFFER).bytes_per_s == 110.0
    assert way.hop(Station.PAGE_CACHE, Station.SOCKET_BUFFER).bytes_per_s == 1.0
    assert not any(hop.is_skipped for hop in way.hops)


def test_write_path_and_what_measured_it():
    traffic = Traffic(
        "sendfile",
        received_bytes_per_s=3.0,
        appended_bytes_per_s=2.0,
        device_write_bytes_per_s=1.0,
        unflushed_bytes=7,
        dirty_bytes=9,
    )
    way = data_way(traffic)
    assert [(hop.number, hop.bytes_per_s, hop.mover, hop.measured_by) for hop in way.write] == [
        ("1.1", 3.0, Mover.CPU, "broker"),
        ("1.2", 2.0, Mover.CPU, "broker"),
        ("1.3", 1.0, Mover.DMA, "device"),
    ]
    assert (way.unflushed_bytes, way.dirty_bytes) == (7, 9)


def test_requests_of_consumers_are_not_what_a_producer_sends():
    way = data_way(read_traffic("sendfile", received_bytes_per_s=300e3))
    assert way.hop(Station.PRODUCER, Station.APPLICATION).bytes_per_s == 0


def test_only_the_hop_by_reference_is_inferred():
    for copy_mode in ("read_send", "sendfile"):
        way = data_way(read_traffic(copy_mode))
        assert {hop.number for hop in way.hops if hop.is_inferred} == {"3.2"}


def test_a_counter_that_is_missing_is_no_zero():
    way = data_way(read_traffic("sendfile", device_read_bytes_per_s=Unavailable("no /proc/diskstats")))
    hop = way.hop(Station.DISK, Station.PAGE_CACHE)
    assert isinstance(hop.bytes_per_s, Unavailable)
    assert hop.is_inferred
    assert "3.1 disk to page cache: unavailable: no /proc/diskstats." in sentences(way)


def test_a_warm_page_cache_is_named():
    assert "warm" in data_way(read_traffic("sendfile")).hop(Station.DISK, Station.PAGE_CACHE).by
    cold = data_way(read_traffic("sendfile", device_read_bytes_per_s=5e6))
    assert "warm" not in cold.hop(Station.DISK, Station.PAGE_CACHE).by


def test_last_hop_says_whether_the_receiver_copies():
    last = data_way(read_traffic("read_send")).read[-1]
    assert (last.by, last.mover) == ("receiver copies (CPU)", Mover.CPU)
    last = data_way(read_traffic("read_send", receiver_discards=True)).read[-1]
    assert (last.by, last.mover) == ("receiver discards (MSG_TRUNC)", Mover.NOBODY)


def test_sentences_say_rate_mover_and_source_of_each_hop():
    words = sentences(data_way(read_traffic("read_send", unflushed_bytes=5_000_000, dirty_bytes=8_000_000)))
    assert "2.2 page cache to broker: 1,000 MB/s, CPU copy, pread(), measured by the broker's own counters." in words
    assert "3.2 page cache to socket buffer: skipped in this copy mode." in words
    assert words[-1].endswith("by this log: 5 MB; dirty pages of the whole machine: 8 MB.")
