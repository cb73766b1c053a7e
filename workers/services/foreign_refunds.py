"""Refunds that a provider made by itself: on its own page, by a dispute or a charge-back. Pure but for its types.

A provider names only the capture. Where it paid several orders, the refund is shared out to them.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import outbox
from messages.base import AlertRaised
from messages.envelope import Envelope
from messages.refunds import RefundObserved, RefundResult, RefundSucceeded
from workers.domain.book import Book
from workers.domain.codes import Code
from workers.domain.refund_amounts import CaptureShare, share_out
from workers.services import refunds
from workers.store.refunds import CapturedFor, ForeignKey, ForeignRefundPart

FOREIGN, REVERSAL = "foreign", "reversal"
"""The first word of the cause: the merchant gave the money back at the provider, or the provider took it."""


def key_of(body: RefundResult | RefundObserved) -> ForeignKey | None:
    """Return what identifies the refund if it is not ours; None if its capture is not named."""
    if body.provider is None or body.trade_no is None:
        return None
    provider_no = body.provider_no if isinstance(body, RefundObserved) else None
    return body.provider, body.trade_no, provider_no or body.refund_no


def keys(bodies: Iterable[RefundResult | RefundObserved]) -> list[ForeignKey]:
    """Return the keys of all these that name their capture."""
    found = (key_of(body) for body in bodies)
    return [key for key in found if key is not None]


def parts(
    book: Book[Any],
    capture: CapturedFor,
    key: ForeignKey,
    shares: Mapping[int, CaptureShare],
    item: Envelope[RefundResult | RefundObserved],
) -> list[ForeignRefundPart]:
    """Return the refund as a part for each order that it concerns. `shares` is what each may give back now."""
    (provider, trade_no, number), body = key, item.body
    reversal = isinstance(body, RefundObserved) and body.reversal
    return [
        ForeignRefundPart(
            order_id=order_id,
            root_id=book[order_id].root_id,
            user_id=book[order_id].user_id,
            cause=f"{REVERSAL if reversal else FOREIGN}:{provider}:{number}",
            intent_id=capture.intent_id,
            provider=provider,
            trade_no=trade_no,
            provider_no=number,
            amount=amount,
            excess_amount=shares[order_id].excess_of(amount),
            currency=body.currency,
            occurred_at=body.occurred_at,
            because=item,
            reason_code=body.reason_code,
        )
        for order_id, amount in share_out(body.amount, shares).items()
    ]


def announcements(taken: Sequence[tuple[ForeignRefundPart, str]]) -> list[outbox.Announcement]:
    """Build refund.succeeded for each part, in its order's stream, and its alerts."""
    messages: list[outbox.Announcement] = []
    for part, refund_no in taken:
        succeeded = RefundSucceeded(**refunds.about(part, refund_no), excess_amount=part.excess_amount)
        alerts = [alert(part, refund_no)]
        if part.excess_amount:
            alerts.append(refunds.in_excess(succeeded))
        messages.append(outbox.event(succeeded, because=part.because, stream=part.root_id))
        messages += [outbox.event(one, because=part.because) for one in alerts]
    return messages


def alert(part: ForeignRefundPart, refund_no: str) -> AlertRaised:
    """Build alert.raised: money went back that nobody had requested here."""
    by = "took back" if part.cause.startswith(REVERSAL) else "gave back at its own page"
    content = (
        f"{part.provider} {by} {part.amount} {part.currency} of {part.trade_no} under {part.provider_no}; "
        f"it is in the books as {refund_no}: find out why, and whether the order goes on"
    )
    return AlertRaised.of(
        title="refunded without a request",
        content=content,
        code=Code.PAY_REFUND_FOREIGN,
        order_id=part.order_id,
    )
