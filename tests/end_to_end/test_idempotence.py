"""Idempotent producers work, and no two of them ever get the same id, whatever happens to the broker."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kfast.record.batch import RecordBatch
from kfast.record.batches import iter_batches
from kfast.record.record import Record

SETTING = {
    "confluent-kafka": {"enable.idempotence": True},
    "kafka-python": {"enable_idempotence": True},
    "aiokafka": {"enable_idempotence": True},
}


def batches(data_dir: Path, topic: str) -> list[RecordBatch]:
    return list(iter_batches((data_dir / f"{topic}-0" / f"{0:020}.log").read_bytes()))


def test_each_producer_numbers_its_batches_from_0(client: Any, served: Any, topic: str) -> None:
    records = [Record(offset, 1, None, b"x" * 1000) for offset in range(50)]
    for _ in range(2):
        client.produce(topic, records, **SETTING[client.name])
    by_producer: dict[int, list[RecordBatch]] = {}
    for batch in batches(served.data_dir, topic):
        by_producer.setdefault(batch.producer_id, []).append(batch)
    assert len(by_producer) == 2
    assert min(by_producer) >= 0
    for of_one in by_producer.values():
        next_sequence = 0
        for batch in of_one:
            assert (batch.producer_epoch, batch.base_sequence) == (0, next_sequence)
            next_sequence += batch.count
        assert next_sequence == len(records)


def test_a_restart_gives_no_id_twice(serve: Any, confluent: Any, tmp_path: Path) -> None:
    for end in ("stop", "kill", "stop"):
        serving = serve(tmp_path / "data")
        client = confluent(serving.bootstrap_servers)
        client.produce("orders", [Record(0, 1, None, b"x")], **SETTING[client.name])
        getattr(serving, end)()
    ids = [batch.producer_id for batch in batches(tmp_path / "data", "orders")]
    assert len(ids) == len(set(ids)) == 3
