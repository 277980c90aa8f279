"""The broker: one Kafka node in this process. It joins the log, the protocol and the transfer, and owns their life.

    with kfast.Broker() as broker:
        Producer({"bootstrap.servers": broker.bootstrap_servers})

It listens before it does anything else, so a client that connects early waits in the backlog and is never refused.
"""

from __future__ import annotations

import logging
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self

from kfast.broker.advertised import check_advertised
from kfast.broker.config import BrokerConfig
from kfast.broker.faults import Faults
from kfast.broker.log_directory import ensure_usable
from kfast.broker.metadata_log import MetadataLog
from kfast.broker.metrics import Metrics
from kfast.broker.server import Server
from kfast.clock import Clock, SystemClock
from kfast.errors import KfastError
from kfast.log.manager import LogManager
from kfast.record.metadata_records import BROKER_RESOURCE
from kfast.scheduler import Scheduler

if TYPE_CHECKING:
    import ssl

    from kfast.broker.fetch import DelayedFetch
    from kfast.broker.group_coordinator import GroupCoordinator
    from kfast.broker.keystore import Keystore
    from kfast.log.log import Log

logger = logging.getLogger(__name__)


class Broker:
    """A Kafka broker on `listen`, over the log directory `data_dir`; ready when the constructor returns.

    `data_dir` None is a temporary directory that goes with the broker. `listen` is host:port, port 0 takes a free one;
    SSL://host:port encrypts, with the certificate of `ssl.keystore.*` or one made on the fly (see `ssl_ca_location`).
    `config` holds Kafka's broker settings as text (`{"num.partitions": "3"}`), as in server.properties. `copy_mode` is
    read_send, mmap_send, sendfile or splice. `log_manager` and `server` exchange a part for an experiment.

    Raises LogDirectoryError for a directory that is locked, foreign or damaged, OSError for a taken port,
    InvalidConfigError for a bad setting. Thread-safe. Close it with `stop` or by leaving a `with` block.
    """

    def __init__(
        self,
        data_dir: str | Path | None = None,
        *,
        listen: str = "127.0.0.1:0",
        copy_mode: str | None = None,
        config: Mapping[str, str] | None = None,
        clock: Clock | None = None,
        log_manager: LogManager | None = None,
        server: Server | None = None,
    ) -> None:
        self.clock: Clock = clock or SystemClock()
        self.config = BrokerConfig({**(config or {}), **({"kfast.copy.mode": copy_mode} if copy_mode else {})})
        self.metrics = Metrics()
        self.faults = Faults()
        self.scheduler = Scheduler(self.clock)
        self.delayed_fetches: set[DelayedFetch] = set()
        self.is_stopping = False
        self._lock = threading.Lock()
        self.turns = threading.Lock() if getattr(sys, "_is_gil_enabled", lambda: True)() else None
        self._groups: GroupCoordinator | None = None
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        listener = parse_listen(listen)
        check_advertised(self.config, listen, listener.security_protocol)
        self._server = server or Server(listener.host, listener.port)
        try:
            keystore = self._open_keystore() if listener.security_protocol == "SSL" else None
            self.ssl_context: ssl.SSLContext | None = keystore.context if keystore else None
            if data_dir is None:
                self._temporary = tempfile.TemporaryDirectory(prefix="kfast-")
            self.data_dir = Path(self._temporary.name if self._temporary else str(data_dir))
            ensure_usable(self.data_dir, self.config.given("node.id"))
            self.logs = log_manager or LogManager(
                self.data_dir,
                clock=self.clock,
                scheduler=self.scheduler,
                default_config=self.config.topic_config("", {}),
                retention_check_interval_ms=self.config.get("log.retention.check.interval.ms"),
                producer_check_interval_ms=self.config.get("producer.id.expiration.check.interval.ms"),
                cleaner_config=self.config.cleaner_config(),
            )
            try:
                self.metadata = MetadataLog.open(self.data_dir, self.logs, self.config, self.clock)
                self.logs.start()
                # in a directory that by now is ours: where it is another broker's, so is the file
                self._ssl_ca_location = keystore.publish(self.data_dir) if keystore else None
            except BaseException:
                self.logs.shutdown()
                raise
        except BaseException:
            self._server.stop()
            self.scheduler.shutdown()
            raise
        self._server.start(self)

    @property
    def keeps_data(self) -> bool:
        """Whether the data is still there after `stop`."""
        return self._temporary is None

    @property
    def host(self) -> str:
        """Where it listens, as given."""
        return self._server.host

    @property
    def port(self) -> int:
        """The port it listens on, also where 0 was asked for."""
        return self._server.port

    @property
    def bootstrap_servers(self) -> str:
        """host:port, for a client's bootstrap.servers."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def ssl_ca_location(self) -> str | None:
        """The file for a client's ssl.ca.location; None for a plain listener, and where the certificate is yours."""
        return self._ssl_ca_location

    @property
    def cluster_id(self) -> str:
        return self.metadata.cluster_id

    @property
    def copy_mode(self) -> str:
        """How slices leave: read_send, mmap_send, sendfile or splice. Setting it holds from the next FileSlice on."""
        return self.config.transfer_settings.copy_mode

    @copy_mode.setter
    def copy_mode(self, copy_mode: str) -> None:
        self.set_config("kfast.copy.mode", copy_mode)

    def set_config(self, name: str, value: str) -> None:
        """Change a dynamic setting of this broker, as IncrementalAlterConfigs does. Raises InvalidConfigError."""
        self.config.validate_broker(name, value)
        if name.startswith("kfast."):
            self.config.set_unpersisted(str(self.metadata.node_id), {name: value})
        else:
            self.metadata.alter_configs(BROKER_RESOURCE, str(self.metadata.node_id), {name: value})

    @property
    def groups(self) -> GroupCoordinator:
        """The coordinator of consumer groups; made, and its offsets read, when the first request asks for it."""
        if self._groups is None:
            with self._lock:
                if self._groups is None:
                    from kfast.broker.group_coordinator import GroupCoordinator

                    groups = GroupCoordinator(self)
                    if self.is_stopping:  # `stop` has looked for it already; nobody may wait in it now
                        groups.shutdown()
                    self._groups = groups
        return self._groups

    def log(self, topic: str, partition: int) -> Log:
        """Return a partition's log. Raises UnknownTopicOrPartitionError, KafkaStorageError."""
        log = self.logs.get(topic, partition)
        return self.metadata.open_log(topic, partition) if log is None else log

    def stop(self) -> None:
        """Stop as SIGTERM does: end the connections, flush every log, write the checkpoints. Twice does no harm.

        All of it is done, whatever fails; the first error is raised then: KafkaStorageError, OSError.
        """
        with self._lock:
            if self.is_stopping:
                return
            self.is_stopping = True
        _run_all(
            *(delayed.wake for delayed in list(self.delayed_fetches)),
            *([self._groups.shutdown] if self._groups is not None else []),
            self._server.stop,
            self.scheduler.shutdown,
            self.metadata.close,
            self.logs.shutdown,
            *([self._temporary.cleanup] if self._temporary is not None else []),
        )

    def _open_keystore(self) -> Keystore:
        from kfast.broker.keystore import open_keystore  # brings ssl, which a plain listener does without

        advertised = self.config.get("advertised.listeners")
        return open_keystore(self.config, [self.host, *([parse_listen(advertised).host] if advertised else [])])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"Broker({self.bootstrap_servers!r}, copy_mode={self.copy_mode!r})"


def _run_all(*steps: Callable[[], object]) -> None:
    """Run the steps one after the other, also where some fail. Raises the first error; the others are logged."""
    first: BaseException | None = None
    for step in steps:
        try:
            step()
        except BaseException as error:
            if first is not None:
                is_expected = isinstance(error, (KfastError, OSError))
                logger.error("stopping failed once more: %s", error, exc_info=not is_expected)
            first = first or error
    if first is not None:
        raise first


class Listener(NamedTuple):
    """Where a broker listens, and how it speaks there: PLAINTEXT or SSL, Kafka's names for it."""

    security_protocol: str
    host: str
    port: int


def parse_listen(listen: str) -> Listener:
    """Read `host:port`, `[ipv6]:port` or `:port`, PLAINTEXT:// or SSL:// before it. Raises ValueError with the text."""
    security_protocol, separator, address = listen.rpartition("://")
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdigit() or not 0 <= int(port) <= 65535:
        raise ValueError(f"{listen!r} is not HOST:PORT, such as 127.0.0.1:9092 or SSL://127.0.0.1:9093")
    if separator and security_protocol not in ("PLAINTEXT", "SSL"):
        raise ValueError(f"{listen!r} is neither PLAINTEXT:// nor SSL://")
    return Listener(security_protocol or "PLAINTEXT", host.strip("[]") or "127.0.0.1", int(port))
