"""The story of one order with after-sale cases: everything that its people may send, chosen by dice, fitting or not."""

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from messages.authorizations import AuthorizationObserved, PaymentCapture
from messages.base import Message
from messages.orders import OrderConfirmReceipt
from messages.rests import OrderCancelRest, ShortageReport, ShortLine
from tests.handlers import case_builders as cases
from tests.handlers.builders import OPERATOR, book, cancel, update, user
from tests.handlers.exchange_builders import exchange
from tests.handlers.harness import HandlerHarness
from tests.handlers.refund_builders import refund_result, request_refund

STATUSES = ("outbound", "delivered", "refused", "lost", "returning", "returned", "loss_confirmed")
DISPOSITIONS = ("restock", "quarantine", "write_off", "send_back")
ROUNDS = 3
"""The goods of a case come back, the others go out, and what was not to be ends."""
PRICES = {"s1": 500, "s2": 500, "dear": 800, "cheap": 300}
WEIGHTS = {
    "book": 5,
    "move": 9,
    "apply": 6,
    "review": 7,
    "advance": 14,
    "revoke": 1,
    "reopen": 2,
    "ship_back": 2,
    "arrive": 4,
    "inspect": 6,
    "close": 1,
    "refund_ends": 7,
    "requested_again": 3,
    "replaced": 2,
    "goodwill": 1,
    "confirm": 1,
    "short": 0.5,
    "rest": 0.5,
    "cancel": 0.5,
    "sweep": 1,
    "difference": 2,
    "authorization": 4,
    "take": 1,
    "repeat": 3,
}


@dataclass
class Story:
    """One order and those that replace its goods: their cases, their refunds, and all that was sent.

    Each step is about one of them, `order_id`. The payment `attempt_id` is only authorised at first.
    """

    harness: HandlerHarness
    dice: random.Random
    root_id: int
    attempt_id: int | None = None
    sent: list[Message] = field(default_factory=list)
    count: int = 0

    def __post_init__(self) -> None:
        self.order_id, self.order_ids = self.root_id, [self.root_id]

    @property
    def name(self) -> str:
        self.count += 1
        return f"{self.order_id}-{self.count}"

    async def send(self, *messages: Message) -> None:
        self.sent += messages
        await self.harness.handle(*messages, trusted=True)

    def cases(self) -> list[dict[str, Any]]:
        """The newest event of each case."""
        found = [event for event in self.harness.events if event["type"].startswith("after_sale.")]
        return list({e["case_id"]: e for e in found if int(e["order_id"]) in self.order_ids}.values())

    def case(self) -> dict[str, Any] | None:
        found = self.cases()
        return self.dice.choice(found) if found else None

    async def refunds(self, *states: str) -> list[dict[str, Any]]:
        rows = await self.harness.pool.fetch(
            "SELECT order_id, refund_no, amount, currency FROM refunds WHERE order_id = ANY($1) AND state = ANY($2)"
            " ORDER BY id",
            self.order_ids,
            list(states),
        )
        return [dict(row) for row in rows]

    async def refund(self, *states: str) -> dict[str, Any] | None:
        found = await self.refunds(*states)
        return self.dice.choice(found) if found else None

    # what may happen

    async def book(self) -> None:
        sku_id, parcel = self.dice.choice(["s1", "s2"]), f"T{self.order_id}-{self.dice.randint(1, 4)}"
        await self.send(book(self.order_id, parcel, (sku_id, self.dice.randint(1, 2))))

    async def move(self) -> None:
        parcel, status = f"T{self.order_id}-{self.dice.randint(1, 4)}", self.dice.choice(STATUSES[:2] * 3 + STATUSES)
        await self.send(update(self.order_id, parcel, status, self.name))

    async def apply(self) -> None:
        units = [(line_no, self.dice.randint(1, 2)) for line_no in (1, 2) if self.dice.random() < 0.6]
        kind, reason = (
            self.dice.choice(["refund_only", "return_refund", "exchange"]),
            self.dice.choice(["quality", "price"]),
        )
        about: dict[str, Any] = {"reason_code": reason, "request_id": self.name}
        if kind == "exchange":
            wanted = [(line_no, qty, self.dice.choice(list(PRICES))) for line_no, qty in units]
            await self.send(exchange(self.order_id, *wanted, **about))
        else:
            await self.send(cases.apply(self.order_id, *units, type=kind, **about))

    async def about_case(self, make: Callable[[dict[str, Any]], Message]) -> None:
        case = self.case()
        if case is not None:
            await self.send(make(case).model_copy(update={"request_id": self.name}))

    async def review(self) -> None:
        amount = self.dice.choice([None, None, None, 0, 100, 700])
        why = {} if amount is None else {"amount": amount, "reason_code": "goodwill"}
        decision = "reject" if amount is None and self.dice.random() < 0.3 else "approve"
        await self.about_case(lambda case: cases.review(case, decision, **why))

    async def advance(self) -> None:
        """What should come next in a case."""
        case = self.case()
        if case is None:
            return
        match case["state"]:
            case "requested" | "reopened":
                await self.send(cases.review(case))
            case "awaiting_return":
                await self.send(cases.ship_back(case, self.name))
            case "return_in_transit":
                await self.send(cases.arrive(case))
            case "received" | "inspecting":
                to = self.dice.choice(DISPOSITIONS)
                await self.send(cases.inspect(case, *((line["line_no"], line["qty"], to) for line in case["lines"])))
            case "inspect_passed" | "reshipping" if len(self.order_ids) > 1:
                self.order_id = self.order_ids[-1]
                await self.difference()
                await self.deliver()

    async def deliver(self) -> None:
        """All that is left of an order goes to its buyer in one parcel."""
        number = f"A{self.name}"
        await self.send(book(self.order_id, number))
        await self.send(*(update(self.order_id, number, status, self.name) for status in STATUSES[:2]))

    async def begin(self, *, exchanges: bool) -> None:
        """The goods arrive, or some of them; perhaps the buyer wants others for one of each line."""
        if not exchanges and self.dice.random() < 0.4:
            return
        await self.deliver()
        if exchanges:
            wanted = [(line_no, 1, self.dice.choice(list(PRICES))) for line_no in (1, 2)]
            await self.send(exchange(self.order_id, *wanted, request_id=self.name))
            await self.send(cases.review(self.cases()[0]))

    async def revoke(self) -> None:
        await self.about_case(cases.revoke)

    async def reopen(self) -> None:
        await self.about_case(cases.reopen)

    async def ship_back(self) -> None:
        await self.about_case(lambda case: cases.ship_back(case, self.name))

    async def arrive(self) -> None:
        await self.about_case(cases.arrive)

    async def inspect(self) -> None:
        found = [
            (line_no, self.dice.randint(1, 2), self.dice.choice(DISPOSITIONS))
            for line_no in (1, 2)
            if self.dice.random() < 0.7
        ]
        if found:
            await self.about_case(lambda case: cases.inspect(case, *found))

    async def close(self) -> None:
        await self.about_case(cases.close)

    async def refund_ends(self) -> None:
        """A provider answers about a refund, late and in contradiction, too."""
        refund = await self.refund("requested", "requested", "failed")
        if refund is not None:
            await self.send(refund_result(refund, self.dice.choice(["succeeded", "failed"])))

    async def requested_again(self) -> None:
        refund = await self.refund("failed")
        if refund is not None:
            await self.send(request_refund(refund["order_id"], self.name, refund["amount"], refund["refund_no"]))

    async def replaced(self) -> None:
        refund = await self.refund("failed")
        if refund is not None:
            await self.send(
                request_refund(refund["order_id"], self.name, refund["amount"], replaces=refund["refund_no"])
            )

    async def goodwill(self) -> None:
        await self.send(request_refund(self.order_id, self.name, self.dice.choice([50, 300, 900])))

    async def confirm(self) -> None:
        await self.send(OrderConfirmReceipt(request_id=self.name, actor=user(), order_id=self.order_id))

    async def short(self) -> None:
        lacking = ShortLine(sku_id=self.dice.choice(["s1", "s2"]), qty=1)
        await self.send(ShortageReport(request_id=self.name, order_id=self.order_id, lines=(lacking,)))

    async def rest(self) -> None:
        await self.send(OrderCancelRest(request_id=self.name, actor=OPERATOR, order_id=self.order_id))

    async def cancel(self) -> None:
        await self.send(cancel(self.order_id, self.name))

    async def sweep(self) -> None:
        await self.harness.sweep(self.dice.choice(["after_sale", "receipt", "payment", "authorization"]))

    async def difference(self) -> None:
        """The buyer pays what the other goods cost more."""
        if await self.harness.state(self.order_id) == "awaiting_payment":
            await self.harness.pay(self.order_id)

    async def take(self) -> None:
        """An operator takes the authorised money."""
        await self.send(PaymentCapture(request_id=self.name, actor=OPERATOR, order_id=self.root_id))

    async def authorization(self) -> None:
        """The provider answers about the authorised money: what it was called for, something else, or twice."""
        state, amount = await self.authorized()
        answers = {"capturing": ["captured"] * 3 + ["failed", "pending"], "voiding": ["voided"] * 4 + ["captured"]}
        if state in answers:
            await self.observe(self.dice.choice(answers[state]), amount)

    async def authorized(self) -> tuple[str, int]:
        """The state of the authorisation, and the money that the last call is about."""
        found = await self.harness.rows(
            "SELECT state, coalesce(capture_amount, amount) FROM payment_authorizations WHERE attempt_id = $1",
            self.attempt_id,
        )
        return found[0] if found else ("none", 0)

    async def observe(self, status: Any, amount: int) -> None:
        until = datetime.now(UTC) + timedelta(days=29)
        about: dict[str, Any] = {"amount": amount, "currency": "CNY", "occurred_at": datetime.now(UTC)}
        assert self.attempt_id is not None
        number = f"c{self.root_id}"
        await self.send(
            AuthorizationObserved(attempt_id=self.attempt_id, status=status, number=number, expire_at=until, **about)
        )

    async def repeat(self) -> None:
        if self.sent:
            await self.harness.handle(self.dice.choice(self.sent), trusted=True)

    async def step(self) -> str:
        await self.look()
        self.order_id = self.dice.choice(self.order_ids)
        [kind] = self.dice.choices(list(WEIGHTS), list(WEIGHTS.values()))
        happens: Callable[[], Awaitable[None]] = getattr(self, kind)
        await happens()
        return kind

    async def look(self) -> None:
        """Learn which orders replace goods of this one, or goods that replaced them."""
        rows = await self.harness.rows(
            "WITH RECURSIVE known AS (SELECT $1::bigint AS id UNION ALL"
            " SELECT e.order_id FROM exchange_orders e JOIN known k ON k.id = e.first_order_id)"
            " SELECT id FROM known ORDER BY id",
            self.root_id,
        )
        self.order_ids = [order_id for (order_id,) in rows]

    async def end(self) -> None:
        """Each order of the story ends, then those that its cases have placed or sent meanwhile."""
        for _ in range(ROUNDS):
            await self.look()
            for order_id in self.order_ids:
                self.order_id = order_id
                await self.end_goods()
                await self.take_money()
            await self.end_cases()
        await self.give_the_rest()
        await self.end_refunds()

    async def end_goods(self) -> None:
        """What is due is paid, what has not left is cancelled, and every parcel ends."""
        await self.difference()
        await self.rest()
        await self.cancel()
        for number, state in await self.harness.rows(
            "SELECT DISTINCT s.tracking_no, s.state FROM shipments s JOIN shipment_items i ON i.shipment_id = s.id"
            " WHERE i.order_id = $1 AND s.state IN ('outbound', 'lost', 'refused', 'returning')",
            self.order_id,
        ):
            ends = {"outbound": "delivered", "lost": "loss_confirmed"}
            await self.send(update(self.order_id, number, ends.get(state, "returned"), self.name))

    async def take_money(self) -> None:
        """What is authorised and wanted is taken; the provider answers every call."""
        for _ in range(3):
            state, amount = await self.authorized()
            if state in ("capturing", "voiding"):
                await self.observe("captured" if state == "capturing" else "voided", amount)
            elif state in ("authorized", "failed"):
                await self.take()

    async def end_cases(self) -> None:
        """Each case is decided, its goods arrive, and each refund ends."""
        for case in self.cases():
            await self.send(*(cases.review(case) for _ in range(1)), cases.arrive(case), cases.review(case, "reject"))
            for line in case["lines"]:
                await self.send(*(cases.inspect(case, (line["line_no"], 1, "restock")) for _ in range(line["qty"])))
        for refund in await self.refunds("failed"):
            await self.send(request_refund(refund["order_id"], self.name, refund["amount"], refund["refund_no"]))
        await self.end_refunds()

    async def end_refunds(self) -> None:
        for refund in await self.refunds("requested"):
            await self.send(refund_result(refund))

    async def give_the_rest(self) -> None:
        """An operator gives back what a cancelled order still keeps: a part of a failed refund went back otherwise."""
        rest = await self.harness.rows(
            "SELECT o.id, o.captured_amount - coalesce((SELECT sum(c.amount) FROM counted_refunds c"
            " JOIN refunds r USING (id) WHERE c.order_id = o.id AND r.state <> 'released'), 0)"
            " FROM orders o WHERE o.id = ANY($1) AND o.state = 'cancelled'",
            self.order_ids,
        )
        for order_id, amount in rest:
            if amount:
                await self.send(request_refund(order_id, self.name, int(amount)))
