"""`oms keys`: makes keys for personal data, says which are in use, and encrypts everything with the current one."""

import asyncio
import time
from typing import Annotated, Any

import typer

from db import cipher
from db.pool import Transaction
from scripts.commands import command_app
from scripts.commands.connections import connected, run
from scripts.commands.decisions import confirm
from scripts.commands.output import Format, Output, counted, say, write_json, write_table
from scripts.commands.problems import Code, CommandError
from workers.store import keys
from workers.store.keys import Rotated

app = command_app("Make and rotate the keys that encrypt personal data.")
PAGES_PER_BATCH = 16  # of 8 KB: some hundred rows, which one transaction encrypts and writes within some 20 ms
PASSES_MAX = 5  # a row that another transaction holds is skipped, and comes in the next pass
PASS_SECONDS = 1.0
PROGRESS_SECONDS = 5.0  # a table of millions of rows takes minutes
STATUS_TIMEOUT_SECONDS = 600  # it reads all rows of ten tables


@app.command("new")
def new_key(
    key_id: Annotated[str, typer.Argument(help="The id of the key. Never use an id twice.")] = "k1",
    output: Output = Format.TABLE,
) -> None:
    """Print a fresh key for OMS_ENCRYPTION_KEYS.

    Put it in front of the old keys, and keep those: stored data opens only with the key that it was encrypted with.

    \b
    Examples:
      export OMS_ENCRYPTION_KEYS=$(oms keys new k1)
      export OMS_ENCRYPTION_KEYS=$(oms keys new k2),$OMS_ENCRYPTION_KEYS
    """
    if not key_id or set(key_id) & set(":, "):
        raise CommandError(
            Code.FAILED,
            f"{key_id!r} is not a key id",
            why="a key id has no colon, comma or space",
            hint="oms keys new k2",
        )
    key = cipher.new_key(key_id)
    write_json({"id": key_id, "key": key}) if output is Format.JSON else typer.echo(key)


@app.command("status")
def status(output: Output = Format.TABLE) -> None:
    """Show how many ciphertexts of each table each key encrypts.

    `users` are the keys of users, which `user_keys` holds; `erased` is what was removed. A key of the shop that no line
    names encrypts nothing any more.

    \b
    Examples:
      oms keys status
      oms keys status -o json | jq '[.[] | select(.key == "k1") | .count] | add'
    """

    async def work() -> list[dict[str, Any]]:
        async with connected(statement_timeout_seconds=STATUS_TIMEOUT_SECONDS) as tx:
            return await keys.status(tx)

    found = run(work())
    write_json(found) if output is Format.JSON else write_table(found)


@app.command("rotate")
def rotate(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be encrypted again.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask whether all workers and relays have the key.")] = False,
    output: Output = Format.TABLE,
) -> None:
    """Encrypt again, with the first key of OMS_ENCRYPTION_KEYS, what its other keys encrypt.

    The keys of users are wrapped again; what they encrypt stays as it is. It works in small transactions beside
    everything else, and reports on stderr how far it is. If it is stopped, run it again: what is done is left alone.

    All workers and relays must have the new key first, or they cannot read what this writes: orders of buyers whose
    keys are wrapped again fail until they do. SECURITY.md has the procedure.

    \b
    Examples:
      oms keys rotate --dry-run
      oms keys rotate --yes && oms keys status
    """
    if not (dry_run or yes):
        question = "were all workers and relays started with {}, the first key of OMS_ENCRYPTION_KEYS?"
        confirm(question.format(run(_first_key())))

    async def work() -> tuple[str, Rotated, list[dict[str, Any]]]:
        async with connected(statement_timeout_seconds=STATUS_TIMEOUT_SECONDS) as tx:
            current = cipher.current().current
            rotated = Rotated() if dry_run else await rotate_all(tx)
            return current, rotated, await keys.status(tx)

    current, rotated, found = run(work())
    left = [row for row in found if row["key"] not in (current, "users", cipher.ERASED)]
    done = {"current": current, "dry_run": dry_run, "left": left}
    if output is Format.JSON:
        write_json(done)
    elif left:
        write_table(left, title=f"not under {current}")
    else:
        say(
            f"all is under {current}, the first key of OMS_ENCRYPTION_KEYS"
            + ("" if rotated.done else ": nothing to do")
        )
    if left and not dry_run:
        raise CommandError(
            Code.FAILED,
            "some rows are still under other keys",
            why=_why_left(rotated),
            hint="oms keys status; then oms keys rotate again",
        )


async def _first_key() -> str:
    async with connected():
        return cipher.current().current


def _why_left(rotated: Rotated) -> str:
    reasons = (
        (rotated.missing, f"the key of {counted(rotated.missing, 'row')} is not in OMS_ENCRYPTION_KEYS"),
        (
            rotated.broken,
            f"{counted(rotated.broken, 'row')} cannot be opened with the key of that id in OMS_ENCRYPTION_KEYS:"
            " it is another key, or the rows were changed",
        ),
    )
    return "; ".join(text for count, text in reasons if count) or "other transactions hold them"


async def rotate_all(tx: Transaction) -> Rotated:
    """Encrypt again what other keys of the shop encrypt. Pass over the tables until a pass finds nothing."""
    total = Rotated()
    for _ in range(PASSES_MAX):
        found = Rotated()
        for table in keys.PLACES:
            found += await rotate_table(tx, table)
        total = Rotated(total.done + found.done, found.missing, found.broken)  # what is left is found in each pass
        if not found.done:
            break
        await asyncio.sleep(PASS_SECONDS)
    return total


async def rotate_table(tx: Transaction, table: str) -> Rotated:
    """Encrypt a table again, some pages in each transaction. Pages that are added meanwhile are under the new key."""
    found, count, reported_at = Rotated(), await keys.pages(tx, table), time.monotonic()
    for first in range(0, count, PAGES_PER_BATCH):
        async with tx.transaction():
            found += await keys.rotate(tx, table, first, first + PAGES_PER_BATCH)
        if time.monotonic() - reported_at >= PROGRESS_SECONDS:
            reported_at = time.monotonic()
            say(f"{table}: {min(first + PAGES_PER_BATCH, count)} of {count} pages, {found.done} encrypted again")
    if found.done or found.unreadable:
        say(f"{table}: {found.done} encrypted again, {found.unreadable} unreadable, {count} pages")
    return found
