"""Metadata and DescribeCluster: which broker there is, which topics, and where their partitions are led (here).

Asking for a topic may create it: it is then in the same answer, because LEADER_NOT_AVAILABLE, which Kafka gives first,
costs every client a back-off.
"""

from __future__ import annotations

import datetime
import uuid
from typing import TYPE_CHECKING, Any, Final

from kio.schema.describe_cluster.v1.response import DescribeClusterBroker, DescribeClusterResponse
from kio.schema.errors import ErrorCode
from kio.schema.metadata.v13.response import (
    MetadataResponse,
    MetadataResponseBroker,
    MetadataResponsePartition,
    MetadataResponseTopic,
)

from kfast.broker import topic_names
from kfast.broker.advertised import advertised_address
from kfast.broker.metadata_image import TopicImage
from kfast.broker.topics import MAX_PARTITIONS, auto_create_topic
from kfast.errors import (
    KfastError,
    TopicAlreadyExistsError,
    UnknownTopicIdError,
    UnknownTopicOrPartitionError,
)

if TYPE_CHECKING:
    from kfast.broker.broker import Broker
    from kfast.broker.context import RequestContext

_NO_THROTTLE: Final = datetime.timedelta(0)
_BROKER_ENDPOINT, _CONTROLLER_ENDPOINT = 1, 2

# Bits of AclOperation: what one may do with a topic or a cluster where nothing is forbidden (as Kafka 4.1 answers)
_NOT_ASKED: Final = -(2**31)
_TOPIC_OPERATIONS: Final = 0b1101_1111_1000
_CLUSTER_OPERATIONS: Final = 0b1_1111_1010_0000


def metadata(broker: Broker, request: Any, context: RequestContext) -> MetadataResponse:
    host, port = advertised_address(broker, context)
    node_id = broker.metadata.node_id
    return MetadataResponse(
        throttle_time=_NO_THROTTLE,
        brokers=(MetadataResponseBroker(node_id=node_id, host=host, port=port),),
        cluster_id=broker.metadata.cluster_id,
        controller_id=node_id,
        topics=tuple(_topics(broker, request)),
        error_code=ErrorCode.none,
    )


def _topics(broker: Broker, request: Any) -> list[MetadataResponseTopic]:
    operations = _TOPIC_OPERATIONS if request.include_topic_authorized_operations else _NOT_ASKED
    if request.topics is None:
        return [_described(broker, topic, operations) for topic in broker.metadata.topics.values()]
    asked = dict.fromkeys((topic.name, topic.topic_id) for topic in request.topics)  # each once, in order
    missing_count = sum(name is not None and broker.metadata.topic(name) is None for name, _ in asked)
    may_create = (
        request.allow_auto_topic_creation
        and broker.config.get("auto.create.topics.enable")
        and missing_count * broker.config.get("num.partitions") <= MAX_PARTITIONS
    )
    return [_asked(broker, name, topic_id, operations, may_create) for name, topic_id in asked]


def _asked(
    broker: Broker, name: str | None, topic_id: uuid.UUID | None, operations: int, may_create: bool
) -> MetadataResponseTopic:
    try:
        if name is None:
            topic = _by_id(broker, topic_id)
        else:
            topic = broker.metadata.topic(name) or _missing(broker, name, may_create)
    except KfastError as error:
        return MetadataResponseTopic(
            error_code=ErrorCode(error.error_code),
            name=name,
            topic_id=topic_id,
            is_internal=name in topic_names.INTERNAL_TOPICS,
            partitions=(),
        )
    return _described(broker, topic, operations)


def _by_id(broker: Broker, topic_id: uuid.UUID | None) -> TopicImage:
    name = None if topic_id is None else broker.metadata.topic_name(topic_id)
    topic = None if name is None else broker.metadata.topic(name)
    if topic is None:
        raise UnknownTopicIdError(f"there is no topic of id {topic_id}")
    return topic


def _missing(broker: Broker, name: str, may_create: bool) -> TopicImage:
    """Create a topic that somebody asks for, if that is allowed."""
    topic_names.ensure_valid(name)
    is_reserved = name in topic_names.INTERNAL_TOPICS or name == topic_names.CLUSTER_METADATA_TOPIC
    if is_reserved or not may_create:
        raise UnknownTopicOrPartitionError(f"there is no topic {name}")
    try:
        return auto_create_topic(broker, name)
    except TopicAlreadyExistsError:  # another connection was faster
        return broker.metadata.topics[name]


def _described(broker: Broker, topic: TopicImage, operations: int) -> MetadataResponseTopic:
    nodes = (broker.metadata.node_id,)
    return MetadataResponseTopic(
        error_code=ErrorCode.none,
        name=topic.name,
        topic_id=topic.topic_id,
        is_internal=topic.name in topic_names.INTERNAL_TOPICS,
        partitions=tuple(
            MetadataResponsePartition(
                error_code=ErrorCode.none,
                partition_index=number,
                leader_id=broker.metadata.node_id,
                leader_epoch=partition.leader_epoch,
                replica_nodes=nodes,
                isr_nodes=nodes,
            )
            for number, partition in topic.partitions.items()
        ),
        topic_authorized_operations=operations,
    )


def describe_cluster(broker: Broker, request: Any, context: RequestContext) -> DescribeClusterResponse:
    if request.endpoint_type != _BROKER_ENDPOINT:
        return _wrong_endpoint(request.endpoint_type)
    host, port = advertised_address(broker, context)
    asked = request.include_cluster_authorized_operations
    return DescribeClusterResponse(
        throttle_time=_NO_THROTTLE,
        error_code=ErrorCode.none,
        cluster_id=broker.metadata.cluster_id,
        controller_id=broker.metadata.node_id,
        brokers=(DescribeClusterBroker(broker_id=broker.metadata.node_id, host=host, port=port),),
        cluster_authorized_operations=_CLUSTER_OPERATIONS if asked else _NOT_ASKED,
    )


def _wrong_endpoint(endpoint_type: int) -> DescribeClusterResponse:
    if endpoint_type == _CONTROLLER_ENDPOINT:
        error_code = ErrorCode.mismatched_endpoint_type
        message = "The request was sent to an endpoint of type BROKER, but we wanted an endpoint of type CONTROLLER"
    else:
        error_code, message = ErrorCode.unsupported_endpoint_type, f"Unsupported endpoint type {endpoint_type}"
    return DescribeClusterResponse(
        throttle_time=_NO_THROTTLE, error_code=error_code, error_message=message, cluster_id="", brokers=()
    )
