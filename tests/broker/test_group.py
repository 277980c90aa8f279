"""A classic group by hand: who is answered what, and when."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

from kfast.broker.group import Group, GroupState
from kfast.broker.group_member import NEW_MEMBER_JOIN_TIMEOUT_MS, Joiner, JoinResult, Pending, SyncResult
from kfast.errors import (
    FencedInstanceIdError,
    GroupMaxSizeReachedError,
    IllegalGenerationError,
    InconsistentGroupProtocolError,
    KfastError,
    MemberIdRequiredError,
    RebalanceInProgressError,
    UnknownMemberIdError,
)

SESSION_MS = 10_000
REBALANCE_MS = 60_000
DELAY_MS = 50

_ids = itertools.count()


def joiner(member_id: str = "", name: str = "c", instance: str | None = None, **changes: object) -> Joiner:
    new_id = f"{instance or name}-{next(_ids)}"
    fields: dict[str, object] = {
        "protocols": (("range", b"subscription"),),
        "session_timeout_ms": SESSION_MS,
        "rebalance_timeout_ms": REBALANCE_MS,
        "protocol_type": "consumer",
        **changes,
    }
    return Joiner(member_id, new_id, instance, name, "127.0.0.1", **fields)  # type: ignore[arg-type]


def new_group(**settings: int) -> Group:
    return Group("orders", **{"initial_rebalance_delay_ms": DELAY_MS, **settings})


def stable_group(count: int = 1, instances: tuple[str, ...] = (), **settings: int) -> tuple[Group, list[str]]:
    """A group whose `count` members (or static `instances`) joined at 0 and were assigned."""
    group = new_group(**settings)
    joins = [group.join(joiner(instance=instance), 0) for instance in instances or (None,) * count]
    while group.state is GroupState.PREPARING_REBALANCE:
        assert group.next_deadline_ms is not None
        group.expire(group.next_deadline_ms)
    ids = [joined(join).member_id for join in joins]
    assign(group, ids)
    return group, ids


def assign(group: Group, ids: list[str], now_ms: int = DELAY_MS) -> list[SyncResult]:
    """Every member syncs, the leader last; member i is given b"i"."""
    leader = group.members.leader
    assignments = {member_id: b"%d" % i for i, member_id in enumerate(ids)}
    syncs = {i: sync(group, i, now_ms, assignments if i == leader else {}) for i in sorted(ids, key=leader.__eq__)}
    return [synced(syncs[member_id]) for member_id in ids]


def sync(group: Group, member_id: str, now_ms: int, assignments: dict[str, bytes] | None = None) -> Pending[SyncResult]:
    return group.sync(member_id, None, group.generation, (None, None), assignments or {}, now_ms)


def joined(pending: Pending[JoinResult]) -> JoinResult:
    assert pending.result is not None
    return pending.result


def synced(pending: Pending[SyncResult]) -> SyncResult:
    assert pending.result is not None
    return pending.result


def test_one_member_goes_from_empty_to_stable() -> None:
    group = new_group()
    join = group.join(joiner(name="solo"), 0)
    assert group.state is GroupState.PREPARING_REBALANCE
    assert join.result is None
    assert group.next_deadline_ms == DELAY_MS

    group.expire(DELAY_MS)
    result = joined(join)
    assert (result.error_code, result.generation, result.protocol_type, result.protocol_name) == (
        0,
        1,
        "consumer",
        "range",
    )
    assert result.leader == result.member_id
    assert [(m.member_id, m.metadata) for m in result.members] == [(result.member_id, b"subscription")]
    assert group.state is GroupState.COMPLETING_REBALANCE

    answer = synced(sync(group, result.member_id, 60, {result.member_id: b"partitions"}))
    assert answer == SyncResult(0, "consumer", "range", b"partitions")
    assert group.state is GroupState.STABLE
    assert group.is_unsaved


def test_without_an_initial_delay_the_first_member_is_answered_at_once() -> None:
    assert joined(new_group(initial_rebalance_delay_ms=0).join(joiner(), 0)).generation == 1


def test_members_that_come_within_the_delay_share_the_first_round() -> None:
    group = new_group()
    first = group.join(joiner(), 0)
    second = group.join(joiner(), 30)
    group.expire(50)
    assert first.result is None, "the newcomer puts the end off by one more delay"
    group.expire(100)
    assert joined(first).generation == joined(second).generation == 1
    assert len(joined(first).members) == 2
    assert joined(second).members == ()
    assert joined(second).leader == joined(first).member_id


def test_newcomers_put_the_first_round_off_by_the_rebalance_timeout_at_most() -> None:
    group = new_group()
    first = group.join(joiner(rebalance_timeout_ms=120), 0)
    for now_ms in (40, 90):
        group.join(joiner(rebalance_timeout_ms=120), now_ms)
        group.expire(now_ms + 10)
        assert first.result is None
    group.join(joiner(rebalance_timeout_ms=120), 110)
    group.expire(120)
    assert len(joined(first).members) == 4


def test_an_id_is_handed_out_first_where_the_version_asks_for_it() -> None:
    group = new_group()
    refused = joined(group.join(joiner(name="v4", requires_known_member_id=True), 0))
    assert refused.error_code == MemberIdRequiredError.error_code
    assert refused.member_id.startswith("v4-")
    assert group.state is GroupState.EMPTY

    join = group.join(joiner(refused.member_id), 10)
    group.expire(60)
    assert joined(join).member_id == refused.member_id


def test_an_id_handed_out_is_forgotten_after_the_session_timeout() -> None:
    group = new_group()
    member_id = joined(group.join(joiner(requires_known_member_id=True), 0)).member_id
    assert group.next_deadline_ms == SESSION_MS
    group.expire(SESSION_MS)
    assert group.next_deadline_ms is None
    with pytest.raises(UnknownMemberIdError):
        group.join(joiner(member_id), SESSION_MS)


def test_a_rebalance_waits_for_the_member_an_id_was_handed_to() -> None:
    group, [old] = stable_group()
    new = joined(group.join(joiner(requires_known_member_id=True), 100)).member_id
    rejoin = group.join(joiner(old), 110)
    assert rejoin.result is None
    join = group.join(joiner(new), 120)
    assert joined(rejoin).generation == joined(join).generation == 2


def test_a_second_member_is_noticed_by_heartbeat_and_both_are_assigned() -> None:
    group, [old] = stable_group()
    join = group.join(joiner(), 1000)
    with pytest.raises(RebalanceInProgressError):
        group.heartbeat(old, None, 1, 2000)
    rejoin = group.join(joiner(old), 2001)
    new = joined(join).member_id
    assert joined(rejoin).generation == 2
    assert joined(rejoin).leader == old
    assert [answer.assignment for answer in assign(group, [old, new], 2002)] == [b"0", b"1"]
    group.heartbeat(old, None, 2, 2003)


def test_followers_wait_for_the_leaders_assignment() -> None:
    group = new_group()
    ids = [joined(join).member_id for join in _joined_together(group, 3)]
    follower = sync(group, ids[1], 100)
    assert follower.result is None
    sync(group, ids[0], 110, {ids[1]: b"one"})
    assert synced(follower).assignment == b"one"
    assert synced(sync(group, ids[2], 120)).assignment == b"", "the leader gave it nothing"


def _joined_together(group: Group, count: int, **changes: object) -> list[Pending[JoinResult]]:
    joins = [group.join(joiner(**changes), 0) for _ in range(count)]
    for now_ms in (DELAY_MS, 2 * DELAY_MS):
        group.expire(now_ms)
    return joins


def test_the_protocol_is_one_that_all_speak_and_most_like() -> None:
    group = new_group()
    lists = (["sticky", "range", "a"], ["range", "sticky", "b"], ["c", "range", "sticky"])
    joins = [group.join(joiner(protocols=tuple((name, name.encode()) for name in names)), 0) for names in lists]
    group.expire(50)
    group.expire(100)
    assert {joined(join).protocol_name for join in joins} == {"range"}
    assert [member.metadata for member in joined(joins[0]).members] == [b"range"] * 3


@pytest.mark.parametrize(
    "changes",
    [{"protocols": (("other", b""),)}, {"protocol_type": "connect"}, {"protocols": ()}],
    ids=["protocol", "type", "none"],
)
def test_who_has_nothing_in_common_is_refused(changes: dict[str, object]) -> None:
    group, _ = stable_group()
    with pytest.raises(InconsistentGroupProtocolError):
        group.join(joiner(**changes), 100)


@pytest.mark.parametrize("changes", [{"protocol_type": ""}, {"protocols": ()}])
def test_an_empty_group_takes_any_protocol_but_none(changes: dict[str, object]) -> None:
    with pytest.raises(InconsistentGroupProtocolError):
        new_group().join(joiner(**changes), 0)


def test_a_full_group_refuses_newcomers_but_not_its_members() -> None:
    group, [old] = stable_group(max_size=1)
    with pytest.raises(GroupMaxSizeReachedError):
        group.join(joiner(), 100)
    assert joined(group.join(joiner(old), 100)).generation == 2


def test_a_follower_that_joins_again_with_nothing_new_changes_nothing() -> None:
    group, [leader, follower] = stable_group(2)
    again = joined(group.join(joiner(follower), 100))
    assert (again.error_code, again.generation, again.leader, again.members) == (0, 1, leader, ())
    assert group.state is GroupState.STABLE


def test_a_follower_that_subscribes_to_something_else_starts_a_rebalance() -> None:
    group, [leader, follower] = stable_group(2)
    join = group.join(joiner(follower, protocols=(("range", b"more topics"),)), 100)
    assert group.state is GroupState.PREPARING_REBALANCE
    result = joined(group.join(joiner(leader), 110))
    assert joined(join).generation == 2
    assert b"more topics" in [member.metadata for member in result.members]


def test_a_leader_that_joins_again_starts_a_rebalance() -> None:
    group, [leader, _] = stable_group(2)
    assert group.join(joiner(leader), 100).result is None
    assert group.state is GroupState.PREPARING_REBALANCE


def test_a_lost_join_answer_is_given_again() -> None:
    group = new_group()
    first, second = (joined(join) for join in _joined_together(group, 2))
    assert joined(group.join(joiner(first.member_id), 110)) == first
    assert joined(group.join(joiner(second.member_id), 110)) == second


def test_a_join_sent_twice_ends_the_first() -> None:
    group, [old, other] = stable_group(2)
    first = group.join(joiner(old), 100)
    second = group.join(joiner(old), 110)
    assert joined(first).error_code == RebalanceInProgressError.error_code
    group.join(joiner(other), 120)
    assert joined(second).error_code == 0


def test_a_rebalance_ends_without_who_does_not_come_back() -> None:
    group, [leader, silent] = stable_group(2)
    join = group.join(joiner(leader), 100)
    for now_ms in range(100, 100 + REBALANCE_MS, SESSION_MS // 2):
        group.expire(now_ms)
        assert join.result is None
        with pytest.raises(RebalanceInProgressError):
            group.heartbeat(silent, None, 1, now_ms)
    group.expire(100 + REBALANCE_MS)
    assert [member.member_id for member in joined(join).members] == [leader]
    with pytest.raises(UnknownMemberIdError):
        group.heartbeat(silent, None, 1, 100 + REBALANCE_MS)


def test_a_member_that_falls_silent_is_dropped_after_its_session_timeout() -> None:
    group, [leader, silent] = stable_group(2)
    group.heartbeat(leader, None, 1, 6000)
    group.heartbeat(silent, None, 1, 5000)
    group.expire(5000 + SESSION_MS - 1)
    assert group.state is GroupState.STABLE
    group.expire(5000 + SESSION_MS)
    assert group.state is GroupState.PREPARING_REBALANCE
    assert [member.member_id for member in group.members] == [leader]
    assert joined(group.join(joiner(leader), 5001 + SESSION_MS)).generation == 2


def test_a_member_is_not_dropped_while_an_answer_is_owed_to_it() -> None:
    group, [leader, follower] = stable_group(2)
    join = group.join(joiner(leader), 100)
    for now_ms in range(1000, 50_000, 5000):
        with pytest.raises(RebalanceInProgressError):
            group.heartbeat(follower, None, 1, now_ms)
        group.expire(now_ms)
    assert join.result is None
    assert leader in group.members


def test_a_new_member_whose_first_join_goes_on_for_too_long_is_dropped() -> None:
    group, [old] = stable_group()
    long_ms = 3 * NEW_MEMBER_JOIN_TIMEOUT_MS
    _patient(group, old, long_ms)
    newcomer = group.join(joiner(rebalance_timeout_ms=long_ms), 100)
    for now_ms in range(100, 100 + NEW_MEMBER_JOIN_TIMEOUT_MS, 5000):
        with pytest.raises(RebalanceInProgressError):
            group.heartbeat(old, None, group.generation, now_ms)
        group.expire(now_ms)
        assert newcomer.result is None
    with pytest.raises(RebalanceInProgressError):
        group.heartbeat(old, None, group.generation, 100 + NEW_MEMBER_JOIN_TIMEOUT_MS)
    group.expire(100 + NEW_MEMBER_JOIN_TIMEOUT_MS)
    assert joined(newcomer).error_code == UnknownMemberIdError.error_code


def _patient(group: Group, member_id: str, rebalance_timeout_ms: int) -> None:
    result = joined(group.join(joiner(member_id, rebalance_timeout_ms=rebalance_timeout_ms), 60))
    sync(group, result.member_id, 70, {})


def test_a_leader_that_vanishes_before_its_assignment_does_not_hold_up_the_others() -> None:
    group = new_group()
    leader, follower = (joined(join).member_id for join in _joined_together(group, 2))
    waiting = sync(group, follower, 200)
    group.expire(100 + SESSION_MS)
    assert synced(waiting).error_code == RebalanceInProgressError.error_code
    result = joined(group.join(joiner(follower), 200 + SESSION_MS))
    assert (result.leader, result.generation) == (follower, 2)
    assert leader not in group.members


def test_who_never_syncs_is_dropped_after_the_rebalance_timeout_even_if_it_heartbeats() -> None:
    group = new_group()
    leader, silent = (joined(join).member_id for join in _joined_together(group, 2))
    sync(group, leader, 100, {})
    for now_ms in range(100, 100 + REBALANCE_MS, 5000):
        group.heartbeat(silent, None, 1, now_ms)
        group.heartbeat(leader, None, 1, now_ms)
        group.expire(now_ms)
    assert silent in group.members
    group.expire(100 + REBALANCE_MS)
    assert silent not in group.members
    assert group.state is GroupState.PREPARING_REBALANCE


def test_the_last_member_leaves_an_empty_group_of_the_next_generation() -> None:
    group, [only] = stable_group()
    group.is_unsaved = False
    group.leave(only, None, 100)
    assert (group.state, group.generation, group.protocol_name, group.members.leader) == (
        GroupState.EMPTY,
        2,
        None,
        None,
    )
    assert group.members.protocol_type == "consumer"
    assert group.is_unsaved
    assert group.next_deadline_ms is None


def test_when_the_leader_leaves_another_leads() -> None:
    group, [leader, other] = stable_group(2)
    group.leave(leader, None, 100)
    with pytest.raises(RebalanceInProgressError):
        group.heartbeat(other, None, 1, 110)
    assert joined(group.join(joiner(other), 120)).leader == other


def test_leaving_while_a_join_waits_answers_it_and_lets_the_others_go_on() -> None:
    group, [leader, other] = stable_group(2)
    first = group.join(joiner(leader), 100)
    group.leave(other, None, 110)
    assert joined(first).generation == 2

    group, [leader, other] = stable_group(2)
    join = group.join(joiner(leader), 100)
    group.leave(leader, None, 110)
    assert joined(join).error_code == UnknownMemberIdError.error_code


def test_an_id_that_was_only_handed_out_can_leave() -> None:
    group, [old] = stable_group()
    expected = joined(group.join(joiner(requires_known_member_id=True), 100)).member_id
    rejoin = group.join(joiner(old), 110)
    group.leave(expected, None, 120)
    assert joined(rejoin).generation == 2


UNKNOWN_CALLS: list[Callable[[Group], object]] = [
    lambda group: group.join(joiner("nobody"), 100),
    lambda group: group.heartbeat("nobody", None, 1, 100),
    lambda group: group.leave("nobody", None, 100),
    lambda group: group.leave("", "no-instance", 100),
    lambda group: sync(group, "nobody", 100),
    lambda group: group.ensure_may_commit("nobody", None, 1, 100),
    lambda group: group.ensure_may_commit("", None, -1, 100),
]


@pytest.mark.parametrize("call", UNKNOWN_CALLS)
def test_strangers_are_told_so(call: Callable[[Group], object]) -> None:
    group, _ = stable_group()
    with pytest.raises(UnknownMemberIdError):
        call(group)


@pytest.mark.parametrize("generation", [0, 2, -1])
def test_another_generation_is_refused(generation: int) -> None:
    group, [member] = stable_group()
    with pytest.raises(IllegalGenerationError, match=f"in generation 1, not {generation}"):
        group.heartbeat(member, None, generation, 100)
    with pytest.raises(IllegalGenerationError):
        group.sync(member, None, generation, (None, None), {}, 100)
    with pytest.raises(IllegalGenerationError):
        group.ensure_may_commit(member, None, generation, 100)


@pytest.mark.parametrize("protocol", [("connect", "range"), ("consumer", "sticky")])
def test_a_sync_for_another_protocol_is_refused(protocol: tuple[str, str]) -> None:
    group, [member] = stable_group()
    with pytest.raises(InconsistentGroupProtocolError):
        group.sync(member, None, 1, protocol, {}, 100)
    assert synced(group.sync(member, None, 1, ("consumer", "range"), {}, 100)).assignment == b"0"


def test_a_sync_while_members_are_collected_is_told_to_join_again() -> None:
    group, [member] = stable_group()
    group.join(joiner(), 100)
    with pytest.raises(RebalanceInProgressError):
        sync(group, member, 110)


def test_commits_are_taken_but_for_while_the_assignment_is_awaited() -> None:
    group = new_group()
    group.ensure_may_commit("", None, -1, 0)
    [join] = _joined_together(group, 1)
    member = joined(join).member_id
    with pytest.raises(RebalanceInProgressError):
        group.ensure_may_commit(member, None, 1, 110)
    sync(group, member, 120, {})
    group.ensure_may_commit(member, None, 1, 130)
    group.join(joiner(), 140)
    group.ensure_may_commit(member, None, 1, 150)
    assert group.state is GroupState.PREPARING_REBALANCE


def test_a_commit_counts_as_a_heartbeat() -> None:
    group, [member] = stable_group()
    group.ensure_may_commit(member, None, 1, 9000)
    group.expire(SESSION_MS + 1000)
    assert member in group.members


# Static members


def test_a_static_member_back_under_a_new_id_keeps_its_assignment_without_a_rebalance() -> None:
    group, [leader, old] = stable_group(instances=("one", "two"))
    group.is_unsaved = False
    back = joined(group.join(joiner(instance="two"), 100))
    assert back.error_code == 0
    assert back.member_id != old
    assert (back.generation, back.leader, back.members, back.skip_assignment) == (1, leader, (), False)
    assert group.state is GroupState.STABLE
    assert group.is_unsaved
    assert synced(sync(group, back.member_id, 110)).assignment == b"1"


def test_the_old_id_of_a_static_member_is_fenced() -> None:
    group, [old] = stable_group(instances=("one",))
    group.join(joiner(instance="one"), 100)
    calls: list[Callable[[], object]] = [
        lambda: group.join(joiner(old, instance="one"), 110),
        lambda: group.heartbeat(old, "one", 1, 110),
        lambda: group.leave(old, "one", 110),
        lambda: group.sync(old, "one", 1, (None, None), {}, 110),
        lambda: group.ensure_may_commit(old, "one", 1, 110),
    ]
    for call in calls:
        with pytest.raises(FencedInstanceIdError):
            call()


def test_a_static_leader_back_is_not_to_assign_anew() -> None:
    group, [old, _] = stable_group(instances=("one", "two"))
    by_leader = joined(group.join(joiner(instance="one"), 100))
    assert (by_leader.leader, by_leader.members) == (old, ()), "before version 9: the id it no longer has leads"
    by_flag = joined(group.join(joiner(instance="one", supports_skipping_assignment=True), 110))
    assert by_flag.leader == by_flag.member_id
    assert by_flag.skip_assignment
    assert len(by_flag.members) == 2
    assert group.state is GroupState.STABLE


def test_a_static_member_back_with_another_protocol_starts_a_rebalance() -> None:
    both = (("range", b""), ("sticky", b""))
    group = new_group(initial_rebalance_delay_ms=0)
    first = joined(group.join(joiner(instance="one", protocols=both), 0))
    sync(group, first.member_id, 10, {})
    back = group.join(joiner(instance="one", protocols=both[::-1]), 100)
    assert (joined(back).generation, joined(back).protocol_name) == (2, "sticky")


def test_a_static_member_back_while_it_waits_ends_the_old_wait() -> None:
    group, [_, old] = stable_group(instances=("one", "two"))
    group.join(joiner(), 100)
    waiting = group.join(joiner(old, instance="two"), 110)
    group.join(joiner(instance="two"), 120)
    assert joined(waiting).error_code == FencedInstanceIdError.error_code


def test_static_members_outlive_a_rebalance_that_they_miss() -> None:
    group, [leader, absent] = stable_group(instances=("one", "two"))
    group.members.find(absent, "two").session_timeout_ms = 10 * REBALANCE_MS
    group.heartbeat(absent, "two", 1, 100)
    join = group.join(joiner(leader, instance="one"), 100)
    group.expire(100 + REBALANCE_MS)
    assert [member.group_instance_id for member in joined(join).members] == ["one", "two"]


def test_when_no_static_member_is_back_the_round_begins_again() -> None:
    group, [absent, leaving] = stable_group(instances=("one", "two"))
    group.members.find(absent, "one").session_timeout_ms = 10 * REBALANCE_MS
    group.heartbeat(absent, "one", 1, 100)
    group.leave("", "two", 200)
    group.expire(200 + REBALANCE_MS)
    assert group.state is GroupState.PREPARING_REBALANCE
    assert group.generation == 1
    assert group.next_deadline_ms == 200 + 2 * REBALANCE_MS
    assert leaving not in group.members


def test_every_refusal_says_which_group() -> None:
    group, [member] = stable_group()
    errors: list[KfastError] = []
    for call in [
        *UNKNOWN_CALLS,
        lambda g: g.heartbeat(member, None, 9, 100),
        lambda g: g.join(joiner(protocols=()), 0),
    ]:
        with pytest.raises(KfastError) as caught:
            call(group)
        errors.append(caught.value)
    assert all("group orders" in str(error) for error in errors)
