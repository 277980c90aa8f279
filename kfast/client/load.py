"""A load generator in a process of its own: `python -m kfast.client.load`, asked through `ChildProcess`.

Settings: `kind` (produce, consume, confluent-produce, confluent-consume) and the arguments of that load's class. The
load starts at once, in a thread. Questions:

    metrics   what was counted so far: see `kfast.client.counters.snapshot`
    set       name, value: change a setting in mid-stream
    stop      end the load, count what was under way, answer as metrics does

A load that failed says so in the answer to every question after.
"""

from __future__ import annotations

import importlib
import inspect
import threading
from typing import Any, cast

from kfast.child_process import Json, run_child
from kfast.client.counters import Load, LoadError, snapshot

STOP_TIMEOUT_S = 8.0
"""Less than the parent's patience with its child (`child_process.STOP_TIMEOUT_S`)."""

_KINDS = {
    "produce": "kfast.client.produce_load:ProduceLoad",
    "consume": "kfast.client.consume_load:ConsumeLoad",
    "confluent-produce": "kfast.client.confluent_load:ConfluentProduceLoad",
    "confluent-consume": "kfast.client.confluent_load:ConfluentConsumeLoad",
}


def make_load(kind: str, **settings: Any) -> Load:
    """The load of that kind, connected but not running; raises ValueError for a kind or a setting there is not."""
    if kind not in _KINDS:
        raise ValueError(f"a load is one of {', '.join(_KINDS)}, not {kind!r}")
    module, _, name = _KINDS[kind].partition(":")
    load_type = getattr(importlib.import_module(module), name)
    try:
        inspect.signature(load_type).bind(**settings)
    except TypeError as error:
        raise ValueError(f"{kind} load: {error}") from None
    return cast(Load, load_type(**settings))


class LoadThread:
    """Runs a load in a thread, and keeps what it raised for whoever asks next."""

    def __init__(self, load: Load) -> None:
        self.load = load
        self.is_done = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="kfast-load", daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Raise LoadError if the load failed."""
        if self._failure is not None:
            raise LoadError(f"{type(self._failure).__name__}: {self._failure}") from self._failure

    def stop(self) -> None:
        """End the load; by closing its connection if it takes longer than STOP_TIMEOUT_S. Raises what it raised."""
        self.load.stop()
        self._thread.join(STOP_TIMEOUT_S)
        if self._thread.is_alive():
            self.load.close()
            self._thread.join(STOP_TIMEOUT_S)
        self.check()

    def _run(self) -> None:
        try:
            self.load.run()
        except BaseException as error:  # a thread's exception has no other way to its owner
            self._failure = error
        finally:
            self.is_done.set()


class LoadService:
    """The child's side of a load."""

    def __init__(self, settings: Json) -> None:
        self._thread = LoadThread(make_load(**settings))

    def ready(self) -> Json:
        return {}

    def answer(self, request: str, arguments: Json) -> Json:
        self._thread.check()
        if request == "set":
            self._thread.load.set(arguments["name"], arguments["value"])
            return {}
        if request == "stop":
            self._thread.stop()
        elif request != "metrics":
            raise ValueError(f"a load answers metrics, set and stop, not {request!r}")
        return snapshot(self._thread.load.counters, is_done=self._thread.is_done.is_set())

    def close(self) -> None:
        self._thread.load.close()


if __name__ == "__main__":
    run_child(LoadService)
