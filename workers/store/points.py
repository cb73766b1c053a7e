"""Points that a shop gives outside of orders. Accounts and their ledger are shared with what orders do to them."""

from collections.abc import Iterable, Mapping, Sequence

from db.pool import Transaction
from db.statements import SQL
from messages.benefits import PointsGrant
from workers.domain.benefits import Account


async def lock(tx: Transaction, user_ids: Iterable[str]) -> dict[str, Account]:
    """User -> account, for every user given: locked in id order, also where there were no points yet."""
    users = sorted(set(user_ids))
    await tx.execute(SQL["benefits.create_accounts"], users)
    rows = await tx.fetch(SQL["benefits.lock_accounts"], users)
    return {row["user_id"]: Account(row["balance"], row["held"], row["growth"]) for row in rows}


async def save(tx: Transaction, accounts: Mapping[str, Account], grants: Sequence[PointsGrant]) -> None:
    """Write each account once and each grant to the ledger. A request id that the user's ledger has is an error."""
    if not grants:
        return
    columns = [[getattr(account, name) for account in accounts.values()] for name in ("balance", "held", "growth")]
    await tx.execute(SQL["benefits.save_accounts"], list(accounts), *columns)
    users, refs, points = [g.user_id for g in grants], [g.request_id for g in grants], [g.points for g in grants]
    count = len(grants)
    await tx.execute(SQL["benefits.log_points"], users, ["grant"] * count, refs, [None] * count, points, [0] * count)
