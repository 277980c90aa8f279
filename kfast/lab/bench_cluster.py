"""Where `kfast bench produce` and `kfast bench consume` run when nobody names a cluster: a broker of their own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from kfast.broker.process import BrokerProcess
from kfast.lab.lab_directory import LabDirectory


@contextmanager
def bench_cluster(bootstrap_servers: str | None, size_bytes: int) -> Iterator[str]:
    """The cluster that was named; or else a broker in a process of its own, with `size_bytes` on a real file system,
    gone when the block ends. Raises KafkaStorageError where that is more than the lab may take.
    """
    if bootstrap_servers is not None:
        yield bootstrap_servers
        return
    with LabDirectory() as directory:
        directory.ensure_fits(size_bytes)
        with BrokerProcess(directory.path) as broker:
            yield broker.bootstrap_servers
