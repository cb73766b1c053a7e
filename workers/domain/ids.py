"""Makes our ids: 41 bits of milliseconds since 2024, 6 bits of the user's shard, 16 bits of a database sequence.

`messages/user_shards.py` has the shard of a user, and reads it from ids and numbers again.
"""

EPOCH_MS = 1_704_067_200_000  # 2024-01-01T00:00:00Z
AFTER_SALE_DIGITS = "90"  # in place of the sales channel's
ID_MAX = 2**63 - 1
ID_DIGITS_MAX = 19  # from 2032 on ids have so many


def make_id(at_ms: int, shard: int, sequence: int) -> int:
    """Put an id together.

    It is unique if one shard gets fewer than 65,536 ids in one millisecond; the primary key refuses a duplicate.
    """
    return ((at_ms - EPOCH_MS) << 22) | (shard << 16) | (sequence & 0xFFFF)


SPREAD_MS = 1000


def dated(id: int, at_ms: int) -> int:
    """The id with another time: of an order that was placed elsewhere at `at_ms`, which it is listed and kept by.

    A time before 2024 counts as the beginning of 2024. Many orders of another system have the same time, and the
    sequence begins anew after 65,536 ids: so milliseconds are added by when the id was made, a second at most.
    """
    added = 1 + (id >> 22) % SPREAD_MS
    return ((max(at_ms - EPOCH_MS, 0) + added) << 22) | (id & 0x3FFFFF)


def least_id(at_ms: int) -> int:
    """The least id that can be made at this time; 0 before 2024."""
    return min(max(at_ms - EPOCH_MS, 0) << 22, ID_MAX)


def is_id(text: str) -> bool:
    """True if the text may be one of our ids: a number of 63 bits, which the database takes."""
    return text.isdecimal() and text.isascii() and len(text) <= ID_DIGITS_MAX and int(text) <= ID_MAX


def order_number(day: str, source: str, sequence: int, shard: int, pay_type: str = "00") -> str:
    """Put an order number together from its digits (S4-23).

    These are yyyyMMdd, the source (2), the pay type (2, 00 while unknown), the sequence (6 or more) and the user's
    shard (2), so that the number alone leads to where the order is (C-25).
    """
    return f"{day}{source}{pay_type}{sequence:06d}{shard:02d}"


def case_number(day: str, sequence: int, shard: int) -> str:
    """Put the number of an after-sale case together: like an order number, with the source digits 90."""
    return order_number(day, AFTER_SALE_DIGITS, sequence, shard)
