"""`oms audit` checks the invariants on a live database and only reads."""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Annotated

import typer

from db.pool import Transaction
from db.statements import SQL
from scripts.commands import command_app
from scripts.commands.connections import connected, run
from scripts.commands.invariants import INVARIANTS, Invariant
from scripts.commands.output import Format, Output, counted, say, write_json, write_table
from scripts.commands.problems import Code

app = command_app()
GRACE_SECONDS = 60.0  # a message may be on its way for so long without being lost
TIMEOUT_SECONDS = 600  # enough for a full scan of a large shop's tables


@dataclass(frozen=True)
class Finding:
    """The result of one invariant: how many violations, the ids of the first ones, and how long the check took.

    Violations that are not `ours` are work for people, and no defect of the system.
    """

    id: str
    invariant: str
    violations: int
    first: tuple[str, ...]
    milliseconds: int
    ours: bool


async def check(tx: Transaction, *, drained: bool = False, grace_seconds: float = GRACE_SECONDS) -> list[Finding]:
    """Check every invariant in one snapshot of the database.

    `drained` means that no work is under way: then there is no grace, and invariants that need this are checked too.
    """
    async with tx.transaction(isolation="repeatable_read", readonly=True):
        return await findings(tx, drained=drained, grace_seconds=grace_seconds)


async def findings(tx: Transaction, *, drained: bool, grace_seconds: float) -> list[Finding]:
    """Check the invariants as `check` does, but in the transaction of the caller."""
    chosen = [invariant for invariant in INVARIANTS if drained or not invariant.drained]
    return [await _finding(tx, invariant, 0.0 if drained else grace_seconds) for invariant in chosen]


async def _finding(tx: Transaction, invariant: Invariant, grace_seconds: float) -> Finding:
    started = time.perf_counter()
    row = await tx.fetchrow(SQL[invariant.statement], *invariant.arguments(grace_seconds))
    assert row is not None, "an aggregate query returns one row"
    milliseconds = round((time.perf_counter() - started) * 1000)
    first = tuple(row["first"] or ())
    return Finding(invariant.id, invariant.sentence, row["violations"], first, milliseconds, invariant.ours)


@app.command()
def audit(
    *,
    quiescent: Annotated[
        bool, typer.Option("--quiescent", help="No work is under way: allow no grace, and check what holds only then.")
    ] = False,
    grace_seconds: Annotated[
        float,
        typer.Option(
            min=0,
            envvar="OMS_AUDIT_GRACE_SECONDS",
            help="Seconds that a message may be on its way without counting as lost.",
        ),
    ] = GRACE_SECONDS,
    timeout_seconds: Annotated[
        int,
        typer.Option(
            min=1, envvar="OMS_AUDIT_TIMEOUT_SECONDS", help="Seconds that the check of one invariant may take."
        ),
    ] = TIMEOUT_SECONDS,
    cells: Annotated[
        bool, typer.Option("--cells", help="Check the databases of all cells (OMS_CELL_DATABASES), and them together.")
    ] = False,
    output: Output = Format.TABLE,
) -> None:
    """Check on the live database that all invariants hold.

    The command only reads, and sees the database as of one moment. It exits with 3 when an invariant is violated, and
    with another code when it could not check. What a provider did wrong is listed too, and changes no exit code.

    \b
    Examples:
      oms audit
      oms audit --quiescent -o json
      oms audit --cells
      OMS_DATABASE_URL=postgresql://reader@replica/oms oms audit
    """
    found = run((_check_cells if cells else _check_one)(timeout_seconds, quiescent, grace_seconds))
    _report(found, output)
    if others := [finding for finding in found if finding.violations and not finding.ours]:
        count = counted(sum(finding.violations for finding in others), "refund")
        say(f"oms: {count} above what was captured, to get back\n  next: oms payments excess")
    if violated := [finding for finding in found if finding.violations and finding.ours]:
        then = "oms order show ID; oms repair, which shows what was lost for good"
        say(f"oms: {len(violated)} of {len(found)} invariants violated\n  next: {then}")
        raise typer.Exit(Code.DIFFERENT)
    say(f"all {len(found)} invariants hold")


async def _check_one(timeout_seconds: int, drained: bool, grace_seconds: float) -> list[Finding]:
    async with connected(statement_timeout_seconds=timeout_seconds) as tx:
        return await check(tx, drained=drained, grace_seconds=grace_seconds)


async def _check_cells(timeout_seconds: int, drained: bool, grace_seconds: float) -> list[Finding]:
    from scripts.commands import cell_audit  # noqa: PLC0415 (a shop without cells does not need it)

    return await cell_audit.check_all(timeout_seconds, drained=drained, grace_seconds=grace_seconds)


def _report(found: Sequence[Finding], output: Format) -> None:
    rows = [asdict(finding) for finding in found]
    if output is Format.JSON:
        write_json(rows)
        return
    write_table([row | {"first": ", ".join(row["first"]) or "-"} for row in rows])
