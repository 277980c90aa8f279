"""A log that is there before the first run of an experiment: produced by a raw client, and all of it on the disk.

What reads it then has no write-back beside it that another run has not.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Final, TypeVar

from kfast.client.cluster import create_topic
from kfast.client.produce_load import ProduceLoad
from kfast.errors import KafkaStorageError
from kfast.lab.residency import Residency, residency, together
from kfast.lab.unavailable import Unavailable

ELSEWHERE: Final = Unavailable("not on this machine")
Result = TypeVar("Result")


class PreparedLog:
    """A new topic with one partition that holds `record_count` records; on the disk when the constructor returns.

    `data_dir` is the directory of its broker, None where that is on another machine: there is no file here then.
    """

    def __init__(
        self,
        bootstrap_servers: str,
        topic: str,
        data_dir: Path | None,
        *,
        batch_records: int,
        record_size: int,
        record_count: int,
        configs: Mapping[str, str] | None = None,
        ssl_ca_location: str | None = None,
    ) -> None:
        self.topic = topic
        self._data_dir = data_dir
        create_topic(bootstrap_servers, topic, configs=configs, ssl_ca_location=ssl_ca_location)
        load = ProduceLoad(
            bootstrap_servers,
            topic,
            batch_records=batch_records,
            record_size=record_size,
            record_count=record_count,
            ssl_ca_location=ssl_ca_location,
        )
        with closing(load):
            load.run()
        if self._data_dir and not self._files():
            raise KafkaStorageError(f"there is no segment of {topic}-0 in {self._data_dir}: nothing can be synced")
        self.with_files(os.fsync)

    def pages(self) -> Residency | Unavailable:
        """What the page cache holds of it now."""
        return together(self.with_files(residency)) if self._data_dir else ELSEWHERE

    def with_files(self, work: Callable[[int], Result]) -> list[Result]:
        """Do something to the descriptor of each segment's file, in their order, and return what came of it."""
        found = []
        for path in self._files():
            with open(path, "rb", buffering=0) as file:
                found.append(work(file.fileno()))
        return found

    def _files(self) -> list[Path]:
        return sorted((self._data_dir / f"{self.topic}-0").glob("*.log")) if self._data_dir else []

    def __repr__(self) -> str:
        return f"PreparedLog({self.topic!r})"
