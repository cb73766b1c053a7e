"""Handles the message of a dead letter as its worker would, in a transaction that the caller rolls back.

So a person sees before a replay what would become of it. What the handler announces is collected, not stored.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

import outbox
from db.pool import Transaction
from messages.cells import Cell
from messages.envelope import OURS_ALONE
from messages.reasons import Reason
from messages.registry import MODELS
from messages.roles import Role
from messages.strict_json import Fault
from messages.topology import Names
from messages.user_roles import Trust
from outbox import Announcement
from outbox.amqp import Properties
from outbox.tracebacks import traceback_of
from workers.runtime import inbox
from workers.runtime.batch import Batch
from workers.runtime.decode import Decoder, Work
from workers.runtime.delivery import Delivery
from workers.runtime.errors import Failure
from workers.runtime.local_dispatch import Chain, LocalRoutes
from workers.runtime.route import Route
from workers.services.dead_letters import again

OURSELF = "oms-cli"


class TrialResult(StrEnum):
    """What would become of a letter's message."""

    WORKS = "works"
    HANDLED_BEFORE = "handled before"
    INVALID = "invalid"
    HANDED_ON = "handed on"
    RETRIED = "retried"
    DIES_AGAIN = "dies again"
    FAILS = "fails"


@dataclass(frozen=True)
class Trial:
    """The result, why if it does not work, and what the handler would announce.

    `traceback` is that of the exception that it raised, `faults` are what is wrong with the message.
    """

    result: TrialResult
    reason: str = ""
    why: str = ""
    announced: Sequence[Announcement] = ()
    traceback: Sequence[str] = ()
    faults: Sequence[Fault] = field(default=())


async def try_letter(
    tx: Transaction,
    row: Mapping[str, Any],
    edit: Mapping[str, Any] | None,
    *,
    route: Route,
    local: LocalRoutes,
    trust: Trust,
    cell: Cell | None = None,
) -> Trial:
    """Handle the message of a letter, or of its edit, in this transaction. The caller must roll it back."""
    announcement = again(row, route.queue, edit=edit)
    work = Decoder(route.queue, Names(), _believing(trust, row), cell=cell)(_delivery(announcement))
    if work.failure is not None:
        result = TrialResult.INVALID if work.failure.cell is None else TrialResult.HANDED_ON
        return Trial(result, work.failure.reason, work.failure.message, faults=work.failure.faults)
    claim = await inbox.claim(tx, route.queue, [work])
    if claim.duplicates:
        return Trial(TrialResult.HANDLED_BEFORE, why="its message was handled, and a replay of it changes nothing")
    if claim.reused:
        return Trial(TrialResult.DIES_AGAIN, "id_reuse", "its message id was used before with another body")
    batch = Batch(list(work.envelopes), claim.now)
    batch.cell = cell
    with outbox.collecting() as announced:
        try:
            await Chain(local).handle(tx, route, batch)
        except Exception as error:
            return _failed(error, work)
    for verdict in batch.verdicts.values():
        result = TrialResult.RETRIED if verdict.retry else TrialResult.DIES_AGAIN
        result = result if verdict.cell is None else TrialResult.HANDED_ON
        return Trial(result, verdict.reason, verdict.why)
    return Trial(TrialResult.WORKS, announced=announced)


def _failed(error: Exception, work: Work) -> Trial:
    failure = Failure.of_exception(error, work.delivery.body)
    why = f"{failure.error_type}: {failure.message}" if failure.message else failure.error_type
    return Trial(TrialResult.FAILS, failure.reason, why, traceback=traceback_of(error))


def _believing(trust: Trust, row: Mapping[str, Any]) -> Trust:
    """Add ourselves, who would send the replay. A sender of whom we have no settings is believed, as it was then."""
    model, sender = MODELS.get(row["type"] or ""), row["origin_user"]
    own = {*trust.own, OURSELF}
    known = sender is None or sender in own or sender in trust.roles
    if model is not None and not known and row["reason"] != Reason.UNTRUSTED_USER:
        if model.KIND in OURS_ALONE:
            own.add(sender)
        else:
            trust = replace(trust, roles={**trust.roles, sender: frozenset(Role)})
    return replace(trust, own=frozenset(own))


def _delivery(one: Announcement) -> Delivery:
    """Return the message as the broker would deliver it once a relay has published it."""
    headers: dict[str, Any] = dict(one.headers)
    if one.occurred_at is not None:
        headers["occurred-at"] = one.occurred_at.isoformat()
    properties = Properties(
        message_id=one.message_id,
        message_type=one.type,
        correlation_id=one.correlation_id,
        user_id=OURSELF,
        delivery_mode=2,
        headers=headers,
    )
    return Delivery(1, "", one.routing_key, one.json_bytes, properties, headers)
