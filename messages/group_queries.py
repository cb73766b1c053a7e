"""The query about a group of buyers, and its reply."""

from typing import ClassVar

from messages.base import Actor, ExternalId, Moment, OrderId, Part, Query, Reply
from messages.roles import FOR_BUYERS, Role


class GroupGet(Query):
    """Ask how full a group of buyers is. Whoever knows its id may ask: who its buyers are is shown to nobody."""

    TYPE: ClassVar[str] = "group.get.v1"
    SENDERS: ClassVar[frozenset[Role]] = FOR_BUYERS
    actor: Actor
    group_id: ExternalId


class GroupDescribed(Reply):
    """The answer to group.get. `state` is open, formed or failed; `seated` orders have one of `size` seats.

    It forms when as many are paid as it has seats, and fails at its `deadline`. Operators alone see its `order_ids`.
    """

    TYPE: ClassVar[str] = "group.described.v1"
    group_id: str
    state: str
    spu_id: str
    size: int
    seated: int
    paid: int
    deadline: Moment
    opened_at: Moment
    ended_at: Moment | None
    order_ids: tuple[OrderId, ...] = ()


class GroupShown(Part):
    """The group of buyers of an order, as in group.described.

    Its orders become `otherwise` if it has not formed by its `deadline`; once it has ended, `otherwise` is None.
    """

    group_id: str
    state: str
    size: int
    seated: int
    paid: int
    deadline: Moment
    otherwise: str | None


QUERIES = (GroupGet,)
