"""Stock counters, their holders and the ledger that explains every unit."""

from collections.abc import Iterable, Mapping, Sequence

from db.pool import Transaction
from db.statements import SQL, columns
from workers.domain.stock_counters import Counter, LedgerEntry, Place
from workers.domain.stock_reservations import Holder, HolderState


async def lock_holders(tx: Transaction, ids: Iterable[int]) -> dict[int, Holder]:
    """Holder id -> what it holds, for every id given, also those without a row. Locked in id order until commit."""
    wanted = sorted(set(ids))
    found = {holder_id: Holder(holder_id, holder_id) for holder_id in wanted}
    if wanted:
        await tx.execute(SQL["stock.lock_holders"], wanted)
        for row in await tx.fetch(SQL["stock.holders"], wanted):
            found[row["holder_id"]] = Holder(row["holder_id"], row["group_id"], HolderState(row["state"]), row["turn"])
    return found


async def read_held(tx: Transaction, holders: Mapping[int, Holder]) -> None:
    """Add to each stored holder the units that it has reserved and those that came back from it."""
    known = [holder.id for holder in holders.values() if holder.state is not None]
    if not known:
        return
    for row in await tx.fetch(SQL["stock.held"], known):
        holder, place = holders[row["holder_id"]], (row["sku_id"], row["warehouse"])
        if row["op"] == "reserve" and row["ref"] != holder.ref:
            continue  # of a turn that was released
        if row["op"] == "reserve":
            holder.reserved[place] = row["qty"]
        else:
            holder.back[place] = holder.back.get(place, 0) + row["qty"]
            holder.refs.add(row["ref"])


async def lock_counters(tx: Transaction, places: Iterable[Place]) -> dict[Place, Counter]:
    """Place -> its counter, locked in key order until commit. Places that never had stock are missing."""
    wanted = sorted(set(places))
    if not wanted:
        return {}
    rows = await tx.fetch(SQL["stock.lock_counters"], *columns(wanted))
    return {
        (row["sku_id"], row["warehouse"]): Counter(row["on_hand"], row["locked"], row["quarantined"], row["low_units"])
        for row in rows
    }


async def create_counters(tx: Transaction, places: Iterable[Place]) -> set[Place]:
    """Insert counters of zero for places where goods arrive for the first time. Returns these places."""
    wanted = sorted(set(places))
    rows = await tx.fetch(SQL["stock.create_counters"], *columns(wanted)) if wanted else ()
    return {(row["sku_id"], row["warehouse"]) for row in rows}


async def delete_counters(tx: Transaction, places: Iterable[Place]) -> None:
    """Delete counters that this transaction created and that nothing has changed."""
    if unused := sorted(places):
        await tx.execute(SQL["stock.delete_counters"], *columns(unused))


async def save(
    tx: Transaction, counters: Mapping[Place, Counter], holders: Sequence[Holder], ledger: Sequence[LedgerEntry]
) -> None:
    """Write each counter once, each holder once, and every ledger entry."""
    if not (holders or ledger):
        return
    changed = [(holder.id, holder.group_id, holder.state) for holder in holders]
    places = sorted({entry.place for entry in ledger})
    levels = [(*place, one.on_hand, one.locked, one.quarantined) for place in places for one in [counters[place]]]
    entries = [(entry.holder_id, *entry.place, entry.op, entry.ref, entry.qty) for entry in ledger]
    turns = [holder.turn for holder in holders]
    await tx.execute(SQL["stock.save"], *columns(changed, 3), *columns(levels, 5), *columns(entries, 6), turns)


async def save_thresholds(tx: Transaction, thresholds: Mapping[Place, int | None]) -> None:
    """Write the thresholds of these places; None stands for the shop's."""
    if thresholds:
        rows = [(*place, units) for place, units in sorted(thresholds.items(), key=lambda one: one[0])]
        await tx.execute(SQL["stock.save_thresholds"], *columns(rows))
