"""Events of an order that is paid after its time to pay had ended, and whose policy is to get its goods again."""

from typing import ClassVar

from messages.orders import OrderEvent


class OrderReinstating(OrderEvent):
    """A payment came after its window. Its stock is being reserved again: it will be reinstated, or cancelled again."""

    TYPE: ClassVar[str] = "order.reinstating.v1"


class OrderReinstated(OrderEvent):
    """It has its goods again and keeps the late payment. order.paid follows at once."""

    TYPE: ClassVar[str] = "order.reinstated.v1"
