"""The tables are held against both brokers. For each check they get a batch with one fault, and take it or refuse it;
for each change, what they have written is compared with what they were sent.
"""

from __future__ import annotations

import struct
import time
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

import kfast
from kfast.client.cluster import connect_to_leader, create_topic
from kfast.lab.apache_kafka import ApacheKafka
from kfast.lab.produce_checks import (
    ALWAYS,
    ASKED,
    COMPACTED,
    HEADER_TIMES,
    NEEDED,
    PRODUCE_CHANGES,
    PRODUCE_CHECKS,
    check_table,
    checks_of_records,
)
from kfast.record.batch import RecordBatch
from kfast.record.batches import iter_batches
from kfast.record.builder import RecordBatchBuilder
from kfast.record.checksum import crc32c
from kfast.record.compression import CompressionType
from kfast.record.layout import (
    ATTRIBUTES_POSITION,
    COUNT_POSITION,
    CRC_POSITION,
    HEADER_SIZE,
    MAX_TIMESTAMP_POSITION,
    TimestampType,
)
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
    "gzip": {"compression.type": "gzip"},
    "append": {"message.timestamp.type": "LogAppendTime"},
}
ASKED_FOR = {"kfast.validate.records": "true"}


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


def out_of_step() -> bytearray:
    """The second record says that it is the third, in a compressed batch."""
    builder = RecordBatchBuilder(0, CompressionType.GZIP)
    builder.append(b"k", b"1", NOW_MS)
    builder.append(b"k", b"2", NOW_MS, offset=2)
    return builder.build(last_offset=1)


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
    "offsets that begin at 0": ("plain", [changed(batch(b"1"), 0, ">q", 5)]),
    "decompressed, if compressed": ("plain", [with_records(b"no zstd at all", attributes=4)]),
    "each record can be parsed": ("plain", [with_records(b"\xff" * 20)]),
    "as many records as the header says": ("plain", [one_of_two(batch(b"1", b"2"))]),
    "offsets count on, if compressed": ("plain", [out_of_step()]),
    "timestamps within limits": ("plain", [late_in_the_middle()]),
    "each record has a key": ("compacted", [batch(b"1", key=None)]),
}


def says_an_earlier_time() -> bytearray:
    """Its header does not say the largest timestamp."""
    return changed(batch(b"value"), MAX_TIMESTAMP_POSITION, ">q", NOW_MS - 1000)


CHANGES = {
    "base offset and leader epoch stamped": (
        "plain",
        batch(b"value"),
        lambda stored, sent: (
            (stored.base_offset, stored.partition_leader_epoch)
            > (RecordBatch(sent).base_offset, RecordBatch(sent).partition_leader_epoch)
        ),
    ),
    "LogAppendTime: the time of the append": (
        "append",
        batch(b"value"),
        lambda stored, _: stored.timestamp_type is TimestampType.LOG_APPEND_TIME and stored.max_timestamp_ms >= NOW_MS,
    ),
    "compression.type is another: packed anew": (
        "gzip",
        batch(b"value"),
        lambda stored, _: stored.compression is CompressionType.GZIP,
    ),
    "the header's largest timestamp put right": (
        "plain",
        says_an_earlier_time(),
        lambda stored, _: stored.max_timestamp_ms == NOW_MS,
    ),
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


@dataclass(frozen=True)
class Beside:
    """A broker and its files."""

    servers: str
    data_dir: Path

    def last_batch(self, topic: str) -> RecordBatch:
        """What was written last; looked at before anything is flushed."""
        data = max((self.data_dir / f"{topic}-0").glob("*.log")).read_bytes()
        return list(iter_batches(data))[-1]


@contextmanager
def kfast_with(data_dir, config):
    with kfast.Broker(data_dir, config=config) as broker:
        for topic, configs in CONFIGS.items():
            create_topic(broker.bootstrap_servers, topic, configs=configs)
        yield Beside(broker.bootstrap_servers, data_dir)


@pytest.fixture(scope="module")
def usual(tmp_path_factory):
    with kfast_with(tmp_path_factory.mktemp("usual"), {}) as broker:
        yield broker


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    with kfast_with(tmp_path_factory.mktemp("asked"), ASKED_FOR) as broker:
        yield broker


@pytest.fixture(scope="module")
def kafka(kafka_libs, monkeypatch_module, tmp_path_factory):
    monkeypatch_module.setenv("KFAST_KAFKA_LIBS", str(kafka_libs))
    with ApacheKafka(tmp_path_factory.mktemp("kafka")) as broker:
        for topic, configs in CONFIGS.items():
            create_topic(broker.bootstrap_servers, topic, configs=configs)
        yield Beside(broker.bootstrap_servers, broker.data_dir)


@pytest.fixture(scope="module")
def monkeypatch_module():
    with pytest.MonkeyPatch.context() as monkeypatch:
        yield monkeypatch


def test_there_is_a_fault_for_each_check_and_a_case_for_each_change():
    assert set(FAULTS) == {check.name for check in PRODUCE_CHECKS}
    assert set(CHANGES) == {change.name for change in PRODUCE_CHANGES}


@pytest.mark.parametrize("check", PRODUCE_CHECKS, ids=lambda check: check.name)
def test_kfast_checks_what_the_table_says(check, usual, asked):
    topic, batches = FAULTS[check.name]
    refused_by = [broker for broker in (usual, asked) if not takes(broker.servers, topic, batches)]
    if check.kfast in (ALWAYS, COMPACTED):
        assert refused_by == [usual, asked]
    else:
        assert refused_by == [asked]
    if check.kfast == COMPACTED:
        assert topic == "compacted"
        assert takes(usual.servers, "plain", batches)
        assert takes(asked.servers, "plain", batches)
    if check.kfast == NEEDED:
        assert not takes(usual.servers, "compacted", batches)
        assert not takes(usual.servers, "gzip", batches)


def test_the_times_of_a_header_are_always_looked_at(usual):
    (check,) = (check for check in PRODUCE_CHECKS if check.kfast == HEADER_TIMES)
    assert check.name == "timestamps within limits"
    assert not takes(usual.servers, "plain", [batch(b"1", times=(NOW_MS + DAY_MS,))])


@pytest.mark.kafka
@pytest.mark.parametrize("check", PRODUCE_CHECKS, ids=lambda check: check.name)
def test_apache_kafka_checks_what_the_table_says(check, kafka):
    topic, batches = FAULTS[check.name]
    assert not takes(kafka.servers, topic, batches)
    if check.kafka == COMPACTED:
        assert takes(kafka.servers, "plain", batches)


def is_changed(broker: Beside, name: str, topic: str) -> bool:
    """Whether `broker` makes that change to a batch it is sent for the second time, so that offset 0 is taken."""
    sent, differs = CHANGES[name][1:]
    assert takes(broker.servers, topic, [sent, sent])
    stored = broker.last_batch(topic)
    assert [record.value for record in stored.records()] == [b"value"]
    return bool(differs(stored, sent))


@pytest.mark.parametrize("change", PRODUCE_CHANGES, ids=lambda change: change.name)
def test_kfast_changes_what_the_table_says(change, usual, asked):
    topic = CHANGES[change.name][0]
    assert is_changed(usual, change.name, topic) == (change.kfast != ASKED)
    assert is_changed(asked, change.name, topic)
    if topic != "plain":
        assert not is_changed(asked, change.name, "plain")


@pytest.mark.kafka
@pytest.mark.parametrize("change", PRODUCE_CHANGES, ids=lambda change: change.name)
def test_apache_kafka_changes_what_the_table_says(change, kafka):
    topic = CHANGES[change.name][0]
    assert is_changed(kafka, change.name, topic)
    if topic != "plain":
        assert not is_changed(kafka, change.name, "plain")


def test_nothing_else_is_changed_by_either(usual):
    """That is why the checksum of a producer stays right."""
    sent = batch(b"value")
    assert takes(usual.servers, "plain", [sent])
    assert bytes(usual.last_batch("plain").buffer)[16:] == bytes(sent)[16:]


@pytest.mark.kafka
def test_the_classes_are_those_of_apache_kafka(kafka_libs):
    known = {name for jar in kafka_libs.glob("kafka*.jar") for name in zipfile.ZipFile(jar).namelist()}
    named = {f"{one.kafka_class.replace('.', '/')}.class" for one in (*PRODUCE_CHECKS, *PRODUCE_CHANGES)}
    assert named <= known


def test_a_table_has_a_line_for_each_check():
    lines = check_table()
    assert len(lines) == len(PRODUCE_CHECKS) + 1
    assert lines[0].split()[:3] == ["done", "for", "check"]
    assert any("ProducerAppendInfo" in line and line.endswith(ALWAYS) for line in lines)
    assert check_table(PRODUCE_CHANGES, "change")[0].split()[:3] == ["done", "for", "change"]


def test_kfast_looks_at_no_record_of_a_usual_topic_and_apache_kafka_at_each():
    assert checks_of_records("kfast") == []
    assert len(checks_of_records("kafka")) == 5
