"""InitProducerId: a number for each idempotent producer, never used before and never again.

What a producer does with it, numbering its batches, is not checked yet. Transactions are not served: a producer that
wants them is told so before it sends a record, by the error that every client takes as final (librdkafka asks again and
again after UNSUPPORTED_VERSION).
"""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Any

from kio.schema.errors import ErrorCode
from kio.schema.init_producer_id.v5.response import InitProducerIdResponse

from kfast.errors import InvalidRequestError, TransactionalIdAuthorizationError

if TYPE_CHECKING:
    from kfast.broker.broker import Broker
    from kfast.broker.context import RequestContext


def init_producer_id(broker: Broker, request: Any, context: RequestContext) -> InitProducerIdResponse:
    if request.transactional_id is not None:
        if not request.transactional_id:
            raise InvalidRequestError("the transactional id is empty; null is that of a producer without transactions")
        raise TransactionalIdAuthorizationError(
            f"transactions are not served; the producer of {request.transactional_id} asks for them"
        )
    if (request.producer_id < 0) != (request.producer_epoch < 0):
        raise InvalidRequestError(
            f"producer id {request.producer_id} and epoch {request.producer_epoch}: both or neither are given"
        )
    return InitProducerIdResponse(
        throttle_time=datetime.timedelta(0),
        error_code=ErrorCode.none,
        producer_id=broker.metadata.next_producer_id(),
        producer_epoch=0,
    )
