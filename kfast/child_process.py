"""A child process that is asked questions in JSON lines, and ends when its parent goes away.

The parent writes one JSON object a line to the child's stdin; the child answers each with one line on stdout. The
first line holds the settings, and its answer says that the child is ready. End of file on stdin, which also comes when
the parent is killed, ends the child. It runs in a session of its own, so Ctrl-C in a notebook does not reach it.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from kfast.errors import KfastError

Json = dict[str, Any]
STOP_TIMEOUT_S = 10.0


class ChildError(KfastError):
    """A child that failed, or answered with an error; the message is the child's own."""


class ChildProcess:
    """Start `python -m module`, hand it `settings`, and ask it things. Thread-safe: one question at a time."""

    def __init__(self, module: str, settings: Mapping[str, Any]) -> None:
        self._lock = threading.Lock()
        self.module = module
        self._process = subprocess.Popen(
            [sys.executable, "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        self.ready: Json = {}
        try:
            self.ready = self._ask(dict(settings))
        except BaseException:
            self._process.kill()
            self._close()
            raise

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    def ask(self, request: str, **arguments: Any) -> Json:
        """Return the child's answer to `request`. Raises ChildError with the child's words if it could not."""
        return self._ask({"request": request, **arguments})

    def stop(self) -> None:
        """End the child: politely by end of file, and by force when that takes longer than STOP_TIMEOUT_S.

        A question that it does not answer for so long fails.
        """
        if not self._lock.acquire(timeout=STOP_TIMEOUT_S):
            self._process.kill()  # which ends the wait for the answer
            self._lock.acquire()
        try:
            if self._process.stdin is not None and not self._process.stdin.closed:
                with contextlib.suppress(BrokenPipeError):  # it has ended already, which is what was wanted
                    self._process.stdin.close()
            try:
                self._process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
            self._close()
        finally:
            self._lock.release()

    def _ask(self, message: Json) -> Json:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._lock:
            try:
                self._process.stdin.write(json.dumps(message).encode() + b"\n")
                self._process.stdin.flush()
            except (BrokenPipeError, ValueError):
                line = b""
            else:
                line = self._process.stdout.readline()
        if not line:
            raise ChildError(f"{self.module} (pid {self.pid}) ended with status {self._process.poll()}")
        answer: Json = json.loads(line)
        if "error" in answer:
            raise ChildError(f"{self.module}: {answer['error']}")
        return answer

    def _close(self) -> None:
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None and not pipe.closed:
                pipe.close()

    def __repr__(self) -> str:
        return f"ChildProcess({self.module!r}, {'running' if self.is_running else 'ended'})"


class ChildService(Protocol):
    """What a child offers: `answer` for each question, `close` at the end."""

    def ready(self) -> Json:
        """The answer to the settings."""

    def answer(self, request: str, arguments: Json) -> Json:
        """The answer to one question."""

    def close(self) -> None:
        """Let go of everything."""


def run_child(start: Callable[[Json], ChildService]) -> None:
    """The child's side: start the service with the settings from the first line, then answer until end of file.

    A KfastError, OSError or ValueError is answered as {"error": words} and ends nothing but that question; at the start
    it ends the child.
    """
    answers, sys.stdout = sys.stdout, sys.stderr  # nothing but answers may reach the pipe

    def reply(message: Json) -> None:
        answers.write(json.dumps(message) + "\n")
        answers.flush()

    first = sys.stdin.readline()
    if not first:
        return
    try:
        service = start(json.loads(first))
    except (KfastError, OSError, ValueError) as error:
        reply({"error": str(error)})
        return
    try:
        reply(service.ready())
        for line in sys.stdin:
            question: Json = json.loads(line)
            try:
                reply(service.answer(question.pop("request"), question))
            except (KfastError, OSError, ValueError) as error:
                reply({"error": str(error)})
    except BrokenPipeError:
        pass  # the parent is gone; end as for end of file
    finally:
        service.close()
