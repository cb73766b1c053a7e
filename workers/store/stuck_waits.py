"""Finds what waits longer than its limit, and keeps what people were alerted of. It decides nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from db.pool import Transaction
from db.statements import SQL, columns
from workers.domain.pages import PageStart
from workers.domain.standing_alerts import LastAlert


@dataclass(frozen=True)
class StuckPage:
    """Which waits a page shows: `size` of those that are longer than their limits, after `start`.

    `limits` maps what is awaited to seconds. Up to `known` what is counted from a time is known already.
    """

    limits: Mapping[str, int]
    start: PageStart
    size: int
    known: Mapping[str, datetime]


@dataclass(frozen=True)
class StuckRow:
    """A wait as its row stands: what is awaited, of which order, which one, and since when. `key` tells it apart."""

    what: str
    order_id: int
    which: str
    since: datetime
    key: int


@dataclass(frozen=True)
class StuckTotal:
    """How many waits there are for the same, how many of them are not known yet, and since when the oldest waits."""

    count: int
    fresh: int
    oldest: datetime


@dataclass(frozen=True)
class FoundWaits:
    """The rows of a page, the oldest first, and the totals of all pages by what is awaited."""

    rows: Sequence[StuckRow]
    totals: Mapping[str, StuckTotal]


@dataclass(frozen=True)
class WaitingLetters:
    """The dead letters of a queue that wait for a decision: all, those that came lately, the old, and those lately."""

    queue: str
    count: int
    fresh: int
    old: int
    aged: int


async def find(tx: Transaction, pages: Sequence[StuckPage]) -> list[FoundWaits]:
    """Return what each page shows, in order, with one statement for all pages."""
    kinds = [
        (place, what, float(seconds), page.known.get(what))
        for place, page in enumerate(pages)
        for what, seconds in page.limits.items()
    ]
    starts = [(place, page.start.at, page.start.id, page.size) for place, page in enumerate(pages)]
    rows: list[list[StuckRow]] = [[] for _ in pages]
    totals: list[dict[str, StuckTotal]] = [{} for _ in pages]
    await tx.execute(SQL["stuck.by_indexes"])
    for row in await tx.fetch(SQL["stuck.find"], *columns(kinds, 4), *columns(starts, 4)):
        place, what = row["place"], row["kind"]
        totals[place][what] = StuckTotal(row["total"], row["fresh"], row["oldest"])
        if row["order_id"] is not None:
            rows[place].append(StuckRow(what, row["order_id"], row["which"], row["since"], row["key"]))
    return [FoundWaits(*found) for found in zip(rows, totals, strict=True)]


async def open_letters(
    tx: Transaction, old_seconds: int, known_came: datetime, known_aged: datetime
) -> list[WaitingLetters]:
    """Return the open dead letters of each queue. Letters are known that came, or grew old, until these times."""
    rows = await tx.fetch(SQL["stuck.letters"], float(old_seconds), known_came, known_aged)
    return [WaitingLetters(row["queue"], row["open"], row["fresh"], row["old"], row["aged"]) for row in rows]


async def take_turn(tx: Transaction, seconds: float) -> datetime | None:
    """Return the time if this transaction alone raises alerts until it ends; None if another does, or lately did."""
    now: datetime | None = await tx.fetchval(SQL["stuck.take_turn"], seconds)
    return now


async def raised(tx: Transaction) -> dict[str, LastAlert]:
    """Name -> the last alert of this name. The transaction has the turn."""
    rows: Sequence[Any] = await tx.fetch(SQL["stuck.raised"])
    return {row["name"]: LastAlert(row["raised_at"], row["count"]) for row in rows}


async def save_raised(tx: Transaction, changed: Mapping[str, LastAlert]) -> None:
    """Keep what people were alerted of now. The transaction has the turn."""
    if changed:
        rows = [(name, one.raised_at, one.count) for name, one in sorted(changed.items())]
        await tx.execute(SQL["stuck.save_raised"], *columns(rows))
