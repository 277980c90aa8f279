"""The load generators of one run: processes of their own, which begin and end with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from kfast.child_process import ChildProcess, Json


@contextmanager
def load_clients(settings: Mapping[str, Json]) -> Iterator[dict[str, ChildProcess]]:
    """A process of `kfast.client.load` for each name, connected and at work; none is left when the block ends.

    They are started at once: most of a third of a second each is at its imports. Raises ChildError, in the words of the
    process, for one that cannot start.
    """
    clients: dict[str, ChildProcess] = {}

    def start(name: str) -> None:
        clients[name] = ChildProcess("kfast.client.load", settings[name])

    try:
        with ThreadPoolExecutor(len(settings)) as pool:
            list(pool.map(start, settings))
        yield clients
    finally:
        for client in clients.values():
            client.stop()
