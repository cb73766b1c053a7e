"""One grammar of filters for every command about dead letters, and what they select.

--queue stock --reason failed          a filter may be repeated: either value; different filters: all of them
--since 2h --attempts '>3'             times are 30m, 2h, 3d ago or RFC 3339; numbers are 3, >3, <=3, 2..5
--where 'items.*.qty>5'                conditions on the body (scripts/commands/body_paths.py)
"""

import inspect
import re
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from functools import wraps
from typing import Annotated, Any

import orjson
import typer

from db.cipher import ErasedError
from db.pool import Transaction
from messages.base import moment_of
from messages.reasons import BROKER_REASONS, Reason
from messages.registry import MODELS
from messages.topology import QUEUES
from scripts.commands.body_paths import BodyCondition, BodyPathError, parse_condition
from scripts.commands.problems import Code, CommandError
from workers.store import dead_letter_lists, dead_letters
from workers.store.dead_letter_lists import LetterFilter

UNROUTED = "unrouted"
ANY = "any"
STATES = (dead_letters.OPEN, dead_letters.REPLAYED, dead_letters.DISCARDED, ANY)
SELECTED_MAX_LETTERS = 100_000
"""More are not decided by one command; so many bodies are looked into for --where and --header."""
ID_DIGITS_MAX = 100  # the database says of shorter ones that they are no ids of its own
OPENED_TOGETHER = 500
HINT = "oms dead-letters list --help"
_AGO = re.compile(r"([0-9]{1,6})([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_COUNT = re.compile(r"(?:(>=|<=|>|<|=)?\s*([0-9]{1,8})|([0-9]{1,8})\.\.([0-9]{1,8}))")


@dataclass(frozen=True)
class LetterOptions:
    """What a person typed, option by option."""

    queue: Annotated[list[str] | None, typer.Option(help="Of this queue, named without the prefix.")] = None
    type: Annotated[list[str] | None, typer.Option(help="Of this type, such as order.create.v1.")] = None
    reason_is: Annotated[list[str] | None, typer.Option("--reason", help="With this reason: failed, invalid ...")] = (
        None
    )
    exception: Annotated[list[str] | None, typer.Option(help="With this error, such as KeyError.")] = None
    group: Annotated[
        list[str] | None, typer.Option("--group", "--fingerprint", help="Of this group of `oms dead-letters groups`.")
    ] = None
    version: Annotated[list[str] | None, typer.Option(help="That died in this version of the workers.")] = None
    order: Annotated[list[str] | None, typer.Option(help="About this order: its id or number.")] = None
    user: Annotated[list[str] | None, typer.Option(help="About this user or one of the user's orders.")] = None
    correlation: Annotated[list[str] | None, typer.Option(help="With this correlation id.")] = None
    message_id: Annotated[list[str] | None, typer.Option(help="With this message id.")] = None
    since: Annotated[str | None, typer.Option(help="That died since then: 30m, 2h, 3d ago, or a time.")] = None
    until: Annotated[str | None, typer.Option(help="That died before then.")] = None
    attempts: Annotated[str | None, typer.Option(help="That failed so often: 3, '>3', 2..5.")] = None
    header: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="With this header of their message.")
    ] = None
    where: Annotated[
        list[str] | None, typer.Option(metavar="EXPRESSION", help="With such a body: 'items.*.qty>5'.")
    ] = None
    state: Annotated[str | None, typer.Option(help=f"One of {', '.join(STATES)}. Default: open.")] = None

    @property
    def text(self) -> str:
        """The options as they can be typed again."""
        words: list[str] = []
        for name, given in vars(self).items():
            for value in given if isinstance(given, list) else [given] if given is not None else []:
                words += [f"--{'reason' if name == 'reason_is' else name.replace('_', '-')}", str(value)]
        return shlex.join(words)

    def build(self, now: datetime, default_state: str | None = dead_letters.OPEN) -> "LetterQuery":
        """Read the options. Raises CommandError, which says what is wrong with one."""
        if self.state is not None and self.state not in STATES:
            raise _wrong(f"there is no state {self.state}", f"states are {', '.join(STATES)}")
        state = default_state if self.state is None else None if self.state == ANY else self.state
        least, most = _counts(self.attempts)
        wanted = LetterFilter(
            state=state,
            queues=self.queue or None,
            types=self.type or None,
            reasons=self.reason_is or None,
            error_types=self.exception or None,
            groups=self.group or None,
            versions=self.version or None,
            since=_moment(self.since, now),
            until=_moment(self.until, now),
            message_ids=self.message_id or None,
            correlation_ids=self.correlation or None,
            attempts_min=least,
            attempts_max=most,
        )
        try:
            conditions = tuple(parse_condition(text) for text in self.where or ())
        except BodyPathError as error:
            raise _wrong("--where makes no sense", str(error)) from None
        headers = tuple(_header(text) for text in self.header or ())
        return LetterQuery(wanted, tuple(self.order or ()), tuple(self.user or ()), headers, conditions, self)


@dataclass(frozen=True)
class LetterQuery:
    """Filters that the database looks at, and those that need the letter in clear: `headers` and `conditions`."""

    wanted: LetterFilter
    orders: Sequence[str]
    users: Sequence[str]
    headers: Sequence[tuple[str, str]]
    conditions: Sequence[BodyCondition]
    typed: LetterOptions

    @property
    def opens_letters(self) -> bool:
        """True if letters must be decrypted to know whether they are wanted."""
        return bool(self.headers or self.conditions)

    async def narrowed(self, tx: Transaction) -> LetterFilter:
        """Return the filter for the database, with the letters of --where and --header by their ids."""
        wanted = self.wanted
        if self.orders or self.users:
            wanted = await dead_letter_lists.about(tx, wanted, self.orders, self.users)
        if not self.opens_letters:
            return wanted
        ids = await self._ids(tx, wanted)
        found: list[int] = []
        for start in range(0, len(ids), OPENED_TOGETHER):
            rows = await dead_letters.read(tx, ids[start : start + OPENED_TOGETHER])
            found += [row["id"] for row in rows if self._fits(row)]
        return LetterFilter(ids=found)

    async def ids(self, tx: Transaction) -> list[int]:
        """Return the ids of all letters that fit, as it happened. Raises CommandError if too many."""
        return await self._ids(tx, await self.narrowed(tx))

    async def _ids(self, tx: Transaction, wanted: LetterFilter) -> list[int]:
        found = await dead_letter_lists.ids(tx, wanted, SELECTED_MAX_LETTERS + 1)
        if len(found) > SELECTED_MAX_LETTERS:
            why = f"one command takes at most {SELECTED_MAX_LETTERS:,}"
            raise CommandError(Code.REFUSED, "too many letters", why=why, hint="add --since 2h, --group or --queue")
        return found

    def _fits(self, row: Mapping[str, Any]) -> bool:
        try:
            body, headers = dead_letters.opened(row)
            content = orjson.loads(body) if self.conditions else None
        except (ErasedError, ValueError, RecursionError):
            return False
        sent = orjson.loads(headers)["headers"]
        return all(str(sent.get(name)) == value for name, value in self.headers) and all(
            condition.holds(content) for condition in self.conditions
        )


def filtered(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of LetterOptions; it gets them as its argument `options`.

    Where a command has a --reason of its own, the filter is --reason-is.
    """
    own = inspect.signature(command, eval_str=True)
    added = [_parameter(field, own) for field in fields(LetterOptions)]

    @wraps(command)
    def called(**given: Any) -> Any:
        options = LetterOptions(**{field.name: given.pop(field.name) for field in fields(LetterOptions)})
        return command(options=options, **given)

    mine = [parameter for name, parameter in own.parameters.items() if name != "options"]
    parameters = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in (*mine, *added)]
    called.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
    called.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return called


def _parameter(field: Any, own: inspect.Signature) -> inspect.Parameter:
    annotation = field.type
    if field.name == "reason_is" and "reason" in own.parameters:
        annotation = Annotated[list[str] | None, typer.Option("--reason-is", help="With this reason: failed ...")]
    return inspect.Parameter(field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=annotation)


def is_id(text: str) -> bool:
    """Say whether a text may be the id of something. Python refuses to read numbers of thousands of digits."""
    return text.isdecimal() and len(text) <= ID_DIGITS_MAX


def typed_ids(words: Sequence[str]) -> list[int]:
    """Read the ids of a command; `-` stands for those on stdin, also as JSON. Raises CommandError."""
    texts = [text for word in words for text in (_from_stdin() if word == "-" else [word])]
    wrong = [text for text in texts if not is_id(text)]
    if wrong:
        raise _wrong(f"{wrong[0][:100]} is no id", "an id is a number, and - reads ids from standard input")
    return list(dict.fromkeys(map(int, texts)))


def _from_stdin() -> Iterator[str]:
    text = sys.stdin.read()
    try:
        found = orjson.loads(text)
    except ValueError:
        lines = [orjson.loads(line) if line.startswith("{") else line for line in text.splitlines()]
        found = [part for line in lines for part in (line.split() if isinstance(line, str) else [line])]
    for one in found if isinstance(found, list) else [found]:
        yield str(one["id"] if isinstance(one, dict) and "id" in one else one)


async def refuse_unknown(tx: Transaction, typed: LetterOptions) -> None:
    """Raise CommandError for a value that no letter can have: it is mistyped, and "none" would be a wrong answer."""
    known: dict[str, set[str]] = {"queue": {*QUEUES, UNROUTED}, "reason": {*Reason, *BROKER_REASONS}, "type": {*MODELS}}
    given = {"queue": typed.queue, "reason": typed.reason_is, "type": typed.type, "group": typed.group}
    if all(set(values or ()) <= known.get(name, set()) for name, values in given.items()):
        return  # then it takes no look at all letters
    stored = dead_letter_lists.known_values(await dead_letter_lists.groups(tx, LetterFilter()))
    for name, values in given.items():
        possible = sorted(known.get(name, set()) | stored[name])
        for value in values or ():
            if value not in possible:
                begun = [one for one in possible if one.startswith(value)]  # a fingerprint is often copied in part
                close = begun or get_close_matches(value, possible, n=1)
                hint = f"oms dead-letters list --{name} {close[0]}" if close else "oms dead-letters groups"
                why = f"the {name}s are: {', '.join(possible)}"
                raise CommandError(Code.FAILED, f"there is no {name} {value}", why=why, hint=hint)


def _moment(text: str | None, now: datetime) -> datetime | None:
    if text is None:
        return None
    if (ago := _AGO.fullmatch(text)) is not None:
        with suppress(OverflowError):  # before the year 1
            return now - timedelta(seconds=int(ago[1]) * _SECONDS[ago[2]])
    if (moment := moment_of(text)) is None:
        raise _wrong(f"{text} is no time", "a time is such as 30m, 2h or 3d ago, or 2026-11-28T09:00:00+08:00")
    return moment.astimezone(UTC)


def _counts(text: str | None) -> tuple[int | None, int | None]:
    """Return the least and the most that a text such as >3 or 2..5 allows."""
    if text is None:
        return None, None
    match = _COUNT.fullmatch(text.strip())
    if match is None:
        raise _wrong(f"{text} is no number of attempts", "a number is such as 3, '>3', '<=3' or 2..5")
    if match[3]:
        return int(match[3]), int(match[4])
    number = int(match[2])
    bounds = {">": (number + 1, None), ">=": (number, None), "<": (None, number - 1), "<=": (None, number)}
    return bounds.get(match[1], (number, number))


def _header(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign:
        raise _wrong(f"{text} is no header", "a header is such as traceparent=00-4bf9...")
    return name, value


def _wrong(what: str, why: str) -> CommandError:
    return CommandError(Code.FAILED, what, why=why, hint=HINT)
