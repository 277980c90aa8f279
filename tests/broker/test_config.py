"""The layers of configuration, against what Apache Kafka 4.1 answers to the same questions."""

from __future__ import annotations

import pytest

from kfast.broker.config import BrokerConfig
from kfast.broker.config_keys import BROKER_KEYS, TOPIC_KEYS, ConfigSource
from kfast.errors import InvalidConfigError
from kfast.log.config import LogConfig
from kfast.record.layout import TimestampType
from kfast.record.metadata_records import BROKER_RESOURCE, TOPIC_RESOURCE
from kfast.transfer.sender import TransferSettings

Layers = dict[tuple[int, str], dict[str, str]]


def config_with(layers: Layers, command_line: dict[str, str] | None = None) -> BrokerConfig:
    config = BrokerConfig(command_line)
    config.dynamic = lambda resource_type, name: layers.get((resource_type, name), {})
    config.refresh()
    return config


def topic_entry(config: BrokerConfig, topic: str, name: str):
    return next(entry for entry in config.describe_topic(topic) if entry.key.name == name)


def test_every_default_of_the_table_is_valid() -> None:
    for key in (*TOPIC_KEYS.values(), *BROKER_KEYS.values()):
        if key.default is not None:
            key.parse(key.default)


def test_topic_keys_are_those_apache_kafka_describes() -> None:
    shown = [key for key in TOPIC_KEYS.values() if not key.is_internal]
    assert len(shown) == 33


def test_a_topic_without_configs_has_the_default_log_config() -> None:
    hour_ms = 3_600_000  # a log of its own takes any timestamp; Kafka's topics none of more than an hour to come
    assert BrokerConfig().topic_config("events") == LogConfig(message_timestamp_after_max_ms=hour_ms)


def test_layers_override_each_other_in_kafkas_order() -> None:
    layers: Layers = {}
    config = config_with(layers, {"log.segment.bytes": "2000000"})
    assert config.topic_config("t").segment_bytes == 2_000_000
    layers[BROKER_RESOURCE, ""] = {"log.segment.bytes": "3000000"}
    assert config.topic_config("t").segment_bytes == 3_000_000
    layers[BROKER_RESOURCE, "1"] = {"log.segment.bytes": "4000000"}
    assert config.topic_config("t").segment_bytes == 4_000_000
    layers[TOPIC_RESOURCE, "t"] = {"segment.bytes": "5000000"}
    assert config.topic_config("t").segment_bytes == 5_000_000
    assert config.topic_config("other").segment_bytes == 4_000_000
    assert [
        (setting.name, setting.value, setting.source) for setting in topic_entry(config, "t", "segment.bytes").settings
    ] == [
        ("segment.bytes", "5000000", ConfigSource.DYNAMIC_TOPIC),
        ("log.segment.bytes", "4000000", ConfigSource.DYNAMIC_BROKER),
        ("log.segment.bytes", "3000000", ConfigSource.DYNAMIC_DEFAULT_BROKER),
        ("log.segment.bytes", "2000000", ConfigSource.STATIC_BROKER),
        ("log.segment.bytes", str(1 << 30), ConfigSource.DEFAULT),
    ]


def test_a_finer_unit_wins_over_a_coarser_one_in_whatever_layer() -> None:
    hours = BrokerConfig({"log.retention.hours": "2"})
    assert hours.topic_config("t").retention_ms == 2 * 3_600_000
    assert topic_entry(hours, "t", "retention.ms").source is ConfigSource.STATIC_BROKER
    both = BrokerConfig({"log.retention.hours": "2", "log.retention.minutes": "5"})
    assert both.topic_config("t").retention_ms == 5 * 60_000
    for_ever = BrokerConfig({"log.retention.hours": "-1"})
    assert for_ever.topic_config("t").retention_ms == -1


def test_typed_values_reach_the_log_config() -> None:
    layers = {
        (TOPIC_RESOURCE, "t"): {
            "cleanup.policy": "compact,delete",
            "message.timestamp.type": "LogAppendTime",
            "internal.segment.bytes": "16384",
            "flush.messages": "1",
        }
    }
    log_config = config_with(layers).topic_config("t")
    assert log_config.cleanup_policy == {"compact", "delete"}
    assert log_config.message_timestamp_type is TimestampType.LOG_APPEND_TIME
    assert log_config.segment_bytes == 16384
    assert log_config.flush_messages == 1


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("nosuch", "1", "Unknown topic config name: nosuch"),
        ("retention.ms", "abc", "Invalid value abc for configuration retention.ms: Not a number of type LONG"),
        ("retention.ms", "-2", "Invalid value -2 for configuration retention.ms: Value must be at least -1"),
        ("segment.bytes", "10", "Invalid value 10 for configuration segment.bytes: Value must be at least 1048576"),
        (
            "segment.bytes",
            "99999999999",
            "Invalid value 99999999999 for configuration segment.bytes: Not a number of type INT",
        ),
        (
            "cleanup.policy",
            "foo",
            "Invalid value foo for configuration cleanup.policy: String must be one of: compact, delete",
        ),
        (
            "min.cleanable.dirty.ratio",
            "2",
            "Invalid value 2.0 for configuration min.cleanable.dirty.ratio: Value must be no more than 1",
        ),
        (
            "preallocate",
            "yes",
            "Invalid value yes for configuration preallocate: Expected value to be either true or false",
        ),
        (
            "compression.gzip.level",
            "0",
            "Invalid value 0 for configuration compression.gzip.level: Value must be between 1 and 9 or equal to -1",
        ),
        ("retention.ms", "", "Invalid value  for configuration retention.ms: Not a number of type LONG"),
        (
            "leader.replication.throttled.replicas",
            "x",
            "Invalid value x for configuration leader.replication.throttled.replicas: must be the literal '*' or a "
            "list of replicas: [partitionId]:[brokerId],[partitionId]:[brokerId],...",
        ),
        ("flush.messages", "1_0", "Invalid value 1_0 for configuration flush.messages: Not a number of type LONG"),
    ],
)
def test_invalid_topic_configs_are_refused_in_kafkas_words(name: str, value: str, message: str) -> None:
    with pytest.raises(InvalidConfigError) as error:
        BrokerConfig().validate_topic({name: value})
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("cleanup.policy", ""),
        ("cleanup.policy", "delete,compact"),
        ("preallocate", "TRUE"),
        ("retention.ms", " 5 "),
        ("leader.replication.throttled.replicas", "*"),
        ("leader.replication.throttled.replicas", "0:1,1:1"),
    ],
)
def test_what_apache_kafka_accepts_is_accepted(name: str, value: str) -> None:
    BrokerConfig().validate_topic({name: value})


def test_compaction_lags_must_not_contradict_each_other() -> None:
    with pytest.raises(InvalidConfigError, match=r"min.compaction.lag.ms \(10\) > max.compaction.lag.ms \(5\)"):
        BrokerConfig().validate_topic({"min.compaction.lag.ms": "10", "max.compaction.lag.ms": "5"})


def test_an_unknown_command_line_key_is_refused_and_a_topic_key_is_explained() -> None:
    with pytest.raises(InvalidConfigError, match="Unknown broker config name: nosuch"):
        BrokerConfig({"nosuch": "1"})
    with pytest.raises(InvalidConfigError, match=r"log\.retention\.ms or log\.retention\.minutes"):
        BrokerConfig({"retention.ms": "1"})


@pytest.mark.parametrize("listener", ["host:9092", "SASL_SSL://host:9092", "PLAINTEXT://host", "SSL://a:1,SSL://b:2"])
def test_advertised_listeners_are_one_address(listener: str) -> None:
    with pytest.raises(InvalidConfigError, match="PLAINTEXT://host:port"):
        BrokerConfig({"advertised.listeners": listener})


def test_copy_mode_changes_at_once_and_back_to_the_command_line() -> None:
    config = BrokerConfig({"kfast.copy.mode": "mmap_send"})
    settings = config.transfer_settings
    config.set_unpersisted("1", {"kfast.copy.mode": "splice", "kfast.copy.chunk.bytes": "4096"})
    assert settings == TransferSettings("splice", 4096)
    config.set_unpersisted("1", {"kfast.copy.mode": None})
    assert settings == TransferSettings("mmap_send", 4096)


def test_a_copy_mode_that_does_not_exist_is_refused() -> None:
    with pytest.raises(InvalidConfigError, match="String must be one of: read_send, mmap_send, sendfile, splice"):
        BrokerConfig({"kfast.copy.mode": "teleport"})


def test_a_stored_value_without_meaning_is_left_out_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    config = config_with({(TOPIC_RESOURCE, "t"): {"segment.bytes": "12"}})
    assert config.topic_config("t").segment_bytes == 1 << 30
    assert "segment.bytes" in caplog.text


def test_broker_values_are_typed_and_cached_until_refreshed() -> None:
    layers: Layers = {}
    config = config_with(layers)
    assert config.get("message.max.bytes") == 1048588
    layers[BROKER_RESOURCE, "1"] = {"message.max.bytes": "5"}
    assert config.get("message.max.bytes") == 1048588
    config.refresh()
    assert config.get("message.max.bytes") == 5


def test_what_came_about_at_start_counts_as_static() -> None:
    config = BrokerConfig()
    config.note_static("node.id", "7")
    entry = next(entry for entry in config.describe_broker("7") if entry.key.name == "node.id")
    assert (entry.value, entry.source) == ("7", ConfigSource.STATIC_BROKER)
    assert config.broker_resource == "7"


def test_cluster_default_describes_only_what_is_set() -> None:
    config = config_with({(BROKER_RESOURCE, ""): {"log.retention.ms": "5", "num.io.threads": "2"}})
    assert [(entry.key.name, entry.value) for entry in config.describe_broker("")] == [("log.retention.ms", "5")]


def test_passwords_are_not_shown() -> None:
    shown = repr(BrokerConfig({"node.id": "1", "ssl.keystore.key": "secret"}))
    assert shown == "BrokerConfig({'node.id': '1', 'ssl.keystore.key': '[hidden]'})"
