"""The coordinator with real threads, a real log directory and a clock moved by hand."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kfast.broker.group import GroupState
from kfast.broker.group_coordinator import GroupCoordinator
from kfast.broker.group_member import Joiner, JoinResult
from kfast.broker.offsets import OFFSETS_TOPIC, OffsetsTopic
from kfast.errors import (
    CoordinatorNotAvailableError,
    IllegalGenerationError,
    InvalidGroupIdError,
    InvalidSessionTimeoutError,
    MemberIdRequiredError,
    RebalanceInProgressError,
    UnknownMemberIdError,
)
from kfast.record.group_records import GroupMetadataValue, OffsetCommitValue

DELAY_MS = 150  # group.initial.rebalance.delay.ms
SESSION_MS = 10_000
REBALANCE_MS = 60_000
PLACE = ("orders", 0)
VALUE = OffsetCommitValue(7, 0, "seven", 1_700_000_000_000)


class Call:
    """A call that may wait, in a thread of its own."""

    def __init__(self, function: Callable[..., Any], *arguments: object) -> None:
        self._result: Any = None
        self._thread = threading.Thread(target=self._run, args=(function, arguments), daemon=True)
        self._thread.start()

    def _run(self, function: Callable[..., Any], arguments: tuple[object, ...]) -> None:
        self._result = function(*arguments)

    def result(self) -> Any:
        self._thread.join(10)
        assert not self._thread.is_alive(), "still waiting"
        return self._result


def joiner(member_id: str = "", name: str = "c", **changes: Any) -> Joiner:
    fields = {
        "session_timeout_ms": SESSION_MS,
        "rebalance_timeout_ms": REBALANCE_MS,
        "protocol_type": "consumer",
        "protocols": (("range", b"subscription"),),
        **changes,
    }
    return Joiner(member_id, f"{name}-1", None, name, "/127.0.0.1", **fields)


@pytest.fixture
def coordinator(parts) -> Iterator[GroupCoordinator]:
    coordinator = GroupCoordinator(parts)
    yield coordinator
    coordinator.shutdown()


def stable(parts, coordinator: GroupCoordinator, *names: str) -> list[str]:
    """Let members of these names join group g and be assigned their own names."""
    joins = []
    for name in names:
        joins.append(Call(coordinator.join, "g", joiner(name=name)))
        parts.clock.wait_for_waiters(len(joins))
    for _ in range(2 if len(names) > 1 else 1):
        parts.clock.advance(DELAY_MS)
    results: list[JoinResult] = [join.result() for join in joins]
    ids = [result.member_id for result in results]
    assignments = {member_id: member_id.encode() for member_id in ids}
    leader = results[0].leader
    followers = [
        Call(coordinator.sync, "g", member_id, None, results[0].generation, (None, None), {})
        for member_id in ids
        if member_id != leader
    ]
    parts.clock.wait_for_waiters(len(followers)) if followers else None
    coordinator.sync("g", leader, None, results[0].generation, (None, None), assignments)
    for follower in followers:
        assert follower.result().assignment
    return ids


def saved_groups(parts) -> list[GroupMetadataValue]:
    return [value for _, value in OffsetsTopic(parts).read() if isinstance(value, GroupMetadataValue)]


def test_members_wait_for_each_other_and_for_the_leader(parts, coordinator: GroupCoordinator) -> None:
    ids = stable(parts, coordinator, "one", "two")
    description = coordinator.describe("g")
    assert description is not None
    assert description.state is GroupState.STABLE
    assert [(member.member_id, member.assignment) for member in description.metadata.members] == [
        (member_id, member_id.encode()) for member_id in ids
    ]


def test_a_group_is_saved_when_it_begins_is_stable_and_is_empty_as_kafka_does(parts, coordinator) -> None:
    [member_id] = stable(parts, coordinator, "one")
    coordinator.leave("g", member_id, None)
    assert [(v.protocol_type, v.generation, v.protocol, len(v.members)) for v in saved_groups(parts)] == [
        ("", 0, None, 0),
        ("consumer", 1, "range", 1),
        ("consumer", 2, None, 0),
    ]


def test_members_that_fall_silent_are_expired_by_the_scheduler(parts, coordinator: GroupCoordinator) -> None:
    [member_id] = stable(parts, coordinator, "one")
    parts.clock.advance(SESSION_MS - 1)
    coordinator.heartbeat("g", member_id, None, 1)
    parts.clock.advance(SESSION_MS - 1)
    coordinator.heartbeat("g", member_id, None, 1)
    parts.clock.advance(SESSION_MS)
    with pytest.raises(UnknownMemberIdError):
        coordinator.heartbeat("g", member_id, None, 1)
    assert coordinator.describe("g").state is GroupState.EMPTY
    assert saved_groups(parts)[-1].generation == 2


def test_a_round_ends_in_time_while_the_scheduler_is_busy_with_a_slow_disk(parts, coordinator) -> None:
    ids = stable(parts, coordinator, "one", "two")
    parts.scheduler.shutdown()  # it runs nothing any more
    join = Call(coordinator.join, "g", joiner(ids[0]))
    parts.clock.wait_for_waiters()
    parts.clock.advance(SESSION_MS)  # the other member falls silent
    assert (join.result().generation, len(join.result().members)) == (2, 1)


def test_an_id_is_handed_out_without_waiting(coordinator: GroupCoordinator) -> None:
    refused = coordinator.join("g", joiner(requires_known_member_id=True))
    assert (refused.error_code, refused.member_id) == (MemberIdRequiredError.error_code, "c-1")


def test_a_join_ends_with_its_rebalance_timeout_although_another_member_is_missing(parts, coordinator) -> None:
    ids = stable(parts, coordinator, "one", "two")
    join = Call(coordinator.join, "g", joiner(ids[0]))
    parts.clock.wait_for_waiters()
    for _ in range(REBALANCE_MS // 5000):
        with pytest.raises(RebalanceInProgressError):
            coordinator.heartbeat("g", ids[1], None, 1)
        parts.clock.advance(5000)
    assert (join.result().error_code, join.result().generation) == (0, 2)
    assert [member.member_id for member in join.result().members] == [ids[0]]


def test_a_sync_ends_when_the_leader_is_gone(parts, coordinator: GroupCoordinator) -> None:
    joins = []
    for name in ("leader", "follower"):
        joins.append(Call(coordinator.join, "g", joiner(name=name)))
        parts.clock.wait_for_waiters(len(joins))
    parts.clock.advance(DELAY_MS)
    parts.clock.advance(DELAY_MS)
    follower = joins[1].result().member_id
    sync = Call(coordinator.sync, "g", follower, None, 1, (None, None), {})
    parts.clock.wait_for_waiters()
    parts.clock.advance(SESSION_MS)
    assert sync.result().error_code == RebalanceInProgressError.error_code


def test_shutdown_ends_every_wait_at_once(parts, coordinator: GroupCoordinator) -> None:
    joins = [Call(coordinator.join, group_id, joiner(name=group_id)) for group_id in ("one", "two")]
    parts.clock.wait_for_waiters(2)
    coordinator.shutdown()
    assert {join.result().error_code for join in joins} == {CoordinatorNotAvailableError.error_code}
    assert coordinator.join("three", joiner()).error_code == CoordinatorNotAvailableError.error_code


@pytest.mark.parametrize("session_timeout_ms", [5999, 1_800_001])
def test_session_timeouts_have_bounds(coordinator: GroupCoordinator, session_timeout_ms: int) -> None:
    with pytest.raises(InvalidSessionTimeoutError, match=f"{session_timeout_ms} ms; 6000 to 1800000"):
        coordinator.join("g", joiner(session_timeout_ms=session_timeout_ms))


def test_a_group_needs_a_name_and_must_exist(coordinator: GroupCoordinator) -> None:
    with pytest.raises(InvalidGroupIdError):
        coordinator.join("", joiner())
    with pytest.raises(InvalidGroupIdError):
        coordinator.heartbeat("", "m", None, 1)
    with pytest.raises(UnknownMemberIdError):
        coordinator.join("g", joiner("somebody"))
    with pytest.raises(UnknownMemberIdError):
        coordinator.leave("g", "somebody", None)
    assert coordinator.describe("g") is None
    assert coordinator.group_ids() == ()


# Offsets


def test_offsets_are_kept_without_any_member(parts, coordinator: GroupCoordinator) -> None:
    coordinator.commit_offsets("g", "", None, -1, {PLACE: VALUE})
    assert coordinator.offsets("g") == {PLACE: VALUE}
    assert coordinator.offsets("other") == {}
    assert saved_groups(parts) == []


def test_a_generation_of_a_group_that_does_not_exist_is_illegal(coordinator: GroupCoordinator) -> None:
    with pytest.raises(IllegalGenerationError):
        coordinator.commit_offsets("g", "member", None, 0, {PLACE: VALUE})
    assert coordinator.group_ids() == ()


def test_a_commit_that_is_refused_is_not_written(parts, coordinator: GroupCoordinator) -> None:
    stable(parts, coordinator, "one")
    written = len(list(OffsetsTopic(parts).read()))
    with pytest.raises(UnknownMemberIdError):
        coordinator.commit_offsets("g", "", None, -1, {PLACE: VALUE})
    assert coordinator.offsets("g") == {}
    assert len(list(OffsetsTopic(parts).read())) == written


def test_groups_and_offsets_survive_a_restart(open_parts) -> None:
    parts = open_parts()
    coordinator = GroupCoordinator(parts)
    [member_id] = stable(parts, coordinator, "one")
    coordinator.commit_offsets("g", member_id, None, 1, {PLACE: VALUE, ("orders", 1): VALUE})
    coordinator.commit_offsets("simple", "", None, -1, {PLACE: VALUE})
    coordinator.shutdown()
    parts.close()

    parts = open_parts()
    coordinator = GroupCoordinator(parts)
    assert coordinator.offsets("g") == {PLACE: VALUE, ("orders", 1): VALUE}
    assert sorted(coordinator.group_ids()) == ["g", "simple"]
    assert coordinator.describe("simple").state is GroupState.EMPTY
    coordinator.heartbeat("g", member_id, None, 1)
    parts.clock.advance(SESSION_MS)
    assert coordinator.describe("g").state is GroupState.EMPTY


def test_deleted_groups_and_offsets_stay_deleted_after_a_restart(golden, open_parts, tmp_path: Path) -> None:
    data = golden.extract("09-groups", tmp_path / "golden") / "log"
    coordinator = GroupCoordinator(open_parts(data))
    expected = golden.manifest["cases"]["09-groups"]["groups"]
    assert sorted(coordinator.group_ids()) == sorted(expected)
    assert sorted(coordinator.offsets("group-admin")) == [("orders", 0), ("orders", 2)]
    states = {group_id: coordinator.describe(group_id).state for group_id in expected}
    assert states["group-static"] is GroupState.STABLE
    assert states["group-classic-java"] is GroupState.EMPTY


def test_the_offsets_of_a_deleted_topic_are_forgotten_for_good(open_parts) -> None:
    parts = open_parts()
    coordinator = GroupCoordinator(parts)
    coordinator.commit_offsets("g", "", None, -1, {PLACE: VALUE, ("orders", 1): VALUE, ("other", 0): VALUE})
    coordinator.delete_offsets("orders")
    assert coordinator.offsets("g") == {("other", 0): VALUE}
    coordinator.shutdown()
    parts.close()
    assert GroupCoordinator(open_parts()).offsets("g") == {("other", 0): VALUE}


def test_a_missing_partition_is_said_and_the_group_goes_on(parts, coordinator: GroupCoordinator) -> None:
    coordinator.commit_offsets("g", "", None, -1, {PLACE: VALUE})
    parts.metadata.delete_topic(OFFSETS_TOPIC)
    coordinator.commit_offsets("g", "", None, -1, {PLACE: VALUE})
    assert OFFSETS_TOPIC in parts.metadata.image.topics, "made again"
