"""Every exchange, queue, binding and delay tier, as plain data. It knows names and talks to no broker."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from messages import (
    account_queries,
    benefits,
    carriers,
    carts,
    catalogue,
    explanations,
    fulfilments,
    holds,
    order_queries,
    orders,
    payments,
    promotions,
    providers,
    queries,
    refunds,
    rests,
    risk,
    shipments,
    stock,
    subjects,
    timers,
)
from messages.base import Message, MessageKind

DELIVERY_LIMIT = 50  # catches a message that kills its process each time; for all else our own attempts decide
DEAD_LETTER_DELIVERY_LIMIT = 1_000_000  # never -1: RabbitMQ 3.10 loses the message at its first requeue
QUESTION_TTL_SECONDS = 30  # the caller has timed out by then
RETRY_TIERS_SECONDS = (1, 5, 30, 120, 600, 1800)

PROVIDERS = ("alipay", "wechat", "unionpay", "paypal")
"""Providers that we call ourselves. Each has its own queue of calls, so only that queue waits while one is down."""

CARRIER_CALLS = "carrier-calls"
"""The first word of the queues of calls to carriers."""


def warehouse_queue(warehouse: str) -> str:
    """The queue, without its prefix, in which a warehouse finds its instructions. No worker of ours reads it."""
    return f"warehouse.{warehouse}"


def provider_calls_queue(provider: str) -> str:
    """The queue, without its prefix, in which calls to a provider wait."""
    return f"provider-calls.{provider}"


def carrier_calls_queue(carrier: str) -> str:
    """The queue, without its prefix, in which calls to a carrier wait."""
    return f"{CARRIER_CALLS}.{carrier}"


CALLS: tuple[type[Message], ...] = (
    providers.ProviderStart,
    providers.ProviderCapture,
    providers.ProviderQuery,
    providers.ProviderClose,
    providers.ProviderRefund,
    providers.ProviderRefundQuery,
    providers.ProviderDisputeQuery,
    providers.ProviderCertificates,
)

QUEUES: dict[str, tuple[type[Message], ...]] = {
    "order-creation": (orders.OrderCreate,),
    "order-numbers": (orders.OrderNumberIssue,),
    "carts": (carts.CartPut, carts.CartRemove),
    "risk-results": (risk.RiskResult,),
    "order-changes": (
        orders.OrderCancel,
        orders.OrderChangeAddress,
        orders.OrderConfirmReceipt,
        orders.OrderDelete,
        orders.OrderMerge,
    ),
    "order-holds": (holds.OrderHold, holds.OrderRelease),
    "partial-orders": (rests.OrderCancelRest, rests.ShortageReport, rests.ShortageDecide, rests.ShortageDue),
    "stock": (
        stock.StockReserve,
        stock.StockCommit,
        stock.StockRelease,
        stock.StockRestock,
        stock.StockReceive,
        stock.StockAdjust,
    ),
    "stock-results": (stock.StockReserved, stock.StockRefused),
    "payment-requests": (payments.PaymentStart,),
    "payment-results": (
        payments.PaymentCallback,
        payments.PaymentResult,
        payments.PaymentObserved,
        payments.ProgressMark,
    ),
    "reconciliations": (payments.PaymentReconcile,),
    "disputes": (payments.DisputeObserved,),
    "refunds": (refunds.RefundResult, refunds.RefundRequest, refunds.RefundObserved),
    "fulfilments": (
        fulfilments.FulfilmentReview,
        fulfilments.FulfilmentGet,
        fulfilments.FulfilmentAccept,
        fulfilments.FulfilmentRefuse,
        fulfilments.FulfilmentPick,
        fulfilments.FulfilmentPack,
        fulfilments.FulfilmentHandOver,
        fulfilments.FulfilmentCancelAccepted,
        fulfilments.FulfilmentCancelRefused,
    ),
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
        catalogue.RevisionReset,
        promotions.PromotionUpsert,
        benefits.CouponTemplateUpsert,
        benefits.CouponIssue,
        benefits.PointsGrant,
        benefits.MemberUpsert,
    ),
    **{provider_calls_queue(provider): CALLS for provider in PROVIDERS},
}
"""Work queue, without the prefix -> the messages it takes. Each queue has one handler file."""

QUESTIONS: dict[str, tuple[type[Message], ...]] = {
    "queries": (
        queries.OrderPreview,
        *order_queries.QUERIES,
        *explanations.QUERIES,
        *account_queries.QUERIES,
        subjects.SubjectExport,
    )
}
"""Queue of queries -> the queries it takes. They have neither retries nor dead letters: the caller repeats them."""

TAKEN = QUEUES | QUESTIONS
"""The queues that every shop has."""

TO_CARRIERS: tuple[type[Message], ...] = (carriers.CarrierBook, carriers.CarrierTrack, carriers.CarrierCancel)
"""The messages of the queues of calls to carriers: one queue for each carrier that OMS_CARRIERS names."""


def messages_of(queue: str) -> tuple[type[Message], ...]:
    """The messages that a queue takes, also one of calls to a carrier. No message for a queue of dead letters."""
    kind, _, carrier = queue.partition(".")
    return TO_CARRIERS if kind == CARRIER_CALLS and carrier and "." not in carrier else TAKEN.get(queue, ())


@dataclass(frozen=True)
class Names:
    """The names of exchanges and queues, under one prefix."""

    prefix: str = "oms"

    @property
    def commands(self) -> str:
        return f"{self.prefix}.commands"

    @property
    def internal(self) -> str:
        return f"{self.prefix}.internal"

    @property
    def events(self) -> str:
        return f"{self.prefix}.events"

    @property
    def queries(self) -> str:
        return f"{self.prefix}.queries"

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


def topology(
    names: Names,
    tiers: tuple[int, ...],
    *,
    delay_plugin: bool = False,
    warehouses: Iterable[str] = (),
    carriers: Iterable[str] = (),
) -> Topology:
    """Everything that must exist on the broker.

    `warehouses` have a queue each, of which only they read. `carriers` have a queue of calls each.
    """
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
    queues = [Queue(names.unrouted, _parking())]
    bindings = [Binding(names.unrouted, names.unrouted, "")]
    if delay_plugin:
        exchanges.append(Exchange(names.delay_plugin, "x-delayed-message", {"x-delayed-type": "topic"}))
    for seconds in tiers:
        queues.append(Queue(names.tier_queue(seconds), _tier(names, seconds)))
        bindings.append(Binding(names.delay, names.tier_queue(seconds), f"{tier(seconds)}.#"))
    called = {carrier_calls_queue(carrier): TO_CARRIERS for carrier in carriers}
    for name, models in (QUEUES | called).items():
        queue, dlq = names.queue(name), names.dlq(name)
        queues += [Queue(queue, _work(names, queue)), Queue(dlq, _parking())]
        if models not in (CALLS, TO_CARRIERS):  # calls are addressed to one of several queues directly
            bindings += [Binding(names.exchange_of(model.KIND), queue, model.routing_key()) for model in models]
        bindings += [Binding(names.delayed, queue, f"*.{queue}"), Binding(names.dlx, dlq, queue)]
        if delay_plugin:
            bindings.append(Binding(names.delay_plugin, queue, f"*.{queue}"))
    for name in QUESTIONS:
        queues.append(Queue(names.queue(name), _questions()))
        bindings.append(Binding(names.queries, names.queue(name), "#"))  # an unknown query gets an answer too
    queues += [Queue(names.queue(warehouse_queue(warehouse)), _instructions()) for warehouse in warehouses]
    return Topology(tuple(exchanges), tuple(queues), tuple(bindings))


def _work(names: Names, queue: str) -> dict[str, Any]:
    return _quorum(names.dlx, queue) | {"x-delivery-limit": DELIVERY_LIMIT}


def _tier(names: Names, seconds: int) -> dict[str, Any]:
    # Without a dead-letter routing key the message keeps `<tier>.<queue>`, which `*.<queue>` binds to its queue.
    return _quorum(names.delayed, None) | {"x-message-ttl": seconds * 1000}


def _questions() -> dict[str, Any]:
    return {"x-queue-type": "quorum", "x-message-ttl": QUESTION_TTL_SECONDS * 1000}


def _parking() -> dict[str, Any]:
    return {"x-queue-type": "quorum", "x-delivery-limit": DEAD_LETTER_DELIVERY_LIMIT}


def _instructions() -> dict[str, Any]:
    # Nothing is dropped: a client that fails at a message gets it again, and the relay keeps what the queue refuses.
    return _parking() | {"x-overflow": "reject-publish"}


def _quorum(dead_letter_exchange: str, dead_letter_key: str | None) -> dict[str, Any]:
    arguments = {
        "x-queue-type": "quorum",
        "x-dead-letter-exchange": dead_letter_exchange,
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }
    return arguments if dead_letter_key is None else arguments | {"x-dead-letter-routing-key": dead_letter_key}
