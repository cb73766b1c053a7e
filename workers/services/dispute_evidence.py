"""What a provider gets from us as evidence against a buyer's dispute."""

from collections.abc import Sequence

from db.cipher import ERASED
from db.pool import Transaction
from messages.disputes import DisputeSubmitEvidence
from messages.envelope import Envelope
from messages.providers import ProviderDisputeEvidence
from workers.domain.masking import MASK
from workers.providers.evidence import DisputeEvidence
from workers.store import case_texts, disputes, refunds
from workers.store.disputes import EvidenceKey

TEXT_TYPE = DisputeSubmitEvidence.routing_key()
PARCELS_MAX = 20  # of one submission


async def read(
    tx: Transaction, provider: str, items: Sequence[Envelope[ProviderDisputeEvidence]]
) -> dict[EvidenceKey, DisputeEvidence | None]:
    """Return what the provider gets by these messages; None if its text was erased since.

    It names the parcels of which it was known at its submission that they had left: a repeat after a lost answer is the
    same request then, which Stripe asks of one key. Submissions that the provider has answered are missing.
    """
    wanted = await disputes.to_give(tx, provider, [(item.body.dispute_no, item.body.number) for item in items])
    captures = await refunds.captured_for(tx, {(provider, one.trade_no) for one in wanted.values()})
    orders = {trade_no: sorted(capture.shares) for (_, trade_no), capture in captures.items()}
    about = {order_id for ids in orders.values() for order_id in ids}
    texts = await case_texts.read(tx, about, [TEXT_TYPE])
    parcels = await disputes.parcels(tx, about)
    found: dict[EvidenceKey, DisputeEvidence | None] = {}
    for key, one in wanted.items():
        text = texts.get((TEXT_TYPE, one.message_id), MASK)
        gone = (each for order_id in orders.get(one.trade_no, ()) for each in parcels.get(order_id, ()))
        sent = [parcel for known_at, parcel in gone if known_at <= one.submitted_at]
        kept = DisputeEvidence(*key, text, tuple(dict.fromkeys(sent))[:PARCELS_MAX])
        found[key] = None if text in {ERASED, MASK} else kept
    return found
