"""Where goods lie, and the lists from which the order system picks a warehouse for lines that name none.

Most products lie in the east, some in both warehouses, and a few in the west alone: these have a list of their own.
Buyers in California get what lies in both from the west.
"""

import zlib

from scripts.amqp_client import OutgoingMessage
from scripts.demo.client_job import EAST, WEST
from scripts.demo.purchase import COUNTRY

OF_FORTY = {"in the west alone": 1, "in both": 8}
"""How many products of forty lie there."""


def places_of(sku_id: str) -> tuple[str, ...]:
    """Return the warehouses that have the product."""
    chance = zlib.crc32(f"place of {sku_id}".encode()) % 40
    if chance < OF_FORTY["in the west alone"]:
        return (WEST,)
    return (EAST, WEST) if chance < sum(OF_FORTY.values()) else (EAST,)


def lists_of_regions() -> list[OutgoingMessage]:
    """Return the lists of all products: the nearer warehouse comes first."""
    return [_list((EAST, WEST), country=COUNTRY), _list((WEST, EAST), country=COUNTRY, province="CA")]


def own_list(sku_id: str) -> OutgoingMessage | None:
    """Return the product's own list, if it lies in the west alone."""
    places = places_of(sku_id)
    return _list(places, sku_id=sku_id) if places == (WEST,) else None


def _list(warehouses: tuple[str, ...], **of: str) -> OutgoingMessage:
    return OutgoingMessage("warehouses.set.v1", {"revision": 1, "warehouses": warehouses} | of)
