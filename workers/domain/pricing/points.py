"""Paying with points (R-05, S4-06)."""

from collections.abc import Sequence
from typing import NamedTuple

from workers.domain.codes import Code
from workers.domain.pricing.allocation import allocate_within
from workers.domain.refusal import Refusal
from workers.domain.shop import Shop


class Spent(NamedTuple):
    """Points that are used, and the minor units that they take off each line."""

    points: int
    amounts: list[int]


def spend(asked: int, available: int, rest: Sequence[int], limits: Sequence[int | None], shop: Shop) -> Spent | Refusal:
    """Use as many whole units of the points `asked` for as the rules allow; the client's expected amount sees how many.

    `rest` is what is still to be paid per line, `limits` how many points a line takes at most (None: any number).
    """
    if asked < 0:
        return against_the_rules("negative", asked)
    if asked > available:
        details = {"asked": asked, "available": available}
        return Refusal(Code.POINTS_INSUFFICIENT, f"{asked} points are more than {available}", details)
    caps = [_cap(amount, limit, shop) for amount, limit in zip(rest, limits, strict=True)]
    most = min(sum(rest) * shop.points_max_percent // 100, sum(caps)) // shop.points_unit_minor_units
    units = min(asked // shop.points_unit, most)
    if asked and not units:
        return against_the_rules("none_usable", asked, unit=shop.points_unit, max=most * shop.points_unit)
    return Spent(units * shop.points_unit, allocate_within(units * shop.points_unit_minor_units, rest, caps))


def _cap(rest: int, limit: int | None, shop: Shop) -> int:
    return rest if limit is None else min(rest, limit * shop.points_unit_minor_units // shop.points_unit)


def against_the_rules(why: str, asked: int, **numbers: int) -> Refusal:
    """POINTS_RULE: the shop takes no points like this."""
    return Refusal(Code.POINTS_RULE, f"points cannot be used like this: {why}", {"why": why, "asked": asked, **numbers})
