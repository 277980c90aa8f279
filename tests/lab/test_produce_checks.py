"""The table is held against both brokers: for each check they get a batch with one fault, and take it or refuse it."""

from __future__ import annotations

import struct
import time
import zipfile

import pytest

import kfast
from kfast.client.cluster import connect_to_leader, create_topic
from kfast.lab.apache_kafka import ApacheKafka
from kfast.lab.produce_checks import ALWAYS, COMPACTED, NOT_YET, PRODUCE_CHECKS, check_table, checks_of_records
from kfast.record.builder import RecordBatchBuilder
from kfast.record.checksum import crc32c
from kfast.record.layout import ATTRIBUTES_POSITION, COUNT_POSITION, CRC_POSITION, HEADER_SIZE, MAX_TIMESTAMP_POSITION
from kfast.wire.api_versions import ApiKey
from kfast.wire.produce import (
    ProducePartition,
    ProduceRequest,
    ProduceTopic,
    read_produce_response,
    write_produce_request,
)

NOW_MS = time.time_ns() // 1_000_000
DAY_MS = 86_400_000
MIB = 1 << 20
CONFIGS = {
    "plain": {},
    "small": {"max.message.bytes": "1000"},
    "short": {"segment.bytes": str(MIB), "max.message.bytes": str(4 * MIB)},
    "compacted": {"cleanup.policy": "compact"},
}


def batch(*values: bytes, key: bytes | None = b"k", times: tuple[int, ...] = (), **header: int) -> bytearray:
    builder = RecordBatchBuilder(**header)
    for number, value in enumerate(values):
        builder.append(key, value, times[number] if times else NOW_MS)
    return builder.build()


def sealed(data: bytearray) -> bytearray:
    """With the checksum of what is in it now."""
    struct.pack_into(">I", data, CRC_POSITION, crc32c(memoryview(data)[ATTRIBUTES_POSITION:]))
    return data


def changed(data: bytearray, position: int, code: str, value: int) -> bytearray:
    struct.pack_into(code, data, position, value)
    return sealed(data)


def with_records(records: bytes, attributes: int = 0) -> bytearray:
    """A header that is right in everything, before records that are not."""
    data = bytearray(batch(bytes(len(records)))[:HEADER_SIZE] + records)
    struct.pack_into(">i", data, 8, len(data) - 12)
    return changed(data, ATTRIBUTES_POSITION, ">h", attributes)


def with_a_flipped_bit() -> bytearray:
    data = batch(b"value")
    data[-1] ^= 1
    return data


def one_of_two(data: bytearray) -> bytearray:
    """Says that it has one record, and has two."""
    struct.pack_into(">i", data, 23, 0)
    return changed(data, COUNT_POSITION, ">i", 1)


def late_in_the_middle() -> bytearray:
    """One record of tomorrow in a batch whose header says that the latest is of now."""
    data = batch(b"1", b"2", b"3", times=(NOW_MS, NOW_MS + DAY_MS, NOW_MS))
    return changed(data, MAX_TIMESTAMP_POSITION, ">q", NOW_MS)


FAULTS = {
    "one batch a partition, of version 2": ("plain", [batch(b"1") + batch(b"2")]),
    "not larger than max.message.bytes": ("small", [batch(bytes(1000))]),
    "not larger than a segment": ("short", [batch(bytes(2 * MIB))]),
    "CRC-32C of all but the first bytes": ("plain", [with_a_flipped_bit()]),
    "count agrees with the offsets": ("plain", [changed(batch(b"1"), COUNT_POSITION, ">i", 2)]),
    "no control batch": ("plain", [batch(b"1", key=b"\0\0\0\0", is_control=True)]),
    "sequence number and epoch of the producer": (
        "plain",
        [batch(b"1", producer_id=7, producer_epoch=0, base_sequence=sequence) for sequence in (0, 5)],
    ),
    "decompressed, if compressed": ("plain", [with_records(b"no zstd at all", attributes=4)]),
    "each record can be parsed": ("plain", [with_records(b"\xff" * 20)]),
    "as many records as the header says": ("plain", [one_of_two(batch(b"1", b"2"))]),
    "timestamps within limits": ("plain", [late_in_the_middle()]),
    "each record has a key": ("compacted", [batch(b"1", key=None)]),
}


def takes(bootstrap_servers: str, topic: str, batches: list[bytearray]) -> bool:
    """Whether the last of these, sent one a request, is appended."""
    leader = connect_to_leader(bootstrap_servers, topic, 0)
    with leader.connection as connection:
        version = connection.version(ApiKey.PRODUCE)
        for data in batches:
            partition = ProducePartition(0, memoryview(bytearray(data)))
            request = ProduceRequest(None, -1, 10_000, [ProduceTopic(topic, leader.topic_id, [partition])])
            frame = b"".join(write_produce_request(version, 0, connection.client_id, request))
            connection.socket.sendall(frame)
            answer = connection._receive_frame()
            result = read_produce_response(version, answer, 5).topics[0].partitions[0]
    return result.error_code == 0


@pytest.fixture(scope="module")
def kfast_servers():
    with kfast.Broker() as broker:
        for topic, configs in CONFIGS.items():
            create_topic(broker.bootstrap_servers, topic, configs=configs)
        yield broker.bootstrap_servers


@pytest.fixture(scope="module")
def kafka_servers(kafka_libs, monkeypatch_module, tmp_path_factory):
    monkeypatch_module.setenv("KFAST_KAFKA_LIBS", str(kafka_libs))
    with ApacheKafka(tmp_path_factory.mktemp("kafka")) as kafka:
        for topic, configs in CONFIGS.items():
            create_topic(kafka.bootstrap_servers, topic, configs=configs)
        yield kafka.bootstrap_servers


@pytest.fixture(scope="module")
def monkeypatch_module():
    with pytest.MonkeyPatch.context() as monkeypatch:
        yield monkeypatch


def test_there_is_a_fault_for_each_check():
    assert set(FAULTS) == {check.name for check in PRODUCE_CHECKS}


@pytest.mark.parametrize("check", PRODUCE_CHECKS, ids=lambda check: check.name)
def test_kfast_checks_what_the_table_says(check, kfast_servers):
    topic, batches = FAULTS[check.name]
    is_refused = check.kfast == ALWAYS or (check.kfast == COMPACTED and topic == "compacted")
    assert takes(kfast_servers, topic, batches) != is_refused
    if check.kfast == COMPACTED:
        assert not takes(kfast_servers, "compacted", batches)


@pytest.mark.kafka
@pytest.mark.parametrize("check", PRODUCE_CHECKS, ids=lambda check: check.name)
def test_apache_kafka_checks_what_the_table_says(check, kafka_servers):
    topic, batches = FAULTS[check.name]
    assert not takes(kafka_servers, topic, batches)
    if check.kafka == COMPACTED:
        assert takes(kafka_servers, "plain", batches)


@pytest.mark.kafka
def test_the_classes_are_those_of_apache_kafka(kafka_libs):
    known = {name for jar in kafka_libs.glob("kafka*.jar") for name in zipfile.ZipFile(jar).namelist()}
    assert {f"{check.kafka_class.replace('.', '/')}.class" for check in PRODUCE_CHECKS} <= known


def test_the_table_has_a_line_for_each_check():
    lines = check_table()
    assert len(lines) == len(PRODUCE_CHECKS) + 1
    assert lines[0].split()[:3] == ["done", "for", "check"]
    assert any("ProducerAppendInfo" in line and NOT_YET in line for line in lines)


def test_kfast_looks_at_no_record_of_a_usual_topic_and_apache_kafka_at_each():
    assert checks_of_records("kfast") == []
    assert len(checks_of_records("kafka")) == 4
