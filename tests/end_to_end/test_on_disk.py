"""Bytes on disk are those the producer sent, but for the base offset and the leader epoch of each batch."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pytest

from kfast.broker import dispatch
from kfast.record.batches import iter_batches
from kfast.record.layout import LEADER_EPOCH_POSITION, LENGTH_POSITION, MAGIC_POSITION
from kfast.record.record import Record
from kfast.wire.api_versions import ApiKey
from kfast.wire.produce import read_produce_request

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
ROUNDS = 3


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[bytes]]:
    """What came over the wire for each topic, copied before the broker of this process saw it."""
    sent: dict[str, list[bytes]] = defaultdict(list)
    answer = dispatch.answer

    def answer_and_note(broker: Any, frame: memoryview, context: Any) -> Any:
        header = context.header
        if header.api_key == ApiKey.PRODUCE:
            for name, _, partitions in read_produce_request(header.api_version, frame, header.size_bytes).topics:
                sent[name] += [bytes(records or b"") for _, records in partitions]
        return answer(broker, frame, context)

    monkeypatch.setattr(dispatch, "answer", answer_and_note)
    return sent


def without_stamp(batch: bytes) -> bytes:
    return batch[LENGTH_POSITION:LEADER_EPOCH_POSITION] + batch[MAGIC_POSITION:]


def test_bytes_on_disk_are_what_the_producer_sent(sent: dict[str, list[bytes]], new_client: Any, embedded: Any) -> None:
    broker = embedded()
    client = new_client(broker.bootstrap_servers)
    records = [
        Record(offset, 1_760_000_000_000 + offset, b"%d" % offset, b"value %d " % offset * 50) for offset in range(100)
    ]
    for codec in CODECS:
        for _ in range(ROUNDS):
            client.produce(codec, records, codec=codec)
    for codec in CODECS:
        stored = [
            bytes(batch.buffer)
            for batch in iter_batches((broker.log(codec, 0).directory / f"{0:020}.log").read_bytes())
        ]
        assert len(stored) >= ROUNDS
        assert [without_stamp(batch) for batch in stored] == [without_stamp(batch) for batch in sent[codec]]
        offsets = [(batch.base_offset, batch.partition_leader_epoch) for batch in iter_batches(b"".join(stored))]
        assert offsets[0] == (0, 0)
        assert {epoch for _, epoch in offsets} == {0}
        assert broker.log(codec, 0).log_end_offset == ROUNDS * len(records)
