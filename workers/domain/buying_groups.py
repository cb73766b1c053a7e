"""The rules of group buying: who may join a group, when it forms, when it fails, what its orders are owed then (S1-50).

A seat is taken by every order of the group that is neither cancelled nor rejected. The group forms when as many of
them are paid as it has seats. It fails at its deadline otherwise.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from workers.domain.codes import Code
from workers.domain.order import State
from workers.domain.refusal import Refusal
from workers.domain.shop import Policy

SEATLESS = frozenset({State.CANCELLED, State.REJECTED})
"""States of orders that have no seat any more."""
UNPAID = SEATLESS | {State.PLACING, State.AWAITING_PAYMENT, State.REINSTATING}
REASON_FAILED = "group_failed"
REASON_FORMING = "group_forming"
REASON_FORMED = "group_formed"


class GroupState(StrEnum):
    """A group is open until it has formed or failed, and is never open again."""

    OPEN = "open"
    FORMED = "formed"
    FAILED = "failed"


class GroupStep(StrEnum):
    """What becomes of an open group now: it stays, ends, or waits until payments from before its deadline are known."""

    STAYS = "stays"
    FORMS = "forms"
    FAILS = "fails"
    WAITS = "waits"


@dataclass(frozen=True)
class BuyingGroup:
    """A group. `key` is ours, `group_id` that of its sender.

    `spu_id` is the SPU of all its goods, None until its first order is accepted.
    """

    key: int
    group_id: str
    size: int
    deadline: datetime
    state: GroupState = GroupState.OPEN
    spu_id: str | None = None


@dataclass(frozen=True)
class GroupOrder:
    """An order of a group. `held`: a hold stops it, be it for the group or for another reason."""

    order_id: int
    user_id: str
    state: State
    held: bool = False

    @property
    def seated(self) -> bool:
        return self.state not in SEATLESS

    @property
    def paid(self) -> bool:
        return self.state not in UNPAID


def users_of(orders: Iterable[GroupOrder]) -> set[str]:
    """Return the users who have seats by these orders of a group."""
    return {order.user_id for order in orders if order.seated}


@dataclass(frozen=True)
class GroupStanding:
    """How full a group is: `seated` orders have one of its seats, and `paid` of these are paid.

    `ended_at` is when it formed or failed.
    """

    group: BuyingGroup
    seated: int
    paid: int
    ended_at: datetime | None = None

    @property
    def otherwise(self) -> State | None:
        """What its orders become if it does not form by its deadline; None once it has ended."""
        return State.CANCELLED if self.group.state is GroupState.OPEN else None


def standing(group: BuyingGroup, states: Iterable[State], ended_at: datetime | None = None) -> GroupStanding:
    """Return how full a group is whose orders are in these states."""
    seated = [state for state in states if state not in SEATLESS]
    return GroupStanding(group, len(seated), sum(state not in UNPAID for state in seated), ended_at)


@dataclass
class Seats:
    """A locked group while the orders of a batch join it. `users` have its seats, `joined` are new orders.

    `opened`: the group did not exist before, so it is kept only if an order joins it.
    """

    group: BuyingGroup
    users: set[str]
    opened: bool = False
    spu_id: str | None = None
    joined: list[int] = field(default_factory=list)

    def join(self, order_id: int, user_id: str, spu_id: str, size: int, deadline: datetime) -> None:
        """Take a seat. The first order fixes the goods, the size and the deadline of its group.

        An order that was refused may have opened the group by the policy of another business type.
        """
        if self.opened and not self.joined:
            self.group = replace(self.group, size=size, deadline=deadline)
        self.users.add(user_id)
        self.joined.append(order_id)
        self.spu_id = spu_id


def wrong_group(group_id: str | None, policy: Policy) -> Refusal | None:
    """Refuse an order without a group where the policy wants one, or with a group where it wants none."""
    if policy.group_size and group_id is None:
        details = {"field": "group_id", "size": policy.group_size}
        return Refusal(Code.GROUP_REQUIRED, "orders of this business type are bought in groups", details)
    if group_id is not None and not policy.group_size:
        return Refusal(Code.ORDER_PARAM_INVALID, "orders of this business type form no groups", {"field": "group_id"})
    return None


def unjoinable(seats: Seats, user_id: str, spu_ids: Collection[str], parts: int, now: datetime) -> Refusal | None:
    """Refuse an order that cannot join the group, or return None.

    `spu_ids` are those of its lines. `parts` are the orders that it would be split into: a group has one for each user.
    """
    group = seats.group
    details = {"group_id": group.group_id, "size": group.size, "deadline": group.deadline.isoformat()}
    if group.state is not GroupState.OPEN or group.deadline <= now:
        over = "over" if group.state is GroupState.OPEN else group.state.value
        return Refusal(Code.GROUP_CLOSED, f"the group takes no more orders: it is {over}", details | {"state": over})
    if user_id in seats.users:
        return Refusal(Code.GROUP_ALREADY_JOINED, "the user has a seat in this group", details)
    wanted = seats.spu_id or group.spu_id
    if len(spu_ids) != 1 or parts > 1 or wanted not in (None, *spu_ids):
        message = "all goods of a group are of one SPU and leave in one order"
        return Refusal(Code.GROUP_GOODS_DIFFER, message, details | ({"spu_id": wanted} if wanted else {}))
    if len(seats.users) >= group.size:
        return Refusal(Code.GROUP_FULL, f"all {group.size} seats of the group are taken", details)
    return None


def step_of(group: BuyingGroup, orders: Sequence[GroupOrder], now: datetime, handled_until: datetime) -> GroupStep:
    """Return what becomes of an open group.

    `handled_until`: every payment that was reported before this moment is known. A full group whose deadline has passed
    waits for those that were reported in time.
    """
    if sum(order.paid for order in orders) >= group.size:
        return GroupStep.FORMS
    if group.deadline > now:
        return GroupStep.STAYS
    full = sum(order.seated for order in orders) >= group.size
    return GroupStep.WAITS if full and handled_until < group.deadline else GroupStep.FAILS


def owed(state: GroupState, orders: Sequence[GroupOrder]) -> list[int]:
    """Return the orders that an ended group has to release (formed) or to cancel (failed)."""
    seated = [order for order in orders if order.seated]
    return [order.order_id for order in seated if state is GroupState.FAILED or order.held]
