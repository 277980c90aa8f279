"""What a workload is made of, and the client processes that this takes. Pure: nothing is started here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Final

from kfast.errors import KfastError
from kfast.transfer.modes import COPY_MODES

WORKLOADS: Final = ("produce", "reread", "both", "follow", "idle")
CLIENTS: Final = ("raw", "confluent")
COMPRESSIONS: Final = ("none", "gzip", "snappy", "lz4", "zstd")
FLUSH_POLICIES: Final = {"never": 2**63 - 1, "batch": 1}
"""flush.messages for each: left to the kernel, as Kafka does by default, or fsync before a batch is acknowledged."""

LAYOUTS: Final = ("log", "scattered")
RECEIVE_WAYS: Final = ("recv_into", "discard")
MAX_BATCH_SIZE: Final = 32 << 20
RECORD_OVERHEAD: Final = 16
"""Bytes that a record without a key takes beside its value, at most."""


class WorkloadError(KfastError, ValueError):
    """A setting there is not, or values that do not go together."""


@dataclass(frozen=True, slots=True)
class WorkloadSettings:
    """One workload. Raises WorkloadError for what cannot be.

    `workload`: produce; reread, in which consumers read the log again and again; both; follow, in which consumers wait
    at its end for what the producer sends; idle, without clients. `client`: raw, whose figures are the broker's, or
    confluent (librdkafka). `flush`: never or batch. `receive` and `verify` are those of raw consumers: discard drops
    the bytes in the kernel, verify checks every batch. Without `long_polls` consumers ask at the end of the log again
    and again. `layout` scattered puts each batch somewhere else (`scattered_log`); it is the broker's for life.
    """

    batch_records: int = 1024
    copy_mode: str = "sendfile"
    workload: str = "both"
    consumer_count: int = 1
    fetch_bytes: int = 1 << 20
    record_size: int = 100
    compression: str = "none"
    client: str = "raw"
    flush: str = "never"
    receive: str = "recv_into"
    verify: bool = False
    long_polls: bool = True
    layout: str = "log"

    def __post_init__(self) -> None:
        choices: dict[str, Any] = {
            "copy_mode": COPY_MODES,
            "workload": WORKLOADS,
            "client": CLIENTS,
            "compression": COMPRESSIONS,
            "flush": FLUSH_POLICIES,
            "receive": RECEIVE_WAYS,
            "layout": LAYOUTS,
        }
        for name, known in choices.items():
            if getattr(self, name) not in known:
                raise WorkloadError(f"{name} is one of {', '.join(known)}, not {getattr(self, name)!r}")
        for name in ("batch_records", "consumer_count", "fetch_bytes", "record_size"):
            if getattr(self, name) < 1:
                raise WorkloadError(f"{name} is at least 1, not {getattr(self, name)}")
        size = self.batch_records * (self.record_size + RECORD_OVERHEAD)
        if size > MAX_BATCH_SIZE:
            raise WorkloadError(
                f"{self.batch_records} records of {self.record_size} bytes are a batch of {size} bytes, "
                f"{MAX_BATCH_SIZE} are the limit here"
            )

    def changed(self, changes: Mapping[str, Any]) -> WorkloadSettings:
        """These settings with some changed."""
        known = [field.name for field in fields(self)]
        for name in changes:
            if name not in known:
                raise WorkloadError(f"{name!r} is no setting of a workload; there are {', '.join(known)}")
        return replace(self, **changes)


@dataclass(frozen=True, slots=True)
class ClientPlan:
    """A client process: what it is for life, and what can change while it runs."""

    kind: str
    fixed: Mapping[str, Any]
    changeable: Mapping[str, Any]


PRODUCER: Final = "producer"


def client_plans(settings: WorkloadSettings) -> dict[str, ClientPlan]:
    """The client processes, by name: `producer`, `consumer 1`, `consumer 2`, ..."""
    prefix = "" if settings.client == "raw" else "confluent-"
    plans = {}
    if settings.workload in ("produce", "both", "follow"):
        changeable = {name: getattr(settings, name) for name in ("batch_records", "record_size", "compression")}
        plans[PRODUCER] = ClientPlan(f"{prefix}produce", {}, changeable)
    if settings.workload in ("reread", "both", "follow"):
        plan = ClientPlan(f"{prefix}consume", _consumer_for_life(settings), {"fetch_bytes": settings.fetch_bytes})
        plans |= {f"consumer {number}": plan for number in range(1, settings.consumer_count + 1)}
    return plans


def _consumer_for_life(settings: WorkloadSettings) -> dict[str, Any]:
    fixed: dict[str, Any] = {"at_end": "wait" if settings.workload == "follow" else "loop"}
    if settings.client == "raw":
        fixed |= {"receive": settings.receive, "verify": settings.verify}
    return fixed if settings.long_polls else fixed | {"max_wait_ms": 0}
