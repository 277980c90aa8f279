"""What is configured, and by whom: the layers of Kafka's configuration, the strongest first.

    dynamic topic      CONFIG records of the topic                          only topic keys
    dynamic broker     CONFIG records of broker "1", and kfast.* while it runs
    cluster default    CONFIG records of broker ""
    command line       --config KEY=VALUE
    default            the table in config_keys.py

A topic key that nobody set for the topic is looked up under its broker synonyms. `BrokerConfig` only reads the dynamic
layers, through `dynamic`, which the metadata log provides; writing them is the metadata log's part. Thread-safe: what
is cached is replaced whole.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from kfast.broker.config_keys import BROKER_KEYS, TOPIC_KEYS, ConfigKey, ConfigSource, Synonym
from kfast.errors import InvalidConfigError
from kfast.log.config import LogConfig
from kfast.log.log_cleaner import CleanerConfig
from kfast.record.compression import CompressionType
from kfast.record.layout import TimestampType
from kfast.record.metadata_records import BROKER_RESOURCE, TOPIC_RESOURCE
from kfast.transfer.sender import TransferSettings

logger = logging.getLogger(__name__)

CLUSTER_DEFAULT = ""

DynamicConfigs = Callable[[int, str], Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class ConfigSetting:
    """A value somebody gave: under which name, as text, and where."""

    name: str
    value: str
    source: ConfigSource


@dataclass(frozen=True, slots=True)
class ConfigEntry:
    """A key with the value that holds, and the settings behind it, the strongest first (Kafka calls them synonyms)."""

    key: ConfigKey
    value: str | None
    source: ConfigSource
    settings: tuple[ConfigSetting, ...]


class BrokerConfig:
    """The configuration of one broker. What the hot paths ask for lies ready as plain attributes.

    `command_line` holds broker keys as text; an unknown or invalid one raises InvalidConfigError.
    """

    def __init__(self, command_line: Mapping[str, str] | None = None) -> None:
        self.dynamic: DynamicConfigs = lambda resource_type, name: {}
        self.transfer_settings = TransferSettings()
        self._static = dict(command_line or {})
        self._unpersisted: dict[str, dict[str, str]] = {}
        self._lock = threading.Lock()
        for name, value in self._static.items():
            self.validate_broker(name, value)
        self.refresh()

    def get(self, name: str) -> Any:
        """The typed value of a broker key that holds now; None for one without a value. KeyError for an unknown key."""
        values = self._values
        if name not in values:
            entry = self._broker_entry(BROKER_KEYS[name])
            values[name] = None if entry.value is None else entry.key.parse(entry.value)
        return values[name]

    def topic_config(self, topic: str, configs: Mapping[str, str] | None = None) -> LogConfig:
        """The LogConfig of a topic's partitions; `configs` in place of what is set for it, if given."""
        own = self.dynamic(TOPIC_RESOURCE, topic) if configs is None else configs
        return _log_config(lambda name: self._topic_value(name, own), self.get)

    def cleaner_config(self) -> CleanerConfig:
        """What compaction is told at start."""
        return CleanerConfig(
            is_enabled=self.get("log.cleaner.enable"),
            backoff_ms=self.get("log.cleaner.backoff.ms"),
            dedupe_buffer_bytes=self.get("log.cleaner.dedupe.buffer.size"),
            io_max_bytes_per_s=self.get("log.cleaner.io.max.bytes.per.second"),
        )

    def refresh(self) -> None:
        """Read anew what was cached: a layer has changed."""
        self._values: dict[str, Any] = {}
        self.socket_request_max_bytes: int = self.get("socket.request.max.bytes")
        self.connections_max_idle_ms: int = self.get("connections.max.idle.ms")
        self.fetch_max_bytes: int = self.get("fetch.max.bytes")
        self.transfer_settings.copy_mode = self.get("kfast.copy.mode")
        self.transfer_settings.chunk_size = self.get("kfast.copy.chunk.bytes")

    @property
    def broker_resource(self) -> str:
        """Name of the broker resource that is this node: its id as text."""
        return self._static.get("node.id", "1")

    def given(self, name: str) -> str | None:
        """What was given for a key at start; None for one that was left at its default."""
        return self._static.get(name)

    def note_static(self, name: str, value: str) -> None:
        """Record a setting that came about at start, such as the port that was free, as if it had been given."""
        self._static[name] = value
        self.refresh()

    def set_unpersisted(self, resource_name: str, changes: Mapping[str, str | None]) -> None:
        """Set (or with None remove) `kfast.*` keys of broker `resource_name` for as long as this process runs."""
        with self._lock:
            settings = {**self._unpersisted.get(resource_name, {}), **changes}
            self._unpersisted[resource_name] = {name: value for name, value in settings.items() if value is not None}
            self.refresh()

    def dynamic_broker(self, resource_name: str) -> dict[str, str]:
        """All that is set dynamically for broker `resource_name` ("" is the cluster default), persisted or not."""
        return {**self.dynamic(BROKER_RESOURCE, resource_name), **self._unpersisted.get(resource_name, {})}

    def describe_topic(self, topic: str, configs: Mapping[str, str] | None = None) -> list[ConfigEntry]:
        """Every topic key with its value for `topic`; `configs` in place of what is set for it, if given."""
        own = self.dynamic(TOPIC_RESOURCE, topic) if configs is None else configs
        return [self._topic_entry(key, own) for key in TOPIC_KEYS.values() if not key.is_internal or key.name in own]

    def describe_broker(self, resource_name: str) -> list[ConfigEntry]:
        """Every broker key with its value; for "", only what is set as cluster default."""
        if resource_name != CLUSTER_DEFAULT:
            return [self._broker_entry(key) for key in BROKER_KEYS.values()]
        defaults = self.dynamic_broker(CLUSTER_DEFAULT)
        source = ConfigSource.DYNAMIC_DEFAULT_BROKER
        return [
            ConfigEntry(BROKER_KEYS[name], value, source, (ConfigSetting(name, value, source),))
            for name, value in sorted(defaults.items())
            if name in BROKER_KEYS
        ]

    def validate_topic(self, configs: Mapping[str, str]) -> None:
        """Raise InvalidConfigError unless a topic can have exactly `configs`."""
        for name, value in configs.items():
            if name not in TOPIC_KEYS:
                raise InvalidConfigError(f"Unknown topic config name: {name}")
            TOPIC_KEYS[name].parse(value)
        least, most = (_own_or_default(configs, f"{end}.compaction.lag.ms") for end in ("min", "max"))
        if least > most:
            raise InvalidConfigError(
                f"conflict topic config setting min.compaction.lag.ms ({least}) > max.compaction.lag.ms ({most})"
            )

    def validate_broker(self, name: str, value: str) -> None:
        """Raise InvalidConfigError unless `value` is valid for the broker key `name`."""
        if name not in BROKER_KEYS:
            raise InvalidConfigError(f"Unknown broker config name: {name}{_hint(name)}")
        BROKER_KEYS[name].parse(value)

    def _topic_value(self, name: str, own: Mapping[str, str]) -> Any:
        key = TOPIC_KEYS[name]
        value = self._topic_entry(key, own).value
        return None if value is None else key.parse(value)

    def _topic_entry(self, key: ConfigKey, own: Mapping[str, str]) -> ConfigEntry:
        found: list[tuple[ConfigSetting, str]] = []
        if key.name in own and _is_valid(key, own[key.name]):
            found.append((ConfigSetting(key.name, own[key.name], ConfigSource.DYNAMIC_TOPIC), own[key.name]))
        for synonym in key.synonyms:
            for setting in self._broker_settings(BROKER_KEYS[synonym.name]):
                found.append((setting, _in_unit_of(synonym, setting.value)))
        if not key.synonyms and key.default is not None:
            found.append((ConfigSetting(key.name, key.default, ConfigSource.DEFAULT), key.default))
        if not found:
            return ConfigEntry(key, None, ConfigSource.DEFAULT, ())
        strongest, value = found[0]
        return ConfigEntry(key, value, strongest.source, tuple(setting for setting, _ in found))

    def _broker_entry(self, key: ConfigKey) -> ConfigEntry:
        settings = tuple(self._broker_settings(key))
        if not settings:
            return ConfigEntry(key, None, ConfigSource.DEFAULT, ())
        return ConfigEntry(key, settings[0].value, settings[0].source, settings)

    def _broker_settings(self, key: ConfigKey) -> Iterator[ConfigSetting]:
        layers: tuple[tuple[Mapping[str, str], ConfigSource], ...] = (
            (self.dynamic_broker(self.broker_resource), ConfigSource.DYNAMIC_BROKER),
            (self.dynamic_broker(CLUSTER_DEFAULT), ConfigSource.DYNAMIC_DEFAULT_BROKER),
            (self._static, ConfigSource.STATIC_BROKER),
        )
        for layer, source in layers:
            if key.name in layer and _is_valid(key, layer[key.name]):
                yield ConfigSetting(key.name, layer[key.name], source)
        if key.default is not None:
            yield ConfigSetting(key.name, key.default, ConfigSource.DEFAULT)

    def __repr__(self) -> str:
        shown = {name: "[hidden]" if BROKER_KEYS[name].is_sensitive else value for name, value in self._static.items()}
        return f"BrokerConfig({shown!r})"


def _log_config(value: Callable[[str], Any], broker_value: Callable[[str], Any]) -> LogConfig:
    return LogConfig(
        segment_bytes=value("internal.segment.bytes") or value("segment.bytes"),
        segment_ms=value("segment.ms"),
        segment_jitter_ms=value("segment.jitter.ms"),
        index_interval_bytes=value("index.interval.bytes"),
        segment_index_bytes=value("segment.index.bytes"),
        retention_ms=value("retention.ms"),
        retention_bytes=value("retention.bytes"),
        max_message_bytes=value("max.message.bytes"),
        flush_messages=value("flush.messages"),
        flush_ms=value("flush.ms"),
        message_timestamp_type=_TIMESTAMP_TYPES[value("message.timestamp.type")],
        message_timestamp_before_max_ms=value("message.timestamp.before.max.ms"),
        message_timestamp_after_max_ms=value("message.timestamp.after.max.ms"),
        cleanup_policy=frozenset(value("cleanup.policy")),
        file_delete_delay_ms=value("file.delete.delay.ms"),
        compression_type=_COMPRESSION_TYPES[value("compression.type")],
        compression_level=_compression_level(value),
        validates_records=broker_value("kfast.validate.records"),
        min_cleanable_dirty_ratio=value("min.cleanable.dirty.ratio"),
        min_compaction_lag_ms=value("min.compaction.lag.ms"),
        max_compaction_lag_ms=value("max.compaction.lag.ms"),
        delete_retention_ms=value("delete.retention.ms"),
        producer_id_expiration_ms=broker_value("producer.id.expiration.ms"),
    )


_TIMESTAMP_TYPES = {"CreateTime": TimestampType.CREATE_TIME, "LogAppendTime": TimestampType.LOG_APPEND_TIME}


_COMPRESSION_TYPES = {
    "producer": None,
    "uncompressed": CompressionType.NONE,
    **{kind.text: kind for kind in CompressionType if kind},
}


def _compression_level(value: Callable[[str], Any]) -> int | None:
    """That of the topic's codec; None for one without, and for gzip's own default, which Kafka calls -1."""
    compression_type = value("compression.type")
    if compression_type not in ("gzip", "lz4", "zstd"):
        return None
    level: int = value(f"compression.{compression_type}.level")
    return None if level == -1 and compression_type == "gzip" else level


def _in_unit_of(synonym: Synonym, value: str) -> str:
    """`value` of the synonym in the topic key's unit. -1 (no limit) has none."""
    return value if synonym.factor == 1 or int(value) < 0 else str(int(value) * synonym.factor)


def _is_valid(key: ConfigKey, value: str) -> bool:
    """False, with a warning, for a value that a directory of another origin carries and that has no meaning here."""
    try:
        key.parse(value)
    except InvalidConfigError as error:
        logger.warning("a stored configuration is left out: %s", error)
        return False
    return True


def _own_or_default(configs: Mapping[str, str], name: str) -> Any:
    return TOPIC_KEYS[name].parse(configs.get(name) or TOPIC_KEYS[name].default or "")


def _hint(name: str) -> str:
    """For a topic key given where a broker key belongs."""
    synonyms: Iterable[Synonym] = TOPIC_KEYS[name].synonyms if name in TOPIC_KEYS else ()
    names = " or ".join(synonym.name for synonym in synonyms)
    return f" (a topic's key; for all topics it is {names})" if names else ""
