"""Answers messages of `oms.commands` that no handler gets, because they cannot be read or routed, or expired.

Each has the one outcome command.rejected with every fault: once on oms.events, and at its reply_to each time it comes.
Faults name paths and rules, never a value. A message that uses the id of an earlier one is answered at its reply_to
alone, because on oms.events its command_id would name the earlier command.
"""

import re
from collections.abc import Sequence
from dataclasses import asdict, replace

import orjson

import outbox
from messages.base import CommandRejected, MessageCode
from messages.reasons import Reason
from messages.reply_addresses import refusal
from messages.strict_json import FAULTS_MAX, Fault, why_unread
from messages.topology import TAKEN, Names
from messages.user_roles import Trust
from workers.runtime.decode import Decoder
from workers.runtime.delivery import RawDelivery
from workers.store.dead_letters import Letter

EXPIRED = "expired"
"""The broker's reason for a message whose own `expiration` has passed."""
ANSWERED = frozenset(
    {Reason.INVALID, Reason.UNTRUSTED_USER, Reason.UNROUTABLE, Reason.ID_REUSE, Reason.WRONG_CELL, EXPIRED}
)
"""Of other reasons the outcome is open: a replay can still lead to it."""
QUEUE_OF = {model.TYPE: queue for queue, models in TAKEN.items() for model in models}
_TYPE = re.compile(r"[a-z0-9_.]{1,128}")


def answer(
    letter: Letter, delivery: RawDelivery, *, is_new: bool, names: Names, trust: Trust
) -> list[outbox.Announcement]:
    """Build the outcome of a message that became a dead letter; nothing if it did not come by `oms.commands`."""
    if letter.exchange != names.commands or letter.reason not in ANSWERED:
        return []
    straight = delivery.exchange == names.commands  # from its sender: nothing in its headers is believed
    faults = _unroutable(delivery, names, trust) if straight else _recorded(letter, delivery, trust)
    event = _rejected(letter, faults)
    announced = replace(outbox.event(event, because=None), causation_id=letter.message_id, headers=delivery.trace)
    if correlation_id := letter.correlation_id or letter.message_id:
        announced = replace(announced, correlation_id=correlation_id)
    answers = [announced] if is_new and letter.reason != Reason.ID_REUSE else []
    if reply_to := _reply_to(delivery, trust):
        body = event.json_bytes
        if not is_new:
            body = orjson.dumps(orjson.loads(body) | {"duplicate": True})
        answers.append(replace(announced, destination="reply", routing_key=reply_to, body=body))
    return answers


def _rejected(letter: Letter, faults: Sequence[Fault]) -> CommandRejected:
    type_, first = letter.type or "", faults[0]
    expired = letter.reason == EXPIRED
    code, message = why_unread(faults, MessageCode.MESSAGE_EXPIRED if expired else MessageCode.MESSAGE_INVALID)
    return CommandRejected(
        command_id=letter.message_id or "",
        type=type_ if _TYPE.fullmatch(type_) else "",
        code=code,
        message=message,
        details={"error": first.error, "path": first.path, "faults": [asdict(fault) for fault in faults]},
    )


def _recorded(letter: Letter, delivery: RawDelivery, trust: Trust) -> list[Fault]:
    """The faults that the worker found. Letters of an older version have only the first."""
    if letter.reason == EXPIRED:
        return [Fault("properties.expiration", EXPIRED, "its own expiration passed before it was handled")]
    first = Fault(letter.error_path or "$", letter.error_type or letter.reason, letter.error_message or letter.reason)
    text = delivery.text("faults") if delivery.user_id in trust.own else None
    return [Fault(**fault) for fault in orjson.loads(text)] if text else [first]


def _unroutable(delivery: RawDelivery, names: Names, trust: Trust) -> list[Fault]:
    """That no queue takes the routing key, and what the queue of its type would have found."""
    first = Fault("properties.routing_key", "unroutable", "no queue takes this routing key")
    queue = QUEUE_OF.get(delivery.type or "")
    if queue is None:
        return [first, Fault("properties.type", "unknown_type", "there is no message of this type")]
    failure = Decoder(queue, names, trust)(delivery).failure
    return [first, *(failure.faults if failure else ())][:FAULTS_MAX]


def _reply_to(delivery: RawDelivery, trust: Trust) -> str | None:
    """The reply address. What our worker sent on has been checked; of an unroutable message nothing has."""
    if delivery.reply_to is None or delivery.user_id in trust.own:
        return delivery.reply_to
    allowed = refusal(delivery.reply_to, delivery.user_id, trust.roles_of(delivery.user_id)) is None
    return delivery.reply_to if allowed else None
