"""The live view: tables on a terminal, one line every few seconds elsewhere."""

import sys
import time

from rich.columns import Columns
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from scripts.demo.small_view import small
from scripts.demo.view_data import MIB, STATES, ViewData, flow, milliseconds

PLAIN_EVERY_SECONDS = 5.0
WIDE_COLUMNS, HIGH_LINES = 130, 48
"""A smaller terminal gets the small view."""


def tables(view_data: ViewData) -> RenderableType:
    """Return the tables of the live view."""
    rows = [
        Columns([_orders(view_data), _flow(view_data), _processes(view_data)], padding=(0, 1)),
        Columns(
            [_queues(view_data), Group(_dead(view_data), _providers(view_data)), _benefits(view_data)], padding=(0, 1)
        ),
    ]
    lines = [Text(f"in another terminal: . {view_data.second_terminal}"), Text(view_data.note, style="yellow")]
    return Panel(Group(*rows, *lines), title=view_data.title, subtitle="Ctrl-C drains and ends")


def _table(title: str, *rows: tuple[str, str]) -> Table:
    table = Table(title=title, title_justify="left", show_header=False, min_width=30)
    table.add_column()
    table.add_column(justify="right")
    for row in rows:
        table.add_row(*row)
    return table


def _orders(view_data: ViewData) -> Table:
    states = view_data.status.states
    rows = [(state, f"{states.get(state, 0):,}") for state in STATES if state in states]
    return _table("orders by state", *rows, ("all", f"{sum(states.values()):,}"))


def _flow(view_data: ViewData) -> Table:
    return _table("flow", *flow(view_data))


def _benefits(view_data: ViewData) -> Table:
    gave = view_data.client_report.get("benefits", {})
    split = f"{gave.get('split', 0):,} into {gave.get('parts', 0):,}"
    return _table(
        "discounts, split, merged",
        ("by promotions", f"{gave.get('promotions_cents', 0) / 100:,.2f}"),
        ("by coupons", f"{gave.get('coupons_cents', 0) / 100:,.2f}"),
        ("coupons used", f"{gave.get('coupons_used', 0):,}"),
        ("points used", f"{gave.get('points_used', 0):,}"),
        ("orders split", split),
        ("payments merged", f"{gave.get('merged', 0):,}"),
    )


def _providers(view_data: ViewData) -> Table:
    """Return for each provider: captures, the amount less refunds, and refunds."""
    table = _table("providers: captures, kept, refunds")
    for _ in range(2):
        table.add_column(justify="right")
    for row in view_data.kept():
        table.add_row(*row)
    return table


def _processes(view_data: ViewData) -> Table:
    rows = [
        (child.name, f"{'up' if child.up else 'down'}, {child.memory_bytes() // MIB} MiB, {child.restarts} restarts")
        for child in view_data.children
    ]
    return _table("processes", *rows)


def _queues(view_data: ViewData) -> Table:
    if view_data.status.queues is None:
        return _table("queues", ("RabbitMQ", "no answer"))
    short = view_data.short_queues()
    work = [(name, f"{count:,}") for name, count in short.items() if not name.endswith(".dlq")]
    dead = sum(count for name, count in short.items() if name.endswith(".dlq"))
    table = _table("messages ready in queues")
    table.add_column()
    table.add_column(justify="right")
    cells = [*work, ("all *.dlq", f"{dead:,}")]
    for left, right in zip(cells[::2], [*cells[1::2], ("", "")], strict=False):
        table.add_row(*left, *right)
    return table


def _dead(view_data: ViewData) -> Table:
    rows = [(reason, f"{count:,}") for reason, count in view_data.status.dead.items()]
    return _table("dead letters open, by reason", *rows, ("all", f"{sum(view_data.status.dead.values()):,}"))


def status_line(view_data: ViewData) -> str:
    """Return the live view as one line."""
    status, client_report = view_data.status, view_data.client_report
    latency = client_report.get("latency", {})
    states = " ".join(f"{state}={status.states[state]}" for state in STATES if state in status.states)
    pending = "?" if status.counts is None else f"{status.counts['outbox_pending']:.0f}"
    ready = "?" if status.queues is None else str(sum(status.queues.values()))
    restarts = sum(child.restarts for child in view_data.children)
    phase, seconds = client_report.get("phase", "starting"), time.monotonic() - view_data.started
    return (
        f"{seconds:4.0f} s  {phase:9} {states or 'no orders'}  "
        f"{client_report.get('created_per_second', 0):.0f}/s  p50 {milliseconds(latency.get('p50'))} "
        f"p99 {milliseconds(latency.get('p99'))}  open commands {client_report.get('commands_open', 0)}  "
        f"outbox {pending}  queued {ready}  dead {sum(status.dead.values())}  restarts {restarts}"
        + (f"  [{view_data.note}]" if view_data.note else "")
    )


class Screen:
    """Draws the live view on standard error, so that standard output holds the summary alone."""

    def __init__(self, *, live: bool) -> None:
        self.console = Console(stderr=True)
        self._live = Live(console=self.console, auto_refresh=False) if live and self.console.is_terminal else None
        self._next = 0.0

    def __enter__(self) -> "Screen":
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def announce(self, view_data: ViewData, note: str) -> None:
        """Show a note now, and not only with the next data."""
        view_data.note = note
        if self._live is None:
            print(note, file=sys.stderr, flush=True)
        else:
            self.show(view_data)

    def show(self, view_data: ViewData) -> None:
        """Draw the newest data."""
        if self._live is not None:
            width, height = self.console.size
            fits = width >= WIDE_COLUMNS and height >= HIGH_LINES
            self._live.update(tables(view_data) if fits else small(view_data, width), refresh=True)
        elif time.monotonic() >= self._next:
            self._next = time.monotonic() + PLAIN_EVERY_SECONDS
            print(status_line(view_data), file=sys.stderr, flush=True)
