"""The roles of the systems around us. Every command, fact and query names the roles that may send it, as data."""

from enum import StrEnum


class Role(StrEnum):
    """What a broker user is, to us. The setting OMS_ROLES says which users have which roles."""

    STOREFRONT = "storefront"
    """Sends what a buyer asks for, in the name of that buyer only."""
    PAYMENTS = "payments"
    """Reports captures and refunds, and hands in the statements of providers."""
    WAREHOUSE = "warehouse"
    """Receives and corrects stock, and books parcels."""
    CARRIER = "carrier"
    """Reports what happened to a parcel."""
    CATALOGUE = "catalogue"
    """Sets products, prices, promotions, coupon templates and rules."""
    MARKETING = "marketing"
    """Gives coupons, points and member levels."""
    OPERATOR = "operator"
    """Acts for any buyer, reviews orders and refunds money."""
    NOTIFIER = "notifier"
    """Reads events and sends nothing."""


FOR_BUYERS = frozenset({Role.STOREFRONT, Role.OPERATOR})
"""Who may send what a buyer asks for: a storefront in the buyer's own name, an operator for any buyer."""
BETWEEN = "\x1f"
"""It parts the names of a sender, and an id from the subject whose it is. No user, subject or id of the wire has it."""
EVERY_ROLE = frozenset(Role)
ANYONE = EVERY_ROLE
"""Every sender, also one without a role or without `user_id`: for messages that are believed for their signature."""


def speakers(senders: frozenset[Role], actor_type: str | None) -> frozenset[Role]:
    """Return which of these roles may send a message of such an actor: a storefront speaks for users alone."""
    return senders if actor_type in (None, "user") else senders - {Role.STOREFRONT}


def may_send(senders: frozenset[Role], roles: frozenset[Role]) -> bool:
    """Tell whether a sender with these roles may send a message of these senders."""
    return senders == ANYONE or not senders.isdisjoint(roles)
