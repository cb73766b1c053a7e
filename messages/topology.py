"""Every exchange, queue, binding and delay tier, as plain data. It knows names and talks to no broker."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from messages import (
    adjustments,
    annotations,
    authorizations,
    benefits,
    buyer_notifications,
    buying_groups,
    cancellations,
    captchas,
    carriers,
    carts,
    catalogue,
    contacts,
    disputes,
    fulfilments,
    holds,
    order_drafts,
    order_imports,
    orders,
    payments,
    promotions,
    providers,
    queue_rules,
    refunds,
    replacements,
    rests,
    send_backs,
    shipments,
    stock,
    subjects,
    timers,
    warehouse_hours,
)
from messages.base import Message, MessageKind
from messages.event_history import EVENT_HISTORY, EventHistory
from messages.query_queues import QUERY_QUEUES

RETRY_TIERS_SECONDS = (1, 5, 30, 120, 600, 1800)

PROVIDERS = ("alipay", "wechat", "unionpay", "paypal", "stripe")
"""Providers that we call ourselves. Each has its own queue of calls, so only that queue waits while one is down."""

CARRIER_CALLS = "carrier-calls"
"""The first word of the queues of calls to carriers."""

BUYER_NOTIFICATIONS = "buyer-notifications"
"""The queue that subscribes to the events of which buyers are notified."""
NOTIFICATION_CALLS = "notification-calls"
"""The first word of the queues in which notifications wait to be sent."""


def warehouse_queue(warehouse: str) -> str:
    """The queue, without its prefix, in which a warehouse finds its instructions. No worker of ours reads it."""
    return f"warehouse.{warehouse}"


def provider_calls_queue(provider: str) -> str:
    """The queue, without its prefix, in which calls to a provider wait."""
    return f"provider-calls.{provider}"


def carrier_calls_queue(carrier: str) -> str:
    """The queue, without its prefix, in which calls to a carrier wait."""
    return f"{CARRIER_CALLS}.{carrier}"


def notification_calls_queue(medium: str) -> str:
    """The queue, without its prefix, in which notifications wait to be sent by a medium."""
    return f"{NOTIFICATION_CALLS}.{medium}"


CALLS: tuple[type[Message], ...] = (
    *providers.ATTEMPT_CALLS,
    providers.ProviderRefund,
    providers.ProviderRefundQuery,
    *providers.DISPUTE_CALLS,
    providers.ProviderCertificates,
)

QUEUES: dict[str, tuple[type[Message], ...]] = {
    "order-creation": (orders.OrderCreate,),
    "order-numbers": (orders.OrderNumberIssue,),
    "contacts": (contacts.ContactSet,),
    "order-drafts": order_drafts.TO_US,
    "order-imports": order_imports.TO_US,
    "carts": (carts.CartPut, carts.CartRemove),
    "risk-results": captchas.TO_US,
    "order-changes": (
        orders.OrderCancel,
        orders.OrderChangeAddress,
        orders.OrderConfirmReceipt,
        orders.OrderDelete,
        orders.OrderMerge,
        cancellations.OrderCancelScheduled,
        buying_groups.OrderGroupFailed,
    ),
    "order-cancellations": cancellations.TO_US,
    "order-annotations": annotations.TO_US,
    "order-holds": (holds.OrderHold, holds.OrderRelease, buying_groups.OrderGroupFormed),
    "buying-groups": buying_groups.TO_US,
    "order-adjustments": (adjustments.OrderAmountAdjust,),
    "partial-orders": (rests.OrderCancelRest, rests.ShortageReport, rests.ShortageDecide, rests.ShortageDue),
    "stock": (
        stock.StockReserve,
        stock.StockCommit,
        stock.StockRelease,
        stock.StockRestock,
        stock.StockEndQuarantine,
        stock.StockReceive,
        stock.StockAdjust,
        stock.StockTransfer,
        stock.StockThresholdSet,
    ),
    "stock-results": (stock.StockReserved, stock.StockRefused, replacements.AfterSaleExchangeDecided),
    "payment-requests": (payments.PaymentStart,),
    "payment-results": payments.TO_RESULTS,
    "payment-authorizations": authorizations.TAKEN,
    "reconciliations": (payments.PaymentReconcile,),
    "disputes": (payments.DisputeObserved, *disputes.TAKEN),
    "refunds": (refunds.RefundResult, refunds.RefundRequest, refunds.RefundObserved),
    "after-sales": send_backs.TO_AFTER_SALES,
    "fulfilments": fulfilments.TO_US,
    "shipping-updates": (
        shipments.ShipmentBook,
        shipments.ShipmentCreate,
        shipments.ShipmentUpdate,
        carriers.WaybillAnswered,
        carriers.ShipmentObserved,
    ),
    "timeouts": (timers.TimerDue,),
    "subjects": (subjects.SubjectErase,),
    "catalogue": (
        catalogue.SkuUpsert,
        catalogue.SettingsSet,
        catalogue.WarehousesSet,
        warehouse_hours.WarehouseHoursSet,
        catalogue.RevisionReset,
        promotions.PromotionUpsert,
        benefits.CouponTemplateUpsert,
        benefits.CouponIssue,
        benefits.PointsGrant,
        benefits.PointsAdjust,
        benefits.MemberUpsert,
    ),
    **{provider_calls_queue(provider): CALLS for provider in PROVIDERS},
}
"""Work queue, without the prefix -> the messages it takes. Each queue has one handler file."""

TAKEN = QUEUES | QUERY_QUEUES
"""The queues that every shop has."""

TO_CARRIERS: tuple[type[Message], ...] = (carriers.CarrierBook, carriers.CarrierTrack, carriers.CarrierCancel)
"""The messages of the queues of calls to carriers: one queue for each carrier that OMS_CARRIERS names."""

BUYERS_NOTIFIED: tuple[type[Message], ...] = tuple(buyer_notifications.NOTIFIED)
"""The events that the queue of notifications to buyers takes. A shop that notifies no one has no such queue."""
TO_MEDIA: tuple[type[Message], ...] = (buyer_notifications.BuyerNotificationSend,)
"""The messages of the queues of notifications to send: one queue for each medium that OMS_NOTIFICATIONS names."""
ADDRESSED = (CALLS, TO_CARRIERS, TO_MEDIA)
"""What is addressed to one of several queues of a kind directly, without a binding."""
OF_A_KIND = {CARRIER_CALLS: TO_CARRIERS, NOTIFICATION_CALLS: TO_MEDIA}


def messages_of(queue: str) -> tuple[type[Message], ...]:
    """The messages that a queue takes, also one that only some shops have. No message for a queue of dead letters."""
    kind, _, name = queue.partition(".")
    if kind in OF_A_KIND and name and "." not in name:
        return OF_A_KIND[kind]
    return BUYERS_NOTIFIED if queue == BUYER_NOTIFICATIONS else TAKEN.get(queue, ())


@dataclass(frozen=True)
class Names:
    """The names of exchanges and queues, under one prefix. In a cell, others publish to the exchanges of its `shop`."""

    prefix: str = "oms"
    shop: str = ""

    def of_cell(self, cell: str) -> "Names":
        """The names of a cell of the same shop."""
        return Names(f"{self.shop or self.prefix}-{cell}", self.shop or self.prefix)

    @property
    def commands(self) -> str:
        return f"{self.shop or self.prefix}.commands"

    @property
    def internal(self) -> str:
        return f"{self.prefix}.internal"

    @property
    def events(self) -> str:
        return f"{self.prefix}.events"

    @property
    def queries(self) -> str:
        return f"{self.shop or self.prefix}.queries"

    @property
    def delay(self) -> str:
        return f"{self.prefix}.delay"

    @property
    def delay_plugin(self) -> str:
        return f"{self.prefix}.delay-plugin"

    @property
    def delayed(self) -> str:
        return f"{self.prefix}.delayed"

    @property
    def dlx(self) -> str:
        return f"{self.prefix}.dlx"

    @property
    def unrouted(self) -> str:
        return f"{self.prefix}.unrouted"

    def queue(self, name: str) -> str:
        """`stock` -> `oms.stock`."""
        return f"{self.prefix}.{name}"

    def dlq(self, name: str) -> str:
        """`stock` -> `oms.stock.dlq`."""
        return f"{self.prefix}.{name}.dlq"

    def tier_queue(self, seconds: int) -> str:
        """`5` -> `oms.delay.5s`."""
        return f"{self.delay}.{tier(seconds)}"

    def exchange_of(self, kind: MessageKind) -> str:
        """The exchange to which a message of this kind is published first."""
        others = {
            MessageKind.INTERNAL: self.internal,
            MessageKind.EVENT: self.events,
            MessageKind.QUERY: self.queries,
            MessageKind.REPLY: "",
            MessageKind.INSTRUCTION: "",
        }
        return others.get(kind, self.commands)


def tier(seconds: int) -> str:
    """The name of a delay tier, which is the first word of its routing keys."""
    return f"{seconds}s"


@dataclass(frozen=True)
class Exchange:
    """An exchange to declare."""

    name: str
    type: str = "topic"
    arguments: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Queue:
    """A queue to declare, with its rules as arguments."""

    name: str
    arguments: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Binding:
    """A queue takes these routing keys of an exchange."""

    exchange: str
    queue: str
    routing_key: str


@dataclass(frozen=True)
class Topology:
    """Everything that must exist on the broker."""

    exchanges: tuple[Exchange, ...]
    queues: tuple[Queue, ...]
    bindings: tuple[Binding, ...]


def tiers_seconds(*windows_seconds: int) -> tuple[int, ...]:
    """The delays of the retry ladder and of every payment window known at deploy, ascending, each once."""
    return tuple(sorted({*RETRY_TIERS_SECONDS, *windows_seconds}))


def queues_of_some(carriers: Iterable[str], media: Iterable[str]) -> dict[str, tuple[type[Message], ...]]:
    """Queue -> the messages that it takes, of the queues that only shops with carriers or media have."""
    called = {carrier_calls_queue(carrier): TO_CARRIERS for carrier in carriers}
    sending = {notification_calls_queue(medium): TO_MEDIA for medium in media}
    return called | sending | ({BUYER_NOTIFICATIONS: BUYERS_NOTIFIED} if sending else {})


def topology(
    names: Names,
    tiers: tuple[int, ...],
    *,
    delay_plugin: bool = False,
    warehouses: Iterable[str] = (),
    carriers: Iterable[str] = (),
    media: Iterable[str] = (),
    history: EventHistory | None = None,
) -> Topology:
    """Everything that must exist on the broker.

    `warehouses` have a queue each, of which only they read. `carriers` have a queue of calls each. So have the `media`
    by which buyers are notified; if there is one, a queue of ours subscribes to the events of which they are. With
    `history`, a stream keeps every event (S3-05).
    """
    names = Names(names.prefix)  # a cell has exchanges of its own behind those of the shop
    unrouted = {"alternate-exchange": names.unrouted}
    exchanges = [
        Exchange(names.commands, arguments=unrouted),
        Exchange(names.internal),
        Exchange(names.events),
        Exchange(names.queries),
        Exchange(names.delay),
        Exchange(names.delayed, arguments=unrouted),
        Exchange(names.dlx, type="direct", arguments=unrouted),
        Exchange(names.unrouted, type="fanout"),
    ]
    queues, bindings = [Queue(names.unrouted, queue_rules.parking())], [Binding(names.unrouted, names.unrouted, "")]
    if delay_plugin:
        exchanges.append(Exchange(names.delay_plugin, "x-delayed-message", {"x-delayed-type": "topic"}))
    for seconds in tiers:
        queues.append(Queue(names.tier_queue(seconds), queue_rules.delay_tier(names.delayed, seconds)))
        bindings.append(Binding(names.delay, names.tier_queue(seconds), f"{tier(seconds)}.#"))
    for name, models in (QUEUES | queues_of_some(carriers, media)).items():
        queue, dlq = names.queue(name), names.dlq(name)
        queues += [Queue(queue, queue_rules.work(names.dlx, queue)), Queue(dlq, queue_rules.parking())]
        if models not in ADDRESSED:
            bindings += [Binding(names.exchange_of(model.KIND), queue, model.routing_key()) for model in models]
        bindings += [Binding(names.delayed, queue, f"*.{queue}"), Binding(names.dlx, dlq, queue)]
        if delay_plugin:
            bindings.append(Binding(names.delay_plugin, queue, f"*.{queue}"))
    for name in QUERY_QUEUES:
        queues.append(Queue(names.queue(name), queue_rules.queries()))
        bindings.append(Binding(names.queries, names.queue(name), "#"))  # an unknown query gets an answer too
    queues += [Queue(names.queue(warehouse_queue(warehouse)), queue_rules.instructions()) for warehouse in warehouses]
    if history is not None:
        queues.append(Queue(names.queue(EVENT_HISTORY), history.arguments))
        bindings.append(Binding(names.events, names.queue(EVENT_HISTORY), "#"))
    return Topology(tuple(exchanges), tuple(queues), tuple(bindings))
