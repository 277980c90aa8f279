"""Where a number comes from: without it a number is not a result.

One flat record of what is known to change measurements. What cannot be found out says why; nothing in it names a user,
a host or a path.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import kfast
from kfast.lab.memory import TouchedMemory
from kfast.lab.mounts import block_device, mount_of
from kfast.lab.unavailable import Unavailable, reason_of

CPU = Path("/sys/devices/system/cpu")
Found = TypeVar("Found")
MEASURED_PACKAGES = ("kfast", "kio", "crc32c", "cramjam", "numpy", "confluent-kafka")


@dataclass(frozen=True, slots=True)
class Provenance:
    """The machine, the versions and the conditions of one run."""

    measured_at: str
    commit: str | Unavailable
    is_dirty: bool | Unavailable
    kernel: str
    cpu: str | Unavailable
    cpu_count: int
    caches: dict[str, int] | Unavailable
    filesystem: str | Unavailable
    device: str | Unavailable
    read_ahead_bytes: int | Unavailable
    mitigations: dict[str, str] | Unavailable
    default_congestion_control: str | Unavailable
    governor: str | Unavailable
    power_source: str | Unavailable
    clock_source: str | Unavailable
    clock_resolution_s: float
    load_average: float
    python: str
    has_gil: bool
    versions: dict[str, str]
    touched_memory_bytes: int


def provenance(directory: str | os.PathLike[str], touched: TouchedMemory | None = None) -> Provenance:
    """What is known before the first block of a run whose data lies in `directory`."""
    mount, device = mount_of(directory), block_device(directory)
    return Provenance(
        measured_at=datetime.now(UTC).isoformat(timespec="seconds"),
        commit=_git("rev-parse", "--short=12", "HEAD"),
        is_dirty=_is_dirty(),
        kernel=f"{platform.system()} {platform.release()} {platform.machine()}",
        cpu=_found(_cpu_model),
        cpu_count=os.cpu_count() or 1,
        caches=_found(cpu_caches),
        filesystem=mount if isinstance(mount, Unavailable) else mount.filesystem,
        device=device if isinstance(device, Unavailable) else device.kind,
        read_ahead_bytes=device if isinstance(device, Unavailable) else device.read_ahead_bytes,
        mitigations=_found(_mitigations),
        default_congestion_control=_found(lambda: _text("/proc/sys/net/ipv4/tcp_congestion_control")),
        governor=_found(lambda: _text(CPU / "cpu0/cpufreq/scaling_governor")),
        power_source=_found(_power_source),
        clock_source=_found(lambda: _text("/sys/devices/system/clocksource/clocksource0/current_clocksource")),
        clock_resolution_s=time.get_clock_info("monotonic").resolution,
        load_average=os.getloadavg()[0],
        python=f"{platform.python_implementation()} {platform.python_version()} {platform.python_compiler()}",
        has_gil=not sysconfig.get_config_var("Py_GIL_DISABLED") or _gil_was_enabled(),
        versions=_versions(),
        touched_memory_bytes=touched.size_bytes if touched else 0,
    )


def cpu_caches() -> dict[str, int]:
    """Bytes of each cache that serves the first processor, by its name: L1d, L1i, L2, L3."""
    sizes = {}
    for index in sorted((CPU / "cpu0/cache").glob("index*")):
        kind = {"Data": "d", "Instruction": "i"}.get(_text(index / "type"), "")
        number, unit = _text(index / "size")[:-1], _text(index / "size")[-1]
        sizes[f"L{_text(index / 'level')}{kind}"] = int(number) * {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}[unit]
    if not sizes:
        raise OSError(f"{CPU}/cpu0/cache lists none")
    return sizes


def last_level_cache_size() -> int | Unavailable:
    """Bytes of the largest cache, as the machine announces it; a virtual one may share it with others."""
    sizes = _found(cpu_caches)
    return sizes if isinstance(sizes, Unavailable) else max(sizes.values())


def _found(read: Callable[[], Found]) -> Found | Unavailable:
    try:
        return read()
    except (OSError, ValueError, LookupError) as error:
        return Unavailable(reason_of(error))


def _text(path: str | Path) -> str:
    return Path(path).read_text().strip()


def _cpu_model() -> str:
    for line in _text("/proc/cpuinfo").splitlines():
        name, _, value = line.partition(":")
        if name.strip() in ("model name", "Processor"):
            return value.strip()
    raise OSError("/proc/cpuinfo names no model")


def _mitigations() -> dict[str, str]:
    """Those that are not "Not affected": they make system calls dearer."""
    found = {file.name: _text(file) for file in sorted((CPU / "vulnerabilities").iterdir())}
    return {name: state for name, state in found.items() if state != "Not affected"}


def _power_source() -> str:
    for supply in sorted(Path("/sys/class/power_supply").iterdir()):
        if _text(supply / "type") == "Mains":
            return "mains" if _text(supply / "online") == "1" else "battery"
    raise OSError("no mains supply is listed")


def _gil_was_enabled() -> bool:
    """A free-threaded build may have its GIL back, when an extension asks for it."""
    is_enabled: Callable[[], bool] = getattr(sys, "_is_gil_enabled", lambda: True)
    return is_enabled()


def _versions() -> dict[str, str]:
    versions = {}
    for package in MEASURED_PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = "not installed"
    return versions


def _git(*arguments: str) -> str | Unavailable:
    checkout = Path(kfast.__file__).parent.parent
    if not (checkout / ".git").exists():
        return Unavailable("not a git checkout")
    return _run(["git", "-C", str(checkout), *arguments])


def _run(command: Sequence[str]) -> str | Unavailable:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError) as error:
        return Unavailable(reason_of(error))


def _is_dirty() -> bool | Unavailable:
    status = _git("status", "--porcelain", "--untracked-files=no", "--", "kfast")
    return status if isinstance(status, Unavailable) else bool(status)
