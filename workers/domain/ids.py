"""Ids we make: 41 bits of milliseconds since 2024, 6 bits of the user's shard, 16 bits of a database sequence."""

from zlib import crc32

EPOCH_MS = 1_704_067_200_000  # 2024-01-01T00:00:00Z
USER_SHARDS = 64


def user_shard(user_id: str) -> int:
    """0..63, stable for ever: both an order and its user lead to the same shard (C-25)."""
    return crc32(user_id.encode()) % USER_SHARDS


def make_id(at_ms: int, shard: int, sequence: int) -> int:
    """Unique while a millisecond sees fewer than 65,536 ids of one shard; the primary key is the back-stop."""
    return ((at_ms - EPOCH_MS) << 22) | (shard << 16) | (sequence & 0xFFFF)


def order_number(day: str, source: str, sequence: int, pay_type: str = "00") -> str:
    """The grammar of S4: yyyyMMdd, source (2), pay type (2, 00 while unknown), sequence (6 or more) (S4-23)."""
    return f"{day}{source}{pay_type}{sequence:06d}"
