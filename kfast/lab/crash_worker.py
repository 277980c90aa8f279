"""The child of the crash experiment: writes a log, tears its tail as a crash may, and times how it opens again.

Run as `python -m kfast.lab.crash_worker`. Its logs lie in the directory of the settings and stay for all runs.
"""

from __future__ import annotations

import logging
from pathlib import Path

from kfast.child_process import Json, run_child
from kfast.lab.crash_writer import CONFIG
from kfast.lab.io_work import make_batch
from kfast.lab.usage import Usage, UsageInterval
from kfast.log.log import Log


class CrashWorker:
    """Settings: `directory`. Answers `write`, `reopen` and `recover`."""

    def __init__(self, settings: Json) -> None:
        logging.getLogger("kfast").setLevel(
            logging.ERROR
        )  # what recovery cuts is counted here, a line a run is not news
        self._directory = Path(settings["directory"])
        self._end_offsets: dict[Path, int] = {}

    def ready(self) -> Json:
        return {}

    def answer(self, request: str, arguments: Json) -> Json:
        if request == "write":
            return self._write(**arguments)
        if request == "reopen":
            return self._reopen(**arguments)
        if request == "recover":
            return self._recover(**arguments)
        raise ValueError(f"a crash worker is asked to write, to reopen or to recover, not to {request}")

    def _write(self, log_size: int, batch_size: int) -> Json:
        """Make the log of an arm, unless it is there."""
        path = self._path(log_size, batch_size)
        if not path.exists():
            batch = make_batch(batch_size)
            log = Log.open(path, CONFIG)
            while log.size_bytes < log_size:
                log.append(batch)
            self._end_offsets[path] = log.log_end_offset
            log.close()
        return {}

    def _reopen(self, log_size: int, batch_size: int, flushed_share: float, is_torn: bool) -> Json:
        """Tear the tail, then open the log as after a kill: what lies below the recovery point is believed."""
        path = self._path(log_size, batch_size)
        last = max(path.glob("*.log"))
        whole_bytes = last.stat().st_size
        if is_torn:
            with open(last, "ab") as file:
                file.write(make_batch(batch_size)[: batch_size // 2])
        found_bytes = last.stat().st_size
        end_offset = self._end_offsets[path]
        recovery_point = round(end_offset * flushed_share)
        start = Usage.now()
        log = Log.open(path, CONFIG, recovery_point=recovery_point, was_clean=not is_torn)
        usage = UsageInterval.since(start)
        left_bytes = last.stat().st_size
        log.close()
        return {
            "usage": usage.to_json(),
            "log_bytes": log_size,
            "lost_records": end_offset - log.log_end_offset,
            "cut_bytes": found_bytes - left_bytes,
            "torn_bytes": left_bytes - whole_bytes,
        }

    def _recover(self, directory: str, batch_size: int, acknowledged: int) -> Json:
        """Open what a killed writer left, of which nothing is known to be on the disk, and count what is there."""
        path = Path(directory)
        found_bytes = sum(file.stat().st_size for file in path.glob("*.log"))
        start = Usage.now()
        log = Log.open(path, CONFIG)
        usage = UsageInterval.since(start)
        whole_bytes = log.log_end_offset * len(make_batch(batch_size))
        left_bytes, end_offset = log.size_bytes, log.log_end_offset
        log.delete()  # not closed, or all of it would be flushed first
        return {
            "usage": usage.to_json(),
            "log_bytes": found_bytes,
            "lost_records": max(0, acknowledged - end_offset),  # a batch more was written and not acknowledged
            "cut_bytes": found_bytes - left_bytes,
            "torn_bytes": left_bytes - whole_bytes,
        }

    def _path(self, log_size: int, batch_size: int) -> Path:
        return self._directory / f"crash-{log_size}-{batch_size}"

    def close(self) -> None:
        """The logs are the parent's to remove."""


if __name__ == "__main__":
    run_child(CrashWorker)
