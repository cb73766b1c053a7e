"""The levels of members."""

from collections.abc import Sequence

from db.pool import Transaction
from messages.benefits import MemberUpsert
from workers.store import revisions


async def upsert(tx: Transaction, newest: Sequence[MemberUpsert]) -> None:
    """Write each level once; see revisions.write."""
    columns = [m.user_id for m in newest], [m.revision for m in newest], [m.level for m in newest]
    await revisions.write(tx, "members.upsert", *columns)
