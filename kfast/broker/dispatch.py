"""From a frame to its answer: find the handler of an API, and turn what it raises into the error code Kafka gives.

Produce and Fetch go straight to their handlers, which read and write their own bytes. All others are decoded to the
newest form by `wire.codec`; their modules are imported when they are first asked for, which keeps the start short.
"""

from __future__ import annotations

import importlib
import logging
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kfast.broker import api_versions, fetch, produce
from kfast.errors import KafkaStorageError, KfastError, MalformedFrameError
from kfast.wire.api_versions import ApiKey, is_served
from kfast.wire.framing import frame_response

if TYPE_CHECKING:
    from kfast.broker.broker import Broker
    from kfast.broker.context import RequestContext
    from kfast.transfer.sender import Chunk

logger = logging.getLogger(__name__)

Handler = Callable[["Broker", Any, "RequestContext"], Any]

_HANDLERS = {
    ApiKey.LIST_OFFSETS: "list_offsets.list_offsets",
    ApiKey.METADATA: "metadata.metadata",
    ApiKey.OFFSET_COMMIT: "groups.offset_commit",
    ApiKey.OFFSET_FETCH: "groups.offset_fetch",
    ApiKey.FIND_COORDINATOR: "groups.find_coordinator",
    ApiKey.JOIN_GROUP: "groups.join_group",
    ApiKey.HEARTBEAT: "groups.heartbeat",
    ApiKey.LEAVE_GROUP: "groups.leave_group",
    ApiKey.SYNC_GROUP: "groups.sync_group",
    ApiKey.DESCRIBE_GROUPS: "groups.describe_groups",
    ApiKey.LIST_GROUPS: "groups.list_groups",
    ApiKey.CREATE_TOPICS: "topics.create_topics",
    ApiKey.DELETE_TOPICS: "topics.delete_topics",
    ApiKey.DELETE_RECORDS: "delete_records.delete_records",
    ApiKey.INIT_PRODUCER_ID: "producer_ids.init_producer_id",
    ApiKey.OFFSET_FOR_LEADER_EPOCH: "list_offsets.offset_for_leader_epoch",
    ApiKey.DESCRIBE_CONFIGS: "configs.describe_configs",
    ApiKey.INCREMENTAL_ALTER_CONFIGS: "configs.incremental_alter_configs",
    ApiKey.DESCRIBE_CLUSTER: "metadata.describe_cluster",
}

# Plain integers: to get a member of an enumeration takes longer than to compare it.
_PRODUCE, _FETCH, _API_VERSIONS = int(ApiKey.PRODUCE), int(ApiKey.FETCH), int(ApiKey.API_VERSIONS)

_loading = threading.Lock()
_loaded: dict[tuple[ApiKey, int], Handler] = {}


def answer(broker: Broker, frame: memoryview, context: RequestContext) -> list[Chunk]:
    """Return the chunks of the response to the request in `frame`, whose header is `context.header`.

    Raises MalformedFrameError, which costs the peer its connection, for what is no request this broker serves: so does
    Apache Kafka with an unknown API key or version.
    """
    header = context.header
    api_key = header.api_key
    context.metrics.requests[api_key] += 1
    if api_key == _API_VERSIONS:
        return list(api_versions.answer(context))
    if not is_served(api_key, header.api_version):
        raise MalformedFrameError(f"API key {api_key} version {header.api_version} is not served")
    if api_key == _PRODUCE:
        return produce.answer(broker, frame, context)
    if api_key == _FETCH:
        return fetch.answer(broker, frame, context)
    return _answer_cold(broker, ApiKey(api_key), frame, context)


def _answer_cold(broker: Broker, api_key: ApiKey, frame: memoryview, context: RequestContext) -> list[Chunk]:
    from kfast.wire import codec

    header = context.header
    handler = _loaded.get((api_key, header.api_version)) or _load(api_key, header.api_version)
    request = codec.decode_request(api_key, header.api_version, frame[header.size_bytes :])
    try:
        response = handler(broker, request, context)
        if broker.faults.failing:
            broker.faults.end(api_key.name)
    except KfastError as error:
        if isinstance(error, KafkaStorageError):
            broker.faults.note(api_key.name, error)
        else:
            logger.info("%s of %s: %s", api_key.name, context.client_host, error)
        response = codec.error_response(api_key, request, error.error_code, str(error))
    except Exception:
        logger.exception("%s of %s failed", api_key.name, context.client_host)
        response = codec.error_response(api_key, request, KfastError.error_code)
    payload = codec.encode_response(api_key, header.api_version, response)
    return [frame_response(api_key, header.api_version, header.correlation_id, payload)]


def _load(api_key: ApiKey, version: int) -> Handler:
    """Import the handler of an API and what its messages need in `version`, one thread at a time.

    Two threads that import a package from different ends, as kio's are, make Python give up with a deadlock error in
    one of them: a client's first request would fail now and then.
    """
    from kfast.wire import codec

    with _loading:
        module_name, function_name = _HANDLERS[api_key].split(".")
        handler: Handler = getattr(importlib.import_module(f"kfast.broker.{module_name}"), function_name)
        codec.prepare(api_key, version)
        _loaded[api_key, version] = handler
    return handler
