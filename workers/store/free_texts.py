"""What people and strangers wrote in messages, encrypted: a name or a number may stand in it."""

from collections.abc import Iterable
from typing import Any, TypeAlias

from db import cipher
from db.pool import Transaction
from db.statements import SQL, columns
from messages.base import free_text_fields
from messages.envelope import Envelope
from workers.store import buyers

Written: TypeAlias = tuple[Envelope[Any], object, str | None]
"""A message, what its texts are about (an order's id, a refund's number, ...), and the user to whom that belongs."""


async def keep(tx: Transaction, written: Iterable[Written]) -> None:
    """Keep the free texts of these messages, each once, encrypted with the key of the user that they are about.

    It takes two statements, and none if no message has a text.
    """
    texts = {key: (text, user) for item, about, user in written for key, text in _texts(item, str(about))}
    if texts:
        keys = await buyers.keys(tx, {user for _, user in texts.values() if user is not None})
        rows = [
            (*key, *keys.get(user or "", cipher.current()).encrypt(text.encode(), aad_of(*key)))
            for key, (text, user) in sorted(texts.items())
        ]
        await tx.execute(SQL["free_texts.insert"], *columns(rows))


def aad_of(about: str, type_: str, field: str, message_id: str, sender: str) -> bytes:
    """The place that the ciphertext of one text is bound to. Rows of older versions name no sender."""
    return "\n".join(("free_text", about, type_, field, message_id, *filter(None, [sender]))).encode()


def _texts(item: Envelope[Any], about: str) -> Iterable[tuple[tuple[str, str, str, str, str], str]]:
    for field in free_text_fields(item.body.__class__):
        if (text := getattr(item.body, field)) is not None:
            yield (about, item.body.routing_key(), field, item.id, item.sender_key), text
