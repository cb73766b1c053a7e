"""Handles payment.reconcile, which brings a provider's statement of one day (R-10).

    payment.reconcile                            then
    -------------------------------------------  -------------------------------------------------------------------
    of a provider of ours, in its own layout     payment.reconciled with the counts, and a payment.discrepancy_found
                                                 for each difference
    with a refund that is not in our books       also refund.observed: the provider made it by itself, or it succeeded
                                                 after all. Where a line is no proof, the provider is polled
    of a file that was compared before           the same payment.reconciled to its sender, and no events
    in another layout, or of another day         command.rejected: RECONCILE_FILE_INVALID, with the line
    of a provider without settings here          command.rejected: PAY_METHOD_INVALID

A difference moves no order. Only refunds on a statement are taken into the books, because their money is gone: the
refunds queue decides whether one is ours, and takes the same one only once. Captures count by their facts, refunds once
they have succeeded; a refund that is under way here may be on a statement, and is no difference if it is not.
"""

import asyncio
import base64
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, time
from hashlib import blake2b
from itertools import product
from typing import TypeAlias, get_args
from zoneinfo import ZoneInfo

from prometheus_client import Counter

import outbox
from db.pool import Transaction
from messages.cells import Cell
from messages.envelope import Envelope
from messages.payments import PaymentDiscrepancyFound, PaymentReconcile, PaymentReconciled
from workers import shop
from workers.domain.codes import Code
from workers.domain.reconciliation import Comparison, Difference, DifferenceKind, Entry, compare
from workers.domain.refusal import Refusal
from workers.providers import configured, statements
from workers.providers.port import Provider, StatementError
from workers.runtime.batch import Batch
from workers.runtime.route import Route
from workers.services import authorization, commands, refunds
from workers.services.reconciliation import DayStatement, ledgers
from workers.store import reconciliation
from workers.store.reconciliation import StatementKey, StatementResult

Item: TypeAlias = Envelope[PaymentReconcile]
BATCH_MAX_ITEMS = 5  # each has thousands of lines
DIFFERENCES = Counter(
    "oms_reconciliation_differences", "Differences of statements from our records", ["provider", "kind"]
)
_LINE = re.compile(r"\bline ([0-9]{1,9})\b")


def read(item: Item, providers: Mapping[str, Provider]) -> DayStatement | Refusal:
    """Return the parsed statement, or why it cannot be compared. No I/O; it runs in a thread."""
    body = item.body
    provider = providers.get(body.provider)
    if body.actor.type == "user":
        return authorization.FORBIDDEN
    if provider is None:
        return Refusal(Code.PAY_METHOD_INVALID, f"there is no provider {body.provider} here", {"field": "provider"})
    try:
        content = base64.b64decode(body.content, validate=True)
        rows = statements.read(provider, content, body.day)
    except StatementError as error:
        return malformed(str(error))
    except ValueError:
        return malformed("the content is not base64")
    return DayStatement(body.provider, body.day, blake2b(content, digest_size=32).digest(), rows)


def own(statement: DayStatement | Refusal, cell: Cell | None) -> DayStatement | Refusal:
    """Return the statement without the lines of other cells, which get it too: our number of each leads to its cell."""
    if cell is None or isinstance(statement, Refusal):
        return statement
    return replace(statement, rows=[row for row in statement.rows if cell.other_of(row.number) is None])


def malformed(why: str) -> Refusal:
    """Return the refusal of a file that is not in the provider's layout; its details name the line if there is one."""
    line = _LINE.search(why)
    return Refusal(Code.RECONCILE_FILE_INVALID, why[:255], {"line": int(line[1])} if line else {})


def compare_all(new: Sequence[DayStatement], entries: Mapping[str, Sequence[Entry]]) -> dict[StatementKey, Comparison]:
    """Compare the statements in turn: an entry that one of them lists need not be on the next. No I/O."""
    compared: dict[StatementKey, Comparison] = {}
    by_provider = {provider: {entry.key: entry for entry in found} for provider, found in entries.items()}
    for statement in new:
        ours = by_provider.setdefault(statement.provider, {})
        comparison = compare(statement.rows, ours.values(), statement.day)
        ours |= {entry.key: replace(entry, stated_on=statement.day) for entry in comparison.listed}
        compared[statement.key] = comparison
    return compared


async def reconcile(tx: Transaction, batch: Batch[PaymentReconcile]) -> None:
    """Read every statement, compare the new ones with our records, and write each table once."""
    claims = await commands.claim(tx, batch)
    parsed = await asyncio.to_thread(
        lambda: {item.id: own(read(item, configured()), batch.cell) for item in claims.fresh}
    )
    first: dict[StatementKey, tuple[Item, DayStatement]] = {}
    for item in claims.fresh:
        if isinstance(statement := parsed[item.id], DayStatement):
            first.setdefault(statement.key, (item, statement))

    await reconciliation.lock(tx)
    results = await reconciliation.results(tx, first)
    new = [statement for key, (_, statement) in first.items() if key not in results]
    entries = await ledgers(tx, new, shop.current().business_time_zone)
    compared = await asyncio.to_thread(compare_all, new, entries)
    owners = await reconciliation.owners(tx, ownerless_numbers(compared))
    new_results = {statement.key: result_of(statement, compared[statement.key]) for statement in new}
    listed = {key: [entry.key for entry in comparison.listed] for key, comparison in compared.items()}
    await reconciliation.keep(tx, new_results, listed)

    results |= new_results
    outcomes: commands.Outcomes = {}
    events: list[outbox.Announcement] = []
    for item in claims.fresh:
        statement = parsed[item.id]
        if isinstance(statement, Refusal):
            rejected = commands.rejected(item, statement)
            outcomes[commands.key_of(item)] = rejected, item
            events.append(outbox.event(rejected, because=item))
            continue
        key = statement.key
        outcome = reconciled(key, results[key])
        outcomes[commands.key_of(item)] = outcome, item
        if key in compared and first[key][0] is item:
            found = [discrepancy(key, difference, owners) for difference in compared[key].differences]
            events += [outbox.event(event, because=item) for event in (*found, outcome)]
            events += unknown_refunds(statement, compared[key], item)
    replies = await commands.conclude(tx, outcomes)
    await outbox.append(tx, [*events, *replies, *claims.answers])
    count(compared)


def unknown_refunds(statement: DayStatement, comparison: Comparison, item: Item) -> list[outbox.Announcement]:
    """Build refund.observed, or provider.refund_query, for the refunds of the statement that our books do not have."""
    missing = {found.line for found in comparison.differences if found.kind == "missing_here"}
    rows = [row for row in statement.rows if row.kind == "refund" and row.line in missing]
    at = datetime.combine(statement.day, time(12), ZoneInfo(shop.current().business_time_zone))
    reports = [(row, refunds.of_line(row, at)) for row in rows if row.capture_no and row.amount]
    return [
        outbox.internal(refunds.observed(report, statement.provider), because=item)
        if row.certain
        else refunds.provider_refund_query(statement.provider, report, item)
        for row, report in reports
    ]


def result_of(statement: DayStatement, comparison: Comparison) -> StatementResult:
    """Return the counts of a comparison, which are stored."""
    return StatementResult(len(statement.rows), comparison.matched, len(comparison.differences))


def ownerless_numbers(compared: Mapping[StatementKey, Comparison]) -> Iterable[tuple[str, str]]:
    """Return (provider, number) of each difference that is missing in our records.

    Some of these numbers are of attempts or refunds of ours that ended otherwise: their orders help to find out why.
    """
    return (
        (provider, number)
        for (provider, _, _), comparison in compared.items()
        for difference in comparison.differences
        if difference.order_id is None
        for number in (difference.number, difference.capture_no)
        if number
    )


def reconciled(key: StatementKey, result: StatementResult) -> PaymentReconciled:
    """Build payment.reconciled: the counts of a comparison."""
    provider, day, _ = key
    return PaymentReconciled(
        provider=provider, day=day, rows=result.rows, matched=result.matched, differences=result.differences
    )


def discrepancy(key: StatementKey, found: Difference, owners: Mapping[tuple[str, str], int]) -> PaymentDiscrepancyFound:
    """Build payment.discrepancy_found: one difference, with the order that owns its number if there is one."""
    provider, day, _ = key
    return PaymentDiscrepancyFound(
        provider=provider,
        day=day,
        kind=found.kind,
        movement=found.movement,
        number=found.number,
        trade_no=found.trade_no,
        ours=found.ours,
        theirs=found.theirs,
        currency=found.currency,
        their_currency=found.their_currency,
        line=found.line,
        order_id=owner(provider, found, owners),
    )


def owner(provider: str, found: Difference, owners: Mapping[tuple[str, str], int]) -> int | None:
    """Return the order of a difference: by our number, or by the capture that an unknown refund draws on."""
    numbers = (found.number, found.capture_no)
    return found.order_id or next((owners[provider, n] for n in numbers if n and (provider, n) in owners), None)


def prepare_counts(names: Iterable[str]) -> None:
    """Make the counters of these providers exist from the start: an alert sees the first difference as an increase."""
    for provider, kind in product(names, get_args(DifferenceKind)):
        DIFFERENCES.labels(provider, kind)


def count(compared: Mapping[StatementKey, Comparison]) -> None:
    """Count the differences once they are committed, for an alert: an operator must look at each."""
    for (provider, _, _), comparison in compared.items():
        for difference in comparison.differences:
            outbox.once_committed(DIFFERENCES.labels(provider, difference.kind).inc)


ROUTE = Route(queue="reconciliations", handler=reconcile, batch_max_items=BATCH_MAX_ITEMS)
