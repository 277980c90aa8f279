"""One member of a classic group, and the answers that it waits for.

Times are milliseconds of one monotonic clock, given by the caller.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from kfast.errors import RebalanceInProgressError

NEW_MEMBER_JOIN_TIMEOUT_MS: Final = 300_000
"""How long a member that has not had its first JoinGroup answer is kept: it cannot heartbeat yet, and may be gone."""

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Joiner:
    """Who asks to join, and with what."""

    member_id: str
    """Empty for one that has no id yet."""
    new_member_id: str
    """The id it gets if it needs one."""
    group_instance_id: str | None
    client_id: str
    client_host: str
    session_timeout_ms: int
    rebalance_timeout_ms: int
    protocol_type: str
    protocols: tuple[tuple[str, bytes], ...]
    """Name and metadata of each protocol it speaks, the one it likes best first."""
    requires_known_member_id: bool = False
    """JoinGroup 4 and later: an id is handed out before the member is let in."""
    supports_skipping_assignment: bool = False
    """JoinGroup 9 and later."""


@dataclass(frozen=True, slots=True)
class MemberListing:
    """A member as the leader sees it. What the metadata mean is between the clients."""

    member_id: str
    group_instance_id: str | None
    metadata: bytes


@dataclass(frozen=True, slots=True)
class JoinResult:
    """What a JoinGroup is answered with."""

    member_id: str
    error_code: int = 0
    generation: int = -1
    protocol_type: str | None = None
    protocol_name: str | None = None
    leader: str = ""
    members: tuple[MemberListing, ...] = ()
    """The leader alone is told, and assigns by it."""
    skip_assignment: bool = False


@dataclass(frozen=True, slots=True)
class SyncResult:
    """What a SyncGroup is answered with."""

    error_code: int = 0
    protocol_type: str | None = None
    protocol_name: str | None = None
    assignment: bytes = b""


class Pending(Generic[Result]):
    """An answer that may not be there yet: `result` is None until it is. Only the first answer counts."""

    __slots__ = ("result",)

    def __init__(self, result: Result | None = None) -> None:
        self.result = result

    def answer(self, result: Result) -> None:
        if self.result is None:
            self.result = result


class Member:
    """A consumer in the group: who it is, what it can, what it was assigned, and until when it is believed alive."""

    __slots__ = (
        "_deadline_ms",
        "assignment",
        "client_host",
        "client_id",
        "group_instance_id",
        "is_new",
        "member_id",
        "pending_join",
        "pending_sync",
        "protocols",
        "rebalance_timeout_ms",
        "session_timeout_ms",
    )

    def __init__(self, member_id: str, joiner: Joiner, now_ms: int) -> None:
        self.member_id = member_id
        self.group_instance_id = joiner.group_instance_id
        self.client_id = joiner.client_id
        self.client_host = joiner.client_host
        self.session_timeout_ms = joiner.session_timeout_ms
        self.rebalance_timeout_ms = joiner.rebalance_timeout_ms
        self.protocols = joiner.protocols
        self.assignment = b""
        self.is_new = True
        self.pending_join: Pending[JoinResult] | None = None
        self.pending_sync: Pending[SyncResult] | None = None
        self._deadline_ms = now_ms + NEW_MEMBER_JOIN_TIMEOUT_MS

    @property
    def deadline_ms(self) -> int | None:
        """When it is taken for dead. None while an answer is owed to it: it has no way to heartbeat then."""
        is_waiting = self.pending_join is not None or self.pending_sync is not None
        return None if is_waiting and not self.is_new else self._deadline_ms

    def touch(self, now_ms: int) -> None:
        """It is alive: a session begins anew."""
        self._deadline_ms = now_ms + self.session_timeout_ms

    def update(self, joiner: Joiner) -> None:
        """Take over what a later JoinGroup says."""
        self.protocols = joiner.protocols
        self.session_timeout_ms = joiner.session_timeout_ms
        self.rebalance_timeout_ms = joiner.rebalance_timeout_ms
        self.client_id = joiner.client_id
        self.client_host = joiner.client_host

    def metadata(self, protocol_name: str | None) -> bytes:
        return dict(self.protocols).get(protocol_name or "", b"")

    def vote(self, candidates: set[str]) -> str:
        """The first of its protocols that is a candidate."""
        return next(name for name, _ in self.protocols if name in candidates)

    def wait_for_join(self) -> Pending[JoinResult]:
        """A JoinGroup waits from here on. One that waited before was given up by its client: it sends two only then."""
        self.answer_join(JoinResult(self.member_id, RebalanceInProgressError.error_code))
        self.pending_join = Pending()
        return self.pending_join

    def wait_for_sync(self) -> Pending[SyncResult]:
        """A SyncGroup waits from here on, and likewise ends an earlier one."""
        self.answer_sync(SyncResult(RebalanceInProgressError.error_code))
        self.pending_sync = Pending()
        return self.pending_sync

    def answer_join(self, result: JoinResult) -> None:
        if self.pending_join is not None:
            self.pending_join.answer(result)
            self.pending_join = None

    def answer_sync(self, result: SyncResult) -> None:
        if self.pending_sync is not None:
            self.pending_sync.answer(result)
            self.pending_sync = None

    def answer_error(self, error_code: int) -> None:
        """End whatever it waits for with an error."""
        self.answer_join(JoinResult(self.member_id, error_code))
        self.answer_sync(SyncResult(error_code))
