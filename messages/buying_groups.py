"""Group buying: orders that are sent out once as many buyers have paid as the policy of their business type wants.

`group_id` is chosen by who sends order.create. A group has a size and a deadline, and all of its orders go on or none.
"""

from typing import ClassVar

from messages.base import Event, Internal, Moment, OrderId


class GroupPaid(Internal):
    """An order of the group is paid: count how many are."""

    TYPE: ClassVar[str] = "group.paid.v1"
    PACKABLE: ClassVar[bool] = True
    key: OrderId


class GroupDue(Internal):
    """Look at the deadline of a group. It does no harm if it comes early, late or twice."""

    TYPE: ClassVar[str] = "group.due.v1"
    PACKABLE: ClassVar[bool] = True
    key: OrderId


class OrderGroupFormed(Internal):
    """The group of the order has formed: the hold that waits for it ends."""

    TYPE: ClassVar[str] = "order.group_formed.v1"
    order_id: OrderId


class OrderGroupFailed(Internal):
    """The group of the order has failed: the order is cancelled, and what was paid goes back."""

    TYPE: ClassVar[str] = "order.group_failed.v1"
    order_id: OrderId


class GroupEnded(Event):
    """A group has ended. `order_ids` are its orders that are not cancelled or rejected; `paid` of them are paid."""

    group_id: str
    spu_id: str
    size: int
    deadline: Moment
    paid: int
    order_ids: tuple[OrderId, ...]


class GroupFormed(GroupEnded):
    """As many of its orders are paid as it has seats. From now on each goes on by itself."""

    TYPE: ClassVar[str] = "group.formed.v1"


class GroupFailed(GroupEnded):
    """Fewer of its orders than it has seats were paid until the deadline. All are cancelled and refunded."""

    TYPE: ClassVar[str] = "group.failed.v1"


TO_US = (GroupPaid, GroupDue)
"""What the queue of groups takes."""
