"""cart.*: what a user means to buy. A cart holds nothing and reserves nothing."""

from typing import Annotated, ClassVar

from pydantic import Field

from messages.base import QUANTITY_MAX, Actor, Command, Event, ExternalId, RequestId


class CartCommand(Command):
    """A change of one user's cart."""

    request_id: RequestId
    actor: Actor
    user_id: ExternalId
    sku_id: ExternalId

    def command_scope(self) -> str:
        return f"cart:{self.user_id}"

    def command_key(self) -> str:
        return self.request_id


class CartPut(CartCommand):
    """The cart holds `qty` units of the SKU from now on."""

    TYPE: ClassVar[str] = "cart.put.v1"
    qty: Annotated[int, Field(ge=1, le=QUANTITY_MAX)]


class CartRemove(CartCommand):
    """The cart holds none of the SKU from now on."""

    TYPE: ClassVar[str] = "cart.remove.v1"


class CartChanged(Event):
    """How many units of the SKU the cart holds now."""

    TYPE: ClassVar[str] = "cart.changed.v1"
    user_id: str
    sku_id: str
    qty: int


class CartItemsRemoved(Event):
    """What was ordered left the cart (S0-01)."""

    TYPE: ClassVar[str] = "cart.items_removed.v1"
    user_id: str
    sku_ids: tuple[str, ...]
