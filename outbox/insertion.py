"""`append`: what a transaction announces becomes rows of the outbox, in one statement."""

from collections.abc import Sequence

from db import cipher
from db.pool import Transaction
from db.statements import SQL
from outbox.announcement import Announcement
from outbox.packing import OutboxRow, rows

AAD = b"outbox"  # ciphertext of one table cannot be passed off as another's


async def append(tx: Transaction, announcements: Sequence[Announcement]) -> None:
    """Store what to publish once `tx` commits: one statement whatever the number, none for none.

    The caller holds the lock of every stream it announces to, so that the rows' order is the order of commits.
    """
    if not announcements:
        return
    made = rows(announcements)
    stored = [_stored(row) for row in made]
    await tx.execute(
        SQL["outbox.append"],
        [row.shard for row in made],
        [row.stream for row in made],
        [row.message_id for row in made],
        [row.type for row in made],
        [row.destination for row in made],
        [row.routing_key for row in made],
        [row.correlation_id for row in made],
        [row.headers for row in made],
        [body for _, body in stored],
        [key_id for key_id, _ in stored],
        [row.must_route for row in made],
    )


def _stored(row: OutboxRow) -> tuple[str | None, bytes]:
    return cipher.current().encrypt(row.body, AAD) if row.sensitive else (None, row.body)
