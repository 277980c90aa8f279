"""What tests of the broker's parts share: a broker's insides over a directory, without server and threads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kfast.broker.config import BrokerConfig
from kfast.broker.metadata_log import MetadataLog
from kfast.clock import ManualClock
from kfast.log.manager import LogManager
from kfast.scheduler import Scheduler


class BrokerParts:
    """Clock, scheduler, configuration, logs and metadata of one directory; `close` stops as a broker does."""

    def __init__(self, directory: Path, settings: dict[str, str]) -> None:
        self.clock = ManualClock()
        self.scheduler = Scheduler(self.clock)
        self.config = BrokerConfig(settings)
        self.logs = LogManager(directory, clock=self.clock, scheduler=self.scheduler)
        self.metadata = MetadataLog.open(directory, self.logs, self.config, self.clock)

    def close(self) -> None:
        self.scheduler.shutdown()
        self.metadata.close()
        self.logs.shutdown()


OpenParts = Callable[..., BrokerParts]


@pytest.fixture
def open_parts(tmp_path: Path) -> Iterator[OpenParts]:
    """`open_parts(directory=None, **settings)`: dots in the names of settings are written as underscores."""
    opened: list[BrokerParts] = []

    def open_parts(directory: Path | None = None, **settings: object) -> BrokerParts:
        texts = {name.replace("_", "."): str(value) for name, value in settings.items()}
        opened.append(BrokerParts(directory or tmp_path / "data", texts))
        return opened[-1]

    yield open_parts
    for parts in opened:
        parts.close()


@pytest.fixture
def parts(open_parts: OpenParts) -> BrokerParts:
    """The insides of a broker over an empty directory, with few partitions of __consumer_offsets."""
    return open_parts(offsets_topic_num_partitions=4)
