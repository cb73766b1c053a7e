"""What people and strangers wrote in messages, encrypted: a name or a number may stand in it."""

from collections.abc import Iterable
from typing import Any, TypeAlias

from db import cipher
from db.pool import Transaction
from db.statements import SQL, columns
from messages.base import free_text_fields
from messages.envelope import Envelope

Written: TypeAlias = tuple[Envelope[Any], object]
"""A message, and what its texts are about: an order's id, a refund's number, ..."""


async def keep(tx: Transaction, written: Iterable[Written]) -> None:
    """Keep the free texts of these messages, each once. It takes one statement, and none if no message has a text."""
    rows = sorted({key: row for item, about in written for key, row in _rows(item, str(about))}.items())
    if rows:
        await tx.execute(SQL["free_texts.insert"], *columns([(*key, *sealed) for key, sealed in rows]))


def aad_of(about: str, type_: str, field: str, message_id: str) -> bytes:
    """The place that the ciphertext of one text is bound to."""
    return "\n".join(("free_text", about, type_, field, message_id)).encode()


def _rows(item: Envelope[Any], about: str) -> Iterable[tuple[tuple[str, str, str, str], tuple[str, bytes]]]:
    for field in free_text_fields(item.body.__class__):
        if (text := getattr(item.body, field)) is not None:
            key = about, item.body.routing_key(), field, item.id
            yield key, cipher.current().encrypt(text.encode(), aad_of(*key))
