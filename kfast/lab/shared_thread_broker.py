"""A broker with one thread for all connections, in its own process: `BrokerProcess(module=SHARED_THREAD_BROKER)`."""

from __future__ import annotations

from typing import Final

from kfast.broker.broker import parse_listen
from kfast.broker.process import BrokerService
from kfast.child_process import Json, run_child
from kfast.lab.shared_thread_server import SharedThreadServer

SHARED_THREAD_BROKER: Final = "kfast.lab.shared_thread_broker"
WARM_UP: Final = "lab.warm.up"
"""For `BrokerProcess.set`: "true" or "false", whether another thread reads what is about to be sent."""


class SharedThreadBrokerService(BrokerService):
    """The child's side."""

    def __init__(self, settings: Json) -> None:
        listener = parse_listen(settings["listen"])
        self._server = SharedThreadServer(listener.host, listener.port)
        super().__init__({**settings, "server": self._server})

    def answer(self, request: str, arguments: Json) -> Json:
        if request == "set" and arguments["key"] == WARM_UP:
            self._server.warms_up = arguments["value"] == "true"
            return {}
        return super().answer(request, arguments)


if __name__ == "__main__":
    run_child(SharedThreadBrokerService)
