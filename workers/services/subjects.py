"""Finds the messages with personal data that wait to be published, by user."""

from collections.abc import Collection

import outbox
from db.pool import Transaction
from workers.domain.ids import is_id
from workers.domain.subjects import subjects_of
from workers.store import subjects


async def waiting(tx: Transaction, users: Collection[str]) -> dict[str, set[str]]:
    """User id -> types of the encrypted messages that name the user, or an order of theirs, and are not published.

    It has the users given, and may have others.

    They stay under the key of the shop: a relay must be able to publish each, and deletes it then. So erasing a user
    waits for them.
    """
    named = [
        (name, row["type"])
        for row in await subjects.unpublished(tx, users)
        for name in subjects_of(outbox.in_clear(row))
    ]
    orders = {int(name[6:]) for name, _ in named if name.startswith("order:") and is_id(name[6:])}
    owners = {f"order:{key}": user for key, user in (await subjects.users_of(tx, orders)).items()}
    found: dict[str, set[str]] = {}
    for name, type_ in named:
        found.setdefault(owners.get(name) or name.removeprefix("user:"), set()).add(type_)
    return found
