"""Splits one order into several. Each line goes whole, with all its amounts, so that every sum agrees (R-07)."""

from collections.abc import Collection

from workers.domain.pricing.quote import PricedLine, Quote


def split(quote: Quote, by: Collection[str]) -> tuple[tuple[PricedLine, ...], ...]:
    """Group the lines by product type or seller or both, as `by` says. One group means that nothing is split.

    Groups are in the order of their first lines. Lines keep their numbers and their share of every amount, shipping and
    tax too (S0-05).
    """
    groups: dict[tuple[str | None, str | None], list[PricedLine]] = {}
    for line in quote.lines:
        product_type = line.sku.product_type if "product_type" in by else None
        seller_id = line.sku.seller_id if "seller" in by else None
        groups.setdefault((product_type, seller_id), []).append(line)
    return tuple(tuple(lines) for lines in groups.values())
