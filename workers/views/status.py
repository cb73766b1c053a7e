"""The name of an order's state in each source document (C-01): one table, complete over states and facets.

S1's chain begins with a draft (草稿). No order of ours is one: what is not placed yet is a cart.
"""

from collections.abc import Collection
from enum import Enum
from typing import Final, Literal, NamedTuple, TypeAlias

from workers.domain.order import State
from workers.views.facets import WITH_THE_CARRIER, Aftersale, Facets, Payment
from workers.views.parents import Standing, derived

Source = Literal["s0", "s1", "s2", "s3", "s4"]
SOURCES: tuple[Source, ...] = ("s0", "s1", "s2", "s3", "s4")


class Status(NamedTuple):
    """A source's own name of the state, and its number if the source has numbers."""

    name: str
    code: int | None = None


class Absent(Enum):
    """The source would have no such order: it is not placed yet, or the source does not keep refused orders."""

    ABSENT = "absent"


ABSENT: Final = Absent.ABSENT
View: TypeAlias = Status | Absent


class StatusRow(Enum):
    """The key of a row in the table: a state, with the facets that some source distinguishes."""

    PLACING = "placing"
    AWAITING_PAYMENT = "awaiting_payment"
    PAID = "paid"
    FULFILLING = "fulfilling"
    OUTBOUND = "outbound"
    IN_TRANSIT = "in_transit"
    DELIVERED = "delivered"
    COMPLETED = "completed"
    CANCELLING = "cancelling"
    CANCELLED_REFUNDING = "cancelled, refunding"
    CANCELLED_REFUNDED = "cancelled, refunded"
    CANCELLED = "cancelled"
    DELIVERY_FAILED = "delivery_failed"
    REJECTED = "rejected"
    REINSTATING = "reinstating"


R, S = StatusRow, Status

TABLE: dict[StatusRow, tuple[View, View, View, View, View]] = {
    R.PLACING: (S("待支付"), S("待支付", 1), ABSENT, ABSENT, ABSENT),
    R.AWAITING_PAYMENT: (S("待支付"), S("待支付", 1), S("Created"), S("CREATED", 10), S("待付款", 0)),
    R.PAID: (S("已支付"), S("已支付", 2), S("Paid"), S("PAID", 20), S("待发货", 1)),
    R.FULFILLING: (S("已支付"), S("已支付", 2), S("Paid"), S("FULFILL", 30), S("待发货", 1)),
    R.OUTBOUND: (S("已发货"), S("已发货", 3), S("Shipped"), S("OUT_STOCK", 40), S("已发货", 2)),
    R.IN_TRANSIT: (S("已发货"), S("已发货", 3), S("Shipped"), S("DELIVERY", 50), S("已发货", 2)),
    R.DELIVERED: (S("已发货"), S("已签收", 3), S("Shipped"), S("SIGNED", 60), S("已发货", 2)),
    R.COMPLETED: (S("已完成"), S("已完成", 4), S("Completed"), S("SIGNED", 60), S("已完成", 3)),
    R.CANCELLING: (S("已支付"), S("退款中", 2), S("Paid"), S("FULFILL", 30), S("待发货", 1)),
    R.CANCELLED_REFUNDING: (S("已取消"), S("退款中", 5), S("Cancelled"), S("CANCELED", 70), S("已关闭", 4)),
    R.CANCELLED_REFUNDED: (S("已取消"), S("已退款", 5), S("Cancelled"), S("CANCELED", 70), S("已关闭", 4)),
    R.CANCELLED: (S("已取消"), S("已取消", 5), S("Cancelled"), S("CANCELED", 70), S("已关闭", 4)),
    R.DELIVERY_FAILED: (S("已取消"), S("已发货", 3), S("Shipped"), S("REFUSED", 100), S("已发货", 2)),
    R.REINSTATING: (S("已取消"), S("已取消", 5), S("Cancelled"), S("CANCELED", 70), S("已关闭", 4)),
    R.REJECTED: (ABSENT, ABSENT, ABSENT, S("INVALID", 127), S("无效订单", 5)),
}  # fmt: skip
"""The columns are SOURCES. Cancelling begins in fulfilling, whose code is shown if a source has no name for it."""

IN_AFTERSALE = S("售后中")
REFUND_RUNS = "退款中"

_CANCELLED = {Payment.REFUNDING: R.CANCELLED_REFUNDING, Payment.REFUNDED: R.CANCELLED_REFUNDED}


def view(source: Source, state: State, facets: Facets, children: Collection[Standing] = ()) -> View:
    """The order's status in this source's words. A split order shows the status that its `children` give it."""
    found = TABLE[_row(*derived(Standing(state, facets), children))][SOURCES.index(source)]
    if found is ABSENT or facets.aftersale is not Aftersale.ACTIVE:
        return found
    if source == "s0":
        return IN_AFTERSALE
    if source == "s1" and facets.payment is Payment.REFUNDING:
        return found._replace(name=REFUND_RUNS)
    return found


def _row(state: State, facets: Facets) -> StatusRow:
    if state is State.SHIPPED:
        return R.IN_TRANSIT if facets.fulfilment in WITH_THE_CARRIER else R.OUTBOUND
    if state is State.CANCELLED:
        return _CANCELLED.get(facets.payment, R.CANCELLED)
    return R(state.value)
