"""`kfast serve`: the broker in the foreground, until SIGTERM or Ctrl-C. It never reads stdin."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from pathlib import Path

from kfast.broker.broker import Broker

_ENDING = (signal.SIGTERM, signal.SIGINT)


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
    with Broker(data_dir, listen=listen, copy_mode=copy_mode, config=config) as broker:
        on_ready(broker)
        signal.sigwait(_ENDING)
