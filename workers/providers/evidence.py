"""What a merchant gives a provider against a buyer's dispute, as types of the port."""

from dataclasses import dataclass


@dataclass(frozen=True)
class DisputeEvidence:
    """What the merchant says against a dispute: a text, and (carrier, tracking number) of the parcels that left.

    `number` says which of the merchant's submissions it is: 1, 2, 3 ...
    """

    dispute_no: str
    number: int
    text: str
    parcels: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class EvidenceReceipt:
    """The provider accepted the merchant's evidence against this dispute."""

    dispute_no: str
