"""The screen of `oms top`: one page that fits the terminal, whatever its size."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

WIDE_COLUMNS, WIDE_ROWS = 120, 20  # from here on the queues and the rest stand side by side
AROUND_ROWS = 3  # the title, the head of the table, and the line about the keys
SIDE_ROWS = 9  # what the rest takes above the queues on a narrow screen
AGE_BAD_SECONDS, LAG_BAD_SECONDS = 60.0, 30.0  # as the alerts
NUMBERS = {"waiting": 9, "oldest": 7, "unacked": 7, "in/s": 5, "out/s": 5, "consumers": 9}
"""The numbers of a queue, each with the columns that it always has: its name is cut before them."""
NAME_COLUMNS, SIDE_COLUMNS = 8, 38  # of a queue at least; of the rest beside the queues
FIRST_NUMBERS, ALL_NUMBERS_COLUMNS = ("waiting", "oldest", "consumers"), 72
STATES = ("placed", "awaiting_payment", "paid", "delivered", "completed", "cancelled", "rejected", "delivery_failed")


def top_screen(sample: Mapping[str, Any], columns: int, rows: int, *, keys: str = "q quits") -> RenderableType:
    """Return the page for a terminal of this size, with a last line about the keys, if there are any.

    Queues with most messages come first; the rest is counted.
    """
    title = Text(f"oms top  {sample['at']:%H:%M:%S}Z", style="bold", no_wrap=True)
    for server, why in sample["unread"].items():
        title.append(f"  {server}: {why}", style="bold red")
    last = [Text(keys, style="dim")] if keys else []
    if columns < WIDE_COLUMNS or rows < WIDE_ROWS:
        room = max(1, rows - AROUND_ROWS - SIDE_ROWS - 1)
        return Group(title, _summary(sample, short=True), _queues(sample["queues"], room, columns), *last)
    page = Table.grid(padding=(0, 3))
    page.add_row(
        _queues(sample["queues"], max(1, rows - AROUND_ROWS - 1), columns - SIDE_COLUMNS), _summary(sample, short=False)
    )
    return Group(title, page, *last)


def _queues(queues: Sequence[Mapping[str, Any]], room: int, columns: int) -> Table:
    ordered = sorted(queues, key=_place)
    shown = ordered if len(ordered) <= room else ordered[: max(room - 1, 1)]
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 1))
    names = [name for name in NUMBERS if columns >= ALL_NUMBERS_COLUMNS or name in FIRST_NUMBERS]
    left = max(NAME_COLUMNS, columns - sum(NUMBERS[name] + 2 for name in names))
    table.add_column("queue", no_wrap=True, overflow="ellipsis", max_width=left)
    for name in names:
        table.add_column(name, justify="right", no_wrap=True, min_width=NUMBERS[name])
    for one in shown:
        style = "yellow" if one["paused"] else "red" if _lonely(one) and one["messages"] else ""
        consumers = "paused" if one["paused"] else str(one["consumers"])
        shown_as = {
            "waiting": _count(one["messages"]),
            "oldest": _oldest(one),
            "unacked": _count(one["unacknowledged"]),
            "in/s": _rate(one["in_per_second"]),
            "out/s": _rate(one["out_per_second"]),
            "consumers": consumers,
        }
        table.add_row(one["queue"], *(shown_as[name] for name in names), style=style)
    if len(shown) < len(ordered):
        rest = ordered[len(shown) :]
        table.add_row(f"{len(rest)} more", _count(sum(one["messages"] for one in rest)), style="dim")
    return table


def _oldest(one: Mapping[str, Any]) -> str:
    sign = {"about": "~", "at least": ">", None: ""}[one["oldest_age_is"]]
    return f"{sign}{_seconds(one['oldest_age_seconds'])}"


def _place(one: Mapping[str, Any]) -> tuple[object, ...]:
    """Queues that need a look come first, then those where much happens; idle dead-letter queues come last."""
    happens = (one["in_per_second"] or 0) + (one["out_per_second"] or 0)
    return -one["messages"], not (one["paused"] or _lonely(one)), -happens, one["queue"].endswith(".dlq"), one["queue"]


def _lonely(one: Mapping[str, Any]) -> bool:
    return not one["consumers"] and not one["paused"]


def _summary(sample: Mapping[str, Any], *, short: bool) -> Table:
    """Everything but the queues: two pairs in a row on a narrow screen, one on a wide one."""
    outbox, timers, letters = sample["outbox"], sample["timers"], sample["dead_letters"]
    opened = sum(row["open"] for row in letters)
    oldest = max((row["oldest_age_seconds"] for row in letters), default=0.0)
    age, lag = outbox.get("oldest_age_seconds"), timers.get("lag_seconds")
    pairs = [
        ("outbox waiting", _count(outbox.get("pending")), ""),
        ("outbox oldest", _seconds(age), "red" if (age or 0) > AGE_BAD_SECONDS else ""),
        ("streams held", _count(outbox.get("held_streams")), "yellow" if outbox.get("held_streams") else ""),
        ("relays", _count(outbox.get("relays")), "red" if outbox.get("relays") == 0 else ""),
        ("timers", _count(timers.get("running")), ""),
        ("timers late", _seconds(lag), "red" if (lag or 0) > LAG_BAD_SECONDS else ""),
        ("dead letters", _count(opened) if outbox else "-", "yellow" if opened else ""),
        ("oldest letter", _seconds(oldest) if opened else "-", ""),
    ]
    perminute = sample["orders_per_minute"]
    pairs += [(f"{state}/min", _count(perminute.get(state, 0)) if perminute else "-", "") for state in STATES]
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 1))
    for _ in range(2 if short else 1):
        table.add_column(no_wrap=True)
        table.add_column(justify="right", no_wrap=True, min_width=8)
    half = len(pairs) // 2
    for left, right in zip(pairs[:half], pairs[half:], strict=True) if short else ((pair, None) for pair in pairs):
        cells = [Text(left[0]), Text(left[1], style=left[2])]
        cells += [Text(right[0]), Text(right[1], style=right[2])] if right else []
        table.add_row(*cells)
    return table


def _count(number: int | None) -> str:
    return "-" if number is None else f"{number:,}"


def _rate(number: float | None) -> str:
    return "-" if number is None else f"{number:,.1f}"


def _seconds(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.1f} s"
