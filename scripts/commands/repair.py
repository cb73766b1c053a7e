"""`oms repair` announces again what is owed to orders because a message or a timer was lost for good."""

from collections.abc import Sequence
from typing import Annotated, Any

import typer
from pydantic import SecretStr

from scripts.commands import command_app
from scripts.commands.audit import GRACE_SECONDS, TIMEOUT_SECONDS
from scripts.commands.connections import connected, database_user, person, run
from scripts.commands.decisions import confirm
from scripts.commands.output import Format, Output, counted, say, write_json, write_table
from scripts.commands.problems import Code, CommandError
from scripts.commands.recorded_reasons import reason_to_record
from workers.domain.shop import Shop
from workers.services import repairs
from workers.services.owed_messages import Owed
from workers.settings import Settings

app = command_app()
ORDERS_PER_TRANSACTION = 200  # their locks are held for some tens of milliseconds


class RepairSettings(Settings):
    """The settings of a worker, without the broker."""

    amqp_url: SecretStr = SecretStr("")


@app.command()
def repair(
    *,
    apply: Annotated[bool, typer.Option("--apply", help="Announce what is owed, after the plan.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan and change nothing: the default.")] = False,
    order: Annotated[list[int] | None, typer.Option(help="Only this order; repeat the option for more.")] = None,
    reason: Annotated[str, typer.Option(help="Why messages are missing; --apply records it.")] = "",
    grace_seconds: Annotated[
        float, typer.Option(min=0, help="Leave orders alone that changed within this time: a message may be under way.")
    ] = GRACE_SECONDS,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")] = False,
    output: Output = Format.TABLE,
) -> None:
    """Find messages and timers that were lost for good, and announce them again.

    What is owed follows from the orders, their groups, parcels, cases and refunds, and the stock's ledger: stock to
    commit, release or put back, what a case lacks of its refund, its parcels or its exchange order, what became of a
    group of buyers, and timers. Announcing is harmless where the lost message arrives after all: stock books each once,
    and neither a case nor an order takes a step twice.
    Table repairs records every order, message, person and reason. Coupons, points and refunds need no repair: they are
    written with the order's step. Set OMS_SAGA_DEADLINE_SECONDS and OMS_RECEIPT_WINDOW_SECONDS as the workers do.

    \b
    Examples:
      oms repair
      oms repair --order 379226153377300480 -o json
      oms repair --apply --reason "queue oms.stock was deleted with 8 messages"
    """
    if apply and dry_run:
        raise CommandError(Code.FAILED, "--apply and --dry-run exclude each other", hint="oms repair --dry-run")
    if apply:
        hint = "oms repair --apply --reason '...'"
        reason = reason_to_record(reason, hint, why="it is recorded with each repair")
    shop = RepairSettings().shop
    owed = run(_planned(shop, order or None, grace_seconds))
    rows = [_row(one) for one in owed]
    write_json(rows) if output is Format.JSON else write_table(rows)
    if not owed:
        say("nothing is owed")
        return
    orders = sorted({one.order_id for one in owed})
    about = f"{counted(len(owed), 'message or timer', 'messages or timers')} of {counted(len(orders), 'order')}"
    if not apply:
        say(f"{about} owed; dry run: nothing was changed\n  next: oms repair --apply --reason '...'")
        return
    if not yes:
        confirm(f"announce {about}?")
    done = run(_applied(shop, orders, grace_seconds, reason))
    say(f"announced {done} as {database_user()}\n  next: oms audit, once the workers have handled them")


async def _planned(shop: Shop, orders: Sequence[int] | None, grace_seconds: float) -> list[Owed]:
    async with (
        connected(statement_timeout_seconds=TIMEOUT_SECONDS) as tx,
        tx.transaction(isolation="repeatable_read", readonly=True),
    ):
        return await repairs.plan(tx, shop, orders, grace_seconds)


async def _applied(shop: Shop, orders: Sequence[int], grace_seconds: float, reason: str) -> int:
    done = 0
    async with connected() as tx:
        for start in range(0, len(orders), ORDERS_PER_TRANSACTION):
            some = orders[start : start + ORDERS_PER_TRANSACTION]
            async with tx.transaction():
                done += len(await repairs.apply(tx, shop, some, grace_seconds, note=person(), reason=reason))
            if start + len(some) < len(orders):
                say(f"{start + len(some)} of {len(orders)} orders")
    return done


def _row(owed: Owed) -> dict[str, Any]:
    return {
        "order": owed.order_id,
        "no": owed.order_no,
        "state": owed.state,
        "owed": owed.what,
        "because": owed.because,
        "since": owed.since,
    }
