"""What the README says of the code, made from the code: where each message is handled, and what can be configured.

python -m scripts.map               prints the map
python -m scripts.map --settings    prints the configuration table
python -m scripts.map --write       puts both into README.md, between their markers
"""

import argparse
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from pydantic import AliasChoices, SecretStr
from pydantic.fields import FieldInfo

from messages.base import Message, MessageKind
from messages.topology import TAKEN, Names
from workers.routes import ROUTES
from workers.runtime.route import RawRoute, Route
from workers.settings import Settings

README = Path(__file__).parents[1] / "README.md"
NAMES = Names()


def message_map() -> str:
    """One row per message that a queue takes, then the queues for what could not be handled."""
    routes = {route.queue: route for route in ROUTES}
    rows = [
        (f"`{model.TYPE}`", came_from(model, queue), f"`{NAMES.queue(shown(queue))}`", link(routes[queue]), who(model))
        for queue, models in TAKEN.items()
        for model in models
    ]
    rows = list(dict.fromkeys(rows))
    return table(("message", "from", "queue", "handled in", "who may send it"), [*rows, *leftovers()])


def shown(queue: str) -> str:
    """One name for queues of a kind: `provider-calls.alipay` and its like."""
    kind, dot, _ = queue.partition(".")
    return f"{kind}.<provider>" if dot else kind


def came_from(model: type[Message], queue: str) -> str:
    """The exchange; queues of a kind are addressed one by one."""
    return "directly" if "." in queue else f"`{NAMES.exchange_of(model.KIND)}`"


def leftovers() -> list[tuple[str, ...]]:
    """Where letters go that nobody could read, handle or route."""
    dead = next(route for route in ROUTES if isinstance(route, RawRoute))
    return [
        ("what failed", f"`{NAMES.dlx}`", f"`{NAMES.dlq('<queue>')}`", link(dead), "our own users, the broker"),
        ("what nobody takes", f"`{NAMES.unrouted}`", f"`{NAMES.unrouted}`", link(dead), "the broker"),
    ]


def link(route: Route) -> str:
    """The handler's file."""
    path = route.handler.__module__.replace(".", "/") + ".py"
    return f"[{Path(path).name}]({path})"


def who(model: type[Message]) -> str:
    """Whose word is taken for it."""
    if model.KIND is MessageKind.INTERNAL:
        return "our own users"
    if getattr(model, "TRUSTED_ONLY", False):
        return "trusted users"
    return "anyone; operators: trusted users" if "actor" in model.model_fields else "anyone"


def settings_table() -> str:
    """One row per environment variable."""
    rows = [
        (variables(name, field), default(field), field.description or "")
        for name, field in Settings.model_fields.items()
    ]
    return table(("variable", "default", "meaning"), rows)


def variables(name: str, field: FieldInfo) -> str:
    """The variable, and other names it goes by."""
    alias = field.validation_alias
    names = alias.choices if isinstance(alias, AliasChoices) else [f"OMS_{name.upper()}"]
    return " or ".join(f"`{choice}`" for choice in names)


def default(field: FieldInfo) -> str:
    """What holds without it."""
    if field.is_required():
        return "required"
    value = field.get_default()
    plain = value.get_secret_value() if isinstance(value, SecretStr) else value
    return "none" if plain in (None, "", frozenset()) else f"`{plain}`"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Markdown."""
    lines = [head, ["---"] * len(head), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def sections() -> dict[str, str]:
    """Marker -> what stands between it and its end."""
    return {"map": message_map(), "settings": settings_table()}


def inserted(text: str, parts: Mapping[str, str]) -> str:
    """The text with each part between its markers. Raises ValueError naming the marker that is missing."""
    for marker, part in parts.items():
        begin, end = f"<!-- {marker} -->", f"<!-- /{marker} -->"
        before, found, rest = text.partition(begin)
        _, closed, after = rest.partition(end)
        if not found or not closed:
            raise ValueError(f"the text has no {begin} ... {end}")
        text = f"{before}{begin}\n{part}\n{end}{after}"
    return text


def main(arguments: Sequence[str] | None = None) -> int:
    """Print or write."""
    parser = argparse.ArgumentParser(prog="python -m scripts.map", description="What the README says of the code.")
    parser.add_argument("--settings", action="store_true", help="print the configuration table instead of the map")
    parser.add_argument("--write", action="store_true", help="put both into README.md")
    asked = parser.parse_args(arguments)
    if asked.write:
        README.write_text(inserted(README.read_text("utf-8"), sections()), "utf-8")
    else:
        print(settings_table() if asked.settings else message_map())
    return 0


if __name__ == "__main__":
    sys.exit(main())
