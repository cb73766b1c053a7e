"""The shop's rules in this process, set once by the composition root."""

from workers.domain.shop import Shop


class _Process:
    shop = Shop()


def configure(shop: Shop) -> None:
    """Set the rules of this process."""
    _Process.shop = shop


def current() -> Shop:
    """The rules of this process."""
    return _Process.shop
