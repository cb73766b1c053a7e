"""Raw notifications, kept encrypted and without card data for disputes, and the certificates that verify them."""

import base64
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b

import orjson

from db import cipher
from db.pool import Transaction
from db.statements import SQL
from workers.providers.port import Notification
from workers.store import ids

AAD = b"provider_notification"
KEEP_DAYS = 540  # chargebacks of cards come up to 18 months later
KEEP_REJECTED_DAYS = 30  # anybody may post one, and a month is enough to look into it
FORGET_ROWS = 500
CARDS = re.compile(
    rb"(?<![^&])(?:(accNo|payCardNo)=[^&]*?([^&]{0,4})|(customerInfo|encryptedInfo|cardTransData|tokenPayData)=[^&]*)"
    rb"(?![^&])"
)
"""Fields of UnionPay's form that hold a card. Of its number the last four digits stay, which is what receipts show."""


@dataclass(frozen=True)
class Kept:
    """One notification and what became of it. `about` is our number in it; `code` why it was not believed."""

    provider: str
    notification: Notification
    code: str | None = None
    about: str | None = None

    @property
    def verdict(self) -> str:
        return "rejected" if self.code else "believed"

    @property
    def body_hash(self) -> bytes:
        """Headers differ from copy to copy; the body does not."""
        return blake2b(self.notification.body, digest_size=32).digest()


async def keep(tx: Transaction, kept: Sequence[Kept]) -> list[int]:
    """Write each notification once; its id, for each given."""
    if not kept:
        return []
    first = {(k.provider, k.body_hash, k.verdict): k for k in reversed(kept)}
    new_ids = await ids.take(tx, ["" for _ in first])
    sealed = [cipher.current().encrypt(_raw(k.notification), AAD) for k in first.values()]
    rows = await tx.fetch(
        SQL["notifications.keep"],
        new_ids,
        [k.provider for k in first.values()],
        [k.body_hash for k in first.values()],
        [k.verdict for k in first.values()],
        [k.code for k in first.values()],
        [k.about for k in first.values()],
        [key_id for key_id, _ in sealed],
        [ciphertext for _, ciphertext in sealed],
        [k.notification.received_at for k in first.values()],
    )
    found = {(row["provider"], row["body_hash"], row["verdict"]): row["id"] for row in rows}
    return [found[k.provider, k.body_hash, k.verdict] for k in kept]


def _raw(notification: Notification) -> bytes:
    body = CARDS.sub(rb"\1\3=***\2", notification.body)
    return orjson.dumps({"headers": dict(notification.headers), "body": base64.b64encode(body).decode()})


@dataclass(frozen=True)
class Shown:
    """A notification that was kept. `notification` opens with the key."""

    id: int
    provider: str
    verdict: str
    code: str | None
    about: str | None
    copies: int
    received_at: datetime
    recorded_at: datetime
    key_id: str
    notification: bytes

    def opened(self) -> tuple[Mapping[str, str], bytes]:
        """(headers, the body's very bytes). Raises CipherError."""
        raw = orjson.loads(cipher.current().decrypt(self.key_id, self.notification, AAD))
        return raw["headers"], base64.b64decode(raw["body"])


async def find(tx: Transaction, *, ids: Sequence[int] = (), numbers: Sequence[str] = ()) -> list[Shown]:
    """Those with these ids, and those about these numbers of ours; oldest first."""
    return [Shown(*row) for row in await tx.fetch(SQL["notifications.find"], list(ids), list(numbers))]


async def forget(tx: Transaction) -> None:
    """Drop what nobody can dispute any more, a little at a time."""
    for verdict, days in (("believed", KEEP_DAYS), ("rejected", KEEP_REJECTED_DAYS)):
        await tx.execute(SQL["notifications.forget"], verdict, days, FORGET_ROWS)


async def certificates(tx: Transaction, providers: Iterable[str]) -> dict[str, dict[str, str]]:
    """Provider -> serial -> PEM, as they were fetched."""
    wanted, found = sorted(set(providers)), dict[str, dict[str, str]]()
    for row in await tx.fetch(SQL["notifications.certificates"], wanted) if wanted else []:
        found.setdefault(row["provider"], {})[row["serial"]] = row["pem"]
    return found


async def keep_certificates(tx: Transaction, fetched: Mapping[str, Mapping[str, str]]) -> None:
    """Provider -> serial -> PEM."""
    rows = sorted((provider, serial, pem) for provider, known in fetched.items() for serial, pem in known.items())
    if rows:
        await tx.execute(SQL["notifications.keep_certificates"], *(list(column) for column in zip(*rows, strict=True)))
