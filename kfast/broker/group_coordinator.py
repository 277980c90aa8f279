"""The coordinator of all classic groups: locks, waits and expiry around `group.Group`, and what it keeps on disk.

Each group has one lock, a Condition, held for every call of its Group. A JoinGroup or SyncGroup waits on it in its own
connection's thread; each change of the group wakes them to see whether their answer is there. They call `expire` at the
group's next deadline; while there are none one scheduler task a group does. The lock is held while a record is written,
never while a topic is made.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Final, Protocol, TypeVar

from kfast.broker.group import Group, GroupState
from kfast.broker.group_member import Joiner, JoinResult, Pending, SyncResult
from kfast.broker.group_snapshot import restore, snapshot
from kfast.broker.offsets import OffsetsParts, OffsetsTopic
from kfast.errors import (
    CoordinatorNotAvailableError,
    IllegalGenerationError,
    InvalidGroupIdError,
    InvalidSessionTimeoutError,
    RebalanceInProgressError,
    UnknownMemberIdError,
)
from kfast.record.group_records import (
    GroupMetadataKey,
    GroupMetadataValue,
    OffsetCommitKey,
    OffsetCommitValue,
)
from kfast.scheduler import Scheduler, Task

logger = logging.getLogger(__name__)

MAX_TEXT_SIZE: Final = 8000
"""Characters of a name in the records of groups: in UTF-8 they fit the int16 that says its size."""

TopicPartition = tuple[str, int]
Result = TypeVar("Result", JoinResult, SyncResult)


class CoordinatorParts(OffsetsParts, Protocol):
    """What of the broker the coordinator needs."""

    scheduler: Scheduler


@dataclass(frozen=True, slots=True)
class GroupDescription:
    """A group as its administrators see it."""

    state: GroupState
    metadata: GroupMetadataValue


@dataclass(slots=True, eq=False)
class _Entry:
    """A group with what coordinates it. All but the id is guarded by `lock`."""

    group: Group
    lock: threading.Condition = field(default_factory=threading.Condition)
    offsets: dict[TopicPartition, OffsetCommitValue] = field(default_factory=dict)
    expiry: Task | None = None
    expiry_ms: int = 0


class GroupCoordinator:
    """The groups of a broker. Reads what is on disk when it is made; `shutdown` ends all waits. Thread-safe."""

    def __init__(self, broker: CoordinatorParts) -> None:
        self._clock = broker.clock
        self._config = broker.config
        self._scheduler = broker.scheduler
        self._topic = OffsetsTopic(broker)
        self._entries: dict[str, _Entry] = {}
        self._entries_lock = threading.Lock()
        self._is_shut_down = False
        self._load()

    # What members ask for

    def join(self, group_id: str, joiner: Joiner) -> JoinResult:
        """JoinGroup; waits for the other members."""
        _ensure_named(group_id)
        least, most = (self._config.get(f"group.{end}.session.timeout.ms") for end in ("min", "max"))
        if not least <= joiner.session_timeout_ms <= most:
            raise InvalidSessionTimeoutError(
                f"session time-out {joiner.session_timeout_ms} ms; {least} to {most} are allowed"
            )
        entry = self._find_member(group_id) if joiner.member_id else self._find_or_create(group_id, is_saved=True)
        with self._changing(entry) as group:
            pending = group.join(joiner, self._now_ms())
        return self._wait(entry, pending, partial(JoinResult, joiner.member_id))

    def sync(
        self,
        group_id: str,
        member_id: str,
        group_instance_id: str | None,
        generation: int,
        protocol: tuple[str | None, str | None],
        assignments: Mapping[str, bytes],
    ) -> SyncResult:
        """SyncGroup; waits for the leader."""
        entry = self._find_member(group_id)
        with self._changing(entry) as group:
            pending = group.sync(member_id, group_instance_id, generation, protocol, assignments, self._now_ms())
        return self._wait(entry, pending, SyncResult)

    def heartbeat(self, group_id: str, member_id: str, group_instance_id: str | None, generation: int) -> None:
        with self._changing(self._find_member(group_id)) as group:
            group.heartbeat(member_id, group_instance_id, generation, self._now_ms())

    def leave(self, group_id: str, member_id: str, group_instance_id: str | None) -> None:
        with self._changing(self._find_member(group_id)) as group:
            group.leave(member_id, group_instance_id, self._now_ms())

    def commit_offsets(
        self,
        group_id: str,
        member_id: str,
        group_instance_id: str | None,
        generation: int,
        offsets: Mapping[TopicPartition, OffsetCommitValue],
    ) -> None:
        """OffsetCommit: on disk when this returns."""
        if generation >= 0 and group_id not in self._entries:
            raise IllegalGenerationError(f"group {group_id} does not exist, so neither does generation {generation}")
        entry = self._find_or_create(group_id)
        with self._changing(entry) as group:
            group.ensure_may_commit(member_id, group_instance_id, generation, self._now_ms())
            if offsets:
                keys = [OffsetCommitKey(group_id, topic, partition) for topic, partition in offsets]
                self._topic.append(group_id, zip(keys, offsets.values(), strict=True))
                entry.offsets.update(offsets)

    # What others ask for

    def delete_offsets(self, topic: str) -> None:
        """Forget what was committed of a deleted topic: another of its name begins at offset 0."""
        for entry in self._all_entries():
            with self._changing(entry):
                places = [place for place in entry.offsets if place[0] == topic]
                if places:
                    group_id = entry.group.group_id
                    self._topic.append(group_id, [(OffsetCommitKey(group_id, *place), None) for place in places])
                for place in places:
                    del entry.offsets[place]

    def offsets(self, group_id: str) -> Mapping[TopicPartition, OffsetCommitValue]:
        """All that the group has committed; nothing for one that does not exist."""
        entry = self._entries.get(group_id)
        if entry is None:
            return {}
        with entry.lock:
            return dict(entry.offsets)

    def describe(self, group_id: str) -> GroupDescription | None:
        """None for a group that does not exist."""
        entry = self._entries.get(group_id)
        if entry is None:
            return None
        with entry.lock:
            return GroupDescription(entry.group.state, snapshot(entry.group, self._clock.now_ms()))

    def group_ids(self) -> tuple[str, ...]:
        return tuple(entry.group.group_id for entry in self._all_entries())

    def shutdown(self) -> None:
        """End every wait at once, and schedule nothing more. Calling it twice does no harm."""
        self._is_shut_down = True
        for entry in self._all_entries():
            with entry.lock:
                entry.lock.notify_all()
                if entry.expiry is not None:
                    entry.expiry.cancel()

    # Locks and waits

    @contextmanager
    def _changing(self, entry: _Entry) -> Iterator[Group]:
        """Hold the group's lock; afterwards save it, wake who waits, and look to its next deadline.

        A new group is saved while it is still empty, as Kafka does: a group on disk that has members is a stable one.
        """
        with entry.lock:
            self._save(entry.group)
            try:
                yield entry.group
            finally:
                self._settle(entry)

    def _settle(self, entry: _Entry) -> None:
        try:
            self._save(entry.group)
        finally:
            entry.lock.notify_all()
            self._schedule_expiry(entry)

    def _save(self, group: Group) -> None:
        if group.is_unsaved:
            value = snapshot(group, self._clock.now_ms())
            self._topic.append(group.group_id, [(GroupMetadataKey(group.group_id), value)])
            group.is_unsaved = False

    def _wait(self, entry: _Entry, pending: Pending[Result], failed: Callable[[int], Result]) -> Result:
        """Wait for the answer, for one rebalance time-out at most: each round ends by then.

        Who waits also ends the rounds whose time is up: the scheduler, whose part that is while nobody does, may be in
        the middle of an fsync that takes seconds.
        """
        with entry.lock:
            end_ms = self._now_ms() + entry.group.members.rebalance_timeout_ms
            while pending.result is None:
                now_ms = self._now_ms()
                due_ms = min(end_ms, entry.group.next_deadline_ms or end_ms)
                if self._is_shut_down:
                    pending.answer(failed(CoordinatorNotAvailableError.error_code))
                elif now_ms < due_ms:
                    self._clock.wait(entry.lock, (due_ms - now_ms) / 1000)
                else:
                    self._expire_now(entry)
                    if end_ms <= now_ms:
                        pending.answer(failed(RebalanceInProgressError.error_code))
            return pending.result

    def _expire_now(self, entry: _Entry) -> None:
        entry.group.expire(self._now_ms())
        self._settle(entry)

    def _schedule_expiry(self, entry: _Entry) -> None:
        """A task that is due before the deadline stays: it looks again. Heartbeats thus schedule nothing."""
        deadline_ms = entry.group.next_deadline_ms
        if deadline_ms is None or self._is_shut_down:
            return
        if entry.expiry is not None:
            if entry.expiry_ms <= deadline_ms:
                return
            entry.expiry.cancel()
        entry.expiry_ms = deadline_ms
        delay_ms = max(0, deadline_ms - self._now_ms())
        name = f"expiry of group {entry.group.group_id}"
        entry.expiry = self._scheduler.schedule(name, partial(self._expire, entry), delay_ms)

    def _expire(self, entry: _Entry) -> None:
        with entry.lock:
            entry.expiry = None
            self._expire_now(entry)

    def _now_ms(self) -> int:
        return self._clock.monotonic_ns() // 1_000_000

    # Groups

    def _all_entries(self) -> tuple[_Entry, ...]:
        with self._entries_lock:
            return tuple(self._entries.values())

    def _find_member(self, group_id: str) -> _Entry:
        _ensure_named(group_id)
        entry = self._entries.get(group_id)
        if entry is None:
            raise UnknownMemberIdError(f"group {group_id} does not exist, so it has no members")
        return entry

    def _find_or_create(self, group_id: str, *, is_saved: bool = False) -> _Entry:
        """The group is about to write: the topic is made first, while no lock of a group is held."""
        if len(group_id) > MAX_TEXT_SIZE:
            raise InvalidGroupIdError(f"a group name of {len(group_id)} characters; {MAX_TEXT_SIZE} are allowed")
        self._topic.ensure_exists()
        with self._entries_lock:
            entry = self._entries.get(group_id)
            if entry is None:
                entry = self._entries[group_id] = _Entry(self._new_group(group_id))
                entry.group.is_unsaved = is_saved
        return entry

    def _new_group(self, group_id: str) -> Group:
        return Group(
            group_id,
            initial_rebalance_delay_ms=self._config.get("group.initial.rebalance.delay.ms"),
            max_size=self._config.get("group.max.size"),
        )

    def _load(self) -> None:
        """Rebuild the groups and their offsets from the records on disk."""
        values: dict[str, GroupMetadataValue] = {}
        offsets: dict[str, dict[TopicPartition, OffsetCommitValue]] = {}
        for key, value in self._topic.read():
            if isinstance(value, GroupMetadataValue):
                values[key.group] = value
            elif isinstance(key, GroupMetadataKey):
                values.pop(key.group, None)
            elif value is None:
                offsets.get(key.group, {}).pop((key.topic, key.partition), None)
            else:
                offsets.setdefault(key.group, {})[key.topic, key.partition] = value
        for group_id in [*values, *(group_id for group_id, own in offsets.items() if own and group_id not in values)]:
            entry = self._entries[group_id] = _Entry(self._new_group(group_id), offsets=offsets.get(group_id, {}))
            if group_id in values:
                restore(entry.group, values[group_id], self._now_ms())
            self._schedule_expiry(entry)


def _ensure_named(group_id: str) -> None:
    if not group_id:
        raise InvalidGroupIdError("a group needs a name of at least one character")
