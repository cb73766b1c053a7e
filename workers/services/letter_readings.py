"""Reads the message of a dead letter by today's schema: what is wrong with it, and where its outcome will be stored."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from messages.base import Command
from messages.registry import MODELS
from messages.strict_json import Fault, Reading, read
from messages.user_roles import ORIGIN_TOKEN
from workers.runtime.decode import packed
from workers.services.dead_letters import message_id_of
from workers.store import dead_letters


@dataclass(frozen=True)
class LetterReading:
    """The message id of a replay; the faults of its body by today's schema; for a command its scope and request id."""

    message_id: str
    faults: tuple[Fault, ...] = ()
    scope: str | None = None
    request_id: str | None = None


def read_letter(row: Mapping[str, Any], edit: Mapping[str, Any] | None = None) -> LetterReading:
    """Read the body of a letter, or of its edit. Raises ErasedError and CipherError as dead_letters.opened does."""
    message_id = message_id_of(row, edit)
    body, headers = dead_letters.opened(row)
    reading = _read(row["type"], body if edit is None else dead_letters.opened_edit(edit))
    if reading.faults or not isinstance(reading.message, Command):
        return LetterReading(message_id, reading.faults)
    message = reading.message
    return LetterReading(message_id, (), message.command_scope(), message.command_key(_subject(headers)))


def faults_of(type_: str | None, body: bytes) -> tuple[Fault, ...]:
    """Return what is wrong with a body by today's schema."""
    return _read(type_, body).faults


def _read(type_: str | None, body: bytes) -> Reading[Any]:
    model = MODELS.get(type_ or "")
    if model is None:
        return Reading(None, faults=(Fault("properties.type", "unknown_type", "there is no such type"),))
    return read(packed(model) if model.PACKABLE else model, body)


def _subject(headers: bytes) -> str | None:
    """Return the subject of the token with which a message came, as the runtime notes it; None without a token."""
    carried = orjson.loads(headers).get("origin_token", {}).get(ORIGIN_TOKEN)
    subject = json.loads(carried).get("subject") if carried else None
    return subject if isinstance(subject, str) else None
