"""A classic consumer group as a state machine: in which generation it is, and who waits for what.

    Empty --join--> PreparingRebalance --all have joined, or time is up--> CompletingRebalance --leader's sync--> Stable
      ^                  |      ^                                                  |                                |
      |   nobody joined  |      |            a member comes, goes or changes       |                                |
      +------------------+      +--------------------------------------------------+--------------------------------+

It has no sockets, threads, locks or clock: every call says what time it is (milliseconds of a monotonic clock), and
`next_deadline_ms` says when `expire` has something to do. A call that must wait returns a Pending, answered by a later
call. What is wrong with a request is raised, as the KfastError whose code Kafka answers with.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping

from kfast.broker.group_member import Joiner, JoinResult, Member, MemberListing, Pending, SyncResult
from kfast.broker.group_membership import Membership
from kfast.errors import (
    FencedInstanceIdError,
    GroupMaxSizeReachedError,
    IllegalGenerationError,
    InconsistentGroupProtocolError,
    MemberIdRequiredError,
    RebalanceInProgressError,
    UnknownMemberIdError,
)


class GroupState(enum.StrEnum):
    """Kafka's names, as DescribeGroups and ListGroups print them."""

    EMPTY = "Empty"
    PREPARING_REBALANCE = "PreparingRebalance"
    COMPLETING_REBALANCE = "CompletingRebalance"
    STABLE = "Stable"
    DEAD = "Dead"
    """A group that does not exist: an answer to who asks for it, never a state that a Group is in."""


class Group:
    """One group. Not thread-safe: its coordinator holds a lock around every call.

    `is_unsaved` becomes true with every change that must outlive the broker; who saves it sets it back.
    """

    def __init__(self, group_id: str, *, initial_rebalance_delay_ms: int = 0, max_size: int = 2**31 - 1) -> None:
        self.group_id = group_id
        self.state = GroupState.EMPTY
        self.generation = 0
        self.protocol_name: str | None = None
        self.members = Membership(group_id)
        self.is_unsaved = False
        self._max_size = max_size
        self._initial_delay_ms = initial_rebalance_delay_ms
        self._expected: dict[str, int] = {}
        """Ids handed out to members that have not come back with them yet, and when they are forgotten."""
        self._join_deadline_ms: int | None = None
        self._sync_deadline_ms: int | None = None
        self._not_synced: set[str] = set()
        self._extension_ms: int | None = None
        """Only in the first rebalance of an empty group: by how much it may still be put off."""
        self._has_newcomer = False

    # What a client asks for

    def join(self, joiner: Joiner, now_ms: int) -> Pending[JoinResult]:
        """JoinGroup. The answer comes when the rebalance that it starts or takes part in has all its members."""
        self.members.ensure_supports(joiner)
        if not joiner.member_id:
            return self._join_new(joiner, now_ms)
        if self._expected.pop(joiner.member_id, None) is not None:
            return self._add(joiner.member_id, joiner, now_ms)
        return self._rejoin(self.members.find(joiner.member_id, joiner.group_instance_id), joiner, now_ms)

    def sync(
        self,
        member_id: str,
        group_instance_id: str | None,
        generation: int,
        protocol: tuple[str | None, str | None],
        assignments: Mapping[str, bytes],
        now_ms: int,
    ) -> Pending[SyncResult]:
        """SyncGroup. The leader's brings the assignments, the others' wait for it. `protocol` is type and name."""
        member = self.members.find(member_id, group_instance_id)
        self._ensure_generation(generation)
        for given, own in zip(protocol, (self.members.protocol_type, self.protocol_name), strict=True):
            if given is not None and given != own:
                raise InconsistentGroupProtocolError(f"group {self.group_id} uses {own}, not {given}")
        self._ensure_not_joining()
        self._not_synced.discard(member_id)
        if not self._not_synced:
            self._sync_deadline_ms = None
        member.touch(now_ms)
        if self.state is GroupState.STABLE:
            return Pending(self._sync_result(member))
        pending = member.wait_for_sync()
        if member_id == self.members.leader:
            self._become_stable(assignments, now_ms)
        return pending

    def heartbeat(self, member_id: str, group_instance_id: str | None, generation: int, now_ms: int) -> None:
        """Raises RebalanceInProgressError where the member has to join again."""
        member = self.members.find(member_id, group_instance_id)
        self._ensure_generation(generation)
        member.touch(now_ms)
        self._ensure_not_joining()

    def leave(self, member_id: str, group_instance_id: str | None, now_ms: int) -> None:
        """LeaveGroup of one member; a static one may be named by its instance id alone."""
        static = self.members.find_static(group_instance_id)
        if not member_id and static is not None:
            member_id = static.member_id
        if self._expected.pop(member_id, None) is not None:
            self._complete_join_if_all(now_ms)
            return
        self._remove(self.members.find(member_id, group_instance_id))
        self._after_removal(now_ms)

    def ensure_may_commit(self, member_id: str, group_instance_id: str | None, generation: int, now_ms: int) -> None:
        """Raises unless an OffsetCommit of this origin is in order. It counts as a heartbeat.

        Consumers without a group and administrators name no member and no generation: they may commit while nobody
        is in the group.
        """
        if generation < 0 and self.state is GroupState.EMPTY:
            return
        member = self.members.find(member_id, group_instance_id)
        self._ensure_generation(generation)
        if self.state is GroupState.COMPLETING_REBALANCE:
            raise RebalanceInProgressError(f"group {self.group_id} is waiting for its leader's assignment")
        member.touch(now_ms)

    # What time does

    @property
    def next_deadline_ms(self) -> int | None:
        """When `expire` has something to do; None where only a client can change anything."""
        deadlines = [member.deadline_ms for member in self.members]
        deadlines += [self._join_deadline_ms, self._sync_deadline_ms, *self._expected.values()]
        return min((deadline for deadline in deadlines if deadline is not None), default=None)

    def expire(self, now_ms: int) -> None:
        """Drop who has not been heard of for its session time-out, and end the rounds whose time is up."""
        forgotten = [member_id for member_id, deadline_ms in self._expected.items() if deadline_ms <= now_ms]
        for member_id in forgotten:
            del self._expected[member_id]
        is_sync_over = _is_due(self._sync_deadline_ms, now_ms)
        late = [
            member
            for member in self.members
            if _is_due(member.deadline_ms, now_ms) or (is_sync_over and member.member_id in self._not_synced)
        ]
        for member in late:
            self._remove(member)
        if late:
            self._after_removal(now_ms)
        elif forgotten:
            self._complete_join_if_all(now_ms)
        if _is_due(self._join_deadline_ms, now_ms):
            self._end_join_round(now_ms)

    # Joining

    def _join_new(self, joiner: Joiner, now_ms: int) -> Pending[JoinResult]:
        static = self.members.find_static(joiner.group_instance_id)
        if static is not None:
            return self._replace_static(static, joiner, now_ms)
        if len(self.members) >= self._max_size:
            raise GroupMaxSizeReachedError(f"group {self.group_id} has {len(self.members)} of {self._max_size} members")
        if joiner.group_instance_id is None and joiner.requires_known_member_id:
            self._expected[joiner.new_member_id] = now_ms + joiner.session_timeout_ms
            self._has_newcomer = True
            return Pending(JoinResult(joiner.new_member_id, MemberIdRequiredError.error_code))
        return self._add(joiner.new_member_id, joiner, now_ms)

    def _add(self, member_id: str, joiner: Joiner, now_ms: int) -> Pending[JoinResult]:
        member = Member(member_id, joiner, now_ms)
        self.members.add(member, joiner.protocol_type)
        self._has_newcomer = True
        return self._join_round(member, now_ms)

    def _rejoin(self, member: Member, joiner: Joiner, now_ms: int) -> Pending[JoinResult]:
        is_same = member.protocols == joiner.protocols
        member.update(joiner)
        # With nothing new: in CompletingRebalance the first answer got lost; in Stable a leader wants to assign anew,
        # perhaps because topics have changed, and the others are told what they know.
        is_lost = is_same and self.state is GroupState.COMPLETING_REBALANCE
        is_idle = is_same and self.state is GroupState.STABLE and member.member_id != self.members.leader
        if is_lost or is_idle:
            member.touch(now_ms)
            return Pending(self._join_result(member))
        return self._join_round(member, now_ms)

    def _replace_static(self, member: Member, joiner: Joiner, now_ms: int) -> Pending[JoinResult]:
        """A static member is back under a new id, usually as its process was restarted: the old id is fenced."""
        member.answer_error(FencedInstanceIdError.error_code)
        old_leader = self.members.leader or ""
        if member.member_id in self._not_synced:
            self._not_synced ^= {member.member_id, joiner.new_member_id}
        self.members.change_id(member, joiner.new_member_id)
        member.update(joiner)
        member.touch(now_ms)
        if self.state is not GroupState.STABLE or self.members.choose_protocol() != self.protocol_name:
            return self._join_round(member, now_ms)
        self.is_unsaved = True
        # A leader that was restarted must not assign anew: before version 9 it is told of another leader than itself.
        if not joiner.supports_skipping_assignment:
            return Pending(self._join_result(member, leader=old_leader))
        is_leader = member.member_id == self.members.leader
        listing = self.members.listing(self.protocol_name) if is_leader else ()
        return Pending(self._join_result(member, members=listing, skip_assignment=is_leader))

    # Rounds

    def _join_round(self, member: Member, now_ms: int) -> Pending[JoinResult]:
        pending = member.wait_for_join()
        if self.state is not GroupState.PREPARING_REBALANCE:
            self._prepare_rebalance(now_ms)
        self._complete_join_if_all(now_ms)
        return pending

    def _prepare_rebalance(self, now_ms: int) -> None:
        for member in self.members:
            member.answer_sync(SyncResult(RebalanceInProgressError.error_code))
        self._not_synced.clear()
        self._sync_deadline_ms = None
        wait_ms = self.members.rebalance_timeout_ms
        if self.state is GroupState.EMPTY:
            # The members of an application start together: one round for all instead of one for each.
            self._has_newcomer = False
            self._extension_ms = max(0, wait_ms - self._initial_delay_ms)
            wait_ms = min(wait_ms, self._initial_delay_ms)
        self._join_deadline_ms = now_ms + wait_ms
        self.state = GroupState.PREPARING_REBALANCE

    def _complete_join_if_all(self, now_ms: int) -> None:
        if self.state is not GroupState.PREPARING_REBALANCE:
            return
        if self._extension_ms is not None:
            if _is_due(self._join_deadline_ms, now_ms):
                self._end_join_round(now_ms)
        elif not self._expected and all(member.pending_join for member in self.members):
            self._complete_join(now_ms)

    def _end_join_round(self, now_ms: int) -> None:
        """Time is up, unless it is the first round and somebody has just come: others may follow."""
        if self._extension_ms and self._has_newcomer:
            delay_ms = min(self._initial_delay_ms, self._extension_ms)
            self._extension_ms -= delay_ms
            self._join_deadline_ms = now_ms + delay_ms
            self._has_newcomer = False
        else:
            self._complete_join(now_ms)

    def _complete_join(self, now_ms: int) -> None:
        self._extension_ms = None
        for member in self.members:
            if not member.pending_join and member.group_instance_id is None:
                self._remove(member)
        if len(self.members) and not self.members.elect_joined_leader():
            # Static members alone, none of them back yet: their session time-outs decide.
            self._join_deadline_ms = now_ms + self.members.rebalance_timeout_ms
            return
        self._join_deadline_ms = None
        self.generation += 1
        if len(self.members):
            self._begin_sync_round(now_ms)
        else:
            self.protocol_name = None
            self.state = GroupState.EMPTY
            self.is_unsaved = True

    def _begin_sync_round(self, now_ms: int) -> None:
        self.protocol_name = self.members.choose_protocol()
        self.state = GroupState.COMPLETING_REBALANCE
        self._not_synced = {member.member_id for member in self.members}
        self._sync_deadline_ms = now_ms + self.members.rebalance_timeout_ms
        for member in self.members:
            member.assignment = b""
            member.answer_join(self._join_result(member))
            member.is_new = False
            member.touch(now_ms)

    def _become_stable(self, assignments: Mapping[str, bytes], now_ms: int) -> None:
        self.state = GroupState.STABLE
        self.is_unsaved = True
        for member in self.members:
            member.assignment = assignments.get(member.member_id, b"")
            if member.pending_sync is not None:
                member.answer_sync(self._sync_result(member))
                member.touch(now_ms)

    def _remove(self, member: Member) -> None:
        member.answer_error(UnknownMemberIdError.error_code)
        self.members.remove(member)
        self._not_synced.discard(member.member_id)

    def _after_removal(self, now_ms: int) -> None:
        if self.state in (GroupState.COMPLETING_REBALANCE, GroupState.STABLE):
            self._prepare_rebalance(now_ms)
        self._complete_join_if_all(now_ms)

    # Small things

    def _ensure_generation(self, generation: int) -> None:
        if generation != self.generation:
            raise IllegalGenerationError(f"group {self.group_id} is in generation {self.generation}, not {generation}")

    def _ensure_not_joining(self) -> None:
        if self.state is GroupState.PREPARING_REBALANCE:
            raise RebalanceInProgressError(f"group {self.group_id} is collecting its members")

    def _join_result(
        self,
        member: Member,
        *,
        leader: str | None = None,
        members: tuple[MemberListing, ...] | None = None,
        skip_assignment: bool = False,
    ) -> JoinResult:
        """What `member` learns of this generation; its leader, while it has to assign, the members as well."""
        if members is None:
            has_to_assign = self.state is GroupState.COMPLETING_REBALANCE and member.member_id == self.members.leader
            members = self.members.listing(self.protocol_name) if has_to_assign else ()
        return JoinResult(
            member.member_id,
            0,
            self.generation,
            self.members.protocol_type,
            self.protocol_name,
            (self.members.leader or "") if leader is None else leader,
            members,
            skip_assignment,
        )

    def _sync_result(self, member: Member) -> SyncResult:
        return SyncResult(0, self.members.protocol_type, self.protocol_name, member.assignment)


def _is_due(deadline_ms: int | None, now_ms: int) -> bool:
    return deadline_ms is not None and deadline_ms <= now_ms
