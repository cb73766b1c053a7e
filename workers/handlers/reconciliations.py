"""What happens when a provider's statement of a day arrives (R-10).

    payment.reconcile                           then
    ------------------------------------------  --------------------------------------------------------------------
    by a provider of ours, in its own layout     payment.reconciled with the counts, and a payment.discrepancy_found
                                                for each difference
    a file that was compared before             the same payment.reconciled to who asked, and no events
    not in the provider's layout, another day's  command.rejected: RECONCILE_FILE_INVALID, with the line
    by a provider that is not ours               command.rejected: PAY_METHOD_INVALID

A difference changes nothing: no money moves and no order does. Captures count by their facts, refunds once they have
succeeded; a refund that is under way here may stand on a statement, and is not missed where it does not.
"""

import asyncio
import base64
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from hashlib import blake2b
from typing import TypeAlias

from prometheus_client import Counter

import outbox
from db.pool import Transaction
from messages.envelope import Envelope
from messages.payments import PaymentDiscrepancyFound, PaymentReconcile, PaymentReconciled
from workers import shop
from workers.domain.codes import Code
from workers.domain.reconciliation import Comparison, Difference, Entry, compare
from workers.domain.refusal import Refusal
from workers.providers import configured, statements
from workers.providers.port import Provider, StatementError
from workers.runtime.batch import Batch
from workers.runtime.route import Route
from workers.services import authorization, commands
from workers.store import reconciliation
from workers.store.reconciliation import Key, Result, Sheet

Item: TypeAlias = Envelope[PaymentReconcile]
Compared: TypeAlias = dict[Key, tuple[Result, Comparison]]
BATCH_MAX_ITEMS = 5  # each has thousands of lines
DIFFERENCES = Counter("oms_reconciliation_differences", "Between statements and our books", ["provider", "kind"])
_LINE = re.compile(r"\bline ([0-9]{1,9})\b")


def read(item: Item, providers: Mapping[str, Provider]) -> Sheet | Refusal:
    """The statement, or why it is none. No I/O: runs beside the event loop."""
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
    return Sheet(body.provider, body.day, blake2b(content, digest_size=32).digest(), rows)


def malformed(why: str) -> Refusal:
    """Not what the provider writes; names the line where there is one."""
    line = _LINE.search(why)
    return Refusal(Code.RECONCILE_FILE_INVALID, why[:255], {"line": int(line[1])} if line else {})


def compare_all(sheets: Sequence[Sheet], ledgers: Mapping[str, Sequence[Entry]]) -> Compared:
    """One after the other: what one statement lists is not looked for on the next. No I/O."""
    compared: Compared = {}
    ours = {provider: {entry.key: entry for entry in entries} for provider, entries in ledgers.items()}
    for sheet in sheets:
        entries = ours.setdefault(sheet.provider, {})
        found = compare(sheet.rows, entries.values(), sheet.day)
        entries |= {entry.key: replace(entry, stated_on=sheet.day) for entry in found.listed}
        compared[sheet.key] = Result(len(sheet.rows), found.matched, len(found.differences)), found
    return compared


async def reconcile(tx: Transaction, batch: Batch[PaymentReconcile]) -> None:
    """Read every statement, compare the new ones with what we hold, write each table once."""
    claims = await commands.claim(tx, batch)
    readings = await asyncio.to_thread(lambda: {item.id: read(item, configured()) for item in claims.fresh})
    first: dict[Key, tuple[Item, Sheet]] = {}
    for item in claims.fresh:
        if isinstance(sheet := readings[item.id], Sheet):
            first.setdefault(sheet.key, (item, sheet))

    await reconciliation.lock(tx)
    done = await reconciliation.done(tx, first)
    fresh = [sheet for key, (_, sheet) in first.items() if key not in done]
    ledgers = await reconciliation.ledgers(tx, fresh, shop.current().business_time_zone)
    compared = await asyncio.to_thread(compare_all, fresh, ledgers)
    owners = await reconciliation.owners(tx, strangers(compared))
    await reconciliation.keep(tx, compared)

    outcomes: commands.Outcomes = {}
    news: list[outbox.Announcement] = []
    results = done | {key: result for key, (result, _) in compared.items()}
    for item in claims.fresh:
        reading = readings[item.id]
        if isinstance(reading, Refusal):
            rejected = commands.rejected(item, reading)
            outcomes[commands.key_of(item.body)] = rejected, item
            news.append(outbox.event(rejected, because=item))
            continue
        event = reconciled(reading.key, results[reading.key])
        outcomes[commands.key_of(item.body)] = event, item
        if reading.key in compared and first[reading.key][0] is item:
            found = [discrepancy(reading.key, each, owners) for each in compared[reading.key][1].differences]
            news += [outbox.event(each, because=item) for each in (*found, event)]
    replies = await commands.conclude(tx, outcomes)
    await outbox.append(tx, [*news, *replies, *claims.answers])
    count(compared)


def strangers(compared: Compared) -> Iterable[tuple[str, str]]:
    """(provider, number) of what is missing here: some are of attempts or refunds that ended otherwise with us."""
    return (
        (provider, each.number)
        for (provider, _, _), (_, comparison) in compared.items()
        for each in comparison.differences
        if each.order_id is None and each.number
    )


def reconciled(key: Key, result: Result) -> PaymentReconciled:
    """What came of a statement."""
    provider, day, _ = key
    return PaymentReconciled(
        provider=provider, day=day, rows=result.rows, matched=result.matched, differences=result.differences
    )


def discrepancy(key: Key, found: Difference, owners: Mapping[tuple[str, str], int]) -> PaymentDiscrepancyFound:
    """One difference, as the world hears of it."""
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
        order_id=found.order_id or owners.get((provider, found.number or "")),
    )


def count(compared: Compared) -> None:
    """For alerts: a difference is for a person to look at."""
    for (provider, _, _), (_, comparison) in compared.items():
        for each in comparison.differences:
            DIFFERENCES.labels(provider, each.kind).inc()


ROUTE = Route(queue="reconciliations", handler=reconcile, batch_max_items=BATCH_MAX_ITEMS)
