"""The 64 user shards: every user has one, and every id and number of ours leads to the shard of its user (C-25).

A shop that outgrows one database gives each of its cells some of them (`messages/cells.py`).
"""

import re
from zlib import crc32

USER_SHARDS = 64
_ID_MAX = 2**63 - 1
_OURS = re.compile(r"[PR]?([0-9]{1,19})(?:-taken-[0-9]+)?")
"""An id, or our number of an attempt, a refund or a capture, which contains one."""
_ORDER_NUMBER = re.compile(r"20[0-9]{16,}([0-9]{2})")
_UUID = re.compile(r"0{8}-0{4}-0{4}-([0-7][0-9a-f]{3})-([0-9a-f]{12})", re.IGNORECASE)
"""The UUID of an order, which is its id in 128 bits."""
_WITHOUT_SHARD = re.compile(r"20[0-9]{16,17}")
"""Order numbers made before they carried the shard. An id looks like this only in 2025 and from 2039 on."""


def shard_of_user(user_id: str) -> int:
    """The shard of a user, 0 to 63. It never changes, because the ids of existing orders contain it."""
    return crc32(user_id.encode()) % USER_SHARDS


def shard_of_id(key: int) -> int:
    """The shard in an id that we made: that of the user whose it is."""
    return key >> 16 & (USER_SHARDS - 1)


def shard_of_number(text: str) -> int | None:
    """The shard that an id or a number of ours leads to, as a text; None if it leads to none.

    That is an id, its UUID, an order number, a case number, our number of an attempt (`out_trade_no`), of a capture or
    of a refund. Numbers of others lead nowhere, and neither do our oldest order numbers, which end with the sequence.
    """
    if _WITHOUT_SHARD.fullmatch(text):
        return None
    if numbered := _ORDER_NUMBER.fullmatch(text):
        shard = int(numbered[1])
        return shard if shard < USER_SHARDS else None
    if uuid := _UUID.fullmatch(text):
        return shard_of_id(int(uuid[1] + uuid[2], 16))
    ours = _OURS.fullmatch(text)
    return shard_of_id(int(ours[1])) if ours and int(ours[1]) <= _ID_MAX else None
