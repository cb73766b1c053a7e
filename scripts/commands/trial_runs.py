"""Handles a dead letter as its worker would, with every handler of this checkout."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import SecretStr

from messages.topology import messages_of
from scripts.commands.connections import connected
from scripts.commands.decisions import all_of
from scripts.commands.letter_filters import UNROUTED
from scripts.commands.problems import Code, CommandError
from workers import providers, shop
from workers.app import all_routes
from workers.routes import signing
from workers.runtime.local_dispatch import local_routes
from workers.runtime.route import Route
from workers.services.letter_trials import Trial, try_letter
from workers.settings import Settings
from workers.store import dead_letters

TRIAL_MAX_SECONDS = 15.0
"""A trial locks what its handler locks, such as the stock of a SKU that is in great demand, until it is rolled back."""


class TrialSettings(Settings):
    """The settings of a worker, without the broker."""

    amqp_url: SecretStr = SecretStr("")


async def run_trial(id: int, to: str | None) -> Trial:
    """Handle a letter with the settings of a worker, and roll back. One at a time: it configures this process.

    Raises CommandError if there is no such letter, no handler of it that can be tried, or it takes TRIAL_MAX_SECONDS.
    """
    settings = TrialSettings()
    shop.configure(settings.shop)
    providers.configure(settings.providers, settings.payment_timeout_seconds)
    try:
        async with connected() as tx:
            (row,) = all_of([id], await dead_letters.read(tx, [id]))
            edit = (await dead_letters.newest_edits(tx, [id])).get(id)
            routes = signing(all_routes((), settings))
            route = _route(row, to, routes)
            local = local_routes(routes, route.database) if settings.local_dispatch else {}
            transaction = tx.transaction()
            await transaction.start()
            try:
                trust, cell = settings.trust, settings.own_cell
                async with asyncio.timeout(TRIAL_MAX_SECONDS):
                    return await try_letter(tx, row, edit, route=route, local=local, trust=trust, cell=cell)
            except TimeoutError:
                why = "workers wait for what it locks; everything was rolled back"
                what = f"the trial was ended after {TRIAL_MAX_SECONDS:g} s"
                raise CommandError(Code.UNREACHABLE, what, why=why, hint="the same from nearer the database") from None
            finally:
                await transaction.rollback()
    finally:
        await providers.close()


def _route(row: Mapping[str, Any], to: str | None, routes: Sequence[Route]) -> Route:
    """Return the route that would handle a letter. Raises CommandError if there is none that can be tried."""
    queue = to if row["queue"] == UNROUTED and to is not None else row["queue"]
    found = next((route for route in routes if route.queue == queue), None)
    if found is None or row["type"] not in {model.TYPE for model in messages_of(queue)}:
        hint = f"oms dead-letters try {row['id']} --to QUEUE" if row["queue"] == UNROUTED else ""
        raise CommandError(Code.REFUSED, f"no handler here takes {row['type']} from {queue}", hint=hint)
    if type(found) is not Route:
        why = "its handler calls another system, which nobody can roll back"
        raise CommandError(Code.REFUSED, f"letters of {queue} cannot be tried", why=why)
    return found
