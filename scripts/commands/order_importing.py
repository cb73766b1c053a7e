"""Reads orders of another system from a file, sends them, and waits for what workers decide about each."""

import asyncio
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from db.pool import Transaction
from messages.base import CommandRejected
from messages.cells import Cell
from messages.order_imports import OrderImport
from messages.user_shards import shard_of_user
from scripts.commands.body_faults import faults as faults_of
from scripts.commands.connections import CellSettings, connected, run
from scripts.commands.message_sending import send_many
from scripts.commands.output import say
from scripts.commands.problems import Code, CommandError
from workers.handlers.order_imports import decide
from workers.store import subjects

CHUNK_ORDERS = 200
POLL_SECONDS = 0.2


@dataclass
class ImportLine:
    """One line of the file: its order, or what is wrong with it. `fault` is also why workers rejected it."""

    number: int
    body: OrderImport | None
    fault: str = ""

    def shown(self) -> dict[str, Any]:
        """The row of the list of faults."""
        return {"line": self.number, "external_no": self.body and self.body.external_no, "fault": self.fault}


def read_lines(file: str, operator: str) -> list[ImportLine]:
    """Return every line that is not blank, checked by schema and by the rules that need no database."""
    try:
        content = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise CommandError(Code.NOTHING, f"{file} cannot be read", why=error.strerror or "") from error
    return [_line(number, line, operator) for number, line in enumerate(content.split(b"\n"), start=1) if line.strip()]


def _line(number: int, line: bytes, operator: str) -> ImportLine:
    try:
        found = orjson.loads(line)
    except orjson.JSONDecodeError:
        return ImportLine(number, None, "it is no JSON")
    if not isinstance(found, dict):
        return ImportLine(number, None, "it is no JSON object")
    body = orjson.dumps({"actor": {"type": "operator", "id": operator}} | found)
    if faults := faults_of(OrderImport, body):
        return ImportLine(number, None, "; ".join(f"{fault['path']}: {fault['message']}" for fault in faults[:3]))
    order = OrderImport.model_validate_json(body)
    refusal = decide(order, set(), datetime.now(UTC))
    return ImportLine(number, order, f"{refusal.code}: {refusal.message}" if refusal else "")


def bring(lines: Sequence[ImportLine], wait_seconds: float) -> None:
    """Send the lines without a fault, some at a time, and note at each why workers rejected it."""
    sound = [line for line in lines if not line.fault]
    databases = _databases()
    for begin in range(0, len(sound), CHUNK_ORDERS):
        chunk = sound[begin : begin + CHUNK_ORDERS]
        send_many(OrderImport, [line.body.json_bytes for line in chunk if line.body])
        run(_decided(chunk, databases, wait_seconds))
        say(f"{begin + len(chunk)} of {len(sound)} decided")


def _databases() -> tuple[str, ...]:
    """Return the URL of the database that decides about each user shard; none in a shop without cells."""
    settings = CellSettings()
    if not settings.cells:
        return ()
    urls = settings.database_urls
    return tuple(urls[name] for name in Cell(next(iter(urls)), settings.cells).owners)


def by_database(lines: Iterable[ImportLine], databases: Sequence[str]) -> dict[str | None, list[ImportLine]]:
    """Return the URL of a database -> the lines that are decided there; None is the only one."""
    found: dict[str | None, list[ImportLine]] = {}
    for line in lines:
        url = databases[shard_of_user(line.body.user_id)] if databases and line.body else None
        found.setdefault(url, []).append(line)
    return found


async def _decided(chunk: Sequence[ImportLine], databases: Sequence[str], wait_seconds: float) -> None:
    left = 0
    for url, lines in by_database(chunk, databases).items():
        left += await _undecided(url, lines, wait_seconds)
    if left:
        why = "no worker serves the queue order-imports, or OMS_ROLES does not give the broker user the role operator"
        what = f"{left} of {len(chunk)} orders were not decided within {wait_seconds:g} s; they may still wait"
        raise CommandError(Code.UNREACHABLE, what, why=why, hint="the same command again: orders that are here stay")


async def _undecided(url: str | None, lines: Sequence[ImportLine], wait_seconds: float) -> int:
    """Wait for the outcomes in this database. Returns how many have not come."""
    deadline, left = time.monotonic() + wait_seconds, list(lines)
    async with connected(url=url) as tx:
        while left and time.monotonic() < deadline:
            left = [line for line in left if not await _note(tx, line)]
            if left:
                await asyncio.sleep(POLL_SECONDS)
    return len(left)


async def _note(tx: Transaction, line: ImportLine) -> bool:
    assert line.body is not None, "a line without a body has a fault"
    found = await subjects.outcome(tx, line.body.command_scope(), line.body.command_key())
    if found is not None and found.type == CommandRejected.TYPE:
        line.fault = f"{found.event['code']}: {found.event['message']}"
    return found is not None
