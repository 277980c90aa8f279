"""E11, kfast beside Apache Kafka or any cluster: the same clients put the same loads on each of them.

Three kinds of load: the kernel's work (fetches, large batches), a request's work (records of 100 bytes, one a request)
and a program's own library. What the brokers do to a batch that they are sent is not the same: see `produce_checks`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from kfast.lab.beside_loads import (
    ALONE,
    BYTES,
    CPU_PER_GB,
    CPU_PER_REQUEST,
    FETCH,
    LIBRARY_CONSUME,
    LIBRARY_PRODUCE,
    LOADS,
    P50,
    P99,
    PRODUCE,
    RECORDS,
    SMALL,
)
from kfast.lab.beside_session import (
    CHECKING_KFAST,
    CLUSTER,
    KAFKA,
    KFAST,
    OPEN_KAFKA,
    BesideSession,
    Extent,
)
from kfast.lab.experiment import Arm, Comparison, Experiment, Measure, Options, Plan, block_count

SMOKE_LOADS = (FETCH, PRODUCE, ALONE)
EXTENT = Extent(settle_s=0.2, measure_s=0.7, warm_up_s=5.0, read_bytes=256 << 20)
SMOKE_EXTENT = Extent(settle_s=0.05, measure_s=0.1, warm_up_s=0.25, read_bytes=16 << 20)
LARGE_LOADS = (FETCH, PRODUCE)
CHECKED_LOADS = (PRODUCE, SMALL, LIBRARY_PRODUCE)
"""What is produced, in batches of each size: here looking at records can cost."""

COMPARED = {
    FETCH: (CPU_PER_GB, BYTES),
    PRODUCE: (CPU_PER_GB, BYTES),
    SMALL: (CPU_PER_REQUEST, RECORDS),
    ALONE: (CPU_PER_REQUEST, P50, P99),
    LIBRARY_PRODUCE: (CPU_PER_GB, BYTES),
    LIBRARY_CONSUME: (CPU_PER_GB, BYTES),
}
"""What each load is compared by."""

WORDS = {
    CPU_PER_GB: "broker CPU a GB",
    CPU_PER_REQUEST: "broker CPU a request",
    BYTES: "bytes a second",
    RECORDS: "records a second",
    P50: "median latency",
    P99: "99 % latency",
}


def beside_arm(broker: str, load: str) -> Arm:
    """One load on one broker. No name has the address of a cluster: results are given away."""
    return Arm.of(f"{LOADS[load].words}: {broker}", broker=broker, load=load)


def beside_arms(is_smoke: bool = False, with_cluster: bool = False) -> list[Arm]:
    """Each load on each broker, large ones also on a Kafka with the system's socket buffers; and A/A pairs.

    What is produced also goes to a kfast that looks at each record, as Kafka does. A/A pairs are those of both kfasts
    with each of their loads, and both arms of the headline.
    """
    if is_smoke:
        arms = [beside_arm(broker, load) for load in SMOKE_LOADS for broker in (KFAST, KAFKA)]
        arms.insert(arms.index(beside_arm(KAFKA, PRODUCE)), beside_arm(CHECKING_KFAST, PRODUCE))
        repeated = [beside_arm(KFAST, ALONE).again()]
    else:
        arms = [beside_arm(broker, load) for load in LOADS for broker in _brokers_of(load)]
        repeated = [beside_arm(KFAST, load).again() for load in LOADS] + [beside_arm(OPEN_KAFKA, FETCH).again()]
        repeated += [beside_arm(CHECKING_KFAST, load).again() for load in CHECKED_LOADS]
    if with_cluster:
        arms += [beside_arm(CLUSTER, load) for load in dict.fromkeys(arm["load"] for arm in arms)]
    return [*arms, *repeated]


def _brokers_of(load: str) -> tuple[str, ...]:
    checking = (CHECKING_KFAST,) if load in CHECKED_LOADS else ()
    larger_buffers = (OPEN_KAFKA,) if load in LARGE_LOADS else ()
    return (KFAST, *checking, KAFKA, *larger_buffers)


def beside_comparisons(arms: Sequence[Arm]) -> list[Comparison]:
    """kfast over each other broker, load by load, by what can be seen; and what checks and Kafka's buffers do.

    Those whose arms are among `arms`.
    """
    found = [effect(load, measure, other) for other in (OPEN_KAFKA, KAFKA) for load, measure in _COMPARED]
    seen = [(load, measure) for load, measure in _COMPARED if measure not in (CPU_PER_GB, CPU_PER_REQUEST)]
    found += [effect(load, measure, CLUSTER) for load, measure in seen]
    found += [effect(FETCH, measure, OPEN_KAFKA, over=KAFKA) for measure in COMPARED[FETCH]]
    checked = [(load, measure) for load in CHECKED_LOADS for measure in COMPARED[load]]
    found += [effect(load, measure, under, CHECKING_KFAST) for under in (KFAST, KAFKA) for load, measure in checked]
    return [comparison for comparison in found if {comparison.over, comparison.under} <= set(arms)]


def effect(load: str, measure: str, under: str = KAFKA, over: str = KFAST) -> Comparison:
    """One broker over another, by one measure of one load."""
    words = f"{over} over {under}, {LOADS[load].words}, {WORDS[measure]}"
    return Comparison(words, measure, beside_arm(over, load), beside_arm(under, load))


_COMPARED = [(load, measure) for load, measures in COMPARED.items() for measure in measures]


def _plan(options: Options) -> Plan:
    cluster = options.bootstrap_servers
    arms = beside_arms(options.is_smoke, with_cluster=cluster is not None)
    extent = SMOKE_EXTENT if options.is_smoke else EXTENT

    def open_session(directory: Path) -> BesideSession:
        return BesideSession(directory, arms, extent, cluster)

    return Plan(
        arms=arms,
        comparisons=beside_comparisons(arms),
        block_count=block_count(options),
        run_s=extent.settle_s + extent.measure_s + 0.5,
        open_session=open_session,
        touched_bytes=64 << 20 if options.is_smoke else 2 << 30,
        warms_up=not options.is_smoke,
    )


BESIDE_KAFKA = Experiment(
    name="E11",
    slug="beside-kafka",
    title="How does kfast compare with Apache Kafka?",
    question="what does the same load cost kfast, Apache Kafka 4.1 and any other cluster?",
    factors={
        "broker": "kfast, and one that looks at each record it is sent; Apache Kafka 4.1, where Java and its jars are, "
        "with its own socket buffers of 100 KiB and with the system's, which grow; and the cluster that was named",
        "load": "fetches of 1 MiB and batches of 100 KiB, raw; records of 100 bytes one a request, on 4 connections "
        "and one in flight; 1 KiB records through librdkafka",
    },
    control="Apache Kafka, warmed up; each kfast has its loads twice in each block, as has the Kafka of the headline "
    "(A/A)",
    measures=(
        Measure(CPU_PER_GB, "broker CPU, s/GB", "less"),
        Measure(BYTES, "MB/s", "more", 1e6),
        Measure(RECORDS, "records a second", "more"),
        Measure(CPU_PER_REQUEST, "broker CPU, us a request", "less"),
        Measure(P50, "latency of a request, p50, us", "less"),
        Measure(P99, "latency of a request, p99, us", "less"),
    ),
    falsifier="kfast needs more CPU than Apache Kafka for the same load, or moves less",
    shows="what a broker that keeps per-record work out of its way costs beside one that checks each record, on this "
    "machine, with few clients, one partition and no replication",
    shows_not="that kfast could take Kafka's place: it does not replicate, and it checks less of what it is sent (the "
    "table of checks says what): what those checks cost is a part of every ratio to produce, but for those of the "
    "kfast that looks at records. Latency is that of one request at a time, not under a load that comes whatever the "
    "broker does. What Kafka is made for, many partitions, clients and disks, is not asked for here",
    counter_check=(
        "kafka-producer-perf-test.sh --num-records 2000000 --record-size 1024 --throughput -1 --producer-props "
        "bootstrap.servers=... against `kfast serve` and against Kafka, each with `pidstat -p PID 1` beside it"
    ),
    plan=_plan,
    takes_cluster=True,
)
