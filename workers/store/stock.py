"""Stock counters, their holders and the ledger that explains every unit."""

from collections.abc import Iterable, Mapping, Sequence

from db.pool import Transaction
from db.statements import SQL
from workers.domain.stock_reservations import Counter, Holder, HolderState, LedgerEntry, Place


async def lock_holders(tx: Transaction, ids: Iterable[int]) -> dict[int, Holder]:
    """Holder id -> what it holds, for every id given, also those without a row. Locked in id order until commit."""
    wanted = sorted(set(ids))
    found = {holder_id: Holder(holder_id, holder_id) for holder_id in wanted}
    if wanted:
        await tx.execute(SQL["stock.lock_holders"], wanted)
        for row in await tx.fetch(SQL["stock.holders"], wanted):
            found[row["holder_id"]] = Holder(row["holder_id"], row["group_id"], HolderState(row["state"]))
    return found


async def read_held(tx: Transaction, holders: Mapping[int, Holder]) -> None:
    """Fill in what each known holder has reserved and what came back from it."""
    known = [holder.id for holder in holders.values() if holder.state is not None]
    if not known:
        return
    for row in await tx.fetch(SQL["stock.held"], known):
        holder, place = holders[row["holder_id"]], (row["sku_id"], row["warehouse"])
        if row["op"] == "reserve":
            holder.reserved[place] = row["qty"]
        else:
            holder.restocked[place] = holder.restocked.get(place, 0) + row["qty"]
            holder.refs.add(row["ref"])


async def lock_counters(tx: Transaction, places: Iterable[Place]) -> dict[Place, Counter]:
    """Place -> its counter, locked in key order until commit. Places that never had stock are missing."""
    wanted = sorted(set(places))
    if not wanted:
        return {}
    rows = await tx.fetch(
        SQL["stock.lock_counters"], [sku for sku, _ in wanted], [warehouse for _, warehouse in wanted]
    )
    return {(row["sku_id"], row["warehouse"]): Counter(row["on_hand"], row["locked"]) for row in rows}


async def create_counters(tx: Transaction, places: Iterable[Place]) -> None:
    """Insert counters of zero for places where goods arrive for the first time."""
    wanted = sorted(set(places))
    if wanted:
        await tx.execute(
            SQL["stock.create_counters"], [sku for sku, _ in wanted], [warehouse for _, warehouse in wanted]
        )


async def save(
    tx: Transaction, counters: Mapping[Place, Counter], holders: Sequence[Holder], ledger: Sequence[LedgerEntry]
) -> None:
    """Write each counter once, each holder once, and every ledger entry."""
    touched = sorted({entry.place for entry in ledger})
    if holders:
        ids, groups = [h.id for h in holders], [h.group_id for h in holders]
        await tx.execute(SQL["stock.save_holders"], ids, groups, [h.state for h in holders])
    if touched:
        skus, warehouses = [sku for sku, _ in touched], [warehouse for _, warehouse in touched]
        on_hand, locked = [counters[p].on_hand for p in touched], [counters[p].locked for p in touched]
        await tx.execute(SQL["stock.save_counters"], skus, warehouses, on_hand, locked)
        await _write_ledger(tx, ledger)


async def _write_ledger(tx: Transaction, ledger: Sequence[LedgerEntry]) -> None:
    await tx.execute(
        SQL["stock.write_ledger"],
        [e.holder_id for e in ledger],
        [e.place[0] for e in ledger],
        [e.place[1] for e in ledger],
        [e.op for e in ledger],
        [e.ref for e in ledger],
        [e.qty for e in ledger],
    )
