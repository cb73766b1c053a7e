"""Reads everything that is kept about a user, with what is encrypted in clear."""

import base64
from collections.abc import Callable
from typing import Any, NamedTuple

import orjson

from db import cipher
from db.pool import Transaction
from db.statements import SQL
from messages.base import Command
from messages.registry import MODELS
from workers.store import (
    attempts,
    catalogue_entries,
    contacts,
    dead_letters,
    free_texts,
    new_orders,
    notifications,
    order_annotations,
    order_drafts,
    orders,
)

SECTIONS = (
    "user",
    "orders",
    "archived_orders",
    "order_drafts",
    "points",
    "coupons",
    "texts",
    "notifications",
    "buyer_notifications",
    "letters",
    "commands",
)
"""The parts of an export, in order. Each is a statement of db/sql/exports.sql."""
_SCOPES = {
    model.SCOPE.replace("{command}", model.routing_key()) for model in MODELS.values() if issubclass(model, Command)
}
SCOPES = {
    **dict.fromkeys(("orders", "archived_orders"), sorted(scope for scope in _SCOPES if "{order_id}" in scope)),
    "commands": sorted(
        scope for scope in _SCOPES if "{user_id}" in scope or scope.endswith(":{actor.type}:{actor.id}")
    ),
}
"""Section -> the scopes of the commands that it has: those about one order, and those of or about one user."""
UNREADABLE = "unreadable: "
"""Begins what stands in place of a value whose key this process does not have."""
Row = dict[str, Any]
EXACT_MAX = 2**53 - 1


class ExportRow(NamedTuple):
    """One row of a section, and the place after which its successor is found."""

    place: str
    row: Row


class Opener:
    """Opens what stands encrypted in the rows of one user."""

    def __init__(self, user_id: str, key: cipher.Wrapped | None) -> None:
        self.user_id = user_id
        self._key = key

    def open(self, row: Row, column: str, key_column: str, aad: bytes) -> Any:
        """Return a value in clear, as JSON if it is; the word for erased, or why it cannot be read."""
        key_id, sealed = row.pop(key_column), row.pop(column)
        if key_id is None:
            return None
        try:
            mine = self._key if self._key is not None and self._key.key_id == key_id else None
            plain = cipher.current().decrypt(key_id, bytes.fromhex(sealed.removeprefix("\\x")), aad, mine)
        except cipher.ErasedError:
            return cipher.ERASED
        except cipher.CipherError as error:
            return f"{UNREADABLE}{error}"
        return _value(plain)


def _value(plain: bytes) -> Any:
    try:
        return orjson.loads(plain)
    except orjson.JSONDecodeError:
        return plain.decode("utf-8", "backslashreplace")


async def opener(tx: Transaction, user_id: str) -> Opener:
    """Return what opens the ciphertexts of this user."""
    row = await tx.fetchrow(SQL["exports.key"], user_id)
    return Opener(user_id, None if row is None else cipher.Wrapped.of(row))


async def read(tx: Transaction, section: str, opened: Opener, *, after: str | None, rows_max: int) -> list[ExportRow]:
    """Return the next rows of a section, in clear. Numbers that JavaScript cannot hold become texts, as our ids do."""
    given = [opened.user_id, after, rows_max, *([SCOPES[section]] if section in SCOPES else [])]
    rows = await tx.fetch(SQL[f"exports.{section}"], *given)
    in_clear = IN_CLEAR.get(section, _as_it_is)
    return [ExportRow(row["place"], exact(in_clear(orjson.loads(row["row"]), opened))) for row in rows]


def _as_it_is(row: Row, _: Opener) -> Row:
    return row


def exact(value: Any) -> Any:
    """Return what is stored as JSON can be read everywhere: numbers that JavaScript cannot hold are texts."""
    match value:
        case dict():
            return {name: exact(item) for name, item in value.items()}
        case list():
            return [exact(item) for item in value]
        case int() if abs(value) > EXACT_MAX:
            return str(value)
    return value


def _user(row: Row, opened: Opener) -> Row:
    for contact in row["contacts"] or ():
        aad = contacts.address_aad(contact["user_id"], contact["medium"])
        contact["address"] = opened.open(contact, "ciphertext", "key_id", aad)
    for reset in row["level_resets"] or ():
        reset["reason"] = opened.open(
            reset, "reason", "key_id", catalogue_entries.reset_aad(reset["kind"], reset["id"])
        )
    return row


def _order(row: Row, opened: Opener) -> Row:
    row["user_remark"] = opened.open(row, "user_remark", "remark_key_id", new_orders.remark_aad(row["id"]))
    if (note := row["note"]) is not None:
        note["text"] = opened.open(note, "ciphertext", "key_id", order_annotations.note_aad(row["id"]))
    if (address := row["address"]) is not None:
        address["text"] = opened.open(address, "ciphertext", "key_id", orders.address_aad(row["id"]))
    for attempt in row["attempts"] or ():
        attempt["details"] = opened.open(attempt, "details", "key_id", attempts.details_aad(attempt["id"]))
    return row


def _draft(row: Row, opened: Opener) -> Row:
    return row | {"private": opened.open(row, "ciphertext", "key_id", order_drafts.aad_of(row["id"]))}


def _text(row: Row, opened: Opener) -> Row:
    aad = free_texts.aad_of(row["about"], row["type"], row["field"], row["message_id"], row["sender"])
    return row | {"text": opened.open(row, "ciphertext", "key_id", aad)}


def _notification(row: Row, opened: Opener) -> Row:
    found = opened.open(row, "notification", "key_id", notifications.AAD)
    if isinstance(found, dict):
        body = base64.b64decode(found["body"]).decode("utf-8", "backslashreplace")
        found = {"headers": found["headers"], "body": body}
    return row | {"notification": found}


def _letter(row: Row, opened: Opener) -> Row:
    key_id = row.pop("key_id")
    parts = {
        name: opened.open({"key_id": key_id, name: row.pop(name)}, name, "key_id", dead_letters.AAD)
        for name in ("body", "headers")
    }
    return row | parts


IN_CLEAR: dict[str, Callable[[Row, Opener], Row]] = {
    "user": _user,
    "orders": _order,
    "order_drafts": _draft,
    "texts": _text,
    "notifications": _notification,
    "letters": _letter,
}
