"""DescribeConfigs and IncrementalAlterConfigs, for topics and for this broker ("" is the default of all brokers).

A change is in the metadata log before it is answered, and in force at once: logs get their new LogConfig, the copy mode
holds from the next slice on. Keys that begin with `kfast.` hold as long as this process runs.
"""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

from kio.schema.describe_configs.v4.response import (
    DescribeConfigsResourceResult,
    DescribeConfigsResponse,
    DescribeConfigsResult,
    DescribeConfigsSynonym,
)
from kio.schema.errors import ErrorCode
from kio.schema.incremental_alter_configs.v1.response import (
    AlterConfigsResourceResponse,
    IncrementalAlterConfigsResponse,
)

from kfast.broker import topic_names
from kfast.broker.config import CLUSTER_DEFAULT, ConfigEntry
from kfast.broker.config_keys import BROKER_KEYS, NOT_PERSISTED_PREFIX, TOPIC_KEYS, ConfigKey, ConfigType
from kfast.errors import (
    InvalidConfigError,
    InvalidRequestError,
    KfastError,
    UnknownTopicOrPartitionError,
)
from kfast.record.metadata_records import BROKER_RESOURCE, TOPIC_RESOURCE

if TYPE_CHECKING:
    from kfast.broker.broker import Broker
    from kfast.broker.context import RequestContext

_NO_THROTTLE: Final = datetime.timedelta(0)
_SET, _DELETE, _APPEND, _SUBTRACT = range(4)
_OPERATIONS: Final = {_SET: "SET", _DELETE: "DELETE", _APPEND: "APPEND", _SUBTRACT: "SUBTRACT"}


def describe_configs(broker: Broker, request: Any, context: RequestContext) -> DescribeConfigsResponse:
    """A resource named again and again is described once: 5 bytes of a request would be answered by 8 KB each time."""
    return DescribeConfigsResponse(
        throttle_time=_NO_THROTTLE,
        results=tuple(_describe(broker, request, resource) for resource in dict.fromkeys(request.resources)),
    )


def _describe(broker: Broker, request: Any, resource: Any) -> DescribeConfigsResult:
    error_code, message, configs = ErrorCode.none, "", ()
    try:
        entries = _entries(broker, resource.resource_type, resource.resource_name)
        wanted = resource.configuration_keys
        configs = tuple(_described(entry, request) for entry in entries if not wanted or entry.key.name in wanted)
    except KfastError as error:
        error_code, message = ErrorCode(error.error_code), str(error)
    return DescribeConfigsResult(
        error_code=error_code,
        error_message=message,
        resource_type=resource.resource_type,
        resource_name=resource.resource_name,
        configs=configs,
    )


def _entries(broker: Broker, resource_type: int, name: str) -> Iterable[ConfigEntry]:
    if resource_type == TOPIC_RESOURCE:
        topic_names.ensure_valid(name)
        if broker.metadata.topic(name) is None:
            raise UnknownTopicOrPartitionError(f"The topic '{name}' does not exist.")
        return broker.config.describe_topic(name)
    _ensure_broker_resource(broker, resource_type, name)
    return broker.config.describe_broker(name)


def _described(entry: ConfigEntry, request: Any) -> DescribeConfigsResourceResult:
    is_sensitive = entry.key.is_sensitive
    return DescribeConfigsResourceResult(
        name=entry.key.name,
        value=None if is_sensitive else entry.value,
        read_only=not entry.key.is_dynamic,
        config_source=entry.source,
        is_sensitive=is_sensitive,
        synonyms=tuple(
            DescribeConfigsSynonym(
                name=setting.name, value=None if is_sensitive else setting.value, source=setting.source
            )
            for setting in entry.settings
        )
        if request.include_synonyms
        else (),
        config_type=entry.key.type,
        documentation=entry.key.documentation if request.include_documentation else None,
    )


def incremental_alter_configs(broker: Broker, request: Any, context: RequestContext) -> IncrementalAlterConfigsResponse:
    times = Counter((resource.resource_type, resource.resource_name) for resource in request.resources)
    responses = []
    for resource in request.resources:
        error_code, message = ErrorCode.none, None
        try:
            if times[resource.resource_type, resource.resource_name] > 1:
                raise InvalidRequestError("Each resource must appear at most once.")
            _alter(broker, resource, request.validate_only)
        except KfastError as error:
            error_code, message = ErrorCode(error.error_code), str(error)
        responses.append(
            AlterConfigsResourceResponse(
                error_code=error_code,
                error_message=message,
                resource_type=resource.resource_type,
                resource_name=resource.resource_name,
            )
        )
    return IncrementalAlterConfigsResponse(throttle_time=_NO_THROTTLE, responses=tuple(responses))


def _alter(broker: Broker, resource: Any, validate_only: bool) -> None:
    if max(Counter(config.name for config in resource.configs).values(), default=0) > 1:
        raise InvalidRequestError("Error due to duplicate config keys")
    if resource.resource_type == TOPIC_RESOURCE:
        _alter_topic(broker, resource, validate_only)
    else:
        _ensure_broker_resource(broker, resource.resource_type, resource.resource_name)
        _alter_broker(broker, resource, validate_only)


def _alter_topic(broker: Broker, resource: Any, validate_only: bool) -> None:
    name = resource.resource_name
    if not name:
        raise InvalidRequestError("Default topic resources are not allowed.")
    topic_names.ensure_valid(name)
    if broker.metadata.topic(name) is None:
        raise UnknownTopicOrPartitionError(f"The topic '{name}' does not exist.")
    entries = {entry.key.name: entry for entry in broker.config.describe_topic(name)}
    changes = _changes(resource.configs, TOPIC_KEYS, lambda key: entries[key].value or "", "topic")
    existing = broker.metadata.configs(TOPIC_RESOURCE, name)
    known = {key: value for key, value in existing.items() if key in TOPIC_KEYS}
    broker.config.validate_topic({key: value for key, value in {**known, **changes}.items() if value is not None})
    if not validate_only:
        broker.metadata.alter_configs(TOPIC_RESOURCE, name, changes)


def _alter_broker(broker: Broker, resource: Any, validate_only: bool) -> None:
    name = resource.resource_name
    current = broker.config.dynamic_broker(name)
    changes = _changes(
        resource.configs, BROKER_KEYS, lambda key: current.get(key) or BROKER_KEYS[key].default or "", "broker"
    )
    static = [key for key in changes if key in BROKER_KEYS and not BROKER_KEYS[key].is_dynamic]
    if static:
        raise InvalidRequestError(f"Cannot update these configs dynamically: Set({', '.join(static)})")
    for key, value in changes.items():
        if value is not None:
            broker.config.validate_broker(key, value)
    if validate_only:
        return
    own = {key: value for key, value in changes.items() if key.startswith(NOT_PERSISTED_PREFIX)}
    kept = {key: value for key, value in changes.items() if key not in own}
    if own:
        broker.config.set_unpersisted(name, own)
    if kept:
        broker.metadata.alter_configs(BROKER_RESOURCE, name, kept)


def _changes(
    configs: Iterable[Any], keys: dict[str, ConfigKey], current: Callable[[str], str], scope: str
) -> dict[str, str | None]:
    """The new value of each key that is altered; None where it goes back to its default."""
    changes: dict[str, str | None] = {}
    for config in configs:
        operation = config.config_operation
        if operation not in _OPERATIONS:
            raise InvalidRequestError(f"Unknown operation {operation} on {config.name}; 0 to 3 are known")
        if operation == _DELETE:
            changes[config.name] = None
        elif config.value is None:
            raise InvalidRequestError(f"Null value not supported for : {config.name}")
        elif operation == _SET:
            changes[config.name] = config.value
        else:
            key = keys.get(config.name)
            if key is None:
                raise InvalidConfigError(f"Unknown {scope} config name: {config.name}")
            changes[config.name] = _edited(key, operation, current(config.name), config.value)
    return changes


def _edited(key: ConfigKey, operation: int, current: str, value: str) -> str:
    """A list with the items of `value` added to it, or taken out."""
    if key.type is not ConfigType.LIST:
        raise InvalidConfigError(f"Can't {_OPERATIONS[operation]} to key {key.name} because its type is not LIST.")
    items = [item for item in current.split(",") if item]
    named = value.split(",")
    if operation == _APPEND:
        return ",".join([*items, *(item for item in named if item not in items)])
    return ",".join(item for item in items if item not in named)


def _ensure_broker_resource(broker: Broker, resource_type: int, name: str) -> None:
    if resource_type != BROKER_RESOURCE:
        raise InvalidRequestError(
            f"Resource type {resource_type} has no configurations here; {TOPIC_RESOURCE} (topic) and "
            f"{BROKER_RESOURCE} (broker) have"
        )
    if name == CLUSTER_DEFAULT:
        return
    if not name.isdecimal():
        raise InvalidRequestError(f"Broker id must be an integer, but it is: {name}")
    if name != broker.config.broker_resource:
        raise InvalidRequestError(
            f"Unexpected broker id, expected {broker.config.broker_resource} or empty string, but received {name}"
        )
