from __future__ import annotations

import itertools
import sys
import threading
import time
from typing import Any

import pytest

from kfast import Broker
from kfast.client.cluster import TOPIC_RESOURCE, alter_config
from kfast.client.consume_load import ConsumeLoad
from kfast.client.counters import LoadError
from kfast.client.produce_load import ProduceLoad
from kfast.errors import CorruptRecordError
from kfast.transfer.modes import COPY_MODES

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="MSG_TRUNC drops TCP bytes on Linux only")
WAYS = [{}, {"verify": True}, pytest.param({"receive": "discard"}, marks=linux)]


def fill(broker: Broker, topic: str, *shapes: tuple[int, int, int]) -> ProduceLoad:
    """Produce (records, records a batch, record size) for each shape; return the last load."""
    for record_count, batch_records, record_size in shapes:
        load = ProduceLoad(
            broker.bootstrap_servers,
            topic,
            batch_records=batch_records,
            record_size=record_size,
            record_count=record_count,
        )
        load.run()
    return load


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("fetch_bytes", [1, 5000, 1 << 20])
def test_every_byte_comes_once_however_it_is_received(
    broker: Broker, topic: str, way: dict[str, Any], fetch_bytes: int
) -> None:
    fill(broker, topic, (500, 1, 100), (900, 30, 10), (2500, 1000, 1000), (7, 1, 1))
    load = ConsumeLoad(broker.bootstrap_servers, topic, at_end="stop", fetch_bytes=fetch_bytes, **way)
    load.run()
    log = broker.logs.get(topic, 0)
    assert log is not None
    assert load.next_offset == load.counters.records == log.log_end_offset == 3907
    assert load.counters.bytes == log.size_bytes
    assert load.counters.errors == 0


@pytest.mark.parametrize("way", WAYS)
def test_at_the_end_it_reads_again_from_the_start(broker: Broker, topic: str, way: dict[str, Any]) -> None:
    size = fill(broker, topic, (1000, 10, 100)).counters.bytes
    load = ConsumeLoad(broker.bootstrap_servers, topic, record_count=2500, fetch_bytes=size // 4, **way)
    load.run()
    assert load.counters.loops == 2
    assert 2500 <= load.counters.records < 3000


def test_waiting_at_the_end_it_gets_what_comes(broker: Broker, topic: str) -> None:
    load = ConsumeLoad(broker.bootstrap_servers, topic, at_end="wait", record_count=30, verify=True)
    thread = threading.Thread(target=load.run)
    thread.start()
    fill(broker, topic, (10, 10, 10), (20, 5, 10))
    thread.join(20)
    assert not thread.is_alive()
    assert (load.counters.records, load.counters.loops) == (30, 0)


def test_a_stop_ends_a_long_poll(broker: Broker, topic: str) -> None:
    load = ConsumeLoad(broker.bootstrap_servers, topic, at_end="wait")
    thread = threading.Thread(target=load.run)
    thread.start()
    load.stop()
    thread.join(20)
    assert not thread.is_alive()
    assert load.counters.records == 0


def test_no_byte_is_lost_while_the_copy_mode_changes(broker: Broker, topic: str) -> None:
    written = fill(broker, topic, (30_000, 100, 1000))
    size = broker.logs.get(topic, 0).size_bytes  # type: ignore[union-attr]
    load = ConsumeLoad(
        broker.bootstrap_servers, topic, verify=True, fetch_bytes=200_000, record_count=5 * written.counters.records
    )
    before = broker.metrics.total()[0].transfer.sent_bytes.copy()
    thread = threading.Thread(target=load.run)
    thread.start()
    for mode in itertools.cycle(COPY_MODES):
        broker.copy_mode = mode
        thread.join(0.005)
        if not thread.is_alive():
            break
    broker.copy_mode = "sendfile"
    assert (load.counters.records, load.counters.bytes) == (150_000, 5 * size)
    after = broker.metrics.total()[0].transfer.sent_bytes
    assert sum(count > before[mode] for mode, count in after.items()) > 1


def test_the_fetch_size_changes_in_mid_stream(broker: Broker, topic: str) -> None:
    fill(broker, topic, (1000, 1, 100))
    load = ConsumeLoad(broker.bootstrap_servers, topic, at_end="stop", fetch_bytes=1)
    load.set("fetch_bytes", 1 << 20)
    load.run()
    assert load.counters.requests == 1
    with pytest.raises(ValueError, match="not batch_records"):
        load.set("batch_records", 1)


def test_a_start_that_retention_moved_is_not_an_error_to_stop_at(broker: Broker, topic: str) -> None:
    alter_config(broker.bootstrap_servers, TOPIC_RESOURCE, topic, "segment.bytes", str(1 << 20))
    fill(broker, topic, (5000, 100, 1000))
    log = broker.logs.get(topic, 0)
    assert log is not None
    load = ConsumeLoad(broker.bootstrap_servers, topic, at_end="stop")
    load._log_start_offset()
    alter_config(broker.bootstrap_servers, TOPIC_RESOURCE, topic, "retention.bytes", "1000000")
    load._ask()
    load._receiver.receive()
    log.delete_old_segments()
    assert log.log_start_offset > 0
    load._fetch()
    assert load.counters.errors == 1
    assert load.next_offset == log.log_start_offset
    load.run()
    assert load.next_offset == log.log_end_offset


def test_verifying_finds_a_flipped_byte(broker: Broker, topic: str) -> None:
    fill(broker, topic, (10, 5, 100))
    log = broker.logs.get(topic, 0)
    assert log is not None
    path = log.directory / "00000000000000000000.log"
    with open(path, "r+b") as file:
        file.seek(-10, 2)
        byte = file.read(1)[0]
        file.seek(-10, 2)
        file.write(bytes([byte ^ 1]))
    load = ConsumeLoad(broker.bootstrap_servers, topic, verify=True, at_end="stop")
    with pytest.raises(CorruptRecordError):
        load.run()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"receive": "telepathy"}, "recv_into, discard, not 'telepathy'"),
        ({"at_end": "cry"}, "loop, wait, stop, not 'cry'"),
        ({"receive": "discard", "verify": True}, "cannot be verified"),
    ],
)
def test_settings_that_cannot_be(broker: Broker, settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        ConsumeLoad(broker.bootstrap_servers, "any", **settings)


def test_an_error_of_the_broker_is_told(broker: Broker, topic: str) -> None:
    load = ConsumeLoad(broker.bootstrap_servers, topic, at_end="stop")
    broker.metadata.delete_topic(topic)
    with pytest.raises(LoadError, match=f"{topic}-0"):
        load.run()


def test_without_a_long_poll_the_end_is_asked_for_again_and_again(broker: Broker, topic: str) -> None:
    load = ConsumeLoad(broker.bootstrap_servers, topic, at_end="wait", max_wait_ms=0, record_count=5)
    thread = threading.Thread(target=load.run)
    thread.start()
    while load.counters.requests < 20:  # not one of which would be answered, were it waited for a record
        pass
    fill(broker, topic, (5, 5, 10))
    thread.join()
    assert load.counters.records == 5


def test_held_to_a_rate_it_takes_as_long_as_that_takes(broker: Broker, topic: str) -> None:
    size = fill(broker, topic, (400, 10, 100)).counters.bytes
    load = ConsumeLoad(broker.bootstrap_servers, topic, at_end="stop", fetch_bytes=size // 8, bytes_per_s=10 * size)
    start_ns = time.monotonic_ns()
    load.run()
    assert load.counters.bytes == size
    assert time.monotonic_ns() - start_ns >= 0.08e9, "the last fetch has to wait for the time of all before"
