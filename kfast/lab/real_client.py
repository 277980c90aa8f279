"""Reads a partition back as its users would, through confluent-kafka (librdkafka), records and all."""

from __future__ import annotations

import time

from kfast.errors import KfastError
from kfast.record.record import Record

TIMEOUT_S = 20.0
POLL_S = 0.2
AT_ONCE = 1000


class ReadBackError(KfastError):
    """A client did not get what a broker has."""


def read_back(
    bootstrap_servers: str, topic: str, partition: int = 0, timeout_s: float = TIMEOUT_S, **settings: str | int | bool
) -> list[Record]:
    """Return all records of a partition, from its start to its end as they were when the consumer asked.

    `settings` are librdkafka's, with underscores for dots: `check_crcs=True`. Raises ReadBackError when the consumer
    reports an error, or has not got them all within `timeout_s`.
    """
    from confluent_kafka import Consumer, KafkaException, TopicPartition

    configured = {name.replace("_", "."): value for name, value in settings.items()}
    consumer = Consumer(
        {"bootstrap.servers": bootstrap_servers, "group.id": "read-back", "enable.auto.commit": False, **configured}
    )
    try:
        place = TopicPartition(topic, partition)
        start, end = consumer.get_watermark_offsets(place, timeout=timeout_s)
        consumer.assign([TopicPartition(topic, partition, start)])
        records: list[Record] = []
        deadline_s = time.monotonic() + timeout_s
        while start < end and (not records or records[-1].offset < end - 1):
            if time.monotonic() > deadline_s:
                raise ReadBackError(f"{len(records)} records of {topic}-{partition} came within {timeout_s:.0f} s")
            for message in consumer.consume(AT_ONCE, POLL_S):
                if message.error() is not None:
                    raise ReadBackError(f"after {len(records)} records of {topic}-{partition}: {message.error()}")
                headers = tuple(message.headers() or ())
                records.append(
                    Record(message.offset(), message.timestamp()[1], message.key(), message.value(), headers)
                )
        return records
    except KafkaException as error:
        raise ReadBackError(f"{topic}-{partition}: {error}") from error
    finally:
        consumer.close()
