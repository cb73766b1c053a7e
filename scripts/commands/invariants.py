"""The invariants of `oms audit`: each is a sentence and a SQL statement that returns the violations."""

from collections.abc import Callable
from dataclasses import dataclass

from workers.domain.after_sales import CASE_STEPS
from workers.domain.order import STEPS
from workers.domain.order_imports import IMPORTED

Arguments = Callable[[float], tuple[object, ...]]
"""Takes the grace in seconds and returns the arguments of the statement."""


def _nothing(grace_seconds: float) -> tuple[object, ...]:
    return ()


def _grace(grace_seconds: float) -> tuple[object, ...]:
    return (grace_seconds,)


def _steps(grace_seconds: float) -> tuple[object, ...]:
    pairs = sorted((before, after.value) for before, after in (*STEPS, *(("", state) for state in IMPORTED)))
    return [before for before, _ in pairs], [after for _, after in pairs]


def _case_steps(grace_seconds: float) -> tuple[object, ...]:
    return tuple(list(column) for column in zip(*sorted(CASE_STEPS), strict=True))


@dataclass(frozen=True)
class Invariant:
    """`id` is that of the requirement. A `drained` invariant holds only when no work is under way.

    One that is not `ours` depends on others: a violation is work for people, and no defect of the system.
    """

    id: str
    sentence: str
    statement: str
    arguments: Arguments = _nothing
    drained: bool = False
    ours: bool = True


INVARIANTS = (
    Invariant("INV-01", "no more is locked than is on hand", "audit.stock_counters"),
    Invariant("INV-02", "stock counters are what the ledger adds up to", "audit.stock_ledger"),
    Invariant("INV-02", "what leaves a warehouse for another arrives there", "audit.stock_transfers"),
    Invariant("INV-03", "a lock is taken once and ends once; no more comes back than left", "audit.stock_holds"),
    Invariant("INV-04", "no capture is refunded beyond its amount", "audit.refunds_within_captures"),
    Invariant("INV-04", "what counts as refunded above a capture is above it", "audit_payments.excess_amounts"),
    Invariant("excess", "no provider gave back more than was left of a capture", "audit_payments.excess", ours=False),
    Invariant("INV-05", "money without goods has its refund", "audit.money_goes_back"),
    Invariant("INV-05", "a late capture waits while its order is being reinstated", "audit.reinstatements"),
    Invariant("INV-05", "money without goods is back", "audit.money_is_back", drained=True),
    Invariant("INV-05", "refunds through our attempts have ended", "audit_payments.refunds_ended", drained=True),
    Invariant("INV-05", "a refund replaces a failed one of the same money", "audit_payments.replaced_refunds"),
    Invariant("INV-05", "stock is where the order's state says", "audit.stock_follows_orders", _grace),
    Invariant("INV-05", "goods are reserved in the warehouses that their lines name", "audit.stock_places"),
    Invariant("INV-05", "coupons and points are where the order's state says", "audit_benefits.follow_orders"),
    Invariant("INV-06", "a paid order keeps one capture of its amount", "audit.paid_orders"),
    Invariant("INV-06", "an order's totals are its captures and refunds", "audit.money_totals"),
    Invariant("INV-06", "an attempt is captured as its capture says", "audit_payments.captures"),
    Invariant("INV-07", "lines add up to their order, children to their parent", "audit.line_totals"),
    Invariant("INV-07", "a price is that of the beginning and its recorded adjustments", "audit.adjustments"),
    Invariant("INV-07", "the tax of each line follows its order's own rule", "audit.taxes"),
    Invariant("INV-07", "a split order and its children agree", "audit.families"),
    Invariant("INV-07", "an exchange order is of one case, which follows it", "audit.exchanges", _grace),
    Invariant("INV-08", "a coupon belongs to at most one order", "audit_benefits.coupons"),
    Invariant("INV-09", "points are what the ledger adds up to", "audit_benefits.points"),
    Invariant("INV-09", "points are earned once, by completed orders", "audit_benefits.earned"),
    Invariant("INV-09", "no more is sold at a limited price than there is", "audit_benefits.limits"),
    Invariant("INV-10", "histories have no gap and no jump", "audit.histories"),
    Invariant("INV-11", "every order is where its log says", "audit.states_from_logs"),
    Invariant("INV-12", "outcomes say what became of the order", "audit.outcomes"),
    Invariant("INV-12", "every command has its outcome", "audit.undecided", drained=True),
    Invariant("INV-13", "order numbers are unique", "audit.order_numbers"),
    Invariant("INV-14", "nothing waits beyond its deadline", "audit.deadlines", _grace),
    Invariant("archive", "an order is in the tables or archived, with its whole family", "audit.archive"),
    Invariant("INV-14", "nothing is being placed", "audit.placing", drained=True),
    Invariant("INV-14", "no timer outlives its purpose", "audit.timers", _grace),
    Invariant("INV-14", "finished orders have no timers", "audit.finished_timers", drained=True),
    Invariant("INV-05", "goods that left are paid for", "audit_authorizations.goods"),
    Invariant("INV-05", "authorisations have ended", "audit_authorizations.ended", drained=True),
    Invariant("INV-06", "of an authorisation nothing is taken beyond it, or twice", "audit_authorizations.books"),
    Invariant("INV-14", "authorisations are looked at until they end", "audit_authorizations.watched"),
    Invariant("INV-14", "attempts are polled until they end", "audit_payments.attempts"),
    Invariant("INV-14", "refunds are polled until they end", "audit_payments.refunds"),
    Invariant("INV-05", "a lost dispute took its money once", "audit_payments.lost_disputes", _grace, ours=False),
    Invariant("INV-05", "a won dispute brought its money back", "audit_payments.won_disputes"),
    Invariant("INV-14", "a dispute that waits for its answer has its timer", "audit_payments.dispute_timers", _grace),
    Invariant("disputes", "evidence is numbered without a gap", "audit_payments.evidence"),
    Invariant("disputes", "a provider answered what we gave it", "audit_payments.given_evidence", drained=True),
    Invariant("holds", "orders are held while they have a hold", "audit.holds"),
    Invariant("INV-15", "no line is refunded beyond what was bought", "audit.refunded_lines"),
    Invariant("INV-15", "no line is shipped beyond what was bought", "audit.parcels"),
    Invariant("INV-15", "what is not shipped is given back once", "audit.dropped_units", _grace),
    Invariant("INV-16", "paid, shipped, delivered, completed in this order", "audit.times"),
    Invariant("INV-17", "only steps of the transition table occur", "audit.transitions", _steps),
    Invariant("INV-18", "no personal data is stored in clear", "audit.personal_data"),
    Invariant("INV-18", "every user key is the right user's", "audit.user_keys"),
    Invariant("INV-19", "what is announced is published", "audit.outbox_age", _grace),
    Invariant("INV-20", "a warehouse has accepted what is fulfilling", "audit_fulfilments.accepted"),
    Invariant("INV-20", "no warehouse works on a cancelled order", "audit_fulfilments.ended", _grace),
    Invariant("INV-20", "warehouses have the address of the order", "audit_fulfilments.addresses", _grace),
    Invariant("INV-20", "every hand-over is where its history says", "audit_fulfilments.histories"),
    Invariant("INV-21", "a waybill that a carrier booked has its parcel", "audit_fulfilments.waybills"),
    Invariant("INV-04", "a case opens one refund of its amount", "audit_after_sales.refunds"),
    Invariant("INV-05", "a case is where its refunds are", "audit_after_sales.followed", drained=True),
    Invariant("INV-05", "an exchange case is where its exchange order is", "audit_after_sales.exchanges", drained=True),
    Invariant("INV-05", "an order cancelled by its cases gave everything back", "audit_after_sales.whole_returns"),
    Invariant("INV-14", "a case that waits has its timer", "audit_after_sales.deadlines", _grace),
    Invariant("INV-15", "no unit is in two cases, or given back twice", "audit_after_sales.units"),
    Invariant("INV-15", "an exchange that ended gave goods or money", "audit_after_sales.exchanged"),
    Invariant("INV-15", "goods that replaced others have arrived", "audit_after_sales.arrived", drained=True),
    Invariant("INV-15", "goods that cases accepted are in stock again", "audit_after_sales.goods", _grace),
    Invariant("INV-22", "every case is where its steps say", "audit_after_sales.histories", _case_steps),
    Invariant("INV-23", "goods that a case does not keep go back to the buyer", "audit_after_sales.send_backs"),
    Invariant("INV-24", "a buyer is notified of what did happen", "audit_notifications.causes"),
    Invariant("INV-24", "a buyer is notified once of it by each medium", "audit_notifications.once"),
    Invariant("INV-24", "no notification to a buyer waits unseen", "audit_notifications.waiting", _grace),
    Invariant("INV-24", "notifications wait for quiet hours alone", "audit_notifications.sent", drained=True),
    Invariant("S1-50", "no group of buyers has more orders than seats", "audit_groups.seats"),
    Invariant("S1-50", "no order of a group that failed is left", "audit_groups.failed", _grace),
    Invariant("S1-50", "a group that formed holds no order", "audit_groups.formed", _grace),
    Invariant("S1-50", "an open group has its timer and holds what is paid", "audit_groups.open", _grace),
    Invariant("R-10", "statements were compared with what is ours", "audit_payments.statements"),
    Invariant("S3-30", "every order has its snapshots", "audit.snapshots"),
)
