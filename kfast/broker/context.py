"""What a handler may know of the connection its request came on, besides the request itself. Never a socket."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kfast.wire.framing import RequestHeader

if TYPE_CHECKING:
    from kfast.broker.metrics import ConnectionMetrics


@dataclass(slots=True)
class RequestContext:
    """One a connection, reused for each of its requests: `header` is that of the request being handled.

    `before_wait` is called by a produce handler that is about to wait for the disk: it sends the answers gathered so
    far, so that one client's fsync holds up nobody's earlier response.
    """

    client_host: str
    local_host: str
    before_wait: Callable[[], None]
    metrics: ConnectionMetrics
    header: RequestHeader = field(default_factory=lambda: RequestHeader(-1, 0, 0, None, 0))
