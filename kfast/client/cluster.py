"""Finding out about a cluster, and changing it a little: leaders, topics, offsets, configs. For set-up, not speed."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from kfast.client.connection import ClientConnection, parse_bootstrap_servers
from kfast.client.counters import LoadError
from kfast.errors import KfastError, TopicAlreadyExistsError, UnknownTopicOrPartitionError
from kfast.wire.api_versions import ApiKey

EARLIEST_TIMESTAMP = -2
LATEST_TIMESTAMP = -1

TOPIC_RESOURCE = 2
BROKER_RESOURCE = 4
SET_OPERATION = 0

REQUEST_TIMEOUT = timedelta(seconds=30)
RETRY_S = 0.1
"""Between two questions about a topic that is being made; Kafka's retry.backoff.ms."""


@dataclass(frozen=True, slots=True)
class PartitionLeader:
    """A connection to the broker that leads a partition, and the topic's id (None where brokers give none)."""

    connection: ClientConnection
    topic_id: UUID | None


def connect(bootstrap_servers: str, timeout_s: float = 30.0, *, ssl_ca_location: str | None = None) -> ClientConnection:
    """Connect to the first of `HOST:PORT,HOST:PORT` that answers; raises the last one's OSError."""
    failure: OSError | None = None
    for host, port in parse_bootstrap_servers(bootstrap_servers):
        try:
            return ClientConnection(host, port, timeout_s=timeout_s, ssl_ca_location=ssl_ca_location)
        except OSError as error:
            failure = error
    assert failure is not None
    raise LoadError(f"no broker answers at {bootstrap_servers}: {failure}") from failure


def connect_to_leader(
    bootstrap_servers: str,
    topic: str,
    partition: int,
    timeout_s: float = 30.0,
    *,
    ssl_ca_location: str | None = None,
) -> PartitionLeader:
    """Connect to the broker that leads a partition. A missing topic is made, where the cluster makes topics by itself.

    Raises LoadError when there is no leader within `timeout_s`.
    """
    deadline = time.monotonic() + timeout_s
    with connect(bootstrap_servers, timeout_s, ssl_ca_location=ssl_ca_location) as bootstrap:
        while True:
            metadata = _metadata(bootstrap, topic)
            error_code = metadata.topics[0].error_code
            for candidate in metadata.topics[0].partitions:
                if candidate.partition_index == partition:
                    error_code = candidate.error_code
                    for broker in metadata.brokers:
                        if broker.node_id == candidate.leader_id and not error_code:
                            connection = ClientConnection(
                                broker.host, broker.port, timeout_s=timeout_s, ssl_ca_location=ssl_ca_location
                            )
                            return PartitionLeader(connection, metadata.topics[0].topic_id)
            if time.monotonic() > deadline:
                raise LoadError(f"{topic}-{partition} has no leader after {timeout_s} s: {error_name(error_code)}")
            time.sleep(RETRY_S)


def create_topic(
    bootstrap_servers: str,
    topic: str,
    partition_count: int = 1,
    configs: Mapping[str, str] | None = None,
    *,
    ssl_ca_location: str | None = None,
) -> None:
    """Create a topic with one replica of each partition; one that is there already is left as it is."""
    wanted = {
        "name": topic,
        "num_partitions": partition_count,
        "replication_factor": 1,
        "configs": [{"name": name, "value": value} for name, value in (configs or {}).items()],
    }
    with connect(bootstrap_servers, ssl_ca_location=ssl_ca_location) as connection:
        response = ask(connection, ApiKey.CREATE_TOPICS, topics=[wanted], timeout=REQUEST_TIMEOUT, validate_only=False)
    result = response.topics[0]
    if result.error_code not in (0, TopicAlreadyExistsError.error_code):
        raise LoadError(f"topic {topic} was not made: {error_name(result.error_code)}: {result.error_message}")


def delete_topic(bootstrap_servers: str, topic: str, *, ssl_ca_location: str | None = None) -> None:
    """Delete a topic and what it holds; one that is not there is passed over."""
    wanted = {"name": topic, "topic_id": None}
    with connect(bootstrap_servers, ssl_ca_location=ssl_ca_location) as connection:
        response = ask(connection, ApiKey.DELETE_TOPICS, topics=[wanted], timeout=REQUEST_TIMEOUT)
    result = response.responses[0]
    if result.error_code not in (0, UnknownTopicOrPartitionError.error_code):
        raise LoadError(f"topic {topic} was not deleted: {error_name(result.error_code)}: {result.error_message}")


def alter_config(
    bootstrap_servers: str,
    resource_type: int,
    name: str,
    key: str,
    value: str,
    *,
    ssl_ca_location: str | None = None,
) -> None:
    """Set one dynamic config of a topic (TOPIC_RESOURCE) or a broker (BROKER_RESOURCE, named by its node id)."""
    change = {"name": key, "config_operation": SET_OPERATION, "value": value}
    resource = {"resource_type": resource_type, "resource_name": name, "configs": [change]}
    with connect(bootstrap_servers, ssl_ca_location=ssl_ca_location) as connection:
        response = ask(connection, ApiKey.INCREMENTAL_ALTER_CONFIGS, resources=[resource], validate_only=False)
    result = response.responses[0]
    if result.error_code:
        raise LoadError(f"{key}={value} was refused: {error_name(result.error_code)}: {result.error_message}")


def offset_at(connection: ClientConnection, topic: str, partition: int, timestamp: int) -> int:
    """The offset for EARLIEST_TIMESTAMP (log start), LATEST_TIMESTAMP (high watermark) or a time in milliseconds."""
    wanted = {"partition_index": partition, "current_leader_epoch": -1, "timestamp": timestamp}
    response = ask(
        connection,
        ApiKey.LIST_OFFSETS,
        replica_id=-1,
        isolation_level=0,
        topics=[{"name": topic, "partitions": [wanted]}],
    )
    result = response.topics[0].partitions[0]
    if result.error_code:
        raise LoadError(f"ListOffsets of {topic}-{partition} was answered with {error_name(result.error_code)}")
    return int(result.offset)


def ask(connection: ClientConnection, api_key: ApiKey, **values: Any) -> Any:
    """Send a request made of its fields, lists of structs as lists of dicts; return the response."""
    from kfast.wire import codec

    return connection.request(api_key, _entity(codec.request_type(api_key), values))


def error_name(error_code: int) -> str:
    """`error 10 (RecordTooLarge)`: Kafka's number, and the name of our error for it if there is one."""
    names = {kind.error_code: kind.__name__.removesuffix("Error") for kind in KfastError.__subclasses__()}
    return f"error {int(error_code)}" + (f" ({names[error_code]})" if error_code > 0 and error_code in names else "")


def _metadata(connection: ClientConnection, topic: str) -> Any:
    return ask(connection, ApiKey.METADATA, topics=[{"name": topic}], allow_auto_topic_creation=True)


def _entity(entity_type: type[Any], values: Mapping[str, Any]) -> Any:
    from kfast.wire import schemas

    built = {}
    for name, value in values.items():
        if isinstance(value, list):
            item_type = schemas.item_type(entity_type, name)
            value = tuple(_entity(item_type, item) for item in value)
        built[name] = value
    return schemas.build(entity_type, **built)
