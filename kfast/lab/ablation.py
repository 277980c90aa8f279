"""E10, why is Kafka fast? One workload, end to end; then one ingredient at a time is taken away, or added to none.

    arm        all six   all but one   one alone   none      each with librdkafka and with raw clients
    run        an empty topic, clients of its own: a producer, and consumers that follow it at the end of the log

With librdkafka's clients the clients are the busier side: they make, compress and look at each record. Raw clients send
a batch that was built beforehand, and drop what they receive in the kernel, so that the broker is. Four of them follow
the producer, since zero copy is about reading; and the records are of 1 KiB, for with 100 bytes a compressed batch is
48 KB, and what a fetch costs beside its bytes hides them. To raw clients compression costs nothing: what is left of it
is that fewer bytes pass through the broker.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self

from kfast.lab.experiment import (
    Arm,
    Comparison,
    Experiment,
    Factor,
    Measure,
    Measurement,
    Options,
    Plan,
    Value,
    block_count,
)
from kfast.lab.sample import Sample
from kfast.lab.sampler import device_busy_share, reading
from kfast.lab.unavailable import Unavailable
from kfast.lab.workload import Workload
from kfast.lab.workload_session import measurement
from kfast.lab.workload_settings import LAYOUTS, WorkloadSettings

RECORD_SIZE = 1024
ARRIVED, PRODUCED, ARRIVED_SHARE, BROKER_CPU, CLIENT_CPU, STORED, WRITTEN, DEVICE_BUSY = (
    "consumed_records_per_s",
    "produced_records_per_s",
    "arrived_share",
    "broker_cpu_us_per_record",
    "client_cpu_us_per_record",
    "stored_bytes_per_record",
    "device_written_bytes_per_s",
    "device_busy_share",
)
SEGMENT_BYTES = 1 << 30  # Kafka's default; no run fills one, so that none is flushed behind its back
START_AND_STOP_S = 1.0
START_S = 10.0
CATCH_UP_S = 1.0
BEHIND_SHARE = 0.05
POLL_S = 0.02
NOTHING_ARRIVED = Unavailable("no record arrived")
NOTHING_PRODUCED = Unavailable("no record was produced")


@dataclass(frozen=True, slots=True)
class Ingredient:
    """One reason to be fast: a setting of the workload, its value with the ingredient and without."""

    name: str
    setting: str
    value: Factor
    without: Factor


BATCHING, WRITE_BACK, ZERO_COPY, LAYOUT, COMPRESSION, LONG_POLLS = INGREDIENTS = (
    Ingredient("batching", "batch_records", 1_000, 1),
    Ingredient("deferred write-back", "flush", "never", "batch"),
    Ingredient("zero copy", "copy_mode", "sendfile", "read_send"),
    Ingredient("sequential layout", "layout", "log", "scattered"),
    Ingredient("compression", "compression", "lz4", "none"),
    Ingredient("long polls", "long_polls", True, False),
)

CLIENTS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "raw": ("raw clients", {"consumer_count": 4, "receive": "discard"}),
    "confluent": ("librdkafka", {"consumer_count": 1}),
}
"""By the factor: what tables call them, and the settings that make the broker, or the clients, the busier side."""


def ablation_arm(name: str, ingredients: Sequence[Ingredient], client: str) -> Arm:
    """The arm with these ingredients; its factors are settings of a workload."""
    factors = {one.setting: one.value if one in ingredients else one.without for one in INGREDIENTS}
    return Arm.of(f"{name}, {CLIENTS[client][0]}", client=client, **factors)


def all_six(client: str) -> Arm:
    return ablation_arm("all six", INGREDIENTS, client)


def none(client: str) -> Arm:
    return ablation_arm("none", (), client)


def all_but(taken: Ingredient, client: str) -> Arm:
    return ablation_arm(f"all but {taken.name}", [one for one in INGREDIENTS if one != taken], client)


def only(one: Ingredient, client: str) -> Arm:
    return ablation_arm(f"{one.name} alone", [one], client)


def ablation_arms(is_smoke: bool) -> list[Arm]:
    """For each kind of client: all, all but each, each alone, none; and all and none again (A/A)."""
    if is_smoke:
        return [all_six("raw"), none("raw"), all_six("confluent"), all_six("raw").again()]
    arms = []
    for client in CLIENTS:
        arms += [all_six(client), *(all_but(one, client) for one in INGREDIENTS)]
        arms += [none(client), *(only(one, client) for one in INGREDIENTS)]
        arms += [all_six(client).again(), none(client).again()]
    return arms


def ablation_comparisons(arms: Sequence[Arm]) -> list[Comparison]:
    """All over none; then each ingredient, taken away and added; what zero copy saves the broker. Only of `arms`."""
    found = [_records("all six over none", client, all_six(client), none(client)) for client in CLIENTS]
    for client in CLIENTS:
        for one in INGREDIENTS:
            found.append(taken_away(one.name, client))
        for one in INGREDIENTS:
            found.append(added(one.name, client))
    for client in CLIENTS:
        without, alone = all_but(ZERO_COPY, client), only(ZERO_COPY, client)
        found.append(_broker_cpu("all but zero copy over all six", client, without, all_six(client)))
        found.append(_broker_cpu("none over zero copy alone", client, none(client), alone))
    return [comparison for comparison in found if {comparison.over, comparison.under} <= set(arms)]


def _records(words: str, client: str, over: Arm, under: Arm) -> Comparison:
    return Comparison(f"{words}, records a second, {CLIENTS[client][0]}", ARRIVED, over, under)


def _broker_cpu(words: str, client: str, over: Arm, under: Arm) -> Comparison:
    return Comparison(f"{words}, broker CPU a record, {CLIENTS[client][0]}", BROKER_CPU, over, under)


def taken_away(name: str, client: str) -> Comparison:
    """All six over all but the ingredient called `name`, records a second."""
    one = next(ingredient for ingredient in INGREDIENTS if ingredient.name == name)
    return _records(f"all six over all but {name}", client, all_six(client), all_but(one, client))


def added(name: str, client: str) -> Comparison:
    """The ingredient called `name` alone over none, records a second."""
    one = next(ingredient for ingredient in INGREDIENTS if ingredient.name == name)
    return _records(f"{name} alone over none", client, only(one, client), none(client))


def settings_of(arm: Arm) -> WorkloadSettings:
    """The workload that an arm is."""
    factors = {**CLIENTS[arm["client"]][1], **dict(arm.factors)}
    return WorkloadSettings(workload="follow", record_size=RECORD_SIZE, **factors)


class AblationSession:
    """A broker that appends and one that scatters; the one that an arm does not use has no clients meanwhile.

    Each run has clients and a topic of its own, which goes with what is in it: no run reads, or waits for the disk to
    take, what another has written.
    """

    def __init__(self, directory: Path, settle_s: float, measure_s: float) -> None:
        self._settle_s = settle_s
        self._measure_s = measure_s
        with ExitStack() as stack:
            self.workloads = {
                layout: stack.enter_context(Workload(_idle(layout), parent=directory, segment_bytes=SEGMENT_BYTES))
                for layout in LAYOUTS
            }
            self._stack = stack.pop_all()

    @property
    def conditions(self) -> Mapping[str, str]:
        return {
            "clients and broker": "processes of their own on one machine, over loopback, congestion control reno",
            "workload": f"values of {RECORD_SIZE} bytes of English, one producer, one partition; with librdkafka one "
            "consumer that follows it, with raw clients four, which drop what they receive in the kernel",
            "sync policy": "none, segments of 1 GiB; without deferred write-back an fsync a batch",
            "chunk size": "1 MiB in both copy modes",
            "each run": f"a topic and clients of its own, {self._settle_s:g} s to settle once the consumers have "
            f"caught up with the producer, then {self._measure_s:g} s measured",
        }

    def run(self, arm: Arm) -> Measurement:
        """Raises ChildError, in the words of the process, where the broker or a client failed."""
        settings = settings_of(arm)
        workload = self.workloads[settings.layout]
        idle = workload.sample()
        try:
            workload.set(**asdict(settings))
            _wait_until_followed(workload, idle)
            time.sleep(self._settle_s)
            before = workload.sample()
            time.sleep(self._measure_s)
            return ablation_measurement(before, workload.sample(), settings.consumer_count)
        finally:
            workload.set(**asdict(_idle(settings.layout)))
            workload.renew_topic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()


def _idle(layout: str) -> WorkloadSettings:
    return WorkloadSettings(workload="idle", layout=layout)


def _wait_until_followed(workload: Workload, idle: Sample) -> None:
    """Return when the consumers are where the producer is, which starts sooner, or could not get there in CATCH_UP_S.

    At least a record arrives, unless none does in START_S.
    """
    deadline, has_arrived = time.monotonic() + START_S, False
    while time.monotonic() < deadline:
        time.sleep(POLL_S)
        now = workload.sample()
        produced, consumed = (
            now.produced_records - idle.produced_records,
            now.consumed_records - idle.consumed_records,
        )
        if is_followed(produced, consumed, workload.settings.consumer_count):
            return
        if consumed and not has_arrived:
            deadline, has_arrived = time.monotonic() + CATCH_UP_S, True


def is_followed(produced: int, consumed: int, consumer_count: int) -> bool:
    """Whether the consumers together have nearly all that was produced."""
    behind = consumer_count * produced - consumed
    return consumed > 0 and behind <= BEHIND_SHARE * consumer_count * produced


def ablation_measurement(before: Sample, after: Sample, consumer_count: int) -> Measurement:
    """What every workload's measurement says; how much of what was produced arrived; and what the device did meanwhile.

    A share over 1 is that of consumers that caught up with what had been produced before.
    """
    found = measurement(before, after)
    due = consumer_count * (after.produced_records - before.produced_records)
    added: dict[str, Value] = {
        ARRIVED: found.values[ARRIVED] or NOTHING_ARRIVED,
        ARRIVED_SHARE: (after.consumed_records - before.consumed_records) / due if due else NOTHING_PRODUCED,
        WRITTEN: reading(before, after).traffic.device_write_bytes_per_s,
        DEVICE_BUSY: device_busy_share(before, after),
    }
    return replace(found, values={**found.values, **added})


def _plan(options: Options) -> Plan:
    arms = ablation_arms(options.is_smoke)
    settle_s, measure_s = (0.05, 0.1) if options.is_smoke else (0.2, 0.6)

    def open_session(directory: Path) -> AblationSession:
        return AblationSession(directory, settle_s, measure_s)

    return Plan(
        arms=arms,
        comparisons=ablation_comparisons(arms),
        block_count=block_count(options),
        run_s=settle_s + measure_s + START_AND_STOP_S,
        open_session=open_session,
        touched_bytes=64 << 20 if options.is_smoke else 1 << 30,
        warms_up=not options.is_smoke,
    )


ABLATION = Experiment(
    name="E10",
    slug="ablation",
    title="Why is Kafka fast?",
    question="how many records a second still arrive when one ingredient is taken away, and how many when it is the "
    "only one?",
    factors={
        "batch_records": "batching: 1,000 records a batch, or 1",
        "flush": "deferred write-back: the kernel's, or an fsync before each batch is acknowledged",
        "copy_mode": "zero copy: sendfile, or read and send with the same chunk size",
        "layout": "sequential layout: appended, or each batch in a random slot of a large file",
        "compression": "compression: lz4, or none",
        "long_polls": "long polls: a fetch at the end of the log waits for records, or is answered and sent again",
        "client": "clients: librdkafka, where the clients are busier; raw clients, where the broker is",
    },
    control="all six, and none of them; both run twice in each block (A/A)",
    measures=(
        Measure(ARRIVED, "records a second that arrived, all consumers", "more"),
        Measure(PRODUCED, "records a second produced", "more"),
        Measure(ARRIVED_SHARE, "arrived at each consumer, of 100 produced", "more", 0.01),
        Measure(BROKER_CPU, "broker CPU, us a record in or out", "less"),
        Measure(CLIENT_CPU, "client CPU, us a record in or out", "less"),
        Measure(STORED, "bytes stored a record", "less"),
        Measure(WRITTEN, "device writes, MB/s, whole device", "less", 1e6),
        Measure(DEVICE_BUSY, "device busy, % of the time, whole device", "less", 0.01),
    ),
    falsifier="taking an ingredient away, or adding it to none, has no effect larger than the A/A resolution: then it "
    "is no reason on this machine with this workload",
    shows="what each ingredient is worth beside all others, and by itself, on this machine, where the client limits "
    "and where the broker does",
    shows_not="shares of one whole: ingredients need each other, so their factors neither add nor multiply up. Nor "
    "what write-back costs in the long run: each run's topic is deleted before the kernel has written it. The "
    "scattered log also sends each batch by itself, and no arm serves the usual log batch by batch: so the layout's "
    "factor is that of the places and of the single sends together, and which of the two made it stays open. In some "
    "arms consumers fall behind: look at the share that arrived. Nor what a network or a disk that seeks would show: "
    "loopback is short of nothing that fewer bytes would save, and a flash device takes scattered pages nearly as fast "
    "as a row of them. Long polls save the CPU of idle consumers; these are hardly ever idle",
    counter_check=(
        "kafka-producer-perf-test.sh --num-records 1000000 --record-size 1024 --throughput -1 --producer-props "
        "bootstrap.servers=... batch.size=1 (then batch.size=1000000 linger.ms=5, then also compression.type=lz4, and "
        "once more on a topic with flush.messages=1), each beside kafka-consumer-perf-test.sh"
    ),
    plan=_plan,
)
