"""The level of an alert follows from its code, so that no writer chooses it (S3-38)."""

from typing import Literal, TypeAlias

AlertLevel: TypeAlias = Literal["HIGH", "MEDIUM", "LOW"]

HIGH_PREFIXES = ("PAY_", "INVENTORY_")
MEDIUM_PREFIXES = ("ORDER_", "RISK_")
SYSTEM_FAULTS = frozenset(
    {
        *("SYSTEM_ERROR", "MESSAGE_REFUSED", "EXCHANGE_REFUSED", "SUBSCRIBER_REFUSES"),
        *("DEAD_LETTERS_NEW", "DEAD_LETTERS_OLD"),
    }
)
"""Faults of oms itself: messages stay behind until a person acts, whatever they are about."""


def level_of(code: str) -> AlertLevel:
    """Return HIGH for payments, stock and faults of the system, MEDIUM for orders and risks, LOW for all else."""
    if code in SYSTEM_FAULTS or code.startswith(HIGH_PREFIXES):
        return "HIGH"
    return "MEDIUM" if code.startswith(MEDIUM_PREFIXES) else "LOW"
