"""cart.*: what a user intends to buy. A cart reserves no stock."""

from typing import Annotated, ClassVar

from pydantic import Field

from messages.base import QUANTITY_MAX, Actor, Command, Event, ExternalId, RequestId
from messages.roles import FOR_BUYERS, Role


class CartCommand(Command):
    """A change of one user's cart."""

    SENDERS: ClassVar[frozenset[Role]] = FOR_BUYERS
    SCOPE: ClassVar[str] = "cart:{user_id}"
    request_id: RequestId
    actor: Actor
    user_id: ExternalId
    sku_id: ExternalId


class CartPut(CartCommand):
    """Set the cart's line of the SKU to `qty` units."""

    TYPE: ClassVar[str] = "cart.put.v1"
    qty: Annotated[int, Field(ge=1, le=QUANTITY_MAX)]


class CartRemove(CartCommand):
    """Remove the SKU from the cart."""

    TYPE: ClassVar[str] = "cart.remove.v1"


class CartChanged(Event):
    """The cart holds `qty` units of the SKU now; 0 if it was removed."""

    TYPE: ClassVar[str] = "cart.changed.v1"
    user_id: str
    sku_id: str
    qty: int


class CartItemsRemoved(Event):
    """Lines that were ordered left the cart (S0-01)."""

    TYPE: ClassVar[str] = "cart.items_removed.v1"
    user_id: str
    sku_ids: tuple[str, ...]
