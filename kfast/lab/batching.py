"""E6, why batch? The same records, from one a request to ten thousand, raw and through librdkafka, compressed or not.

The raw client sends a batch that was built beforehand, so its figures are the broker's. librdkafka builds and
compresses each batch, so there the client's own work is in. The values are English text that comes with Python, as
compression of random bytes or of one repeated record says nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from kfast.lab.experiment import Arm, Comparison, Experiment, Measure, Options, Plan, block_count
from kfast.lab.experiment_result import ExperimentResult
from kfast.lab.workload_session import WorkloadSession
from kfast.lab.workload_settings import COMPRESSIONS, WorkloadSettings

BATCH_RECORDS = (1, 10, 100, 1_000, 10_000)
RECORD_SIZES = (100, 1024)
COMPRESSED_BATCHES = (1, 100, 1_000)
"""Text that a batch holds twice compresses too well: of 100-byte records the text has 4,500."""
PAIRED_BATCHES = {"raw": (1, 1_000), "confluent": COMPRESSED_BATCHES}
"""By client, the plain batches that run twice: the fewest with which each comparison has an A/A pair of its own."""
CLIENT_NAMES = {"raw": "raw client", "confluent": "librdkafka"}

RECORDS, BROKER_CPU, CLIENT_CPU, STORED = (
    "produced_records_per_s",
    "broker_cpu_us_per_record",
    "client_cpu_us_per_record",
    "stored_bytes_per_record",
)


def batch_arm(batch_records: int, record_size: int = 100, compression: str = "none", client: str = "raw") -> Arm:
    """One shape of batch, by one client."""
    words = [f"{batch_records:,} x {record_size} B"]
    words += [] if compression == "none" else [compression]
    return Arm.of(
        ", ".join([*words, CLIENT_NAMES[client]]),
        batch_records=batch_records,
        record_size=record_size,
        compression=compression,
        client=client,
    )


def batch_arms(is_smoke: bool) -> list[Arm]:
    """Batch sizes for both record sizes and clients; codecs by batch size through librdkafka; A/A pairs."""
    if is_smoke:
        arms = [batch_arm(1), batch_arm(1_000), batch_arm(1, client="confluent"), batch_arm(1_000, client="confluent")]
        return [*arms, batch_arm(1_000, 100, "zstd", "confluent"), batch_arm(1_000).again()]
    arms = [batch_arm(count, size) for size in RECORD_SIZES for count in BATCH_RECORDS]
    arms += [batch_arm(count, client="confluent") for count in BATCH_RECORDS]
    arms += [batch_arm(count, 100, codec, "confluent") for codec in COMPRESSIONS[1:] for count in COMPRESSED_BATCHES]
    return arms + [batch_arm(count, client=name).again() for name in CLIENT_NAMES for count in PAIRED_BATCHES[name]]


def _comparisons(arms: Sequence[Arm]) -> list[Comparison]:
    largest = 1_000 if batch_arm(10_000) not in arms else 10_000
    found = [
        Comparison(
            f"{count:,} records of 100 B a batch over 1, records a second, {CLIENT_NAMES[client]}",
            RECORDS,
            batch_arm(count, client=client),
            batch_arm(1, client=client),
        )
        for client in CLIENT_NAMES
        for count in dict.fromkeys((1_000, largest))
        if batch_arm(count, client=client) in arms
    ]
    found.append(
        Comparison(
            f"1 record of 100 B a batch over {largest:,}, broker CPU a record",
            BROKER_CPU,
            batch_arm(1),
            batch_arm(largest),
        )
    )
    for arm in arms:
        if arm["compression"] != "none":
            plain = batch_arm(arm["batch_records"], client="confluent")
            words = f"{arm['compression']} over none, {arm['batch_records']:,} records of 100 B a batch, librdkafka"
            found.append(Comparison(f"{words}, bytes stored a record", STORED, arm, plain))
            found.append(Comparison(f"{words}, records a second", RECORDS, arm, plain))
    return found


def _plan(options: Options) -> Plan:
    arms = batch_arms(options.is_smoke)
    settle_s, measure_s = (0.1, 0.2) if options.is_smoke else (0.3, 0.5)

    def open_session(directory: Path) -> WorkloadSession:
        return WorkloadSession(directory, WorkloadSettings(workload="produce"), settle_s, measure_s)

    return Plan(
        arms=arms,
        comparisons=_comparisons(arms),
        block_count=block_count(options),
        run_s=settle_s + measure_s + 0.3,
        open_session=open_session,
        touched_bytes=64 << 20 if options.is_smoke else 1 << 30,
        warms_up=not options.is_smoke,
    )


Series = dict[str, Callable[[Arm], bool]]


def client_series(result: ExperimentResult) -> Series:
    """The lines of a figure over the batch size: each client and record size, without compression."""
    shapes = dict.fromkeys((arm["client"], arm["record_size"]) for arm in result.arms)
    return {f"{CLIENT_NAMES[client]}, {size:,} B": partial(_is_shape, client, size, "none") for client, size in shapes}


def codec_series(result: ExperimentResult) -> Series:
    """The same for each codec, through librdkafka."""
    codecs = dict.fromkeys(arm["compression"] for arm in result.arms)
    return {codec: partial(_is_shape, "confluent", 100, codec) for codec in codecs}


def _is_shape(client: str, record_size: int, compression: str, arm: Arm) -> bool:
    return (arm["client"], arm["record_size"], arm["compression"]) == (client, record_size, compression)


def batching_effect(batch_records: int) -> Comparison:
    """Records a second with the raw client, over batches of 1."""
    return Comparison(f"{batch_records:,} a batch over 1", RECORDS, batch_arm(batch_records), batch_arm(1))


def codec_effect(codec: str, batch_records: int) -> Comparison:
    """Bytes a record without compression over those with `codec`."""
    plain, packed = (batch_arm(batch_records, 100, name, "confluent") for name in ("none", codec))
    return Comparison(f"none over {codec}", STORED, plain, packed)


BATCHING = Experiment(
    name="E6",
    slug="batching",
    title="Why batch?",
    question="how do records a second and CPU a record change from one record a request to ten thousand?",
    factors={
        "batch_records": "records a batch, one batch a request",
        "record_size": "bytes of a record's value",
        "compression": "codec of the batch",
        "client": "raw: the batch is built beforehand; librdkafka: the client builds each",
    },
    control="1 record of 100 B a batch; batches of 1 and of 1,000 by either client, and of 100 through librdkafka, run "
    "twice in each block (A/A): what each comparison is held against",
    measures=(
        Measure(RECORDS, "records a second", "more"),
        Measure(BROKER_CPU, "broker CPU, us a record", "less"),
        Measure(CLIENT_CPU, "client CPU, us a record", "less"),
        Measure(STORED, "bytes stored a record", "less"),
    ),
    falsifier="records a second stay the same whatever the batch size",
    shows="what a request costs beside what a record costs, on this machine, with one producer and one partition",
    shows_not="a network's share: over a real network small requests also pay for packets and round trips",
    counter_check=(
        "kafka-producer-perf-test.sh --num-records 1000000 --record-size 100 --throughput -1 "
        "--producer-props bootstrap.servers=... batch.size=1 (then batch.size=1000000 linger.ms=5)"
    ),
    plan=_plan,
)
