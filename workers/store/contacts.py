"""Contacts: where users are notified. Addresses are encrypted with the keys of their users."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import time
from zoneinfo import ZoneInfo

from db import cipher
from db.pool import Transaction
from db.statements import SQL, columns
from messages.contacts import ContactSet, QuietHours
from messages.media import Medium
from workers.domain.buyer_notifications import ContactChoice, QuietTime

ContactKey = tuple[str, str]
"""(user id, medium)"""


@dataclass(frozen=True)
class StoredContact:
    """A user's contact. The address stays sealed until it is needed."""

    user_id: str
    medium: Medium
    language: str
    enabled: bool
    quiet: QuietHours | None
    opt_outs: tuple[str, ...]
    key_id: str
    ciphertext: bytes = field(repr=False)
    wrapped: cipher.Wrapped | None = field(repr=False)

    def address(self) -> str:
        """The address in clear. Raises CipherError."""
        aad = address_aad(self.user_id, self.medium)
        return cipher.current().decrypt(self.key_id, self.ciphertext, aad, self.wrapped).decode()

    @property
    def choice(self) -> ContactChoice:
        """What the user chose."""
        quiet = None
        if self.quiet is not None:
            begin, until = time.fromisoformat(self.quiet.begin), time.fromisoformat(self.quiet.until)
            quiet = QuietTime(begin, until, ZoneInfo(self.quiet.time_zone))
        return ContactChoice(self.enabled, quiet, self.opt_outs)


def address_aad(user_id: str, medium: str) -> bytes:
    """The place that the ciphertext of an address is bound to."""
    return f"contact:{medium}:{user_id}".encode()


async def save(tx: Transaction, wanted: Mapping[ContactKey, ContactSet], keys: Mapping[str, cipher.Sealer]) -> None:
    """Set these contacts of users, who are locked; those without an address are removed."""
    rows = [_row(body, body.address, keys[body.user_id]) for _, body in sorted(wanted.items()) if body.address]
    gone = sorted(key for key, body in wanted.items() if not body.address)
    if rows:
        await tx.execute(SQL["contacts.save"], *columns(rows))
    if gone:
        await tx.execute(SQL["contacts.remove"], *columns(gone))


def _row(body: ContactSet, address: str, key: cipher.Sealer) -> tuple[object, ...]:
    quiet = body.quiet_hours
    times = (quiet.begin, quiet.until, quiet.time_zone) if quiet else (None, None, None)
    sealed = key.encrypt(address.encode(), address_aad(body.user_id, body.medium))
    return (body.user_id, body.medium, *sealed, body.language, body.enabled, *times, "\n".join(body.opt_outs))


async def of_users(tx: Transaction, user_ids: Iterable[str]) -> dict[str, Sequence[StoredContact]]:
    """User id -> the user's contacts, by medium. Users without one are missing."""
    wanted = sorted(set(user_ids))
    found: dict[str, list[StoredContact]] = {}
    for row in await tx.fetch(SQL["contacts.of_users"], wanted) if wanted else ():
        quiet = None
        if row["quiet_begin"] is not None:
            quiet = QuietHours(begin=row["quiet_begin"], until=row["quiet_until"], time_zone=row["time_zone"])
        contact = StoredContact(
            row["user_id"],
            Medium(row["medium"]),
            row["language"],
            row["enabled"],
            quiet,
            tuple(row["opt_outs"]),
            row["key_id"],
            row["ciphertext"],
            cipher.Wrapped.of(row),
        )
        found.setdefault(contact.user_id, []).append(contact)
    return dict(found)
