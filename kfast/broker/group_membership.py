"""Who is in a classic group: members by id, static ones also by instance id, the leader, the protocols in common.

It knows nothing of rounds and generations; those are `group.Group`'s.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from kfast.broker.group_member import Joiner, Member, MemberListing
from kfast.errors import FencedInstanceIdError, InconsistentGroupProtocolError, UnknownMemberIdError


class Membership:
    """The members in the order in which they came. Not thread-safe."""

    def __init__(self, group_id: str) -> None:
        self.protocol_type: str | None = None
        self.leader: str | None = None
        self._group_id = group_id
        self._members: dict[str, Member] = {}
        self._static_ids: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self._members)

    def __iter__(self) -> Iterator[Member]:
        return iter(tuple(self._members.values()))

    def __contains__(self, member_id: object) -> bool:
        return member_id in self._members

    def find(self, member_id: str, group_instance_id: str | None) -> Member:
        """The member of this id. Raises FencedInstanceIdError where a static one has been replaced since."""
        if group_instance_id is not None:
            known_id = self._static_ids.get(group_instance_id)
            if known_id is not None and known_id != member_id:
                raise FencedInstanceIdError(f"{group_instance_id} in group {self._group_id} is {known_id} by now")
            member_id = known_id or ""
        member = self._members.get(member_id)
        if member is None:
            raise UnknownMemberIdError(f"group {self._group_id} has no member {member_id or group_instance_id!r}")
        return member

    def find_static(self, group_instance_id: str | None) -> Member | None:
        member_id = self._static_ids.get(group_instance_id or "")
        return None if member_id is None else self._members[member_id]

    def add(self, member: Member, protocol_type: str) -> None:
        if not self._members:
            self.protocol_type = protocol_type
        self._members[member.member_id] = member
        if member.group_instance_id is not None:
            self._static_ids[member.group_instance_id] = member.member_id
        self.leader = self.leader or member.member_id

    def remove(self, member: Member) -> None:
        del self._members[member.member_id]
        if member.group_instance_id is not None:
            del self._static_ids[member.group_instance_id]
        if self.leader == member.member_id:
            self.leader = next(iter(self._members), None)

    def change_id(self, member: Member, new_id: str) -> None:
        """A static member is back under another id: it keeps its place, and the lead if it had it."""
        old_id = member.member_id
        self._members = {new_id if key == old_id else key: value for key, value in self._members.items()}
        if member.group_instance_id is not None:
            self._static_ids[member.group_instance_id] = new_id
        if self.leader == old_id:
            self.leader = new_id
        member.member_id = new_id

    def elect_joined_leader(self) -> bool:
        """Let one lead that has joined, the leader so far if it has. False where nobody has."""
        joined = [member.member_id for member in self if member.pending_join]
        if joined and self.leader not in joined:
            self.leader = joined[0]
        return bool(joined)

    def ensure_supports(self, joiner: Joiner) -> None:
        """Raises InconsistentGroupProtocolError for one that has no protocol in common with all the others."""
        names = [name for name, _ in joiner.protocols]
        if self._members:
            is_supported = joiner.protocol_type == self.protocol_type and not self._candidates().isdisjoint(names)
        else:
            is_supported = bool(joiner.protocol_type and names)
        if not is_supported:
            raise InconsistentGroupProtocolError(
                f"group {self._group_id} ({self.protocol_type}, {len(self)} members) has nothing in common with "
                f"protocols {', '.join(names) or 'none'} of type {joiner.protocol_type!r}"
            )

    def choose_protocol(self) -> str:
        """Each member votes for the candidate it likes best; in a tie the member that came first decides."""
        candidates = self._candidates()
        votes = Counter(member.vote(candidates) for member in self)
        return votes.most_common(1)[0][0]

    def listing(self, protocol_name: str | None) -> tuple[MemberListing, ...]:
        """What the leader assigns by."""
        return tuple(
            MemberListing(member.member_id, member.group_instance_id, member.metadata(protocol_name)) for member in self
        )

    @property
    def rebalance_timeout_ms(self) -> int:
        """The longest that a member asks for: so long the others wait for one that has not joined again."""
        return max((member.rebalance_timeout_ms for member in self), default=0)

    def _candidates(self) -> set[str]:
        return set.intersection(*({name for name, _ in member.protocols} for member in self))
