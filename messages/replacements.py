"""Between an exchange case and the order of the goods that replace those of the buyer, and what the buyer owes."""

from typing import ClassVar, Literal

from messages.after_sales import AfterSaleEvent
from messages.base import Amount, Internal, OrderId


class AfterSaleExchangeDecided(Internal):
    """The case of an exchange order has decided: its goods go out, once a difference is paid, or they do not."""

    TYPE: ClassVar[str] = "after_sale.exchange_decided.v1"
    exchange_order_id: OrderId
    decision: Literal["send", "end"]


class AfterSaleExchangeMoved(Internal):
    """The stock of an exchange order is reserved, or the order has reached this state: its case follows it.

    It is reduced when units of it were given back, because they will not arrive, or came back.
    """

    TYPE: ClassVar[str] = "after_sale.exchange_moved.v1"
    exchange_order_id: OrderId
    state: Literal["reserved", "rejected", "paid", "delivered", "completed", "cancelled", "reduced"]
    reason_code: str | None = None


class AfterSaleUnreturned(AfterSaleEvent):
    """Other goods went out, as the order `exchange_order_id`, for units that did not come back or were refused.

    The case has ended. The buyer owes `owed_amount`, in minor units, which the shop collects by its own means: nothing
    is charged. An operator sends after_sale.close once it is paid or given up; goods that come after all go on with the
    case. Announced again if the amount falls, because some of the other goods never arrived.
    """

    TYPE: ClassVar[str] = "after_sale.unreturned.v1"
    exchange_order_id: OrderId
    owed_amount: Amount
