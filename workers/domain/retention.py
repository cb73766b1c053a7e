"""How long rows are kept that belong to no order. What belongs to an order stays as long as the order does."""

from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Retention:
    """Days for which the rows of each table are kept. The names of the fields are those of db/sql/retention.sql."""

    commands: int = 400
    """Within it the same request id gets the same answer. It is above the 45 days of the inbox, and above any retry."""
    dead_letters: int = 400
    """From the last decision on; open letters stay. Fraud and complaints are looked into within a year."""
    cart_lines: int = 365
    order_drafts: int = 90
    """From the last save on. A draft may have an address, so it is kept for less time than a cart."""
    issued_order_numbers: int = 90
    """For numbers without an order. A shop places an order within days of asking for its number."""
    believed_notifications: int = 540
    """Chargebacks of cards come up to 18 months later."""
    rejected_notifications: int = 30
    """Anyone can post one, and a month is enough to investigate."""
    free_texts: int = 400
    """As long as dead letters: complaints are looked into within a year, and personal data is kept no longer."""
    personal_data: int = 1825
    """Addresses, remarks, notes, details of payments, evidence and the places of parcels, from the end of their order
    on. Claims about goods end before.
    """
    repairs: int = 1825
    interventions: int = 1825
    replay_runs: int = 1825
    dead_letter_notes: int = 1825
    address_accesses: int = 1825
    revision_resets: int = 1825
    buyer_notifications: int = 90
    """Within it an event that comes again sends nothing, and the shop can answer a buyer who got no message."""
    buying_groups: int = 400
    """From the end of the group on, as complaints about its orders are looked into within a year."""

    def rules(self) -> dict[str, int]:
        """The name of each rule, and its days."""
        return asdict(self)
