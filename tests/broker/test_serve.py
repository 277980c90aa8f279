import errno
import os
import re
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kfast.broker.broker import Broker
from kfast.broker.serve import stop
from kfast.client.connection import ClientConnection
from kfast.errors import KafkaStorageError

Serve = Callable[..., subprocess.Popen[str]]


@pytest.mark.parametrize(
    ("error", "meaning"),
    [
        (
            OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/data/t-0/leader-epoch-checkpoint"),
            "No space left on device: '/data/t-0/leader-epoch-checkpoint'; what was acknowledged is in the files",
        ),
        (KafkaStorageError("t-0: flushing: Input/output error"), "output error; the next start on .* checks the files"),
    ],
)
def test_a_stop_that_fails_says_which_file_and_what_it_means(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, meaning: str
) -> None:
    def fail() -> None:
        raise error

    with Broker(tmp_path) as broker, monkeypatch.context() as patch:
        patch.setattr(broker, "stop", fail)
        with pytest.raises(KafkaStorageError, match=f"not stopped cleanly: .*{meaning}"):
            stop(broker)


@pytest.fixture
def serve() -> Iterator[Serve]:
    started: list[subprocess.Popen[str]] = []

    def serve(*arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "kfast", "serve", *arguments]
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        started.append(process)
        return process

    yield serve
    for process in started:
        process.kill()
        process.communicate()


def read_ready_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    readable, _, _ = select.select([process.stdout], [], [], 30)
    assert readable
    return process.stdout.readline()


def test_it_says_once_that_it_is_ready_and_ends_with_0_on_sigterm(serve: Serve, tmp_path: Path) -> None:
    process = serve("--listen", "127.0.0.1:0", "--data-dir", str(tmp_path / "data"))
    line = read_ready_line(process)
    found = re.search(r"bootstrap\.servers=127\.0\.0\.1:(\d+)", line)
    assert found
    assert str(tmp_path / "data") in line
    with socket.create_connection(("127.0.0.1", int(found[1])), timeout=10):
        process.send_signal(signal.SIGTERM)
        rest, errors = process.communicate(timeout=30)
    assert (process.returncode, rest) == (0, ""), errors
    assert (tmp_path / "data" / "recovery-point-offset-checkpoint").exists()


def test_a_temporary_directory_is_named_and_removed(serve: Serve) -> None:
    process = serve("--listen", "127.0.0.1:0")
    line = read_ready_line(process)
    found = re.search(r"data in (\S+) \(removed at the end", line)
    assert found
    assert os.path.isdir(found[1])
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 0
    assert not os.path.exists(found[1])


def test_it_names_the_certificate_that_it_made(serve: Serve, tmp_path: Path) -> None:
    process = serve("--listen", "SSL://127.0.0.1:0", "--data-dir", str(tmp_path / "data"))
    line = read_ready_line(process)
    found = re.search(r"bootstrap\.servers=127\.0\.0\.1:(\d+) ssl\.ca\.location=(\S+) ", line)
    assert found
    assert found[2] == str(tmp_path / "data" / "kfast-ca.pem")
    with ClientConnection("127.0.0.1", int(found[1]), ssl_ca_location=found[2]):
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 0, errors


def test_without_ssl_it_does_without_the_module() -> None:
    script = (
        "import sys, kfast.broker.serve, kfast.cli\n"
        "with kfast.Broker() as broker: pass\n"
        "print([name for name in ('ssl', 'cryptography') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--listen", "nowhere"], "'nowhere' is not HOST:PORT"),
        (["--listen", "SASL://localhost:1"], "neither PLAINTEXT:// nor SSL://"),
        (["--listen", "SSL://:0", "--config", "ssl.keystore.location=/no/such.pem"], "No such file"),
        (["--config", "num.partitions"], "--config takes KEY=VALUE"),
        (["--config", "no.such.key=1"], "no.such.key"),
        (["--config", "num.partitions=many"], "many"),
    ],
)
def test_bad_settings_are_one_clear_line(serve: Serve, arguments: list[str], message: str) -> None:
    process = serve("--listen", "127.0.0.1:0", *arguments)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 1
    assert errors.startswith("kfast serve: ")
    assert message in errors
    assert errors.count("\n") == 1


def test_a_taken_port_is_one_clear_line(serve: Serve) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        process = serve("--listen", address)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 1
    assert (
        errors == f"kfast serve: cannot listen on {address}: Address already in use; --listen takes another address\n"
    )


def test_a_locked_directory_is_one_clear_line(serve: Serve, tmp_path: Path) -> None:
    holder = serve("--listen", "127.0.0.1:0", "--data-dir", str(tmp_path))
    read_ready_line(holder)
    process = serve("--listen", "127.0.0.1:0", "--data-dir", str(tmp_path))
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 1
    assert errors.startswith(f"kfast serve: {tmp_path}")
    assert errors.count("\n") == 1
