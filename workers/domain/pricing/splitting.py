"""One order as several: each line goes whole, with all its amounts, so that every term adds up (R-07)."""

from collections.abc import Collection

from workers.domain.pricing.quote import PricedLine, Quote


def split(quote: Quote, by: Collection[str]) -> tuple[tuple[PricedLine, ...], ...]:
    """Lines of the same product type or seller or both, as `by` says, in order of first lines; one group is no split.

    Lines keep their numbers and their share of everything, shipping and tax among it (S0-05).
    """
    groups: dict[tuple[str | None, str | None], list[PricedLine]] = {}
    for line in quote.lines:
        product_type = line.sku.product_type if "product_type" in by else None
        seller_id = line.sku.seller_id if "seller" in by else None
        groups.setdefault((product_type, seller_id), []).append(line)
    return tuple(tuple(lines) for lines in groups.values())
