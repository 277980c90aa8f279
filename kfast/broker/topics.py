"""CreateTopics and DeleteTopics, and the one place where a topic's creation is judged, asked for or automatic.

Each topic of a request stands for itself: one that is refused does not keep the others from being made.
"""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from kio.schema.create_topics.v7.response import CreatableTopicConfigs, CreatableTopicResult, CreateTopicsResponse
from kio.schema.delete_topics.v6.response import DeletableTopicResult, DeleteTopicsResponse
from kio.schema.errors import ErrorCode

from kfast.broker import topic_names
from kfast.broker.metadata_image import TopicImage
from kfast.errors import (
    InvalidConfigError,
    InvalidPartitionsError,
    InvalidReplicaAssignmentError,
    InvalidReplicationFactorError,
    InvalidRequestError,
    KfastError,
    PolicyViolationError,
    TopicAlreadyExistsError,
    TopicDeletionDisabledError,
    UnknownTopicIdError,
    UnknownTopicOrPartitionError,
)

if TYPE_CHECKING:
    from kfast.broker.broker import Broker
    from kfast.broker.context import RequestContext

MAX_PARTITIONS: Final = 10_000  # as ReplicationControlManager.MAX_PARTITIONS_PER_BATCH
_NO_THROTTLE: Final = datetime.timedelta(0)
_DEFAULT: Final = -1


def create_topics(broker: Broker, request: Any, context: RequestContext) -> CreateTopicsResponse:
    times = Counter(topic.name for topic in request.topics)
    topics = {topic.name: topic for topic in request.topics}
    total_count = sum(max(0, _count_asked_for(broker, topic)) for topic in request.topics)
    results = []
    for name, topic in topics.items():
        try:
            if total_count > MAX_PARTITIONS:
                raise PolicyViolationError(
                    f"Excessively large number of partitions per request: {total_count}, {MAX_PARTITIONS} are allowed."
                )
            if times[name] > 1:
                raise InvalidRequestError("Duplicate topic name.")
            results.append(_create(broker, topic, request.validate_only))
        except KfastError as error:
            results.append(
                CreatableTopicResult(
                    name=name,
                    topic_id=None,
                    error_code=ErrorCode(error.error_code),
                    error_message=str(error),
                    configs=(),
                )
            )
    return CreateTopicsResponse(throttle_time=_NO_THROTTLE, topics=tuple(results))


def _create(broker: Broker, topic: Any, validate_only: bool) -> CreatableTopicResult:
    configs = _configs(topic)
    count = _partition_count(broker, topic)
    ensure_creatable(broker, topic.name, count, topic.replication_factor, configs)
    created = None if validate_only else broker.metadata.create_topic(topic.name, count, configs)
    return CreatableTopicResult(
        name=topic.name,
        topic_id=None if created is None else created.topic_id,
        error_code=ErrorCode.none,
        error_message=None,
        num_partitions=count,
        replication_factor=1,
        configs=_described_configs(broker, topic.name, configs),
    )


def auto_create_topic(broker: Broker, name: str) -> TopicImage:
    """Create a topic as the broker's defaults say, for a client that asked for it. Raises the KfastError against it."""
    count: int = broker.config.get("num.partitions")
    ensure_creatable(broker, name, count, _DEFAULT, {})
    return broker.metadata.create_topic(name, count)


def ensure_creatable(
    broker: Broker, name: str, partition_count: int, replication_factor: int, configs: Mapping[str, str]
) -> None:
    """Raise the KfastError of what stands against such a topic; a replication factor of -1 is the default."""
    topic_names.ensure_valid(name)
    if name == topic_names.CLUSTER_METADATA_TOPIC:
        raise InvalidRequestError(f"Creation of internal topic {name} is prohibited.")
    if name in broker.metadata.topics:
        raise TopicAlreadyExistsError(f"Topic '{name}' already exists.")
    topic_names.ensure_no_collision(name, broker.metadata.topics)
    _ensure_one_replica(broker, replication_factor)
    if partition_count <= 0:
        raise InvalidPartitionsError("Number of partitions was set to an invalid non-positive value.")
    broker.config.validate_topic(configs)


def _ensure_one_replica(broker: Broker, factor: int) -> None:
    if factor == _DEFAULT:
        factor = broker.config.get("default.replication.factor")
    if factor <= 0:
        raise InvalidReplicationFactorError("Replication factor must be larger than 0, or -1 to use the default value.")
    if factor > 1:
        raise InvalidReplicationFactorError(
            f"Unable to replicate the partition {factor} time(s): The target replication factor of {factor} cannot be "
            "reached because only 1 broker(s) are registered."
        )


def _configs(topic: Any) -> dict[str, str]:
    for config in topic.configs:
        if config.value is None:
            raise InvalidConfigError(f"Null value not supported for topic configs: {config.name}")
    return {config.name: config.value for config in topic.configs}


def _count_asked_for(broker: Broker, topic: Any) -> int:
    """The number of partitions asked for: as a number, or by listing who holds each."""
    if topic.assignments:
        return len(topic.assignments)
    default: int = broker.config.get("num.partitions")
    return default if topic.num_partitions == _DEFAULT else int(topic.num_partitions)


def _partition_count(broker: Broker, topic: Any) -> int:
    """The same, where nobody but this node is listed."""
    if not topic.assignments:
        return _count_asked_for(broker, topic)
    if topic.replication_factor != _DEFAULT:
        raise InvalidRequestError(
            "A manual partition assignment was specified, but replication factor was not set to -1."
        )
    if topic.num_partitions != _DEFAULT:
        raise InvalidRequestError("A manual partition assignment was specified, but numPartitions was not set to -1.")
    for assignment in topic.assignments:
        _ensure_assigned_here(assignment.broker_ids, broker.metadata.node_id)
    numbers = sorted(assignment.partition_index for assignment in topic.assignments)
    if len(set(numbers)) < len(numbers):
        raise InvalidReplicaAssignmentError("Found multiple manual partition assignments for one partition")
    if numbers != list(range(len(numbers))):
        raise InvalidReplicaAssignmentError("partitions should be a consecutive 0-based integer sequence")
    return len(numbers)


def _ensure_assigned_here(broker_ids: tuple[int, ...], node_id: int) -> None:
    if not broker_ids:
        raise InvalidReplicaAssignmentError("The manual partition assignment includes an empty replica list.")
    for broker_id in broker_ids:
        if broker_id != node_id:
            raise InvalidReplicaAssignmentError(
                f"The manual partition assignment includes broker {broker_id}, but no such broker is registered."
            )
    if len(broker_ids) > 1:
        raise InvalidReplicaAssignmentError(
            f"The manual partition assignment includes the broker {node_id} more than once."
        )


def _described_configs(broker: Broker, name: str, configs: Mapping[str, str]) -> tuple[CreatableTopicConfigs, ...]:
    return tuple(
        CreatableTopicConfigs(
            name=entry.key.name,
            value=entry.value,
            read_only=False,
            config_source=entry.source,
            is_sensitive=False,
        )
        for entry in broker.config.describe_topic(name, configs)
    )


def delete_topics(broker: Broker, request: Any, context: RequestContext) -> DeleteTopicsResponse:
    times = Counter((topic.name, topic.topic_id) for topic in request.topics)
    results = []
    for (name, topic_id), count in times.items():
        error_code, message = ErrorCode.none, None
        try:
            if count > 1:
                raise InvalidRequestError("Duplicate topic name." if name is not None else "Duplicate topic id.")
            topic = _find(broker, name, topic_id)
            name, topic_id = topic.name, topic.topic_id
            _delete(broker, topic)
        except KfastError as error:
            error_code, message = ErrorCode(error.error_code), str(error)
        results.append(DeletableTopicResult(name=name, topic_id=topic_id, error_code=error_code, error_message=message))
    return DeleteTopicsResponse(throttle_time=_NO_THROTTLE, responses=tuple(results))


def _find(broker: Broker, name: str | None, topic_id: Any) -> TopicImage:
    if name is not None and topic_id is not None:
        raise InvalidRequestError("You may not specify both topic name and topic id.")
    if name is None and topic_id is None:
        raise InvalidRequestError("Neither topic name nor id were specified.")
    found = name if name is not None else broker.metadata.topic_name(topic_id)
    topic = None if found is None else broker.metadata.topic(found)
    if topic is None:
        if name is None:
            raise UnknownTopicIdError("This server does not host this topic ID.")
        raise UnknownTopicOrPartitionError("This server does not host this topic-partition.")
    return topic


def _delete(broker: Broker, topic: TopicImage) -> None:
    if not broker.config.get("delete.topic.enable"):
        raise TopicDeletionDisabledError("Topic deletion is disabled.")
    if topic.name in topic_names.INTERNAL_TOPICS:
        raise InvalidRequestError(f"{topic.name} holds the broker's own state and cannot be deleted while it runs.")
    broker.metadata.delete_topic(topic.name)
    broker.groups.delete_offsets(topic.name)
