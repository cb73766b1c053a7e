"""Handles changes of stock. No other handler changes the counters.

    message          then
    ---------------  --------------------------------------------------------------------------------------------
    stock.reserve    of a turn before which another is not released yet: retried; else
                     every line locked: stock.reserved; one short, or too late: stock.refused and nothing locked;
                     lines that name no warehouse are locked where there is enough (workers/domain/sourcing.py)
    stock.commit     what is locked is deducted; before its reserve: retried
    stock.release    what is locked is sellable again; before its reserve: a tombstone that refuses it
    stock.restock    deducted units are sellable again, in quarantine or written off, once per ref; before the
                     deduction: retried
    stock.receive    on hand grows, once per delivery note: stock.received
    stock.adjust     on hand is corrected, never below what is locked: stock.adjusted
    stock.transfer   units move to another warehouse, all lines or none, and none that orders hold: stock.transferred
    stock.threshold.set  the counter has another threshold: stock.threshold_changed
    stock.end_quarantine  units in quarantine are sellable or written off: stock.quarantine_ended

Who works for another warehouse changes none of its counters: AUTH_FORBIDDEN (a transfer is of both warehouses).
A message that the holder's state contradicts changes nothing and is announced as stock.discrepancy
(workers/domain/stock_reservations.py has the table). Orders in one batch are granted in order of arrival.
Whatever lets the units that can be sold in a place fall to its threshold is also announced as stock.low, and to none as
stock.sold_out: once, and again after they rose.
"""

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

import outbox
from db.pool import Transaction
from messages.base import Event
from messages.envelope import Envelope
from messages.reasons import Reason
from messages.stock import (
    Shortage,
    SourcedSku,
    StockAdjust,
    StockAdjusted,
    StockCommit,
    StockDiscrepancy,
    StockEndQuarantine,
    StockLow,
    StockQuarantineEnded,
    StockReceive,
    StockReceived,
    StockRefused,
    StockRelease,
    StockReserve,
    StockReserved,
    StockRestock,
    StockSoldOut,
    StockThresholdChanged,
    StockThresholdSet,
    StockTransfer,
    StockTransferred,
    TransferredSku,
)
from workers import shop
from workers.domain.codes import Code
from workers.domain.refusal import Refusal
from workers.domain.sourcing import Demand, choose
from workers.domain.stock_counters import ON_HAND_MAX, Counter, Fall, Place, StockOp, StockWatch
from workers.domain.stock_reservations import Holder, Short, StockBatch, StockVerdict, Want
from workers.runtime.batch import Batch
from workers.runtime.route import Route
from workers.services import authorization, commands
from workers.store import free_texts, stock

HolderCommand: TypeAlias = StockReserve | StockCommit | StockRelease | StockRestock
"""The messages about the stock that an order holds."""
PlaceCommand: TypeAlias = StockReceive | StockAdjust | StockEndQuarantine | StockThresholdSet
"""The messages about one SKU in one warehouse."""
WarehouseCommand: TypeAlias = PlaceCommand | StockTransfer
"""The messages about the stock of warehouses."""


async def move_stock(tx: Transaction, batch: Batch[HolderCommand | WarehouseCommand]) -> None:
    """Lock holders and counters once, decide in order of arrival, write each counter once."""
    claims = await commands.claim(
        tx, batch.of(StockReceive, StockAdjust, StockEndQuarantine, StockThresholdSet, StockTransfer)
    )
    fresh = {id(item) for item in claims.fresh}  # two copies of a message have the same message id
    items = [item for item in batch if isinstance(item.body, HolderCommand) or id(item) in fresh]
    holders = await stock.lock_holders(tx, holder_ids(items))
    await stock.read_held(tx, holders)
    created = await stock.create_counters(tx, arrivals(items))
    stock_batch = StockBatch(await stock.lock_counters(tx, places(items, holders)), holders)
    watch = StockWatch(stock_batch.counters, shop.current().stock_low_units)
    news: list[outbox.Announcement] = []
    outcomes: commands.Outcomes = {}

    for item in items:
        body = item.body
        if isinstance(body, WarehouseCommand):
            outcomes[commands.key_of(item)] = change_counter(stock_batch, item, body), item
        elif isinstance(body, StockReserve):
            answer = reserve(stock_batch, body, in_time=batch.now <= body.deadline)
            if answer is None:
                batch.retry(item, Reason.STOCK_NOT_THERE_YET, "the release of the turn before has not arrived yet")
            else:
                news.append(outbox.internal(answer, because=item))
        elif (verdict := move(stock_batch, body)) is StockVerdict.LATER:
            batch.retry(item, Reason.STOCK_NOT_THERE_YET, "what comes before it has not arrived yet")
        elif verdict is StockVerdict.DISCREPANCY:
            news.append(outbox.event(discrepancy(stock_batch, body), because=item))
        news += [outbox.event(fall_of(fall), because=item) for fall in watch.falls(stock_batch.ledger)]

    await stock.save(tx, stock_batch.counters, stock_batch.changed_holders(), stock_batch.ledger)
    thresholds = [event for event, _ in outcomes.values() if isinstance(event, StockThresholdChanged)]
    await stock.save_thresholds(tx, {(one.sku_id, one.warehouse): one.units for one in thresholds})
    used = {entry.place for entry in stock_batch.ledger} | {(one.sku_id, one.warehouse) for one in thresholds}
    await stock.delete_counters(tx, created - used)  # of transfers that were refused
    adjusted = [item for event, item in outcomes.values() if isinstance(event, StockAdjusted)]
    await free_texts.keep(tx, [(item, "/".join(reversed(place_of(item.body))), None) for item in adjusted])
    answers = await commands.conclude(tx, outcomes)
    events = [outbox.event(event, because=item) for event, item in outcomes.values()]
    await outbox.append(tx, [*news, *events, *answers, *claims.answers])


def reserve(stock_batch: StockBatch, body: StockReserve, *, in_time: bool) -> StockReserved | StockRefused | None:
    """Reserve all lines of one order, or none. Returns the answer; None if it comes before the end of another turn."""
    chosen = source(stock_batch, body)
    wants = [
        Want(line.holder_id, (line.sku_id, chosen[line.sku_id] if line.others else line.warehouse), line.qty)
        for line in body.lines
    ]
    answer = stock_batch.reserve(body.group_id, wants, in_time=in_time, turn=body.turn)
    if answer is None:
        return None
    about: dict[str, Any] = {"group_id": body.group_id, "turn": body.turn}
    if answer.code is None:
        return StockReserved(**about, moved=moved(body, stock_batch.holders))
    return StockRefused(**about, code=answer.code, short=shortages(stock_batch, body, answer.short))


def shortages(stock_batch: StockBatch, body: StockReserve, short: Iterable[Short]) -> tuple[Shortage, ...]:
    """Say what is short, and what the other warehouses have that it may come from."""
    lists = {line.sku_id: (line.warehouse, *line.others) for line in body.lines if line.others}
    found: list[Shortage] = []
    for one in short:
        sku_id, warehouse = one.place
        others = [name for name in lists.get(sku_id, ()) if name != warehouse]
        elsewhere = sum(stock_batch.sellable((sku_id, name)) for name in others)
        found.append(Shortage(sku_id=sku_id, warehouse=warehouse, want=one.want, have=one.have, elsewhere=elsewhere))
    return tuple(found)


def source(stock_batch: StockBatch, body: StockReserve) -> dict[str, str]:
    """SKU -> its warehouse, for the SKUs of an order that may come from several. A repeat finds what was chosen."""
    units: dict[str, int] = {}
    chosen: dict[str, str] = {}
    lists: dict[str, tuple[str, ...]] = {}
    for line in body.lines:
        if line.others:
            units[line.sku_id] = units.get(line.sku_id, 0) + line.qty
            lists.setdefault(line.sku_id, (line.warehouse, *line.others))
            holder = stock_batch.holders[line.holder_id]
            found = holder.reserved if holder.turn == body.turn else ()  # what it had in another turn is free again
            chosen |= {sku: name for sku, name in found if sku == line.sku_id}
    demands = [Demand(sku_id, units[sku_id], names) for sku_id, names in lists.items() if sku_id not in chosen]
    if demands:
        named = {line.warehouse for line in body.lines if not line.others}
        chosen |= choose(demands, named, lambda sku_id, name: stock_batch.sellable((sku_id, name)))
    return chosen


def moved(body: StockReserve, holders: Mapping[int, Holder]) -> tuple[SourcedSku, ...]:
    """Return the SKUs that come from another warehouse than stock.reserve names first, each once.

    What their holders have reserved decides, and not what this message allows: if the stock reserved the goods for an
    earlier message, a later one that names no other warehouse gets the same answer.
    """
    found: dict[tuple[int, str], str] = {}
    for line in body.lines:
        names = [name for sku_id, name in holders[line.holder_id].reserved if sku_id == line.sku_id]
        if names and line.warehouse not in names:
            found[line.holder_id, line.sku_id] = names[0]
    return tuple(SourcedSku(holder_id=key, sku_id=sku_id, warehouse=name) for (key, sku_id), name in found.items())


def move(stock_batch: StockBatch, body: StockCommit | StockRelease | StockRestock) -> StockVerdict:
    """Commit, release or restock. Returns whether the holder's state allowed it."""
    match body:
        case StockCommit():
            return stock_batch.commit(body.holder_id)
        case StockRelease():
            return stock_batch.release(body.holder_id, body.turn)
        case StockRestock():
            lines: dict[tuple[Place, StockOp], int] = {}
            for line in body.lines:
                key = (line.sku_id, line.warehouse), StockOp(line.disposition)
                lines[key] = lines.get(key, 0) + line.qty
            return stock_batch.restock(body.holder_id, body.ref, lines)


def change_counter(stock_batch: StockBatch, item: Envelope[Any], body: WarehouseCommand) -> Event:
    """Apply a warehouse's message. Returns the event, or command.rejected."""
    here = {body.warehouse, body.to_warehouse} if isinstance(body, StockTransfer) else {body.warehouse}
    if (refusal := authorization.another_warehouse(item, *here)) is not None:
        return commands.rejected(item, refusal)
    match body:
        case StockReceive():
            return receive(stock_batch, item, body)
        case StockAdjust():
            return adjust(stock_batch, item, body)
        case StockTransfer():
            return transfer(stock_batch, item, body)
        case StockEndQuarantine():
            return end_quarantine(stock_batch, item, body)
        case StockThresholdSet():
            stock_batch.counters[place_of(body)].low_units = body.units
            return StockThresholdChanged(**body.model_dump())


def receive(stock_batch: StockBatch, item: Envelope[Any], body: StockReceive) -> Event:
    """Add goods that arrived. Returns the event, or command.rejected."""
    place = place_of(body)
    if stock_batch.counters[place].on_hand + body.qty > ON_HAND_MAX:
        return commands.rejected(item, Refusal(Code.INVENTORY_INVARIANT, f"more than {ON_HAND_MAX} units"))
    after = stock_batch.receive(place, body.qty, body.ref)
    return StockReceived(**level(place, after), ref=body.ref, qty=body.qty)


def adjust(stock_batch: StockBatch, item: Envelope[Any], body: StockAdjust) -> Event:
    """Correct a counter. Returns the event, or command.rejected."""
    place, ref = place_of(body), commands.request_of(item)
    counter = stock_batch.adjust(place, body.delta, ref) if body.delta else stock_batch.counters.get(place)
    if counter is None:
        known = stock_batch.counters.get(place)
        code = Code.INVENTORY_INVARIANT if known else Code.INVENTORY_SKU_UNKNOWN
        details = {"on_hand": known.on_hand, "locked": known.locked} if known else {}
        why = "the correction would leave less than is locked" if known else "there was never stock of it there"
        return commands.rejected(item, Refusal(code, why, details))
    return StockAdjusted(**level(place, counter), request_id=body.request_id, delta=body.delta)


def transfer(stock_batch: StockBatch, item: Envelope[Any], body: StockTransfer) -> Event:
    """Move units to another warehouse. Returns the event, or command.rejected."""
    if body.warehouse == body.to_warehouse:
        why = "the goods are there already"
        return commands.rejected(item, Refusal(Code.ORDER_PARAM_INVALID, why, {"field": "to_warehouse"}))
    units: dict[str, int] = {}
    for line in body.lines:
        units[line.sku_id] = units.get(line.sku_id, 0) + line.qty
    known = stock_batch.counters
    if any(known[sku_id, body.to_warehouse].on_hand + qty > ON_HAND_MAX for sku_id, qty in units.items()):
        return commands.rejected(item, Refusal(Code.INVENTORY_INVARIANT, f"more than {ON_HAND_MAX} units"))
    short = stock_batch.transfer(units, body.warehouse, body.to_warehouse, commands.request_of(item))
    if short:
        details = [{"sku_id": one.place[0], "want": one.want, "have": one.have} for one in short]
        why = "fewer units are there that no order holds"
        return commands.rejected(item, Refusal(Code.INVENTORY_INSUFFICIENT, why, {"short": details}))
    lines = tuple(
        TransferredSku(
            sku_id=sku_id,
            qty=qty,
            on_hand=known[sku_id, body.warehouse].on_hand,
            to_on_hand=known[sku_id, body.to_warehouse].on_hand,
        )
        for sku_id, qty in units.items()
    )
    about = {"request_id": body.request_id, "warehouse": body.warehouse, "to_warehouse": body.to_warehouse}
    return StockTransferred(**about, lines=lines)


def end_quarantine(stock_batch: StockBatch, item: Envelope[Any], body: StockEndQuarantine) -> Event:
    """Take units out of quarantine. Returns the event, or command.rejected."""
    place, sellable = place_of(body), body.outcome == "sellable"
    after = stock_batch.end_quarantine(place, body.qty, commands.request_of(item), sellable=sellable)
    if after is None:
        known = stock_batch.counters.get(place)
        code = Code.INVENTORY_INVARIANT if known else Code.INVENTORY_SKU_UNKNOWN
        details = {"quarantined": known.quarantined} if known else {}
        why = "fewer units are in quarantine there" if known else "there was never stock of it there"
        return commands.rejected(item, Refusal(code, why, details))
    about: dict[str, Any] = {
        "request_id": body.request_id,
        "qty": body.qty,
        "outcome": body.outcome,
        "reason_code": body.reason_code,
    }
    return StockQuarantineEnded(**level(place, after), **about)


def level(place: Place, counter: Counter) -> dict[str, Any]:
    """Return the fields of an event that show a counter."""
    units = {"on_hand": counter.on_hand, "locked": counter.locked, "quarantined": counter.quarantined}
    return {"sku_id": place[0], "warehouse": place[1], **units}


def fall_of(fall: Fall) -> StockLow | StockSoldOut:
    """Announce that the units that can be sold fell to their threshold, or to none."""
    about = {"sku_id": fall.place[0], "warehouse": fall.place[1]}
    if fall.threshold is None:
        return StockSoldOut(**about)
    return StockLow(**about, sellable=fall.units, threshold=fall.threshold)


def discrepancy(stock_batch: StockBatch, body: StockCommit | StockRelease | StockRestock) -> StockDiscrepancy:
    """Build stock.discrepancy: the operation, and the state of its holder that contradicts it."""
    state = stock_batch.holders[body.holder_id].state or "unknown"
    return StockDiscrepancy(holder_id=body.holder_id, op=body.routing_key().removeprefix("stock."), state=state)


def holder_ids(items: Iterable[Envelope[Any]]) -> set[int]:
    """Return the holders that the messages name."""
    ids: set[int] = set()
    for item in items:
        if isinstance(item.body, StockReserve):
            ids.update(line.holder_id for line in item.body.lines)
        elif isinstance(item.body, StockCommit | StockRelease | StockRestock):
            ids.add(item.body.holder_id)
    return ids


def places(items: Iterable[Envelope[Any]], holders: dict[int, Holder]) -> set[Place]:
    """Return the places of all counters that the messages may change."""
    found = {place for holder in holders.values() for place in holder.reserved}
    for item in items:
        if isinstance(item.body, StockReserve | StockRestock):
            found.update((line.sku_id, line.warehouse) for line in item.body.lines)
        if isinstance(item.body, StockReserve):
            found.update((line.sku_id, name) for line in item.body.lines for name in line.others)
        elif isinstance(item.body, StockTransfer):
            found.update((line.sku_id, item.body.warehouse) for line in item.body.lines)
            found.update(targets(item.body))
        elif isinstance(item.body, PlaceCommand):
            found.add(place_of(item.body))
    return found


def arrivals(items: Iterable[Envelope[Any]]) -> set[Place]:
    """Return the places where goods arrive or are watched, perhaps for the first time."""
    found = {place_of(item.body) for item in items if isinstance(item.body, StockReceive | StockThresholdSet)}
    return found.union(*(targets(item.body) for item in items if isinstance(item.body, StockTransfer)))


def targets(body: StockTransfer) -> set[Place]:
    """Return the places to which a transfer brings units."""
    return {(line.sku_id, body.to_warehouse) for line in body.lines}


def place_of(body: PlaceCommand) -> Place:
    """Return the place of the counter that a warehouse's message names."""
    return body.sku_id, body.warehouse


ROUTE = Route(queue="stock", handler=move_stock)
