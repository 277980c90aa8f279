"""The congestion control of a socket. A default of BBR paces, and a paced loopback measures the pacing.

Set to the same on both ends of every arm, and recorded. What a program does not offer to set can be set from outside:
a duplicate of its listening socket is the same socket, and what it accepts afterwards inherits the setting.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket as sockets
from collections.abc import Iterator
from pathlib import Path

PREFERRED = "reno"  # in every Linux kernel, and allowed to every user
SYS_PIDFD_GETFD = 438  # Linux 5.6; the same number on all architectures but alpha


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


def set_listener_congestion_control(pid: int, port: int, name: str = PREFERRED) -> str:
    """The same for the socket on which process `pid` listens at `port`: and so for what it accepts from now on.

    The process must be one that the caller may trace, such as its own child; in containers that is often forbidden, and
    then the words say that the system's default stays.
    """
    try:
        for socket in _sockets_of(pid):
            if socket.getsockopt(sockets.SOL_SOCKET, sockets.SO_ACCEPTCONN) and socket.getsockname()[1] == port:
                return set_congestion_control(socket, name)
    except (OSError, AttributeError) as error:  # pidfd_open is of Linux alone
        return f"{default_congestion_control()} ({name} unavailable: {error})"
    return f"{default_congestion_control()} ({name} unavailable: process {pid} does not listen at port {port})"


def default_congestion_control() -> str:
    """What a socket has for which nobody asked."""
    try:
        return Path("/proc/sys/net/ipv4/tcp_congestion_control").read_text().strip()
    except OSError:
        return "the system's default"


def _sockets_of(pid: int) -> Iterator[sockets.socket]:
    """Duplicates of the sockets of a process, each closed when the next is asked for."""
    libc = ctypes.CDLL(None, use_errno=True)
    process = os.pidfd_open(pid)
    try:
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):  # closed meanwhile
                if os.readlink(entry).startswith("socket:"):
                    descriptor = libc.syscall(SYS_PIDFD_GETFD, process, int(entry.name), 0)
                    if descriptor < 0:
                        raise OSError(ctypes.get_errno(), f"pidfd_getfd(2): {os.strerror(ctypes.get_errno())}")
                    with sockets.socket(fileno=descriptor) as socket:
                        yield socket
    finally:
        os.close(process)
