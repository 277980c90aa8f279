"""What left through a connection, and how: the numbers behind "zero copy", counted by the sender itself."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class TransferCounters:
    """Totals since the connection began. Two of them add up, so a broker sums its connections, closed ones included.

    `cpu_copied_bytes` is what the sending CPU copied of the slices: twice the bytes in read_send, once in mmap_send,
    none in sendfile and splice. Frame heads and small responses are `inline_bytes` and copied once, in every mode.
    A TLS connection knows one mode, "tls", and copies the bytes three times.
    """

    sent_bytes: dict[str, int] = field(default_factory=dict)
    inline_bytes: int = 0
    cpu_copied_bytes: int = 0
    syscalls: int = 0

    def __add__(self, other: TransferCounters) -> TransferCounters:
        return TransferCounters(
            sent_bytes={
                mode: self.sent_bytes.get(mode, 0) + other.sent_bytes.get(mode, 0)
                for mode in (self.sent_bytes | other.sent_bytes)
            },
            inline_bytes=self.inline_bytes + other.inline_bytes,
            cpu_copied_bytes=self.cpu_copied_bytes + other.cpu_copied_bytes,
            syscalls=self.syscalls + other.syscalls,
        )
