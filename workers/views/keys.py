"""An order has three names: its id, the UUID derived from the id, and its number (C-05)."""

import re
from uuid import UUID

ID_END = 2**63
_DIGITS = re.compile(r"[0-9]{1,19}", re.ASCII)
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)


def uuid_of(order_id: int) -> str:
    """The UUID of an order id, as the column order_uuid has it."""
    return str(UUID(int=order_id))


def id_of(name: str) -> int | None:
    """The order id in a text that is an id or a UUID; None if it can only be an order number, which may look like an
    id.
    """
    if _DIGITS.fullmatch(name):
        found = int(name)
    elif _UUID.fullmatch(name):
        found = UUID(name).int
    else:
        return None
    return found if found < ID_END else None
