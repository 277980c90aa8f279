"""DescribeConfigs and IncrementalAlterConfigs, against what Apache Kafka 4.1 answers."""

from __future__ import annotations

from typing import Any

import pytest

from kfast.broker.broker import Broker
from kfast.broker.self_signed import make_certificate
from kfast.transfer.sender import TransferSettings
from kfast.wire.api_versions import ApiKey

TOPIC, BROKER, LOGGER = 2, 4, 8
SET, DELETE, APPEND, SUBTRACT = range(4)


def describe(client: Any, resource_type: int, name: str, *keys: str, version: int | None = None, **options: Any) -> Any:
    resource = {"resource_type": resource_type, "resource_name": name, "configuration_keys": keys or None}
    (result,) = client.ask(ApiKey.DESCRIBE_CONFIGS, version, resources=[resource], **options).results
    return result


def values(result: Any) -> dict[str, tuple[str | None, int]]:
    return {config.name: (config.value, config.config_source) for config in result.configs}


def resource(resource_type: int, name: str, *changes: tuple[str, int, str | None]) -> dict[str, Any]:
    configs = [{"name": key, "config_operation": operation, "value": value} for key, operation, value in changes]
    return {"resource_type": resource_type, "resource_name": name, "configs": configs}


def alter(
    client: Any, resource_type: int, name: str, *changes: tuple[str, int, str | None], validate_only: bool = False
) -> tuple[int, str | None]:
    resources = [resource(resource_type, name, *changes)]
    response = client.ask(ApiKey.INCREMENTAL_ALTER_CONFIGS, resources=resources, validate_only=validate_only)
    (result,) = response.responses
    return result.error_code, result.error_message


@pytest.fixture
def topic(broker: Broker) -> str:
    broker.metadata.create_topic("events", 1)
    return "events"


@pytest.mark.parametrize("version", [1, 2, 3, 4])
def test_all_of_kafkas_topic_keys_are_described(client: Any, topic: str, version: int) -> None:
    result = describe(client, TOPIC, topic, version=version)
    assert (result.error_code, len(result.configs)) == (0, 33)
    assert values(result)["retention.ms"] == ("604800000", 5)


def test_only_the_keys_asked_for_are_described(client: Any, topic: str) -> None:
    assert values(describe(client, TOPIC, topic, "retention.ms", "nosuch")) == {"retention.ms": ("604800000", 5)}


def test_a_resource_is_described_once_however_often_it_is_named(client: Any, topic: str) -> None:
    wanted = {"resource_type": TOPIC, "resource_name": topic, "configuration_keys": None}
    other = {**wanted, "configuration_keys": ("retention.ms",)}
    answer = client.ask(ApiKey.DESCRIBE_CONFIGS, resources=[wanted, other] * 1000)
    assert [len(result.configs) for result in answer.results] == [33, 1]


def test_type_documentation_and_synonyms_come_when_asked_for(broker: Broker, client: Any, topic: str) -> None:
    alter(client, BROKER, "", ("log.segment.bytes", SET, "2000000"))
    alter(client, TOPIC, topic, ("segment.bytes", SET, "3000000"))
    options = {"include_synonyms": True, "include_documentation": True}
    (config,) = describe(client, TOPIC, topic, "segment.bytes", **options).configs
    assert (config.value, config.config_source, config.config_type, config.is_sensitive) == ("3000000", 1, 3, False)
    assert "segment" in config.documentation
    assert [(synonym.name, synonym.value, synonym.source) for synonym in config.synonyms] == [
        ("segment.bytes", "3000000", 1),
        ("log.segment.bytes", "2000000", 3),
        ("log.segment.bytes", str(1 << 30), 5),
    ]
    (bare,) = describe(client, TOPIC, topic, "segment.bytes").configs
    assert (bare.documentation, bare.synonyms) == (None, ())


def test_broker_configs_say_which_can_change(client: Any) -> None:
    result = describe(client, BROKER, "1")
    read_only = {config.name: config.read_only for config in result.configs}
    assert read_only["num.partitions"]
    assert not read_only["log.retention.ms"]
    assert not read_only["kfast.copy.mode"]


@pytest.mark.parametrize(
    ("resource_type", "name", "error_code", "message"),
    [
        (TOPIC, "nope", 3, "'nope' does not exist"),
        (TOPIC, "bad name", 17, "Topic name is invalid"),
        (TOPIC, "", 17, "the empty string"),
        (BROKER, "2", 42, "Unexpected broker id, expected 1 or empty string, but received 2"),
        (BROKER, "x", 42, "Broker id must be an integer, but it is: x"),
        (LOGGER, "1", 42, "Resource type 8"),
    ],
)
def test_what_cannot_be_described_or_altered_is_named(
    client: Any, resource_type: int, name: str, error_code: int, message: str
) -> None:
    result = describe(client, resource_type, name)
    assert (result.error_code, result.configs) == (error_code, ())
    assert message in result.error_message
    if name or resource_type != TOPIC:
        assert alter(client, resource_type, name, ("retention.ms", SET, "1"))[0] == error_code


def test_a_change_reaches_the_log_at_once_and_the_next_start(broker: Broker, client: Any, topic: str, tmp_path) -> None:
    assert alter(client, TOPIC, topic, ("retention.ms", SET, "5"), ("flush.messages", SET, "1")) == (0, None)
    log = broker.log(topic, 0)
    assert (log.config.retention_ms, log.config.flush_messages) == (5, 1)
    assert broker.metadata.configs(TOPIC, topic) == {"retention.ms": "5", "flush.messages": "1"}
    assert alter(client, TOPIC, topic, ("retention.ms", DELETE, None)) == (0, None)
    assert log.config.retention_ms == 604800000
    assert values(describe(client, TOPIC, topic, "retention.ms", "flush.messages")) == {
        "retention.ms": ("604800000", 5),
        "flush.messages": ("1", 1),
    }


def test_broker_and_cluster_defaults_reach_the_logs_of_all_topics(broker: Broker, client: Any, topic: str) -> None:
    log = broker.log(topic, 0)
    assert alter(client, BROKER, "", ("log.retention.ms", SET, "7")) == (0, None)
    assert log.config.retention_ms == 7
    assert alter(client, BROKER, "1", ("log.retention.ms", SET, "8")) == (0, None)
    assert log.config.retention_ms == 8
    assert values(describe(client, TOPIC, topic, "retention.ms")) == {"retention.ms": ("8", 2)}
    assert values(describe(client, BROKER, "")) == {"log.retention.ms": ("7", 3)}
    assert values(describe(client, BROKER, "1", "log.retention.ms")) == {"log.retention.ms": ("8", 2)}


def test_lists_grow_and_shrink(broker: Broker, client: Any, topic: str) -> None:
    def policy() -> str | None:
        return values(describe(client, TOPIC, topic, "cleanup.policy"))["cleanup.policy"][0]

    assert alter(client, TOPIC, topic, ("cleanup.policy", APPEND, "compact")) == (0, None)
    assert policy() == "delete,compact"
    assert alter(client, TOPIC, topic, ("cleanup.policy", APPEND, "compact")) == (0, None)
    assert policy() == "delete,compact"
    assert alter(client, TOPIC, topic, ("cleanup.policy", SUBTRACT, "delete")) == (0, None)
    assert policy() == "compact"
    assert broker.log(topic, 0).config.cleanup_policy == {"compact"}


@pytest.mark.parametrize(
    ("change", "error_code", "message"),
    [
        (("nosuch", SET, "1"), 40, "Unknown topic config name: nosuch"),
        (("nosuch", APPEND, "1"), 40, "Unknown topic config name: nosuch"),
        (
            ("retention.ms", SET, "abc"),
            40,
            "Invalid value abc for configuration retention.ms: Not a number of type LONG",
        ),
        (("retention.ms", SET, None), 42, "Null value not supported for : retention.ms"),
        (("retention.ms", APPEND, "1"), 40, "Can't APPEND to key retention.ms because its type is not LIST."),
        (("retention.ms", 7, "1"), 42, "Unknown operation 7 on retention.ms; 0 to 3 are known"),
    ],
)
def test_invalid_changes_change_nothing(
    broker: Broker, client: Any, topic: str, change: Any, error_code: int, message: str
) -> None:
    assert alter(client, TOPIC, topic, ("flush.messages", SET, "1"), change) == (error_code, message)
    assert broker.metadata.configs(TOPIC, topic) == {}


def test_deleting_what_was_never_set_is_no_error(client: Any, topic: str) -> None:
    assert alter(client, TOPIC, topic, ("nosuch", DELETE, None)) == (0, None)


def test_a_key_or_a_resource_twice_is_refused(broker: Broker, client: Any, topic: str) -> None:
    twice = [("retention.ms", SET, "1"), ("retention.ms", SET, "2")]
    assert alter(client, TOPIC, topic, *twice) == (42, "Error due to duplicate config keys")
    resources = [resource(TOPIC, topic, twice[0]), resource(TOPIC, topic, twice[1])]
    response = client.ask(ApiKey.INCREMENTAL_ALTER_CONFIGS, resources=resources)
    assert [result.error_code for result in response.responses] == [42, 42]
    assert broker.metadata.configs(TOPIC, topic) == {}


def test_all_topics_at_once_are_no_resource(client: Any) -> None:
    assert alter(client, TOPIC, "", ("retention.ms", SET, "1")) == (42, "Default topic resources are not allowed.")


def test_static_broker_configs_stay(client: Any) -> None:
    message = "Cannot update these configs dynamically: Set(num.partitions)"
    assert alter(client, BROKER, "1", ("num.partitions", SET, "10")) == (42, message)
    assert alter(client, BROKER, "1", ("nosuch", SET, "1")) == (40, "Unknown broker config name: nosuch")


def test_validate_only_changes_nothing(broker: Broker, client: Any, topic: str) -> None:
    assert alter(client, TOPIC, topic, ("retention.ms", SET, "5"), validate_only=True) == (0, None)
    assert alter(client, TOPIC, topic, ("retention.ms", SET, "a"), validate_only=True)[0] == 40
    assert alter(client, BROKER, "1", ("kfast.copy.mode", SET, "read_send"), validate_only=True) == (0, None)
    assert broker.metadata.configs(TOPIC, topic) == {}
    assert broker.copy_mode == "sendfile"


def test_the_copy_mode_switches_while_the_broker_runs_and_is_not_written_down(broker: Broker, client: Any) -> None:
    before = broker.metadata.image
    chunk = ("kfast.copy.chunk.bytes", SET, "4096")
    assert alter(client, BROKER, "1", ("kfast.copy.mode", SET, "read_send"), chunk) == (0, None)
    assert broker.config.transfer_settings == TransferSettings("read_send", 4096)
    assert values(describe(client, BROKER, "1", "kfast.copy.mode")) == {"kfast.copy.mode": ("read_send", 2)}
    assert broker.metadata.image is before
    assert alter(client, BROKER, "1", ("kfast.copy.mode", DELETE, None)) == (0, None)
    assert broker.copy_mode == "sendfile"
    assert alter(client, BROKER, "1", ("kfast.copy.mode", SET, "teleport"))[0] == 40
    assert broker.copy_mode == "sendfile"


def test_the_private_key_of_the_broker_is_not_told(connect: Any) -> None:
    certificate, key = make_certificate([])
    config = {"ssl.keystore.certificate.chain": certificate, "ssl.keystore.key": key}
    with Broker(config=config) as broker:
        result = describe(connect(broker.port), BROKER, "1", *config, include_synonyms=True)
    assert [(entry.value, entry.is_sensitive, entry.config_type) for entry in result.configs] == [(None, True, 9)] * 2
    assert {synonym.value for entry in result.configs for synonym in entry.synonyms} == {None}
