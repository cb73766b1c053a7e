"""Pays a part of an order with the buyer's points (R-05, S4-06)."""

from collections.abc import Sequence
from typing import NamedTuple

from workers.domain.codes import Code
from workers.domain.pricing.allocation import allocate_within
from workers.domain.refusal import Refusal
from workers.domain.shop import Shop


class Spent(NamedTuple):
    """The points that an order uses, and the minor units that they take off each line."""

    points: int
    amounts: list[int]


def spend(  # noqa: PLR0917 (all are plain numbers of one order)
    requested: int, available: int, rest: Sequence[int], limits: Sequence[int | None], shop: Shop, currency: str
) -> Spent | Refusal:
    """Use as many of the `requested` points as the rules allow, in whole `points_unit`s.

    A unit is worth what the shop says for the `currency`; without such a value points are refused. `rest` is the amount
    of each line that is still to be paid; `limits` is the most points that each line takes (None: any number). Fewer
    points than requested are no refusal: the client compares the amount that it expects.
    """
    if requested < 0:
        return refuse_by_rule("negative", requested)
    if requested > available:
        details = {"requested": requested, "available": available}
        return Refusal(Code.POINTS_INSUFFICIENT, f"{requested} points are more than {available}", details)
    worth = shop.points_unit_minor_units.get(currency)
    if worth is None:
        return refuse_by_rule("currency", requested, currency=currency)
    caps = [
        amount if limit is None else min(amount, limit * worth // shop.points_unit)
        for amount, limit in zip(rest, limits, strict=True)
    ]
    most = min(sum(rest) * shop.points_max_percent // 100, sum(caps)) // worth
    units = min(requested // shop.points_unit, most)
    if requested and not units:
        return refuse_by_rule("none_usable", requested, unit=shop.points_unit, max=most * shop.points_unit)
    return Spent(units * shop.points_unit, allocate_within(units * worth, rest, caps))


def refuse_by_rule(why: str, requested: int, **details: int | str) -> Refusal:
    """Refuse with POINTS_RULE, because a rule of the shop forbids points like these."""
    return Refusal(
        Code.POINTS_RULE, f"points cannot be used like this: {why}", {"why": why, "requested": requested, **details}
    )
