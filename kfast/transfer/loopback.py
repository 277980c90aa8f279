"""Two ends of one TCP connection inside this process: what the capability report and the canary send through."""

from __future__ import annotations

import socket as sockets


def loopback_pair() -> tuple[sockets.socket, sockets.socket]:
    """A connected pair over 127.0.0.1, on a port the kernel chose. The caller closes both."""
    with sockets.create_server(("127.0.0.1", 0), backlog=1) as server:
        connecting = sockets.create_connection(server.getsockname())
        try:
            accepted, _ = server.accept()
        except BaseException:
            connecting.close()
            raise
    return connecting, accepted
