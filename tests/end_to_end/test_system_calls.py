"""What the kernel saw: by which system calls record bytes left the broker during fetches, as strace counts them."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from kfast.record.record import Record

TRACED = (
    "sendfile,splice,vmsplice,tee,sendto,sendmsg,sendmmsg,write,writev,pwrite64,pwritev,"
    "read,readv,pread64,preadv,preadv2,mmap,copy_file_range"
)
RECORD_BYTES = 4_000_000
FEW_BYTES = RECORD_BYTES // 20
"""Frame heads and batch headers cross user space in every mode; records would be far more than this."""

WAYS = {
    "read_send": {"preadv from log", "sendto to socket"},
    "mmap_send": {"mmap from log", "sendto to socket"},
    "sendfile": {"sendfile from log to socket"},
    "splice": {"splice from log", "splice to socket"},
}

_CALL = re.compile(r"^(\w+)\((.*)\)\s+= (\d+|0x[0-9a-f]+)$")
_DESCRIPTOR = re.compile(r"\d+<([^>]*)>")


@pytest.fixture
def strace() -> str:
    """The path of strace, where it may trace."""
    path = shutil.which("strace")
    if path is None:
        pytest.skip("there is no strace")
    tried = subprocess.run([path, "-o", "/dev/null", "true"], capture_output=True, text=True, check=False)
    if tried.returncode != 0:
        pytest.skip(f"strace may not trace: {tried.stderr.strip()}")
    return path


@pytest.mark.parametrize("copy_mode", sorted(WAYS))
def test_record_bytes_take_the_way_of_the_copy_mode_and_no_other(
    serve: Any, confluent: Any, strace: str, tmp_path: Path, copy_mode: str
) -> None:
    records = [Record(offset, 1, None, b"%04d" % offset * 1000) for offset in range(RECORD_BYTES // 4000)]
    data_dir = tmp_path / "data"
    serving = serve(data_dir)
    confluent(serving.bootstrap_servers).produce("orders", records)
    serving.stop()

    trace = tmp_path / "trace"
    # -D: strace is the child, so that the broker is ours to stop; -ff: a file a thread, so that no call is torn in two
    prefix = [strace, "-D", "-ff", "-y", "-qq", "-o", str(trace), "-e", f"trace={TRACED}", "-e", "signal=none"]
    serving = serve(data_dir, "--copy-mode", copy_mode, prefix=prefix)
    assert confluent(serving.bootstrap_servers).consume("orders") == records
    serving.stop()

    moved = bytes_by_way([line for path in tmp_path.glob("trace.*") for line in path.read_text().splitlines()])
    many = {way: size for way, size in moved.items() if size > FEW_BYTES}
    assert set(many) == WAYS[copy_mode]
    stored = (data_dir / "orders-0" / f"{0:020}.log").stat().st_size
    assert all(size >= stored for size in many.values())


def bytes_by_way(lines: list[str]) -> Counter[str]:
    """Bytes moved out of segment files and into sockets, by system call."""
    moved: Counter[str] = Counter()
    for line in lines:
        if found := _CALL.match(line):
            name, arguments, result = found.groups()
            name = name.removesuffix("2").removesuffix("64")  # which one it is depends on the C library
            ends = _ends(name, _DESCRIPTOR.findall(arguments))
            if ends:
                size = int(arguments.split(", ")[1]) if name == "mmap" else int(result, 0)
                moved[f"{name} {ends}"] += size
    return moved


def _ends(name: str, descriptors: list[str]) -> str:
    """Whether a call with these descriptors takes from a segment, gives to a socket, or both."""
    is_writing = name.startswith(("send", "write", "pwrite")) and name != "sendfile"
    ends = []
    if not is_writing and any(path.endswith(".log") for path in descriptors):
        ends.append("from log")
    if any(path.startswith("socket:") for path in descriptors) and not name.startswith(("read", "pread")):
        ends.append("to socket")
    return " ".join(ends)
