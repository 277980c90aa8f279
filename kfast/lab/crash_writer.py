"""A writer to be killed: it appends batches to a log until then, and says so of each batch that the log has taken.

    acknowledged = batches_of_killed_writer(directory, batch_size, count)     the parent's side

Run as `python -m kfast.lab.crash_writer DIRECTORY BATCH_SIZE LOG_SIZE`, it writes a byte to stdout for each batch: what
is in the pipe was acknowledged, whatever becomes of the writer. It takes no other notice of its parent, so the kill
falls where it happens to be, most of the time in the middle of a write.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from kfast.child_process import ChildError
from kfast.lab.io_work import make_batch
from kfast.log.config import LogConfig
from kfast.log.log import Log

CONFIG = LogConfig(segment_bytes=64 << 20, max_message_bytes=2 << 20)
MOST_AHEAD = 2
"""How many times the batches it is to be killed after a writer makes at most, should its parent be slow."""


def batches_of_killed_writer(directory: Path, batch_size: int, count: int) -> int:
    """Start a writer on an empty `directory`, kill it once it has acknowledged `count` batches; return how many it had.

    Raises ChildError where it ended by itself.
    """
    limit = MOST_AHEAD * count * batch_size
    command = [sys.executable, "-m", "kfast.lab.crash_writer", str(directory), str(batch_size), str(limit)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True) as writer:
        assert writer.stdout is not None
        try:
            acknowledged = len(writer.stdout.read(count))
        finally:
            writer.kill()
        acknowledged += len(writer.stdout.read())
    if writer.returncode != -signal.SIGKILL:
        raise ChildError(f"the writer ended with status {writer.returncode} before it was killed")
    if acknowledged < count:
        raise ChildError(f"the writer was killed by somebody else after {acknowledged} of {count} batches")
    return acknowledged


def append_until_killed(directory: Path, batch_size: int, log_size: int) -> None:
    """Fill the log with the same batch, of one record; at `log_size` wait for the parent, which is late, or gone."""
    batch, log = make_batch(batch_size), Log.open(directory, CONFIG)
    while log.size_bytes < log_size:
        log.append(batch)
        os.write(sys.stdout.fileno(), b".")
    sys.stdin.read()


if __name__ == "__main__":
    append_until_killed(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
