"""The live view of a terminal with 80 columns and 24 lines: no boxes, and only queues that hold something."""

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from scripts.demo.view_data import MIB, STATES, ViewData, flow

NOTE_LINES = 3
WRAP_COLUMNS = 10
"""A line ends at a word, so it can be so much shorter."""


def small(view_data: ViewData, width: int) -> RenderableType:
    """Return a view of at most 23 lines, one less than the terminal, so that it never scrolls."""
    grid = Table.grid(padding=(0, 3))
    grid.add_row(_columns("orders by state", _states(view_data)), _columns("flow", _right(view_data)))
    inner = width - 4
    lines = [
        _line("queues", _queues(view_data), inner),
        _line("dead letters", _dead(view_data), inner),
        _line("providers", _providers(view_data), inner),
    ]
    lines += [_line("another terminal", f". {view_data.second_terminal}", inner)]
    note = Text(view_data.note, style="yellow")
    note.truncate((inner - WRAP_COLUMNS) * NOTE_LINES, overflow="ellipsis")
    return Panel(Group(grid, *lines, note), title=view_data.title, subtitle="Ctrl-C drains and ends", width=width)


def _columns(title: str, rows: list[tuple[str, str]]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_row(Text(title, style="bold"), "")
    for row in rows:
        table.add_row(*row)
    return table


def _states(view_data: ViewData) -> list[tuple[str, str]]:
    states = view_data.status.states
    return [*((state, f"{states.get(state, 0):,}") for state in STATES), ("all", f"{sum(states.values()):,}")]


def _right(view_data: ViewData) -> list[tuple[str, str]]:
    children = view_data.children
    up = sum(child.up for child in children)
    restarts = sum(child.restarts for child in children)
    memory = sum(child.memory_bytes() for child in children) // MIB
    return [
        *flow(view_data),
        ("processes", f"{up} of {len(children)} up"),
        ("their restarts", str(restarts)),
        ("their memory", f"{memory} MiB"),
        ("orders of your own", str(view_data.status.own_orders)),
    ]


def _line(title: str, text: str, width: int) -> Text:
    line = Text.assemble((f"{title}: ", "bold"), text, no_wrap=True)
    line.truncate(width, overflow="ellipsis")
    return line


def _queues(view_data: ViewData) -> str:
    if view_data.status.queues is None:
        return "RabbitMQ does not answer"
    waiting = {name: count for name, count in view_data.short_queues().items() if count}
    largest = sorted(waiting.items(), key=lambda each: -each[1])
    return ", ".join(f"{name} {count:,}" for name, count in largest) or "nothing waits"


def _dead(view_data: ViewData) -> str:
    return ", ".join(f"{reason} {count:,}" for reason, count in view_data.status.dead.items()) or "none"


def _providers(view_data: ViewData) -> str:
    found = [f"{name} {captures}" for name, captures, _, _ in view_data.kept()]
    return f"{', '.join(found)} captures" if found else "no captures yet"
