"""The address clients are told to connect to.

Unless `advertised.listeners` names another, it is the one the client has reached us at: that one works, whatever names
and networks lie between.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kfast.errors import InvalidConfigError

if TYPE_CHECKING:
    from kfast.broker.broker import Broker
    from kfast.broker.config import BrokerConfig
    from kfast.broker.context import RequestContext


def check_advertised(config: BrokerConfig, listen: str, listener_name: str) -> None:
    """Raise InvalidConfigError where `advertised.listeners` names another listener than the one of `listen`.

    As in Kafka what stands before :// is the name of a listener, by which the two settings belong together; here the
    name is also how it speaks. What a proxy in front of it speaks it does not say.
    """
    advertised = config.get("advertised.listeners")
    if advertised is not None and advertised.partition("://")[0] != listener_name:
        raise InvalidConfigError(
            f"advertised.listeners={advertised} names no listener of this broker, which listens on {listen} as "
            f"{listener_name}: both take the same name before ://"
        )


def advertised_address(broker: Broker, context: RequestContext) -> tuple[str, int]:
    """Return (host, port) for the client of `context`."""
    listener = broker.config.get("advertised.listeners")
    if listener is None:
        return context.local_host, broker.port
    host, _, port = listener.partition("://")[2].rpartition(":")
    return host.strip("[]"), int(port)
