"""The address clients are told to connect to.

Unless `advertised.listeners` names another, it is the one the client has reached us at: that one works, whatever names
and networks lie between.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kfast.broker.broker import Broker
    from kfast.broker.context import RequestContext


def advertised_address(broker: Broker, context: RequestContext) -> tuple[str, int]:
    """Return (host, port) for the client of `context`."""
    listener = broker.config.get("advertised.listeners")
    if listener is None:
        return context.local_host, broker.port
    host, _, port = listener.partition("://")[2].rpartition(":")
    return host.strip("[]"), int(port)
