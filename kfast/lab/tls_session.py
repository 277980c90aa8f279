"""A session with two brokers that hold the same logs, one plain and one with TLS, and one raw client at a time.

Each run has a client of its own, a process that is connected before anything is counted, so no handshake is in the
figures. Consumers read a log that is on the disk and in the page cache. A producer has a topic of its own, deleted when
it is done: what it wrote is not written back beside the next run.
"""

from __future__ import annotations

import importlib.util
import os
import ssl
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from kfast.broker.process import BrokerProcess
from kfast.child_process import ChildProcess, Json
from kfast.client.cluster import connect, create_topic, delete_topic
from kfast.client.produce_load import REQUESTS_IN_FLIGHT
from kfast.lab.copy_session import CACHED_SHARE, COPIES
from kfast.lab.counters import MachineCpu, difference, machine_cpu
from kfast.lab.experiment import Arm, ArmUnavailableError, Measurement, Value
from kfast.lab.lab_directory import LabDirectory
from kfast.lab.load_clients import load_clients
from kfast.lab.prepared_log import PreparedLog
from kfast.lab.residency import cached_share
from kfast.lab.sample import BROKER
from kfast.lab.sampler import limiting_resource
from kfast.lab.sizes import size_text
from kfast.lab.unavailable import Unavailable
from kfast.lab.workload_session import NOTHING_MOVED

CONSUME, PRODUCE = "consume", "produce"
PLAINTEXT, SSL = "PLAINTEXT", "SSL"
CLIENT: Final = "client"

BROKER_CPU, BROKER_USER_CPU, CLIENT_CPU = "broker_cpu_s_per_gb", "broker_user_cpu_s_per_gb", "client_cpu_s_per_gb"
THROUGHPUT: Final = "throughput_bytes_per_s"
NOT_SENT = Unavailable("nothing is sent")

GB = 1e9
FETCH_SIZE: Final = 1 << 20
BATCH_SIZE: Final = 64 << 10
BATCH_RECORDS: Final = 64
RECORD_SIZE: Final = 1_000
"""So many of them are a little less than BATCH_SIZE: a fetch is full of whole batches."""

PRODUCED_TOPIC: Final = "produced"
SEGMENT_BYTES: Final = 64 << 20
PRODUCED_SIZE: Final = 512 << 20
"""Which what is produced can grow to: retention keeps half of it, and looks four times a second."""

PRODUCED_LIMITS: Final = {
    "retention.bytes": str(PRODUCED_SIZE // 2),
    "segment.bytes": str(SEGMENT_BYTES),
    "file.delete.delay.ms": "0",
}
RETENTION_CHECK_MS: Final = 250


class Listener:
    """One broker and its logs, which go when it is closed. Raises ChildError where it cannot start."""

    def __init__(self, directory: Path, security_protocol: str, log_sizes: Sequence[int]) -> None:
        with ExitStack() as stack:
            place = stack.enter_context(LabDirectory(directory))
            place.ensure_fits(sum(log_sizes) + PRODUCED_SIZE)
            self._path = place.path
            config = {"log.retention.check.interval.ms": str(RETENTION_CHECK_MS)}
            listen = f"{security_protocol}://127.0.0.1:0"
            self.broker = stack.enter_context(BrokerProcess(place.path, listen=listen, config=config))
            self._trusted = self.broker.ssl_ca_location
            self._logs = {size: self._fill(size) for size in log_sizes}
            self._stack = stack.pop_all()

    @contextmanager
    def client(self, arm: Arm) -> Iterator[ChildProcess]:
        """The arm's client, connected and at work; its words are raised where it fails."""
        settings = {
            "bootstrap_servers": self.broker.bootstrap_servers,
            "ssl_ca_location": self._trusted,
            **_load_of(arm),
        }
        with self._topic(arm) as topic, load_clients({CLIENT: {**settings, "topic": topic}}) as clients:
            yield clients[CLIENT]
            clients[CLIENT].ask("stop")

    @contextmanager
    def _topic(self, arm: Arm) -> Iterator[str]:
        """The log that an arm reads, or a new topic for what it produces."""
        if arm["direction"] == CONSUME:
            yield self._logs[arm["log_size"]].topic
            return
        where, trusted = self.broker.bootstrap_servers, self._trusted
        create_topic(where, PRODUCED_TOPIC, configs=PRODUCED_LIMITS, ssl_ca_location=trusted)
        try:
            yield PRODUCED_TOPIC
        finally:
            delete_topic(where, PRODUCED_TOPIC, ssl_ca_location=trusted)

    def cached_share(self, log_size: int) -> Value:
        """The share of a log's pages that is in the page cache now."""
        return cached_share([self._logs[log_size].pages()])

    def encryption(self) -> str:
        """What a client and this broker agree on."""
        with connect(self.broker.bootstrap_servers, ssl_ca_location=self._trusted) as connection:
            assert isinstance(connection.socket, ssl.SSLSocket)
            cipher = connection.socket.cipher()
            return f"{cipher[0] if cipher else None} of {connection.socket.version()}, {ssl.OPENSSL_VERSION}"

    def close(self) -> None:
        self._stack.close()

    def _fill(self, size: int) -> PreparedLog:
        return PreparedLog(
            self.broker.bootstrap_servers,
            f"log-{size}",
            self._path,
            batch_records=BATCH_RECORDS,
            record_size=RECORD_SIZE,
            record_count=size // BATCH_SIZE * BATCH_RECORDS,
            configs={"segment.bytes": str(SEGMENT_BYTES)},
            ssl_ca_location=self._trusted,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


@dataclass(frozen=True, slots=True)
class Moment:
    """What client and broker had counted, the client first: the broker has sent all that its client counts."""

    client: Json
    broker: Json
    machine: MachineCpu | Unavailable

    @classmethod
    def now(cls, client: ChildProcess, broker: BrokerProcess) -> Moment:
        return cls(client.ask("metrics"), broker.metrics(), machine_cpu())


class TlsSession:
    """`encrypted` is the listener with TLS, or why there is none here."""

    def __init__(
        self,
        plain: Listener,
        encrypted: Listener | Unavailable,
        log_sizes: Sequence[int],
        settle_s: float,
        measure_s: float,
    ) -> None:
        self._listeners = {PLAINTEXT: plain, SSL: encrypted}
        self._log_sizes = log_sizes
        self._settle_s = settle_s
        self._measure_s = measure_s
        self._encryption = str(encrypted) if isinstance(encrypted, Unavailable) else encrypted.encryption()

    @property
    def conditions(self) -> Mapping[str, str]:
        sizes = " and ".join(size_text(size) for size in self._log_sizes)
        return {
            "clients and brokers": "processes of their own on one machine, over loopback, congestion control reno; "
            "a plain broker and one with TLS, one raw client at a time, which receives by recv_into",
            "encryption": f"{self._encryption}, in broker and client themselves",
            "logs": f"{sizes}, on the disk and warm, read in fetches of {size_text(FETCH_SIZE)}",
            "produced": f"batches of {BATCH_RECORDS} records of {RECORD_SIZE:,} bytes, {REQUESTS_IN_FLIGHT} on their "
            "way; the topic is deleted after each run",
            "sync policy": "none: the kernel writes back what is produced when it likes",
            "each run": f"a client of its own, {self._settle_s:g} s to settle, then {self._measure_s:g} s measured",
        }

    def run(self, arm: Arm) -> Measurement:
        """Raises ArmUnavailableError where there is no TLS, ChildError where a process has failed."""
        listener = self._listeners[arm["security_protocol"]]
        if isinstance(listener, Unavailable):
            raise ArmUnavailableError(listener.reason)
        factors = dict(arm.factors)
        if factors.get("copy_mode") in ("read_send", "sendfile"):
            listener.broker.set("kfast.copy.mode", arm["copy_mode"])
            listener.broker.set("kfast.copy.chunk.bytes", str(arm["chunk_size"]))
        idle = listener.broker.metrics_at_rest()
        with listener.client(arm) as client:
            time.sleep(self._settle_s)
            before = Moment.now(client, listener.broker)
            time.sleep(self._measure_s)
            after = Moment.now(client, listener.broker)
        counted = {COPIES: copies(idle, listener.broker.metrics_at_rest())}
        counted[CACHED_SHARE] = listener.cached_share(arm["log_size"]) if "log_size" in factors else NOT_SENT
        return measurement(before, after, counted)


@contextmanager
def open_tls_session(
    directory: Path, log_sizes: Sequence[int], settle_s: float, measure_s: float
) -> Iterator[TlsSession]:
    """A session on logs of these sizes; brokers, clients and logs go when it is closed.

    Raises ChildError where a broker fails: only what this machine lacks leaves arms out.
    """
    with ExitStack() as stack:
        plain = stack.enter_context(Listener(directory, PLAINTEXT, log_sizes))
        missing = tls_missing()
        encrypted = stack.enter_context(Listener(directory, SSL, log_sizes)) if missing is None else missing
        yield TlsSession(plain, encrypted, log_sizes, settle_s, measure_s)


def tls_missing() -> Unavailable | None:
    """What TLS lacks here, in Python or in what is installed; None where it is all there."""
    if not (ssl.HAS_TLSv1_2 or ssl.HAS_TLSv1_3):
        return Unavailable("Python's OpenSSL has neither TLS 1.2 nor 1.3")
    if importlib.util.find_spec("cryptography") is None:
        return Unavailable("to make a certificate takes cryptography: pip install 'kfast[tls]'")
    return None


def copies(before: Json, after: Json) -> Value:
    """How often the broker's CPU copied each byte of the slices it sent, by its own count."""
    sent = _sent(after) - _sent(before)
    return (after["cpu_copied_bytes"] - before["cpu_copied_bytes"]) / sent if sent else NOT_SENT


def measurement(before: Moment, after: Moment, counted: Mapping[str, Value]) -> Measurement:
    """CPU for each GB that the process itself counted, MB/s at the client, and what was the limit."""
    elapsed_s = (after.broker["monotonic_ns"] - before.broker["monotonic_ns"]) / 1e9
    client_s = (after.client["monotonic_ns"] - before.client["monotonic_ns"]) / 1e9
    cpu_s = {BROKER: _used(before.broker, after.broker), CLIENT: _used(before.client, after.client)}
    moved = _moved(after.broker) - _moved(before.broker)
    received = after.client["bytes"] - before.client["bytes"]
    machine = difference(after.machine, before.machine)
    values: dict[str, Value] = {
        BROKER_CPU: _per_gb(cpu_s[BROKER], moved),
        BROKER_USER_CPU: _per_gb(after.broker["cpu_user_s"] - before.broker["cpu_user_s"], moved),
        CLIENT_CPU: _per_gb(cpu_s[CLIENT], received),
        THROUGHPUT: received / client_s,
        **counted,
    }
    return Measurement(elapsed_s, cpu_s, values, limiting_resource(cpu_s, machine, elapsed_s, os.cpu_count() or 1))


def _load_of(arm: Arm) -> Json:
    if arm["direction"] == CONSUME:
        return {"kind": "consume", "fetch_bytes": FETCH_SIZE}
    return {"kind": "produce", "batch_records": BATCH_RECORDS, "record_size": RECORD_SIZE}


def _sent(broker: Json) -> int:
    return int(sum(broker["sent_bytes"].values()))


def _moved(broker: Json) -> int:
    """Of record batches, in or out: an arm has one direction only."""
    return _sent(broker) + int(broker["appended_bytes"])


def _used(before: Json, after: Json) -> float:
    return float(sum(after[name] - before[name] for name in ("cpu_user_s", "cpu_system_s")))


def _per_gb(cpu_s: float, size: int) -> Value:
    return cpu_s / size * GB if size else NOTHING_MOVED
