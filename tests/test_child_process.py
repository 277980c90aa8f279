import os
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

from kfast import child_process
from kfast.child_process import ChildError, ChildProcess

SERVICE = """
    import os
    import threading
    from kfast.child_process import run_child

    class Echo:
        def __init__(self, settings):
            if settings.get("fail"):
                raise ValueError("no such setting: 7")
            self.settings = settings
        def ready(self):
            print("this goes to stderr, not into the answers")
            return {"settings": self.settings, "session": os.getsid(0)}
        def answer(self, request, arguments):
            if request == "fail":
                raise ValueError("cannot do 8")
            if request == "die":
                os._exit(3)
            if request == "hang":
                threading.Event().wait()
            return {"request": request, "arguments": arguments}
        def close(self):
            if path := self.settings.get("closed"):
                open(path, "w").close()

    if __name__ == "__main__":
        run_child(Echo)
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "echo_child.py").write_text(textwrap.dedent(SERVICE))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    return "echo_child"


def test_a_child_is_ready_answers_and_stops(module: str, tmp_path: Path) -> None:
    child = ChildProcess(module, {"a": 1, "closed": str(tmp_path / "closed")})
    assert child.ready["settings"]["a"] == 1
    assert child.ask("hello", to="you") == {"request": "hello", "arguments": {"to": "you"}}
    assert child.is_running
    child.stop()
    child.stop()
    assert not child.is_running
    assert (tmp_path / "closed").exists()


def test_a_child_has_a_session_of_its_own(module: str) -> None:
    child = ChildProcess(module, {})
    assert child.ready["session"] == child.pid != os.getsid(0)
    child.stop()


def test_an_error_costs_only_its_question(module: str) -> None:
    child = ChildProcess(module, {})
    with pytest.raises(ChildError, match="cannot do 8"):
        child.ask("fail")
    assert child.ask("again")["request"] == "again"
    child.stop()


def test_a_child_that_cannot_start_says_why(module: str) -> None:
    with pytest.raises(ChildError, match="no such setting: 7"):
        ChildProcess(module, {"fail": True})


def test_a_child_that_dies_is_reported_with_its_status(module: str) -> None:
    child = ChildProcess(module, {})
    with pytest.raises(ChildError, match="ended"):
        child.ask("die")
    child.stop()


def test_a_child_that_does_not_answer_is_ended_all_the_same(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child_process, "STOP_TIMEOUT_S", 0.1)
    child = ChildProcess(module, {})
    errors: list[ChildError] = []

    def ask() -> None:
        try:
            child.ask("hang")
        except ChildError as error:
            errors.append(error)

    asker = threading.Thread(target=ask)
    asker.start()
    child.stop()
    asker.join(30)
    assert not child.is_running
    assert len(errors) == 1


def test_a_child_ends_when_its_parent_is_killed(module: str, tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    os.mkfifo(closed)  # opening it for writing waits for us, so reading it waits for the child's end
    parent = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys, os, signal; from kfast.child_process import ChildProcess;"
            "ChildProcess(sys.argv[1], {'closed': sys.argv[2]}); os.kill(os.getpid(), signal.SIGKILL)",
            module,
            str(closed),
        ]
    )
    with closed.open() as fifo:
        assert fifo.read() == ""
    assert parent.wait(10) == -9
