"""Raw notifications, kept encrypted and without card data for disputes, and the certificates that verify them."""

import base64
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Protocol

import orjson

from db import cipher
from db.pool import Transaction
from db.statements import SQL, columns
from workers.store import ids

AAD = b"channel_notice"  # stored ciphertexts are bound to it, so it keeps the name from before the table was renamed
CARDS = re.compile(
    rb"(?<![^&])(?:(accNo|payCardNo)=[^&]*?([^&]{0,4})|(customerInfo|encryptedInfo|cardTransData|tokenPayData)=[^&]*)"
    rb"(?![^&])"
)
"""Fields of UnionPay's form that hold card data. The last four digits of a card's number stay, as on receipts."""


class RawNotification(Protocol):
    """What a provider posted: header names in lower case, the very bytes of the body, and when they arrived."""

    @property
    def headers(self) -> Mapping[str, str]: ...
    @property
    def body(self) -> bytes: ...
    @property
    def received_at(self) -> datetime: ...


@dataclass(frozen=True)
class NotificationRecord:
    """A notification to keep. `about` is our number in it; `code` says why it was rejected, None if it was believed."""

    provider: str
    notification: RawNotification
    code: str | None = None
    about: str | None = None

    @property
    def verdict(self) -> str:
        return "rejected" if self.code else "believed"

    @property
    def body_hash(self) -> bytes:
        """Identifies copies: a provider that posts again changes headers, but not the body."""
        return blake2b(self.notification.body, digest_size=32).digest()

    @property
    def key(self) -> tuple[str, bytes, str]:
        """(provider, hash of the body, verdict): two records with the same key are copies."""
        return self.provider, self.body_hash, self.verdict


async def keep(tx: Transaction, records: Sequence[NotificationRecord]) -> list[int]:
    """Write each notification once and count its copies. Returns one id for each record, in their order."""
    if not records:
        return []
    first = {record.key: record for record in reversed(records)}
    new_ids = await ids.take(tx, ["" for _ in first])
    new = [
        (
            new_id,
            *record.key,
            record.code,
            record.about,
            *cipher.current().encrypt(_raw(record.notification), AAD),
            record.notification.received_at,
        )
        for new_id, record in zip(new_ids, first.values(), strict=True)
    ]
    rows = await tx.fetch(SQL["notifications.keep"], *columns(new))
    found = {(row["provider"], row["body_hash"], row["verdict"]): row["id"] for row in rows}
    return [found[record.key] for record in records]


def _raw(notification: RawNotification) -> bytes:
    body = CARDS.sub(rb"\1\3=***\2", notification.body)
    return orjson.dumps({"headers": dict(notification.headers), "body": base64.b64encode(body).decode()})


@dataclass(frozen=True)
class StoredNotification:
    """A notification as its row holds it. `notification` is encrypted under the key `key_id`."""

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

    def decrypt(self) -> tuple[Mapping[str, str], bytes]:
        """(headers, body). Raises CipherError."""
        raw = orjson.loads(cipher.current().decrypt(self.key_id, self.notification, AAD))
        return raw["headers"], base64.b64decode(raw["body"])


async def find(tx: Transaction, *, ids: Sequence[int] = (), numbers: Sequence[str] = ()) -> list[StoredNotification]:
    """Return the notifications with these ids, and those about these numbers of ours; oldest first."""
    return [StoredNotification(*row) for row in await tx.fetch(SQL["notifications.find"], list(ids), list(numbers))]


async def certificates(tx: Transaction, providers: Iterable[str]) -> dict[str, dict[str, str]]:
    """Provider -> serial -> PEM, of the certificates that were fetched from these providers."""
    wanted = sorted(set(providers))
    rows = await tx.fetch(SQL["notifications.certificates"], wanted) if wanted else []
    found: dict[str, dict[str, str]] = {}
    for row in rows:
        found.setdefault(row["provider"], {})[row["serial"]] = row["pem"]
    return found


async def keep_certificates(tx: Transaction, fetched: Mapping[str, Mapping[str, str]]) -> None:
    """Write certificates (provider -> serial -> PEM); a serial that is fetched again replaces the one before."""
    rows = sorted((provider, serial, pem) for provider, known in fetched.items() for serial, pem in known.items())
    if rows:
        await tx.execute(SQL["notifications.keep_certificates"], *columns(rows))
