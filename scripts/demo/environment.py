"""The environment of one run: a database and a virtual host of its own, migrated and declared, and its settings."""

import asyncio
import base64
import contextlib
import json
import os
import secrets
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError

import aio_pika
import psycopg
from aio_pika.exceptions import AMQPError

from db import migrate
from messages.topology import Names, tiers_seconds, topology
from outbox import declare
from scripts.demo.after_sales import RETURN_SECONDS
from scripts.demo.baskets import CNY, USD
from scripts.demo.client_job import CARRIERS, OWN_WAREHOUSE, WAREHOUSES, client_queues
from scripts.demo.gateway_process import CALL_SECONDS, SAME_CLOCK_SECONDS
from scripts.demo.processes import inherited_variables, python
from scripts.servers.find import Servers

RECEIPT_WINDOW_SECONDS = 4
SHORTAGE_WINDOW_SECONDS = 5
MEDIA = ("email",)
BY_REQUEST = (*WAREHOUSES, OWN_WAREHOUSE)
RULES = {"shipping_fee_cents": 499, "free_shipping_from_cents": 5_000, "points_unit_cents": 100}
RATE_LIMIT_ORDERS = 5
RATE_LIMIT_WINDOW_SECONDS = 10
OMS = python("-m", "scripts.cli")
EACH = python("-c", "import json, sys; from scripts.cli import main; sys.exit(max(map(main, json.loads(sys.argv[1]))))")
STEP_TIMEOUT_SECONDS = 120


def in_every_currency(cents: int) -> str:
    """A setting with an amount: the demo's buyers see the same numbers in every currency."""
    return json.dumps(dict.fromkeys((CNY, USD), cents))


@dataclass(frozen=True)
class DemoEnvironment:
    """The servers, names and files of one run. `urls` is broker user -> AMQP URL."""

    run: str
    names: Names
    urls: Mapping[str, str]
    database_url: str
    database: str
    folder: Path
    key: str
    window_seconds: int

    @property
    def receipts(self) -> Path:
        """The file with the payments and refunds that buyers know of."""
        return self.folder / "receipts.csv"

    @property
    def benefits_log(self) -> Path:
        """The file with the steps of coupons and points that were announced."""
        return self.folder / "benefits_log.csv"

    @property
    def mails(self) -> Path:
        """The file with the mails that events must have caused."""
        return self.folder / "mails.csv"

    @property
    def second_terminal(self) -> Path:
        """The file to source in another terminal."""
        return self.folder / "env"

    @property
    def queues(self) -> list[str]:
        """The full names of all queues that the order system and the crowd empty."""
        declared = topology(self.names, self.tiers, warehouses=WAREHOUSES, carriers=CARRIERS, media=MEDIA)
        return [queue.name for queue in declared.queues]

    @property
    def tiers(self) -> tuple[int, ...]:
        """The delay tiers, including the demo's short payment window."""
        return tiers_seconds(self.window_seconds)

    def variables(self, user: str, **more: str) -> dict[str, str]:
        """Return the environment variables of a process that connects as this broker user."""
        return inherited_variables(
            OMS_DATABASE_URL=self.database_url,
            OMS_AMQP_URL=self.urls[user],
            OMS_PREFIX=self.names.prefix,
            OMS_ENCRYPTION_KEYS=self.key,
            OMS_PAYMENT_WINDOW_SECONDS=str(self.window_seconds),
            OMS_RECEIPT_WINDOW_SECONDS=str(RECEIPT_WINDOW_SECONDS),
            OMS_FULFILMENT_WAREHOUSES=";".join(BY_REQUEST),
            OMS_ON_SHORTAGE="ask_then_ship",
            OMS_AFTER_SALE=json.dumps({"return_seconds": RETURN_SECONDS}),
            OMS_SHORTAGE_WINDOW_SECONDS=str(SHORTAGE_WINDOW_SECONDS),
            OMS_SHIPPING_FEE_MINOR_UNITS=in_every_currency(RULES["shipping_fee_cents"]),
            OMS_FREE_SHIPPING_FROM_MINOR_UNITS=in_every_currency(RULES["free_shipping_from_cents"]),
            OMS_POINTS_UNIT_MINOR_UNITS=in_every_currency(RULES["points_unit_cents"]),
            OMS_RATE_LIMIT_ORDERS=str(RATE_LIMIT_ORDERS),
            OMS_RATE_LIMIT_WINDOW_SECONDS=str(RATE_LIMIT_WINDOW_SECONDS),
            OMS_PAYMENT_TIMEOUT_SECONDS=str(CALL_SECONDS),
            OMS_FULFILMENT_TIMEOUT_SECONDS=str(CALL_SECONDS),
            OMS_NOTIFICATIONS=",".join(MEDIA),
            OMS_NOTIFICATION_EMAIL_FROM="orders@shop.example",
            OMS_NOTIFICATION_TIMEOUT_SECONDS=str(CALL_SECONDS),
            OMS_PAYMENT_GRACE_SECONDS=str(SAME_CLOCK_SECONDS),
            **more,
        )

    def oms(self, user: str, *commands: Sequence[str], **variables: str) -> subprocess.CompletedProcess[str]:
        """Run several `oms` commands one after the other in one process.

        All of them run, also after one has failed; the exit code is the highest of theirs.
        """
        return subprocess.run(
            [*EACH, json.dumps(commands)],
            env=self.variables(user, **variables),
            check=False,
            capture_output=True,
            text=True,
            timeout=STEP_TIMEOUT_SECONDS,
        )


def create_environment(servers: Servers, window_seconds: int) -> DemoEnvironment:
    """Create, migrate and declare everything for a run with this payment window. Raises TopologyError."""
    run = secrets.token_hex(4)
    name = f"oms_demo_{run}"
    names = Names("oms" if servers.broker.management_url else f"oms-{run}")
    environment = DemoEnvironment(
        run=run,
        names=names,
        urls=servers.broker.new_vhost(name, names.prefix),
        database_url=servers.postgres.new_database(name),
        database=name,
        folder=Path(tempfile.mkdtemp(prefix="oms-demo-")),
        key=f"demo:{base64.b64encode(secrets.token_bytes(32)).decode()}",
        window_seconds=window_seconds,
    )
    migrate.upgrade(environment.database_url)
    plugin = os.environ.get("OMS_DELAY") == "plugin"
    asyncio.run(
        declare.declare(
            environment.urls["topology"],
            names,
            environment.tiers,
            delay_plugin=plugin,
            warehouses=BY_REQUEST,
            carriers=CARRIERS,
            media=MEDIA,
        )
    )
    return environment


def remove_environment(servers: Servers, environment: DemoEnvironment) -> None:
    """Remove what `create_environment` made on the servers. A server that is gone has taken it along."""
    with contextlib.suppress(URLError, OSError, AMQPError):
        if servers.broker.management_url:
            servers.broker.drop_vhost(environment.database)
        else:
            asyncio.run(_remove_topology(environment))
    with contextlib.suppress(psycopg.Error):
        servers.postgres.drop_database(environment.database)


async def _remove_topology(environment: DemoEnvironment) -> None:
    """Delete the queues and exchanges of this run's prefix in a virtual host that is shared with others."""
    names, tiers = environment.names, environment.tiers
    declared = topology(names, tiers, warehouses=BY_REQUEST, carriers=CARRIERS, media=MEDIA)
    queues = [queue.name for queue in declared.queues]
    async with (
        await aio_pika.connect(environment.urls["admin"], timeout=15) as connection,
        connection.channel(publisher_confirms=False) as channel,
    ):
        for name in [*queues, *client_queues(environment.run).values()]:
            await channel.queue_delete(name)
        for exchange in declared.exchanges:
            await channel.exchange_delete(exchange.name)
