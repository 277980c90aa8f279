"""`kfast serve`: the broker in the foreground, until SIGTERM or Ctrl-C. It never reads stdin.

A stop that fails, on a full disk say, ends with a sentence and status 1: which file it was, and what that means.
"""

from __future__ import annotations

import errno
import signal
from collections.abc import Callable, Mapping
from pathlib import Path

from kfast.broker.broker import Broker
from kfast.errors import KafkaStorageError, KfastError

_ENDING = (signal.SIGTERM, signal.SIGINT)
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EMFILE, errno.ENFILE)


def serve(
    listen: str,
    data_dir: Path | None,
    copy_mode: str | None,
    config: Mapping[str, str],
    on_ready: Callable[[Broker], None],
) -> None:
    """Run a broker until the process is told to end, then shut it down cleanly. Errors are those of `Broker`."""
    # Blocked in this thread and all it starts, and waited for: a handler would run in this thread only, and where the
    # kernel hands the signal to another one, as it may under a debugger or strace, nothing would wake this one for it.
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    broker = Broker(data_dir, listen=listen, copy_mode=copy_mode, config=config)
    try:
        on_ready(broker)
        signal.sigwait(_ENDING)
    finally:
        stop(broker)


def stop(broker: Broker) -> None:
    """Shut it down cleanly. Raises KafkaStorageError, which says what it means, where that fails."""
    try:
        broker.stop()
    except (KfastError, OSError) as error:
        raise KafkaStorageError(f"not stopped cleanly: {error}; {_meaning(broker, error)}") from error


def _meaning(broker: Broker, error: Exception) -> str:
    if not broker.keeps_data:
        return "its temporary directory is given up"
    if isinstance(error, OSError) and error.errno in _NO_ROOM:  # for an index or a checkpoint, after the records
        return f"what was acknowledged is in the files, and the next start on {broker.data_dir} checks them"
    return f"the next start on {broker.data_dir} checks the files, and says what is missing"
