"""The congestion control of one socket. A default of BBR paces, and a paced loopback measures the pacing.

Set to the same on both ends of every arm, and recorded.
"""

from __future__ import annotations

import socket as sockets

PREFERRED = "reno"  # in every Linux kernel, and allowed to every user


def set_congestion_control(socket: sockets.socket, name: str = PREFERRED) -> str:
    """Ask for `name` and return what the socket has then, in words: another, where the kernel does not offer it."""
    option = getattr(sockets, "TCP_CONGESTION", None)
    if option is None:
        return "unavailable: TCP_CONGESTION is not offered on this platform"
    try:
        socket.setsockopt(sockets.IPPROTO_TCP, option, name.encode())
    except OSError as error:
        found = socket.getsockopt(sockets.IPPROTO_TCP, option, 16).rstrip(b"\0").decode()
        return f"{found} ({name} unavailable: {error})"
    return socket.getsockopt(sockets.IPPROTO_TCP, option, 16).rstrip(b"\0").decode()
