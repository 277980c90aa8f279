"""What a broker checks of a batch that a producer sends, and what it changes: Apache Kafka 4.1 beside kfast.

Whoever compares the two compares this too. What has to look at each record costs by the record, in a compressed batch
with its decompression; what looks at the header, or takes the checksum, costs by the batch or by the byte. kfast looks
at records where it has to, and at all of them when asked (kfast.validate.records=true).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kfast.lab.experiment_findings import table_lines

ALWAYS, SUCH_TOPICS, COMPACTED = "always", "such topics only", "compacted topics only"
ASKED, NEEDED, HEADER_TIMES = "if asked", "compacted or packed anew, or if asked", "the header's two; each if asked"
BATCH, BYTE, RECORD = "a batch", "a byte", "a record"
_STORAGE, _COMMON = "org.apache.kafka.storage.internals.log.", "org.apache.kafka.common."


@dataclass(frozen=True, slots=True)
class ProduceCheck:
    """`kafka` and `kfast` say when each broker does it; `cost` is what it is done for: a batch, a byte or a record.

    `kafka_class` is the class of Apache Kafka 4.1 that does it.
    """

    name: str
    cost: str
    kafka: str
    kafka_class: str
    kfast: str


PRODUCE_CHECKS: Sequence[ProduceCheck] = (
    ProduceCheck("one batch a partition, of version 2", BATCH, ALWAYS, f"{_COMMON}requests.ProduceRequest", ALWAYS),
    ProduceCheck("not larger than max.message.bytes", BATCH, ALWAYS, f"{_STORAGE}UnifiedLog", ALWAYS),
    ProduceCheck("not larger than a segment", BATCH, ALWAYS, f"{_STORAGE}UnifiedLog", ALWAYS),
    ProduceCheck("CRC-32C of all but the first bytes", BYTE, ALWAYS, f"{_COMMON}record.DefaultRecordBatch", ALWAYS),
    ProduceCheck("count agrees with the offsets", BATCH, ALWAYS, f"{_STORAGE}LogValidator", ALWAYS),
    ProduceCheck("no control batch", BATCH, ALWAYS, f"{_STORAGE}LogValidator", ALWAYS),
    ProduceCheck("offsets that begin at 0", BATCH, ALWAYS, f"{_STORAGE}UnifiedLog", ALWAYS),
    ProduceCheck("sequence number and epoch of the producer", BATCH, ALWAYS, f"{_STORAGE}ProducerAppendInfo", ALWAYS),
    ProduceCheck("decompressed, if compressed", RECORD, ALWAYS, f"{_STORAGE}LogValidator", NEEDED),
    ProduceCheck("each record can be parsed", RECORD, ALWAYS, f"{_COMMON}record.DefaultRecord", NEEDED),
    ProduceCheck("as many records as the header says", RECORD, ALWAYS, f"{_COMMON}record.DefaultRecordBatch", NEEDED),
    ProduceCheck("offsets count on, if compressed", RECORD, ALWAYS, f"{_STORAGE}LogValidator", ASKED),
    ProduceCheck("timestamps within limits", RECORD, ALWAYS, f"{_STORAGE}LogValidator", HEADER_TIMES),
    ProduceCheck("each record has a key", RECORD, COMPACTED, f"{_STORAGE}LogValidator", COMPACTED),
)

PRODUCE_CHANGES: Sequence[ProduceCheck] = (
    ProduceCheck("base offset and leader epoch stamped", BATCH, ALWAYS, f"{_STORAGE}LogValidator", ALWAYS),
    ProduceCheck("LogAppendTime: the time of the append", BATCH, SUCH_TOPICS, f"{_STORAGE}LogValidator", SUCH_TOPICS),
    ProduceCheck(
        "compression.type is another: packed anew", RECORD, SUCH_TOPICS, f"{_STORAGE}LogValidator", SUCH_TOPICS
    ),
    ProduceCheck("the header's largest timestamp put right", RECORD, ALWAYS, f"{_STORAGE}LogValidator", ASKED),
)


def checks_of_records(broker: str, checks: Sequence[ProduceCheck] = PRODUCE_CHECKS) -> list[str]:
    """What `broker`, "kafka" or "kfast", looks at each record for, whatever the topic."""
    return [one.name for one in checks if one.cost == RECORD and getattr(one, broker) == ALWAYS]


def check_table(checks: Sequence[ProduceCheck] = PRODUCE_CHECKS, head: str = "check") -> list[str]:
    """The checks, or the changes, as the lines of a table; classes without their packages."""
    rows = [[one.cost, one.name, one.kafka, one.kafka_class.rpartition(".")[2], one.kfast] for one in checks]
    return table_lines([["done for", head, "Apache Kafka 4.1", "its class", "kfast"], *rows])
