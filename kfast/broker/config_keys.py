"""The configuration keys of Apache Kafka 4.1 that kfast knows: name, type, default, valid values, what for.

One table of topic keys and one of broker keys. A topic key names its broker synonyms (`retention.ms` is
`log.retention.ms`, or `log.retention.minutes` times 60,000, ...), and those broker keys are made from it, so that each
range and each sentence of documentation is written once. All topic keys of Kafka are here, because clients expect the
whole list from DescribeConfigs; of the broker keys only those that change what kfast does.

Values are kept as text, as Kafka keeps them, and parsed by `ConfigKey.parse`. Who overrides whom is config.py's part.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any

from kfast.errors import InvalidConfigError
from kfast.transfer.modes import COPY_MODES

MAX_INT = 2**31 - 1
MAX_LONG = 2**63 - 1
HOUR_MS = 3_600_000


class ConfigType(IntEnum):
    """Kafka's numbers for the types, as DescribeConfigs carries them (DescribeConfigsResponse.ConfigType)."""

    BOOLEAN = 1
    STRING = 2
    INT = 3
    SHORT = 4
    LONG = 5
    DOUBLE = 6
    LIST = 7
    PASSWORD = 9


class ConfigSource(IntEnum):
    """Where a value comes from, the strongest first (DescribeConfigsResponse.ConfigSource)."""

    DYNAMIC_TOPIC = 1
    DYNAMIC_BROKER = 2
    DYNAMIC_DEFAULT_BROKER = 3
    STATIC_BROKER = 4
    DEFAULT = 5


_INTEGER_BITS = {ConfigType.SHORT: 16, ConfigType.INT: 32, ConfigType.LONG: 64}
_INTEGER = re.compile(r"[+-]?[0-9]+")


@dataclass(frozen=True, slots=True)
class Synonym:
    """A broker key that stands for a topic key; `factor` turns its unit into the topic key's."""

    name: str
    factor: int = 1


@dataclass(frozen=True, slots=True)
class ConfigKey:
    """One configuration key. `default` is text, or None for a key that has no value until somebody sets it."""

    name: str
    type: ConfigType
    default: str | None
    documentation: str
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    check: Callable[[Any], str | None] | None = None
    synonyms: tuple[Synonym, ...] = ()
    is_dynamic: bool = True
    is_internal: bool = False

    @property
    def is_sensitive(self) -> bool:
        """Whether the value is shown to nobody."""
        return self.type is ConfigType.PASSWORD

    def parse(self, text: str) -> Any:
        """The typed value of `text`; InvalidConfigError, worded as Kafka does, if it is no valid one."""
        value = self._convert(text.strip())
        shown = text.strip() if self.type is not ConfigType.DOUBLE else value
        if self.minimum is not None and value < self.minimum:
            raise self._invalid(shown, f"Value must be at least {self.minimum}")
        if self.maximum is not None and value > self.maximum:
            raise self._invalid(shown, f"Value must be no more than {self.maximum}")
        if self.choices:
            for item in value if self.type is ConfigType.LIST else (value,):
                if item not in self.choices:
                    raise self._invalid(item, f"String must be one of: {', '.join(self.choices)}")
        if self.check is not None and (problem := self.check(value)) is not None:
            raise self._invalid(shown, problem)
        return value

    def _convert(self, text: str) -> Any:
        if self.type is ConfigType.BOOLEAN:
            if text.lower() not in ("true", "false"):
                raise self._invalid(text, "Expected value to be either true or false")
            return text.lower() == "true"
        if self.type is ConfigType.LIST:
            return tuple(item.strip() for item in text.split(",")) if text else ()
        if self.type in (ConfigType.STRING, ConfigType.PASSWORD):
            return text
        number = _number(self.type, text)
        if number is None:
            raise self._invalid(text, f"Not a number of type {self.type.name}")
        return number

    def _invalid(self, shown: object, problem: str) -> InvalidConfigError:
        return InvalidConfigError(f"Invalid value {shown} for configuration {self.name}: {problem}")


def _number(type: ConfigType, text: str) -> float | int | None:
    if type is ConfigType.DOUBLE:
        try:
            return float(text)
        except ValueError:
            return None
    if not _INTEGER.fullmatch(text):
        return None
    number = int(text)
    limit = 1 << (_INTEGER_BITS[type] - 1)
    return number if -limit <= number < limit else None


def _gzip_level(level: int) -> str | None:
    return None if level == -1 or 1 <= level <= 9 else "Value must be between 1 and 9 or equal to -1"


def _throttled_replicas(items: tuple[str, ...]) -> str | None:
    if items in ((), ("*",)) or all(re.fullmatch(r"[0-9]+:[0-9]+", item) for item in items):
        return None
    return "must be the literal '*' or a list of replicas: [partitionId]:[brokerId],[partitionId]:[brokerId],..."


def _no_tiered_storage(is_enabled: bool) -> str | None:
    return "Tiered Storage functionality is disabled in the broker." if is_enabled else None


def _one_address(listener: str) -> str | None:
    is_one = re.fullmatch(r"(PLAINTEXT|SSL)://[^,]+:[0-9]{1,5}", listener)
    return None if is_one else "Must be one PLAINTEXT://host:port or SSL://host:port"


_BOOLEAN, _STRING, _INT = ConfigType.BOOLEAN, ConfigType.STRING, ConfigType.INT
_LONG, _DOUBLE, _LIST, _PASSWORD = ConfigType.LONG, ConfigType.DOUBLE, ConfigType.LIST, ConfigType.PASSWORD


def _same(name: str) -> tuple[Synonym, ...]:
    return (Synonym(name),)


# fmt: off
_TOPIC_KEYS = (
    # What is kept, and for how long
    ConfigKey("cleanup.policy", _LIST, "delete",
              "What happens to old records: 'delete' drops whole old segments, 'compact' keeps the newest record of "
              "each key; both may be given, and neither keeps everything.",
              choices=("compact", "delete"), synonyms=_same("log.cleanup.policy")),
    ConfigKey("retention.ms", _LONG, str(168 * HOUR_MS),
              "How long records are kept before their segment may be deleted, in milliseconds; -1 keeps them for ever.",
              minimum=-1, synonyms=(Synonym("log.retention.ms"), Synonym("log.retention.minutes", 60_000),
                                    Synonym("log.retention.hours", HOUR_MS))),
    ConfigKey("retention.bytes", _LONG, "-1",
              "How large a partition may grow before its oldest segments are deleted; -1 sets no limit.",
              synonyms=_same("log.retention.bytes")),
    ConfigKey("delete.retention.ms", _LONG, str(24 * HOUR_MS),
              "How long compaction keeps a tombstone, so that a consumer that reads from the start sees the deletion.",
              minimum=0, synonyms=_same("log.cleaner.delete.retention.ms")),
    ConfigKey("min.compaction.lag.ms", _LONG, "0", "The time for which a record is safe from compaction.",
              minimum=0, synonyms=_same("log.cleaner.min.compaction.lag.ms")),
    ConfigKey("max.compaction.lag.ms", _LONG, str(MAX_LONG),
              "The time after which a record must be looked at by compaction, however little there is to clean.",
              minimum=1, synonyms=_same("log.cleaner.max.compaction.lag.ms")),
    ConfigKey("min.cleanable.dirty.ratio", _DOUBLE, "0.5",
              "The share of a log that must be uncompacted before compaction is worth its work.",
              minimum=0, maximum=1, synonyms=_same("log.cleaner.min.cleanable.ratio")),
    ConfigKey("file.delete.delay.ms", _LONG, "60000",
              "How long a deleted segment's file stays on disk after it has left the log.",
              minimum=0, synonyms=_same("log.segment.delete.delay.ms")),
    # How segments and indexes are cut
    ConfigKey("segment.bytes", _INT, str(1 << 30),
              "The size at which a new segment begins. Retention works by whole segments.",
              minimum=1 << 20, synonyms=_same("log.segment.bytes")),
    ConfigKey("internal.segment.bytes", _INT, None,
              "Overrides segment.bytes, below its minimum too: for tests that need many small segments.",
              minimum=1, is_internal=True),
    ConfigKey("segment.ms", _LONG, str(168 * HOUR_MS),
              "The age at which a new segment begins although the old one is not full.",
              minimum=1, synonyms=(Synonym("log.roll.ms"), Synonym("log.roll.hours", HOUR_MS))),
    ConfigKey("segment.jitter.ms", _LONG, "0",
              "At most this much is taken off segment.ms at random, so that partitions do not all roll at once.",
              minimum=0, synonyms=(Synonym("log.roll.jitter.ms"), Synonym("log.roll.jitter.hours", HOUR_MS))),
    ConfigKey("segment.index.bytes", _INT, "10485760",
              "The size at which an offset index is full; a full index begins a new segment.",
              minimum=4, synonyms=_same("log.index.size.max.bytes")),
    ConfigKey("index.interval.bytes", _INT, "4096",
              "One index entry is written about every so many bytes of log: fewer entries mean longer scans.",
              minimum=0, synonyms=_same("log.index.interval.bytes")),
    ConfigKey("preallocate", _BOOLEAN, "false", "Whether a new segment's file gets its full size at once.",
              synonyms=_same("log.preallocate")),
    # When the disk is waited for
    ConfigKey("flush.messages", _LONG, str(MAX_LONG),
              "fsync after so many records. By default the operating system decides when to write.",
              minimum=1, synonyms=_same("log.flush.interval.messages")),
    ConfigKey("flush.ms", _LONG, str(MAX_LONG),
              "fsync when records have waited so many milliseconds. By default the operating system decides.",
              minimum=0, synonyms=(Synonym("log.flush.interval.ms"), Synonym("log.flush.scheduler.interval.ms"))),
    # What a batch may be
    ConfigKey("max.message.bytes", _INT, "1048588",
              "The largest record batch that is accepted, as it lies on the wire (compressed, with its header).",
              minimum=0, synonyms=_same("message.max.bytes")),
    ConfigKey("message.timestamp.type", _STRING, "CreateTime",
              "Whose clock a record's timestamp shows: the producer's (CreateTime) or the broker's (LogAppendTime).",
              choices=("CreateTime", "LogAppendTime"), synonyms=_same("log.message.timestamp.type")),
    ConfigKey("message.timestamp.before.max.ms", _LONG, str(MAX_LONG),
              "How far a record's timestamp may lie behind the broker's clock.",
              minimum=0, synonyms=_same("log.message.timestamp.before.max.ms")),
    ConfigKey("message.timestamp.after.max.ms", _LONG, str(HOUR_MS),
              "How far a record's timestamp may lie ahead of the broker's clock.",
              minimum=0, synonyms=_same("log.message.timestamp.after.max.ms")),
    ConfigKey("compression.type", _STRING, "producer",
              "How batches are stored: as the producer sent them (producer), or recompressed with the codec named.",
              choices=("uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"),
              synonyms=_same("compression.type")),
    ConfigKey("compression.gzip.level", _INT, "-1", "The level used where the broker itself compresses with gzip.",
              check=_gzip_level, synonyms=_same("compression.gzip.level")),
    ConfigKey("compression.lz4.level", _INT, "9", "The level used where the broker itself compresses with lz4.",
              minimum=1, maximum=17, synonyms=_same("compression.lz4.level")),
    ConfigKey("compression.zstd.level", _INT, "3", "The level used where the broker itself compresses with zstd.",
              minimum=-131072, maximum=22, synonyms=_same("compression.zstd.level")),
    # Replicas and tiers: stored and shown, of no effect on one node
    ConfigKey("min.insync.replicas", _INT, "1", "How many replicas must have a record before acks=all is answered.",
              minimum=1, synonyms=_same("min.insync.replicas")),
    ConfigKey("unclean.leader.election.enable", _BOOLEAN, "false",
              "Whether a replica that lags may become leader, which loses records.",
              synonyms=_same("unclean.leader.election.enable")),
    ConfigKey("leader.replication.throttled.replicas", _LIST, "",
              "Replicas whose replication is throttled on the leader's side.", check=_throttled_replicas),
    ConfigKey("follower.replication.throttled.replicas", _LIST, "",
              "Replicas whose replication is throttled on the follower's side.", check=_throttled_replicas),
    ConfigKey("remote.storage.enable", _BOOLEAN, "false",
              "Whether old segments move to tiered storage, which kfast does not have.", check=_no_tiered_storage),
    ConfigKey("remote.log.copy.disable", _BOOLEAN, "false", "Whether no more segments are copied to tiered storage."),
    ConfigKey("remote.log.delete.on.disable", _BOOLEAN, "false",
              "Whether switching tiered storage off deletes what lies there."),
    ConfigKey("local.retention.ms", _LONG, "-2",
              "How long segments that are in tiered storage stay on disk too; -2 means retention.ms.",
              minimum=-2, synonyms=_same("log.local.retention.ms")),
    ConfigKey("local.retention.bytes", _LONG, "-2",
              "How many bytes that are in tiered storage stay on disk too; -2 means retention.bytes.",
              minimum=-2, synonyms=_same("log.local.retention.bytes")),
)


def _static(name: str, type: ConfigType, default: str | None, documentation: str, **limits: Any) -> ConfigKey:
    """A key that is read at start and stays: it can be set on the command line, not while the broker runs."""
    return ConfigKey(name, type, default, documentation, is_dynamic=False, **limits)


_BROKER_KEYS = (
    # Who and where
    _static("node.id", _INT, "1", "This node's number, as clients see it.", minimum=0),
    _static("advertised.listeners", _STRING, None,
            "The address clients are told to connect to, as PLAINTEXT://host:port or SSL://host:port, whichever the "
            "broker listens on; by default the one they came to.", check=_one_address),
    # The certificate of an SSL listener; where none is given, one is made
    _static("ssl.keystore.type", _STRING, "PEM", "The form of the certificate and its key.", choices=("PEM",)),
    _static("ssl.keystore.location", _STRING, None, "A file that holds the certificate chain and its private key."),
    _static("ssl.keystore.certificate.chain", _PASSWORD, None,
            "The certificate chain itself, the broker's own first, in place of ssl.keystore.location."),
    _static("ssl.keystore.key", _PASSWORD, None, "The private key of ssl.keystore.certificate.chain, not encrypted."),
    # What a connection may ask for
    _static("socket.request.max.bytes", _INT, str(100 << 20),
            "The largest request that is read; a larger one costs its connection.", minimum=1),
    _static("connections.max.idle.ms", _LONG, "600000", "A connection on which nothing arrives for so long is closed."),
    _static("fetch.max.bytes", _INT, str(55 << 20),
            "The most bytes of records in one Fetch response, but for a first batch that is larger by itself.",
            minimum=1024),
    # Topics
    _static("auto.create.topics.enable", _BOOLEAN, "true", "Whether asking for an unknown topic may create it."),
    _static("delete.topic.enable", _BOOLEAN, "true", "Whether topics may be deleted."),
    _static("num.partitions", _INT, "1", "Partitions of a topic created without saying how many.", minimum=1),
    _static("default.replication.factor", _INT, "1",
            "Replicas of a topic created without saying how many; one node can have one.", minimum=1),
    # The metadata log
    _static("metadata.log.max.record.bytes.between.snapshots", _LONG, str(20 << 20),
            "How much is written to the metadata log before a snapshot takes its place.", minimum=1),
    _static("metadata.log.max.snapshot.interval.ms", _LONG, str(HOUR_MS),
            "How long after a snapshot the next change brings another, however little was written; 0 is never.",
            minimum=0),
    # Consumer groups
    _static("offsets.topic.num.partitions", _INT, "50",
            "Partitions of __consumer_offsets when it is created; a group lives in one of them.", minimum=1),
    _static("offsets.topic.segment.bytes", _INT, str(100 << 20), "The segment size of __consumer_offsets.", minimum=1),
    _static("offset.metadata.max.bytes", _INT, "4096", "The longest text that may be committed beside an offset."),
    _static("group.initial.rebalance.delay.ms", _INT, "150",
            "How long a new group waits for more members before its first assignment. Kafka's default is 3000.",
            minimum=0),
    _static("group.min.session.timeout.ms", _INT, "6000", "The shortest session time-out a member may ask for."),
    _static("group.max.session.timeout.ms", _INT, "1800000", "The longest session time-out a member may ask for."),
    _static("group.max.size", _INT, str(MAX_INT), "The most members a group may have.", minimum=1),
    # Periodic work
    _static("log.retention.check.interval.ms", _LONG, "300000",
            "How often the broker looks for segments that retention allows it to delete.", minimum=1),
    _static("log.cleaner.enable", _BOOLEAN, "true", "Whether topics with cleanup.policy=compact are compacted."),
    _static("log.cleaner.backoff.ms", _LONG, "15000", "How long the cleaner rests where there is nothing to clean.",
            minimum=0),
    _static("log.cleaner.dedupe.buffer.size", _LONG, str(128 << 20),
            "The memory for the keys of one pass of the cleaner; what it has no room for waits for the next pass.",
            minimum=1),
    _static("log.cleaner.io.max.bytes.per.second", _DOUBLE, "1.7976931348623157E308",
            "How much the cleaner may read and write, added up."),
    _static("producer.id.expiration.check.interval.ms", _INT, "600000",
            "How often the broker looks for idempotent producers that have been silent for too long.", minimum=1),
    ConfigKey("producer.id.expiration.ms", _INT, str(24 * HOUR_MS),
              "How long a partition remembers an idempotent producer after its last batch.", minimum=1),
    # What is studied here: never persisted, so that a directory goes to Apache Kafka and back without them
    _static("kfast.validate.records", _BOOLEAN, "false",
            "Whether each record of a produced batch is looked at, as Apache Kafka does; by default only headers and "
            "checksums are, and records where a topic needs it."),
    ConfigKey("kfast.copy.mode", _STRING, "sendfile",
              "How record bytes get from the log to the socket. Takes effect at the next slice of a response.",
              choices=tuple(COPY_MODES)),
    ConfigKey("kfast.copy.chunk.bytes", _INT, str(1 << 20),
              "How many bytes one system call of a copy mode moves at most.", minimum=1, maximum=64 << 20),
)
# fmt: on

# The unit spellings of a synonym that have a value from the start; the finer ones are empty until set.
_SYNONYM_DEFAULTS = {
    "log.retention.ms": None,
    "log.retention.minutes": None,
    "log.retention.hours": "168",
    "log.roll.ms": None,
    "log.roll.hours": "168",
    "log.roll.jitter.ms": None,
    "log.roll.jitter.hours": "0",
    "log.flush.interval.ms": None,
    "log.flush.scheduler.interval.ms": str(MAX_LONG),
}
_STATIC_SYNONYMS = {
    "log.retention.minutes",
    "log.retention.hours",
    "log.roll.hours",
    "log.roll.jitter.hours",
    "log.flush.scheduler.interval.ms",
}


def _broker_synonyms(topic_keys: Iterable[ConfigKey]) -> Iterable[ConfigKey]:
    for key in topic_keys:
        for synonym in key.synonyms:
            yield replace(
                key,
                name=synonym.name,
                type=key.type if synonym.factor == 1 else ConfigType.INT,
                default=_SYNONYM_DEFAULTS.get(synonym.name, key.default),
                documentation=f"{key.documentation} Topics override it by {key.name}.",
                synonyms=(),
                is_dynamic=synonym.name not in _STATIC_SYNONYMS,
            )


TOPIC_KEYS: dict[str, ConfigKey] = {key.name: key for key in _TOPIC_KEYS}
BROKER_KEYS: dict[str, ConfigKey] = {key.name: key for key in (*_broker_synonyms(_TOPIC_KEYS), *_BROKER_KEYS)}

NOT_PERSISTED_PREFIX = "kfast."
