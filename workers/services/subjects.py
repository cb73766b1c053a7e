"""Finds the messages with personal data that wait to be published, by user."""

from collections.abc import Collection

import outbox
from db.pool import Transaction
from workers.domain.subjects import subjects_of
from workers.store import subjects


async def waiting(tx: Transaction, users: Collection[str]) -> dict[str, set[str]]:
    """User id -> types of the encrypted messages that name the user, an order or a payment, and are not published.

    Users without one are missing. They stay under the key of the shop: a relay must be able to publish each, and
    deletes it then. So erasing a user waits for them.
    """
    messages = [(row["type"], subjects_of(outbox.in_clear(row))) for row in await subjects.unpublished(tx, users)]
    known = await subjects.names(tx, users) if messages else {}
    found = {user: {type_ for type_, named in messages if not mine.isdisjoint(named)} for user, mine in known.items()}
    return {user: types for user, types in found.items() if types}
