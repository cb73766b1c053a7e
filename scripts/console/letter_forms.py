"""The filters of dead letters as fields of a form: the options of `oms dead-letters list`, under their names."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from difflib import get_close_matches
from typing import Any, TypeAlias, get_type_hints
from urllib.parse import parse_qs, urlencode

from aiohttp import web

from messages.reasons import BROKER_REASONS, Reason
from messages.topology import QUEUES
from scripts.commands.letter_filters import STATES, UNROUTED, LetterOptions, is_id
from scripts.commands.problems import Code, CommandError

Fields: TypeAlias = Mapping[str, Sequence[str]]
"""Each field of an address by name, with its values."""
IDS = "id"
CHOICES: Mapping[str, Sequence[str]] = {
    "queue": (*QUEUES, UNROUTED),
    "reason": sorted({*map(str, Reason), *BROKER_REASONS}),
    "state": STATES,
}
HINTS = {
    "type": "order.create.v1",
    "exception": "KeyError",
    "group": "3f2a9c01d4e5b677",
    "version": "1.4.0",
    "order": "id or number",
    "user": "u1",
    "correlation": "correlation id",
    "message-id": "message id",
    "since": "2h",
    "until": "30m",
    "attempts": ">3",
    "header": "name=value",
    "where": "items.*.qty>5",
}
FIRST = ("queue", "reason", "type", "exception", "since", "where", "state")
"""The filters that are always seen; the others unfold."""


def name_of(field: str) -> str:
    """Return the name of an option, without its dashes."""
    return "reason" if field == "reason_is" else field.replace("_", "-")


NAMES = {name_of(field.name): field.name for field in fields(LetterOptions)}
MANY = {name for name, field in NAMES.items() if "list[" in str(get_type_hints(LetterOptions)[field])}


def query_string(request: web.Request) -> str:
    """Return the query of an address as it was sent: decoded, it could not be an address again, nor be read rightly."""
    return request.rel_url.raw_query_string


def fields_of(query: str) -> Fields:
    """Return the fields of an address that are not empty. Raises CommandError if they are too many."""
    try:
        return {name: [one.strip() for one in values] for name, values in parse_qs(query, max_num_fields=1000).items()}
    except ValueError:
        why, hint = "an address has at most 1,000 fields", "oms dead-letters list"
        raise CommandError(Code.FAILED, "the address is too long", why=why, hint=hint) from None


def options_of(given: Fields, also: Sequence[str] = ()) -> LetterOptions:
    """Read the filters of an address; `also` are names that mean something else there.

    Raises CommandError for a filter that does not exist.
    """
    values: dict[str, Any] = {}
    for name in given:
        if name in also:
            continue
        if name not in NAMES:
            close = get_close_matches(name, NAMES, n=1) or ["queue"]
            why = f"the filters are: {', '.join(NAMES)}"
            hint = f"oms dead-letters list --{close[0]} ..."
            raise CommandError(Code.FAILED, f"there is no filter {name}", why=why, hint=hint)
        if wanted := [text for text in given[name] if text]:
            values[NAMES[name]] = wanted if name in MANY else wanted[-1]
    return LetterOptions(**values)


def values_of(options: LetterOptions) -> dict[str, list[str]]:
    """Return each filter by name with the values that it has."""
    found = {name: getattr(options, field) for name, field in NAMES.items()}
    return {
        name: value if isinstance(value, list) else [] if value is None else [value] for name, value in found.items()
    }


def query_of(options: LetterOptions, ids: Sequence[int] = ()) -> str:
    """Return the filters, or the ids, as the query of an address."""
    pairs = [(name, one) for name, values in values_of(options).items() for one in values]
    return urlencode([*pairs, *((IDS, str(one)) for one in ids)])


def ids_of(given: Fields) -> list[str]:
    """Return the ids of an address. Raises CommandError for one that is no number."""
    ids = list(given.get(IDS, ()))
    if wrong := [text for text in ids if not is_id(text)]:
        raise CommandError(
            Code.FAILED, f"{wrong[0][:100]} is no id", why="an id is a number", hint="oms dead-letters list"
        )
    return ids
