"""`kfast serve`: the broker in the foreground, until SIGTERM or Ctrl-C. It never reads stdin."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from kfast.broker.broker import Broker


def serve(
    listen: str,
    data_dir: Path | None,
    copy_mode: str | None,
    config: Mapping[str, str],
    on_ready: Callable[[Broker], None],
) -> None:
    """Run a broker until the process is told to end, then shut it down cleanly. Errors are those of `Broker`."""
    told_to_end = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: told_to_end.set())
    with Broker(data_dir, listen=listen, copy_mode=copy_mode, config=config) as broker:
        on_ready(broker)
        told_to_end.wait()
