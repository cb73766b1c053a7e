"""Handles subject.erase, with which a shop forgets a user.

    subject.erase of a user                         then
    ----------------------------------------------  ---------------------------------------------------------------
    of whom nothing is under way                    the data key is dropped, and what the shop's keys encrypt about
                                                    the user is removed: subject.erased
    with an order, payment, refund, dispute or      command.rejected: SUBJECT_HAS_LIVE_ORDERS, with the list
    waybill under way, an open dead letter about
    one of these payments, or a message that holds
    the data and waits to be published
    who is unknown, or was erased before            subject.erased: nothing is left

A user's orders are created under the same lock, so none can be placed meanwhile. A user who orders again gets a new
key. Orders, amounts, ledgers and logs stay, with the user id, which is a pseudonym.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import TypeAlias

import outbox
from db.pool import Transaction
from messages.envelope import Envelope
from messages.subjects import SubjectErase, SubjectErased
from workers.domain.codes import Code
from workers.domain.refusal import Refusal
from workers.runtime.batch import Batch
from workers.runtime.route import Route
from workers.services import commands
from workers.services import subjects as services
from workers.store import buyers, subjects
from workers.store.subjects import LiveMatter

Item: TypeAlias = Envelope[SubjectErase]
BATCH_MAX_ITEMS = 20  # a user may have thousands of orders
LISTED_MAX = 50


def decide(
    user_id: str,
    live: Sequence[LiveMatter],
    letters: Mapping[str, Sequence[int]],
    waiting: Mapping[str, Collection[str]],
) -> Refusal | None:
    """Return why this user cannot be erased now, or None. No I/O."""
    mine = [matter for matter in live if matter.user_id == user_id]
    if mine:
        listed = [{"order_id": str(matter.order_id), "state": matter.state} for matter in mine[:LISTED_MAX]]
        why = "orders of the user, or payments, refunds, disputes or waybills of them, have not ended: ask again then"
        return Refusal(Code.SUBJECT_HAS_LIVE_ORDERS, why, {"live": listed, "count": len(mine)})
    if user_id in letters:
        why = "dead letters about payments of the user are open, and money may be in them: replay or discard them first"
        return Refusal(Code.SUBJECT_HAS_LIVE_ORDERS, why, {"dead_letters": [str(one) for one in letters[user_id]]})
    if user_id in waiting:
        why = "messages with the user's data wait to be published: ask again when they are (`oms outbox list`)"
        return Refusal(Code.SUBJECT_HAS_LIVE_ORDERS, why, {"unpublished": sorted(waiting[user_id])})
    return None


async def erase_subjects(tx: Transaction, batch: Batch[SubjectErase]) -> None:
    """Lock every user once, look at what is under way, erase the others in one statement."""
    claims = await commands.claim(tx, batch)
    users = {item.body.user_id for item in claims.fresh}
    await buyers.lock(tx, users)
    live = await subjects.live(tx, users)
    waiting = await services.waiting(tx, users)
    await subjects.note_old_letters(tx)
    letters = await subjects.open_letters(tx, users, LISTED_MAX)
    refusals = {user: decide(user, live, letters, waiting) for user in users}
    left = await subjects.erase(tx, [user for user, refusal in refusals.items() if refusal is None])
    outcomes: commands.Outcomes = {}

    for item in claims.fresh:
        user = item.body.user_id
        refusal = refusals[user]
        if refusal:
            outcomes[commands.key_of(item)] = commands.rejected(item, refusal), item
            continue
        erased = SubjectErased(user_id=user, orders=left[user], reason_code=item.body.reason_code)
        outcomes[commands.key_of(item)] = erased, item

    answers = await commands.conclude(tx, outcomes)
    events = [outbox.event(event, because=item) for event, item in outcomes.values()]
    await outbox.append(tx, [*events, *answers, *claims.answers])


ROUTE = Route(queue="subjects", handler=erase_subjects, batch_max_items=BATCH_MAX_ITEMS)
