"""Reads what a batch about authorised payments decides with, and keeps what it changes. The orders are locked.

handlers/payment_authorizations.py decides, with the table of what follows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, TypeAlias

import outbox
from db.pool import Transaction
from messages.authorizations import AuthorizationDue, AuthorizationObserved
from messages.envelope import Envelope
from messages.payments import PaymentResult
from workers.domain.book import Book
from workers.domain.holds import OpenHold
from workers.domain.payment_authorizations import OPEN, PaymentAuthorization, ProviderStep, ends_soon
from workers.domain.payment_rules import PaymentVerdict
from workers.runtime.batch import Batch
from workers.services import payment_authorizations
from workers.services.payment_authorizations import CaptureBegun, next_look
from workers.store import holds, orders, payments
from workers.store import payment_authorizations as authorization_rows
from workers.store.attempts import AttemptChange
from workers.store.payments import PaymentFact

Item: TypeAlias = Envelope[Any]


@dataclass
class AuthorizationContext:
    """What one batch reads and decides with, and what it changes. `known` is attempt id -> authorisation.

    `goods_wanted` are the root ids of orders whose goods a warehouse or a carrier has, or was requested to send. It is
    known of those whose authorisations are about to end.
    """

    book: Book[Item]
    known: dict[int, PaymentAuthorization]
    kept: dict[int, PaymentAuthorization]
    recorded: Mapping[payments.FactKey, payments.RecordedFact]
    open_holds: dict[int, list[OpenHold]]
    goods_wanted: frozenset[int] = frozenset()
    changed: dict[int, PaymentAuthorization] = field(default_factory=dict)
    looks: dict[int, datetime | None] = field(default_factory=dict)
    attempts: list[AttemptChange] = field(default_factory=list)
    facts: list[tuple[Item, PaymentFact]] = field(default_factory=list)
    releases: dict[int, tuple[Item, str, bool, bool]] = field(default_factory=dict)
    stops: list[tuple[int, str, Item]] = field(default_factory=list)
    begun: list[CaptureBegun] = field(default_factory=list)
    news: list[outbox.Announcement] = field(default_factory=list)
    calls: list[outbox.Announcement] = field(default_factory=list)

    def change(self, one: PaymentAuthorization) -> None:
        """Change an authorisation, for this batch and in its row."""
        self.known[one.attempt_id] = self.changed[one.attempt_id] = one
        if one.verdict is PaymentVerdict.KEPT:
            self.kept[one.order_id] = one
        self.looks[one.attempt_id] = next_look(one) if one.state in OPEN else None

    def give_up(self, one: PaymentAuthorization) -> None:
        """Let nothing of an authorisation be wanted any more, for the rest of this batch: its orders are cancelled."""
        self.known[one.attempt_id] = self.kept[one.order_id] = replace(one, released=one.amount)

    def request(self, one: PaymentAuthorization, step: ProviderStep, item: Item) -> None:
        """Request a step of the provider."""
        self.calls.append(payment_authorizations.call(one, step, item))


async def read(tx: Transaction, batch: Batch[Any], named: Sequence[int]) -> AuthorizationContext:
    """Lock the orders that the authorisations pay, and read what the decisions depend on."""
    reports = [item.body for item in batch.of(AuthorizationObserved)]
    looks = [item.body for item in batch.of(AuthorizationDue)]
    attempt_ids = [body.attempt_id for body in reports] + [body.attempt_id for body in looks]
    owners = await authorization_rows.orders_of(tx, attempt_ids)
    book = Book[Item](await orders.lock(tx, {*owners.values(), *named}))
    known = await authorization_rows.read(tx, owners)
    kept = await authorization_rows.kept(tx, {book[key].root_id for key in named if key in book})
    numbers = [
        fact_of(body, known[body.attempt_id], None)
        for body in reports
        if body.status == "captured" and body.attempt_id in known
    ]
    held = [order.id for order in book.before.values() if order.held]
    recorded, open_holds = await payments.known(tx, numbers), await holds.open_of(tx, held)
    ending = [known[body.attempt_id].order_id for body in looks if ends_soon(known.get(body.attempt_id), batch.now)]
    wanted = frozenset(await authorization_rows.goods_wanted(tx, ending))
    return AuthorizationContext(book, known, kept, recorded, open_holds, wanted)


def fact_of(body: AuthorizationObserved, one: PaymentAuthorization, intent_id: int | None) -> PaymentResult:
    """Return the capture as the shop's payment service would report it."""
    return PaymentResult(
        order_id=one.order_id,
        provider=one.provider,
        trade_no=body.number or "",
        kind="captured",
        amount=body.amount,
        currency=body.currency,
        occurred_at=body.occurred_at,
        intent_id=intent_id,
    )
