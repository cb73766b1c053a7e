"""Holds the shop's rules of this process. The composition root sets them once."""

from workers.domain.shop import Shop


class _Process:
    shop = Shop()


def configure(shop: Shop) -> None:
    """Set the shop's rules for this process."""
    _Process.shop = shop


def current() -> Shop:
    """The rules that were set, else those of a shop with default settings."""
    return _Process.shop
