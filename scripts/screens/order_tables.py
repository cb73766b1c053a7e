"""The tables of an order's screen: children, lines, payments, refunds, parcels, and what operators only see."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from messages.order_queries import LineShown, ParcelShown, PaymentShown, RefundShown, TrackedFact
from scripts.screens.layout import NUMBER_COLUMNS, Column, TitledTable
from scripts.screens.order_loading import OrderPage, Record
from scripts.screens.timeline import sent_instead, text_of, when
from workers.domain.money import render


def tables(page: OrderPage, width: int) -> Iterator[TitledTable]:
    """Yield the tables that have rows, in the order in which they are read."""
    for table in (_children, _lines, _payments, _attempts, _refunds, _cases, _parcels, _reports):
        yield table(page, width)
    for name, (title, columns) in _PLAIN.items():
        yield _plain(page, title, columns, page.records.get(name, ()), width)
    yield _plain(page, "outbox: events that have not left", _OUTBOX, page.outbox, width)


def _children(page: OrderPage, width: int) -> TitledTable:
    currency = page.order.payable.currency
    columns = [
        Column("order"),
        Column("id"),
        Column("number"),
        Column("state"),
        Column("seller", extra=True),
        Column(f"payable {currency}", right=True),
        Column("units", least=10, extra=True),
    ]
    rows = [
        (page.names[row["id"]], row["id"], row["order_no"], row["state"], row["seller_id"],
         render(row["payable_amount"], currency), row["units"])
        for row in page.children
    ]  # fmt: skip
    return TitledTable("children", columns, rows)


def _lines(page: OrderPage, width: int) -> TitledTable:
    currency = page.order.payable.currency
    columns = [
        Column("order"),
        Column("line", right=True),
        Column("sku", least=8),
        Column("name", least=12, cut=True),
        Column("warehouse", least=8),
        Column("units", right=True),
        Column("each", right=True, extra=True),
        Column(f"payable {currency}", right=True),
        Column("cost each", right=True, extra=True),
        Column("margin", right=True, extra=True),
        Column("gone", least=12),
    ]
    rows = [
        (page.names.get(line.order_id, ""), line.line_no, line.sku_id, line.name, line.warehouse, line.qty,
         render(line.unit_price, currency), render(line.payable, currency), _amount(line.purchase_price, currency),
         _amount(line.margin, currency), _gone(line, currency))
        for line in page.order.lines
    ]  # fmt: skip
    return TitledTable("lines", columns, rows)


def _amount(amount: int | None, currency: str) -> str:
    return "" if amount is None else render(amount, currency)


def _gone(line: LineShown, currency: str) -> str:
    """The units of a line that the buyer does not get or keep, and what was paid for them.

    An operator may have given another amount back for them, which the refunds say.
    """
    units = [
        f"{count} {word}"
        for count, word in (
            (line.short_qty, "short"),
            (line.cancelled_qty, "cancelled"),
            (line.refunded_qty, "refunded"),
        )
        if count
    ]
    return ", ".join([*units, *([f"worth {render(line.refunded, currency)}"] if line.refunded else [])])


def _payments(page: OrderPage, width: int) -> TitledTable:
    columns = [
        Column("at (UTC)"),
        Column("provider"),
        Column("trade number"),
        Column("amount", right=True),
        Column("what", least=9),
        Column("reason", least=8),
    ]
    rows = [
        (when(one.occurred_at, width), one.provider, one.trade_no, text_of(one.amount), _verdict(one), one.reason_code)
        for one in page.order.payments
    ]
    return TitledTable("payments", columns, rows)


def _verdict(fact: PaymentShown) -> str:
    disputes = [f"dispute {one.dispute_no} {one.state}" for one in fact.disputes]
    return ", ".join([fact.kind, *([] if fact.verdict == "kept" else [fact.verdict]), *disputes])


def _attempts(page: OrderPage, width: int) -> TitledTable:
    columns = [
        Column("started (UTC)"),
        Column("provider"),
        Column("scene", extra=True),
        Column("state"),
        Column("amount", right=True),
        Column("reason", least=8),
        Column("expires (UTC)", extra=True),
        Column("attempt", extra=True),
    ]
    rows = [
        (when(one.started_at, width), one.provider, one.scene, one.state, text_of(one.amount), one.reason_code,
         when(one.expire_at, width), one.attempt_id)
        for one in page.order.attempts
    ]  # fmt: skip
    return TitledTable("attempts to pay", columns, rows)


def cause_of(refund: RefundShown) -> str:
    """Return why money goes back, and which failed refund this one replaces."""
    return refund.cause if refund.replaces is None else f"{refund.cause}, replaces {refund.replaces}"


def _refunds(page: OrderPage, width: int) -> TitledTable:
    columns = [
        Column("order"),
        Column("requested (UTC)"),
        Column("refund"),
        Column("provider", extra=True),
        Column("amount", right=True),
        Column("state"),
        Column("cause", least=10),
        Column("reason", least=8, extra=True),
        Column("ended (UTC)", extra=True),
    ]
    rows = [
        (page.names.get(one.order_id, ""), when(one.requested_at, width), one.refund_no, one.provider,
         text_of(one.amount), one.state, cause_of(one), one.reason_code, when(one.finished_at, width))
        for one in page.order.refunds
    ]  # fmt: skip
    return TitledTable("refunds", columns, rows)


def _cases(page: OrderPage, width: int) -> TitledTable:
    columns = [
        Column("order"),
        Column("case"),
        Column("requested (UTC)", extra=True),
        Column("type", least=8),
        Column("state", least=10),
        Column("units", right=True),
        Column("amount", right=True),
        Column("exchange order", least=NUMBER_COLUMNS),
        Column("reason", least=8, extra=True),
        Column("ended (UTC)", extra=True),
    ]
    rows = [
        (page.names.get(one.order_id, ""), one.case_no, when(one.requested_at, width), one.type, one.state, one.units,
         None if one.amount is None else text_of(one.amount), sent_instead(one.exchange), one.reason_code,
         when(one.completed_at, width))
        for one in page.order.cases
    ]  # fmt: skip
    return TitledTable("after-sale cases (oms cases show CASE)", columns, rows)


def _parcels(page: OrderPage, width: int) -> TitledTable:
    columns = [
        Column("carrier"),
        Column("tracking number"),
        Column("state"),
        Column("units of lines", least=10),
        Column("left (UTC)", extra=True),
        Column("arrived (UTC)", extra=True),
        Column("last place", least=10, extra=True),
    ]
    rows = [
        (one.carrier, one.tracking_no, f"{one.state}, late" if one.delayed else one.state, _contents(page, one),
         when(one.outbound_at, width), when(one.delivered_at, width), _last_place(one))
        for one in page.order.parcels
    ]  # fmt: skip
    return TitledTable("parcels", columns, rows)


def _reports(page: OrderPage, width: int) -> TitledTable:
    parcels = page.order.parcels
    columns = [Column("tracking number"), Column("at (UTC)"), Column("status"), Column("place", least=12)]
    rows = [
        (one.tracking_no if len(parcels) > 1 else "", when(fact.occurred_at, width), _status(fact), fact.place)
        for one in parcels
        for fact in one.facts
    ]
    return TitledTable("what carriers reported", columns, rows)


def _status(fact: TrackedFact) -> str:
    return f"{fact.status} (late)" if fact.stale else fact.status


def _contents(page: OrderPage, parcel: ParcelShown) -> str:
    """The units of each line in a parcel: "2 of line 1", or "all" for the whole order."""
    inside = {(line.order_id, line.line_no): line.qty for line in parcel.lines}
    if inside == {(line.order_id, line.line_no): line.qty for line in page.order.lines}:
        return "all"
    return ", ".join(f"{line.qty} of line {line.line_no}" for line in parcel.lines)


def _last_place(parcel: ParcelShown) -> str | None:
    return next((fact.place for fact in reversed(parcel.facts) if fact.place and not fact.stale), None)


_PLAIN: Mapping[str, tuple[str, Sequence[tuple[str, Column]]]] = {
    "hand_overs": (
        "hand-overs",
        (
            ("warehouse", Column("warehouse", least=8)),
            ("state", Column("state")),
            ("number", Column("request", right=True)),
            ("units", Column("units", right=True)),
            ("requested_at", Column("requested (UTC)")),
            ("updated_at", Column("last step (UTC)", extra=True)),
            ("reason_code", Column("reason", least=8)),
            ("ref", Column("its number", least=8, extra=True)),
        ),
    ),
    "waybills": (
        "waybills that we book at carriers",
        (
            ("requested_at", Column("requested (UTC)")),
            ("carrier", Column("carrier", least=8)),
            ("waybill_id", Column("waybill")),
            ("state", Column("state")),
            ("tracking_no", Column("tracking number", extra=True)),
            ("answered_at", Column("answered (UTC)", extra=True)),
            ("refusal", Column("refused because", least=10)),
        ),
    ),
    "notifications": (
        "notifications to the buyer",
        (
            ("created_at", Column("since (UTC)")),
            ("medium", Column("by")),
            ("kind", Column("kind", least=12)),
            ("state", Column("state")),
            ("reason", Column("reason", least=10)),
            ("attempts", Column("attempts", right=True, extra=True)),
            ("ended_at", Column("ended (UTC)", extra=True)),
            ("notification_id", Column("notification", right=True, extra=True)),
        ),
    ),
    "holds": (
        "holds",
        (
            ("hold_id", Column("hold")),
            ("reason_code", Column("reason", least=14)),
            ("kind", Column("kind", extra=True)),
            ("placed_at", Column("placed (UTC)")),
            ("placed_by", Column("by", least=6)),
            ("released_at", Column("released (UTC)")),
            ("released_by", Column("by", least=6, extra=True)),
            ("release_reason_code", Column("reason", least=8, extra=True)),
        ),
    ),
    "dead_letters": (
        "dead letters (oms dead-letters show ID)",
        (
            ("id", Column("id", right=True)),
            ("queue", Column("queue", least=16)),
            ("type", Column("type", least=18)),
            ("reason", Column("reason", least=14)),
            ("attempts", Column("attempts", right=True, extra=True)),
            ("state", Column("state")),
            ("died_at", Column("died (UTC)")),
        ),
    ),
    "commands": (
        "commands",
        (
            ("received_at", Column("received (UTC)")),
            ("type", Column("type", least=16)),
            ("request_id", Column("request", least=10)),
            ("outcome_type", Column("outcome", least=12)),
            ("code", Column("code", least=10)),
        ),
    ),
}
"""List of the page -> its title, and the columns of the screen with the fields that they show."""
_OUTBOX = (
    ("id", Column("id", right=True)),
    ("type", Column("type", least=14)),
    ("destination", Column("to", extra=True)),
    ("routing_key", Column("routing key", least=10)),
    ("created_at", Column("since (UTC)")),
    ("held_because", Column("held because", least=8)),
)


def _plain(
    page: OrderPage, title: str, columns: Sequence[tuple[str, Column]], rows: Sequence[Record], width: int
) -> TitledTable:
    """A table of rows as they are stored, with a first column that names the child that a row belongs to."""
    cells = [
        (page.names.get(row.get("order_id", 0), ""), *(_shown(row[name], width) for name, _ in columns)) for row in rows
    ]
    return TitledTable(title, [Column("order"), *(column for _, column in columns)], cells)


def _shown(value: Any, width: int) -> Any:
    return when(value, width) if isinstance(value, datetime) else value
