"""The carriers at which we book, and whether we poll them, as the setting OMS_CARRIERS says."""

import re
from collections.abc import Mapping
from typing import Any

PUSH, POLL = "push", "poll"
_NAME = re.compile(r"^[A-Za-z0-9_-]{1,64}$")  # no dot: the name is the last word of a queue
_EXAMPLE = "sf; ups=poll"


def parse_carriers(value: Any) -> Any:
    """Read `carrier; carrier=poll`: carrier -> push or poll. Raises ValueError, which quotes the entry.

    Another kind of value is returned as it is.
    """
    if not isinstance(value, str):
        return value
    found: dict[str, str] = {}
    for entry in filter(None, (part.strip() for part in value.split(";"))):
        name, equals, mode = (part.strip() for part in entry.partition("="))
        mode = mode if equals else PUSH
        if not _NAME.match(name) or mode not in (PUSH, POLL):
            raise ValueError(f"{entry!r} is no carrier (letters, digits, _ -), or =poll or =push; write {_EXAMPLE!r}")
        if name in found:
            raise ValueError(f"the carrier {name} is named twice")
        found[name] = mode
    return found


def polled(carriers: Mapping[str, str]) -> list[str]:
    """Return the carriers, of carrier -> push or poll, that we poll for what happens to a parcel; sorted."""
    return sorted(name for name, mode in carriers.items() if mode == POLL)
