"""The warehouses that work by requests, and the broker users of each, as the setting OMS_FULFILMENT_WAREHOUSES says."""

import re
from typing import Any

_NAME = re.compile(r"^[A-Za-z0-9._-]{1,64}$")
_EXAMPLE = "main; east=wms-east,wms-east-2"


def parse_warehouses(value: Any) -> Any:
    """Read `warehouse; warehouse=user,user`: warehouse -> its users. Raises ValueError, which quotes the entry.

    Another kind of value is returned as it is.
    """
    if not isinstance(value, str):
        return value
    found: dict[str, frozenset[str]] = {}
    for entry in filter(None, (part.strip() for part in value.split(";"))):
        name, equals, users = (part.strip() for part in entry.partition("="))
        named = frozenset(filter(None, (user.strip() for user in users.split(","))))
        if not _NAME.match(name) or bool(equals) != bool(named):
            raise ValueError(f"{entry!r} is no warehouse (letters, digits, . _ -) with its users; write {_EXAMPLE!r}")
        if name in found:
            raise ValueError(f"the warehouse {name} is named twice")
        found[name] = named
    return found
