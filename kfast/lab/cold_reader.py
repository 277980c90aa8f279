"""E7, does a cold reader hurt a hot producer? Two servers, a producer held to a rate, and a consumer of an old log.

    server     a thread per connection, or one thread for all connections (`shared_thread_server`)
    consumer   none, warm (its log is in the page cache) or cold (none of it is: checked by cachestat before each run)
    warms_up   whether another thread reads what is about to be sent first: the cure proposed in KAFKA-7504

The consumer is held to a rate too. So a warm and a cold one ask the same of broker and processors, and differ only in
where the bytes are. The old log has segments of the size of a fetch: in longer files the kernel would read ahead of a
consumer that does not hurry, and none but its first fetch would be cold. It is what a broker sees whose consumers come
back to many partitions.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from kfast.lab.cold_reader_session import (
    BROKER_CORES,
    COLD,
    CONSUMED,
    DEVICE_BYTES,
    LONGEST,
    NOBODY,
    P50,
    P99,
    PER_CONNECTION,
    REQUESTS,
    SHARED,
    WARM,
    ColdReaderSession,
    Sizes,
)
from kfast.lab.experiment import Arm, Comparison, Experiment, Measure, Options, Plan, block_count

FULL = Sizes(settle_s=0.2, measure_s=1.5, consumer_bytes_per_s=100e6)
SMOKE = Sizes(settle_s=0.05, measure_s=0.2, consumer_bytes_per_s=40e6)
START_S = 0.6
"""What a run takes besides: the log out of the page cache or into it, and two processes that start."""


def reader_arm(server: str, consumer: str, warms_up: bool = False) -> Arm:
    """A server, and whoever reads the old log from it."""
    words = f"{server}, {'no consumer' if consumer == NOBODY else f'{consumer} consumer'}"
    return Arm.of(f"{words}, warmed up" if warms_up else words, server=server, consumer=consumer, warms_up=warms_up)


def reader_arms(is_smoke: bool) -> list[Arm]:
    """Both servers by all consumers, and the cure; both alone and with a cold consumer twice (A/A)."""
    alone, cold = (reader_arm(SHARED, consumer) for consumer in (NOBODY, COLD))
    if is_smoke:
        return [alone, cold, *(reader_arm(PER_CONNECTION, consumer) for consumer in (NOBODY, COLD)), cold.again()]
    arms = [reader_arm(server, consumer) for server in (SHARED, PER_CONNECTION) for consumer in (NOBODY, WARM, COLD)]
    twice = [reader_arm(server, consumer) for server in (SHARED, PER_CONNECTION) for consumer in (NOBODY, COLD)]
    return [*arms, reader_arm(SHARED, COLD, warms_up=True), *(arm.again() for arm in twice)]


def p99_comparison(words: str, over: Arm, under: Arm) -> Comparison:
    return Comparison(f"{words}, p99 of produce", P99, over, under)


def cold_effect(server: str) -> Comparison:
    """What a cold consumer does to the producer beside it."""
    words = f"{server}: a cold consumer over none"
    return p99_comparison(words, reader_arm(server, COLD), reader_arm(server, NOBODY))


def reader_comparisons(arms: Sequence[Arm]) -> list[Comparison]:
    """Those of which both arms are there. The first is the claim, the second its other half."""
    alone, warm, cold = (reader_arm(SHARED, consumer) for consumer in (NOBODY, WARM, COLD))
    own, cured = reader_arm(PER_CONNECTION, COLD), reader_arm(SHARED, COLD, warms_up=True)
    found = [
        cold_effect(SHARED),
        cold_effect(PER_CONNECTION),
        p99_comparison(f"a cold consumer: {SHARED} over {PER_CONNECTION}", cold, own),
        p99_comparison(f"{SHARED}: a cold consumer over a warm one", cold, warm),
        p99_comparison(f"{SHARED}: a warm consumer over none", warm, alone),
        p99_comparison(f"{SHARED}: a cold consumer over the same warmed up", cold, cured),
    ]
    return [comparison for comparison in found if {comparison.over, comparison.under} <= set(arms)]


def _plan(options: Options) -> Plan:
    arms = reader_arms(options.is_smoke)
    sizes = SMOKE if options.is_smoke else FULL

    def open_session(directory: Path) -> ColdReaderSession:
        return ColdReaderSession(directory, sizes)

    return Plan(
        arms=arms,
        comparisons=reader_comparisons(arms),
        block_count=block_count(options),
        run_s=sizes.settle_s + sizes.measure_s + START_S,
        open_session=open_session,
        touched_bytes=64 << 20 if options.is_smoke else 1 << 30,
        warms_up=not options.is_smoke,
    )


COLD_READER = Experiment(
    name="E7",
    slug="cold-reader",
    title="Does a cold reader hurt a hot producer?",
    question="how much longer does a producer wait while a consumer reads old records from the disk, with one thread "
    "for both and with a thread for each?",
    factors={
        "server": "a thread per connection, as kfast has; or one for all, as each network thread of Apache Kafka",
        "consumer": "none; warm: all of its log is in the page cache before the run; cold: nothing of it is",
        "warms_up": "another thread first sends to /dev/null what is about to be sent (proposed in KAFKA-7504)",
    },
    control="no consumer; that and a cold consumer run twice in each block for both servers (A/A)",
    measures=(
        Measure(P99, "produce latency, p99, ms", "less"),
        Measure(P50, "p50, ms", "less"),
        Measure(LONGEST, "longest, ms", "less"),
        Measure(CONSUMED, "consumed, MB/s", "more", 1e6),
        Measure(REQUESTS, "device reads a second", "less"),
        Measure(DEVICE_BYTES, "device bytes a consumed byte", "less"),
        Measure(BROKER_CORES, "broker CPU, cores", "less"),
    ),
    falsifier="a cold consumer lengthens the p99 of a producer on the same thread no more than a warm one does, or "
    "that of a producer with a thread of its own as much",
    shows="whom a sendfile on cold pages makes wait, with this machine's disk and this rate of cold reads",
    shows_not="how long it is elsewhere: that is the disk's. On a virtual machine cold is cold for the guest alone; "
    "the host may have it all in memory, and answer far sooner than a disk would. Nor what Apache Kafka itself does: "
    "it has three network threads by default, and a cold reader holds up those connections that share its own",
    counter_check=(
        "with Apache Kafka and num.network.threads=1: kafka-producer-perf-test.sh --throughput 1000 ..., beside it "
        "kafka-consumer-perf-test.sh on another topic, after vmtouch -e on its directory; meanwhile "
        "strace -f -T -e trace=sendfile -p PID shows the calls that took milliseconds"
    ),
    plan=_plan,
)
