"""The same broker in a process of its own, for measuring: its CPU is its own, and it ends when its parent goes away."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Self

from kfast.broker.broker import Broker
from kfast.broker.metrics import snapshot
from kfast.child_process import ChildError, ChildProcess, Json, run_child

REST_S: Final = 5.0
_POLL_S: Final = 0.005


class BrokerProcess:
    """A `Broker` in a child process; the arguments are the broker's own. Ready when the constructor returns.

    `module` is what the child runs: an experiment has one that exchanges a part of the broker.
    Raises ChildError with the broker's words when it cannot start. Close it with `stop` or by leaving a `with` block.
    """

    def __init__(
        self,
        data_dir: str | Path | None = None,
        *,
        listen: str = "127.0.0.1:0",
        copy_mode: str | None = None,
        config: Mapping[str, str] | None = None,
        module: str = "kfast.broker.process",
    ) -> None:
        settings = {
            "data_dir": None if data_dir is None else str(data_dir),
            "listen": listen,
            "copy_mode": copy_mode,
            "config": dict(config or {}),
        }
        self._child = ChildProcess(module, settings)
        self.bootstrap_servers: str = self._child.ready["bootstrap_servers"]
        self.ssl_ca_location: str | None = self._child.ready["ssl_ca_location"]

    @property
    def pid(self) -> int:
        return self._child.pid

    def metrics(self) -> Json:
        """What the broker has counted since its start: see `kfast.broker.metrics.snapshot`."""
        return self._child.ask("metrics")

    def metrics_at_rest(self, timeout_s: float = REST_S) -> Json:
        """The same once no connection is open: a thread counts what it has sent a moment after the client has it.

        Raises ChildError where one is still open after `timeout_s`.
        """
        deadline = time.monotonic() + timeout_s
        while (counted := self.metrics())["connections"]:
            if time.monotonic() > deadline:
                open_count = counted["connections"]
                raise ChildError(f"{timeout_s:g} s after its clients the broker has {open_count} connections")
            time.sleep(_POLL_S)
        return counted

    def set(self, key: str, value: str) -> None:
        """Change a dynamic broker config, such as kfast.copy.mode; it holds from the next FileSlice on."""
        self._child.ask("set", key=key, value=value)

    def stop(self) -> None:
        """Shut the broker down cleanly. Calling it twice does no harm."""
        self._child.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"BrokerProcess({self.bootstrap_servers!r})"


class BrokerService:
    """The child's side: answers `metrics` and `set`."""

    def __init__(self, settings: Json) -> None:
        self._broker = Broker(settings.pop("data_dir"), **settings)

    def ready(self) -> Json:
        return {
            "bootstrap_servers": self._broker.bootstrap_servers,
            "ssl_ca_location": self._broker.ssl_ca_location,
        }

    def answer(self, request: str, arguments: Json) -> Json:
        if request == "metrics":
            return snapshot(self._broker)
        if request == "set":
            self._broker.set_config(arguments["key"], arguments["value"])
            return {}
        raise ValueError(f"a broker process answers metrics and set, not {request!r}")

    def close(self) -> None:
        self._broker.stop()


if __name__ == "__main__":
    run_child(BrokerService)
