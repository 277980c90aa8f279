"""`kfast doctor`: what this machine can do of what kfast shows, and why not where it cannot."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import socket
import sys
from dataclasses import dataclass

from kfast.errors import KfastError
from kfast.lab.counters import device_io, machine_cpu, memory_state
from kfast.lab.lab_directory import LabDirectory, lab_parent
from kfast.lab.mounts import block_device, mount_of
from kfast.lab.residency import residency
from kfast.lab.unavailable import Unavailable
from kfast.transfer.capability import probe

EXTRAS = {
    "tls": ("cryptography",),
    "lab": ("jupyterlab", "ipywidgets", "matplotlib", "confluent-kafka"),
    "test": ("nbval", "playwright"),
}
"""Packages that certificates, the notebooks and the tests need, by the extra that brings them."""

PROGRAMS = {"java": "tests beside Apache Kafka", "mvn": "fetching Apache Kafka", "chromium": "tests in a browser"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing, whether it is there, and a word on it: what it is, or why it is missing."""

    name: str
    is_available: bool
    detail: str


def examine() -> list[Finding]:
    """Try everything out; takes a fraction of a second and leaves nothing behind."""
    try:
        with LabDirectory() as directory:
            where = os.fspath(directory.path)
            return [*_system(), *_disk(where), *_copy_modes(where), *_collectors(where), *_software()]
    except (KfastError, OSError) as error:
        return [*_system(), Finding("lab directory", False, str(error)), *_software()]


def _system() -> list[Finding]:
    gil = "with the GIL" if getattr(sys, "_is_gil_enabled", lambda: True)() else "free-threaded"
    return [
        Finding("Python", True, f"{platform.python_version()} {platform.python_implementation()}, {gil}"),
        Finding("kernel", platform.system() == "Linux", f"{platform.system()} {platform.release()}"),
        Finding("processors", True, f"{os.cpu_count()} ({platform.machine()})"),
    ]


def _disk(where: str) -> list[Finding]:
    parent = lab_parent()
    free_gib = shutil.disk_usage(parent).free / 2**30
    mount = mount_of(where)
    device = block_device(where)
    return [
        Finding(
            "lab directory",
            True,
            f"{parent} on {mount if isinstance(mount, Unavailable) else mount.filesystem}, {free_gib:.0f} GiB free",
        ),
        _finding("device", device if isinstance(device, Unavailable) else device.kind),
    ]


def _copy_modes(where: str) -> list[Finding]:
    return [
        Finding(f"copy mode {mode}", capability.is_available, capability.reason or "works here, over loopback TCP")
        for mode, capability in probe(where).items()
    ]


def _collectors(where: str) -> list[Finding]:
    with open(os.path.join(where, "probe"), "wb") as file:
        file.write(b"kfast")
        file.flush()
        cached = residency(file.fileno())
    discard = "the receiver can discard" if hasattr(socket, "MSG_TRUNC") and sys.platform == "linux" else None
    return [
        _finding("cachestat", cached, "which pages of a file are in the page cache"),
        _finding("device requests", device_io(where), "requests and bytes of the whole device"),
        _finding("processor time", machine_cpu(), "also what the host stole"),
        _finding("dirty pages", memory_state(), "of the whole machine"),
        Finding("MSG_TRUNC", discard is not None, discard or "TCP discards with it on Linux only"),
    ]


def _software() -> list[Finding]:
    packages = [_package(name, extra) for extra, names in EXTRAS.items() for name in names]
    return packages + [_program(name, purpose) for name, purpose in PROGRAMS.items()]


def _package(name: str, extra: str) -> Finding:
    purpose = "for tests only; " if extra == "test" else ""
    try:
        return Finding(name, True, f"{purpose}version {importlib.metadata.version(name)}")
    except importlib.metadata.PackageNotFoundError:
        return Finding(name, False, f"{purpose}not installed: pip install 'kfast[{extra}]' brings it")


def _program(name: str, purpose: str) -> Finding:
    found = shutil.which(name) is not None
    return Finding(name, found, f"for {purpose} only" + ("" if found else "; not found on the PATH"))


def _finding(name: str, collected: object, purpose: str | None = None) -> Finding:
    if isinstance(collected, Unavailable):
        return Finding(name, False, collected.reason)
    return Finding(name, True, purpose or str(collected))
