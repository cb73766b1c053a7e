"""Pages of long lists. A cursor names the last entry of a page, and belongs to the filter that it was made for."""

import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import blake2b

from workers.domain.ids import ID_MAX

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FORM = struct.Struct(">qq4s")  # microseconds since 1970, id, hash of the filter
_HASH_BYTES = 4


@dataclass(frozen=True)
class PageStart:
    """A page begins after the entry with this time and id, in the order from new to old."""

    at: datetime
    id: int


FIRST = PageStart(datetime(9999, 1, 1, tzinfo=UTC), ID_MAX)
"""The start of the first page."""


def cursor_of(last: PageStart, filter_key: str) -> str:
    """The cursor of the page after `last`."""
    micros = (last.at - _EPOCH) // timedelta(microseconds=1)
    return urlsafe_b64encode(_FORM.pack(micros, last.id, _hash(filter_key))).decode().rstrip("=")


def page_start(cursor: str, filter_key: str) -> PageStart | None:
    """The start that a cursor names; None if it is not one of ours, or was made for another filter."""
    try:
        micros, last_id, key = _FORM.unpack(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        at = _EPOCH + timedelta(microseconds=micros)
    except (Base64Error, ValueError, OverflowError, struct.error):
        return None
    return PageStart(at, last_id) if key == _hash(filter_key) and last_id > 0 else None


def _hash(filter_key: str) -> bytes:
    return blake2b(filter_key.encode(), digest_size=_HASH_BYTES).digest()
