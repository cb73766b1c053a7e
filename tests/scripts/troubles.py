"""The troubles that runbooks are about: each brings one small shop into the state that raises the alert.

`Scene` is that shop: a database and a broker that all troubles share, and the ids that stand for those on the pages.
"""

import asyncio
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import psycopg
import pytest

from db.pool import open_pool
from messages.stock import StockAdjust
from scripts.gateways import alipay_protocol
from scripts.gateways.alipay_protocol import AlipayBillLine
from scripts.servers.find import Servers
from scripts.servers.lifecycle import Given
from scripts.servers.private_rabbitmq import PrivateRabbitmq
from tests.handlers.builders import captured
from tests.handlers.catalogue_builders import warehouses
from tests.handlers.harness import HandlerHarness
from tests.handlers.hold_builders import hold
from tests.handlers.refund_builders import request_refund
from tests.handlers.statement_builders import DAY, NOON
from tests.outbox.harness import announce, event
from tests.outbox.harness import hold as hold_stream
from tests.providers import alipay_builders, keys
from tests.scripts.letters import letter
from tests.scripts.placed import with_handlers
from tests.scripts.runbook_shell import NOWHERE, Shell
from workers.store import dead_letters

SHOWN_WITHIN_SECONDS = 30.0
ALIPAY = orjson.dumps(
    {
        "app_id": alipay_builders.APP_ID,
        "seller_id": alipay_builders.SELLER_ID,
        "notify_url": "https://shop.example/notify/alipay",
        "app_private_keys": [keys.private_pem("ours")],
        "alipay_public_keys": [keys.public_pem("alipay")],
    }
).decode()
UNKNOWN = {
    "queue": "payment-results",
    "type": "payment.result.v1",
    "routing_key": "payment.result",
    "reason": "order_unknown",
    "error_path": None,
    "error_type": "verdict",
    "error_message": "no order 1",
    "fingerprint": "3f2a9c01d4e5b677",
    "origin_user": "oms-payments",
    "body": orjson.dumps(
        {"order_id": "1", "provider": "alipay", "trade_no": "t9", "kind": "failed", "amount": 1, "currency": "CNY"}
        | {"occurred_at": "2026-11-01T00:00:00Z"}
    ),
}
RELAY = "INSERT INTO outbox_relays (owner, live_until) VALUES ('relay', now() + interval '1 h')"


@dataclass
class Scene:
    """The shop, and what stands on the pages -> what it is here."""

    database_url: str
    servers: Servers
    shell: Shell
    folder: Path
    named: dict[str, str] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
    until_the_end: ExitStack = field(default_factory=ExitStack)
    alarmed: bool = False

    def run(self, *statements: str) -> None:
        """Run statements, each in a transaction of its own."""
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)  # type: ignore[arg-type, unused-ignore]

    def one(self, query: str) -> Any:
        """The first column of the first row."""
        with psycopg.connect(self.database_url) as connection:
            row = connection.execute(query).fetchone()  # type: ignore[arg-type, unused-ignore]
            return None if row is None else row[0]


def prepare(scene: Scene) -> None:
    """Place orders, pay some, refuse, hold and refund: what every shop has."""

    async def work(harness: HandlerHarness) -> None:
        unpaid = await harness.place_order()
        await harness.handle(captured(unpaid, 1, kind="failed"), trusted=True)
        paid = await harness.place_paid_order(("s1", 2))
        await harness.handle(request_refund(paid, "r1", 100), trusted=True)
        await harness.handle(hold(paid), trusted=True)
        await harness.handle(warehouses("main", "east"), trusted=True)
        refused = StockAdjust(request_id="a", sku_id="s1", warehouse="main", delta=-9_000, reason="counted")
        await harness.handle(refused, trusted=True)
        async with harness.pool.acquire() as tx:
            await dead_letters.keep(tx, [letter("plain", **UNKNOWN)])

    with_handlers(scene.database_url, work)
    scene.run("DELETE FROM outbox", RELAY)
    scene.named["202611220000000001"] = str(scene.one("SELECT order_no FROM orders WHERE state = 'paid'"))
    scene.named["202611220000000002"] = str(scene.one("SELECT order_no FROM orders WHERE state = 'awaiting_payment'"))
    scene.named["17"] = str(scene.one("SELECT id FROM dead_letters"))


@contextmanager
def as_it_is(_: Scene) -> Iterator[None]:
    """The prepared shop has this trouble already."""
    yield


@contextmanager
def no_relay(scene: Scene) -> Iterator[None]:
    scene.run("DELETE FROM outbox_relays")
    yield
    scene.run(RELAY)


@contextmanager
def old_row(scene: Scene) -> Iterator[None]:
    """A row has waited for two hours, and another message is held."""

    async def store() -> None:
        pool = await open_pool(scene.database_url, application_name="tests")
        await announce(pool, [event(7, 1), event(8, 1)])
        await hold_stream(pool, "8", "refused: 541 INTERNAL_ERROR")
        await pool.close()

    asyncio.run(store())
    scene.run("UPDATE outbox SET created_at = now() - interval '2 h'")
    scene.named["4711"] = str(scene.one("SELECT id FROM outbox_held"))
    yield
    scene.run("DELETE FROM outbox", "DELETE FROM outbox_held", "DELETE FROM outbox_holds")


@contextmanager
def long_holds(scene: Scene) -> Iterator[None]:
    """An order is held for longer than this shop lets one be."""
    scene.variables["stuck_after_seconds"] = '{"release": 1}'
    yield
    scene.variables["stuck_after_seconds"] = "{}"


@contextmanager
def paused(scene: Scene) -> Iterator[None]:
    scene.run("INSERT INTO consumer_pauses (queue, reason) VALUES ('stock', 'OPS-7')")
    yield


@contextmanager
def locked_row(scene: Scene) -> Iterator[None]:
    """A session keeps an order locked, and another waits for it."""
    lock = "SELECT FROM orders WHERE state = 'paid' FOR UPDATE"
    with psycopg.connect(scene.database_url) as keeps, ThreadPoolExecutor(1) as waiting:
        keeps.execute(lock)
        waits = waiting.submit(scene.run, lock)
        while not scene.one("SELECT count(*) FROM pg_stat_activity WHERE cardinality(pg_blocking_pids(pid)) > 0"):
            time.sleep(0.02)
        yield
        keeps.rollback()
        waits.result()


@contextmanager
def late_timers(scene: Scene) -> Iterator[None]:
    """Timers were due an hour ago; that of the refund is woken again in a while."""
    scene.run("UPDATE timers SET due_at = now() - interval '1 h', wake_at = now() - interval '5 min'")
    yield
    scene.run("UPDATE timers SET due_at = now() + interval '1 h'")


@contextmanager
def provider_away(scene: Scene) -> Iterator[None]:
    """A refund has waited for two days, and its provider is polled again in half an hour."""
    scene.run(
        "UPDATE refunds SET requested_at = now() - interval '2 d'",
        "INSERT INTO timers (kind, key, due_at, wake_at)"
        " SELECT 'refund', id, now() - interval '1 min', now() + interval '30 min' FROM refunds"
        " ON CONFLICT (kind, key) DO UPDATE SET due_at = excluded.due_at, wake_at = excluded.wake_at",
    )
    scene.named["379226153377300480"] = str(scene.one("SELECT id FROM refunds"))
    yield


@contextmanager
def statement_with_a_stranger(scene: Scene) -> Iterator[None]:
    """A refund has waited for two days, and the statement of a provider has a payment that our books do not have."""
    bill = scene.folder / "statement.csv"
    bill.write_bytes(alipay_protocol.bill(DAY, alipay_builders.SELLER_ID, [AlipayBillLine(NOON, "X9", "t9", 500)]))
    stand_ins = {"statement.csv": str(bill), "FILE": str(bill), "wechat": "alipay", "2026-11-21": DAY.isoformat()}
    scene.named.update(stand_ins)
    scene.variables["alipay"] = ALIPAY
    with provider_away(scene):
        yield
    del scene.variables["alipay"]


@contextmanager
def database_away(scene: Scene) -> Iterator[None]:
    """The server of the database is stopped, and then starts again."""
    server = scene.servers.postgres.lifecycle
    if isinstance(server, Given):
        pytest.skip("this server was given by URL: it is not ours to stop")
    server.stop()
    try:
        scene.shell.wait_until_ready("database default", is_=False)
        yield
    finally:
        server.start()
    scene.shell.wait_until_ready("database default", is_=True)


@contextmanager
def broker_away(scene: Scene) -> Iterator[None]:
    """Nothing answers at the address of the broker."""
    there = scene.variables
    scene.variables = there | {"amqp_url": NOWHERE, "management_url": ""}
    yield
    scene.variables = there


@contextmanager
def alarms(scene: Scene) -> Iterator[None]:
    """The broker lacks memory and disk, from the first such trouble to the end: each change takes seconds."""
    if not scene.alarmed:
        scene.alarmed = True
        scene.until_the_end.enter_context(_alarmed(scene))
    yield


@contextmanager
def _alarmed(scene: Scene) -> Iterator[None]:
    node = scene.servers.broker.lifecycle
    if not isinstance(node, PrivateRabbitmq):
        pytest.skip("an alarm can only be raised on a private node")

    def limits(memory: str, disk: str, *, raised: bool) -> None:
        code = f"vm_memory_monitor:set_vm_memory_high_watermark({memory}), "
        code += f"rabbit_disk_monitor:set_disk_free_limit({disk})."
        command = ["/usr/lib/rabbitmq/bin/rabbitmqctl", "-q", "eval", code]
        subprocess.run(command, env=node._environment(), check=True, capture_output=True)
        deadline = time.monotonic() + SHOWN_WITHIN_SECONDS
        while time.monotonic() < deadline:  # the management interface measures every few seconds
            (shown,) = scene.servers.broker.management.call("GET", "/nodes?columns=mem_alarm,disk_free_alarm")
            if set(shown.values()) == {raised}:
                scene.shell.seen.clear()
                return
            time.sleep(0.2)
        pytest.fail(f"the management interface shows {shown}")

    limits("0.000001", "10000000000000000", raised=True)
    try:
        yield
    finally:
        limits("0.4", "200000000", raised=False)


@dataclass(frozen=True)
class Trouble:
    """A page, what brings the shop into its state, and for commands on it what their output must name then.

    `ends` are the commands that do not exit with 0: with which code instead, and what their output says.
    """

    page: str
    comes: Callable[[Scene], AbstractContextManager[None]]
    names: Mapping[str, str]
    ends: Mapping[str, tuple[int, str]] = field(default_factory=dict)


NOTHING = {"oms payments notifications": (2, "no notification")}
"""No notification came about the attempt."""
DIFFERENT = {"oms payments reconcile": (3, "missing_here")}
TROUBLES = (
    Trouble(
        "payment-failures",
        statement_with_a_stranger,
        {
            "oms order find": "awaiting_payment",
            "oms order timeline": "failed",
            "oms dead-letters groups": "payment-results",
        },
        NOTHING | DIFFERENT,
    ),
    Trouble(
        "dead-letters-growing",
        as_it_is,
        {
            "oms dead-letters status": "payment-results",
            "oms dead-letters groups": "3f2a9c01d4e5b677",
            "oms dead-letters show": "no order 1",
        },
        {"oms dead-letters try": (3, "its order is not in the database yet")},
    ),
    Trouble(
        "relays-gone",
        no_relay,
        {"oms outbox status": "no relay is alive", "curl -s localhost:9100/ready": '"broker": false'},
        {"oms doctor": (1, "no relay is alive")},
    ),
    Trouble("outbox-old", old_row, {"oms outbox status": "2 h"}, {"oms doctor": (1, "the oldest for 2 h")}),
    Trouble(
        "messages-held",
        old_row,
        {"oms outbox list": "refused: 541", "oms outbox retry": "tried again at once"},
        {"oms events replay": (2, "no event history")},
    ),
    Trouble("consumers-gone", paused, {"oms consumers list": "OPS-7"}, {"oms doctor": (1, "stock")}),
    Trouble(
        "oversell-alarm",
        as_it_is,
        {
            "oms codes": "INVENTORY_INVARIANT",
            "oms order find": "paid",
            "oms warehouses show": "main",
            "psql": "INVENTORY_INVARIANT",
        },
    ),
    Trouble("orders-late", long_holds, {"oms order holds": "FRAUD", "oms stuck": "release"}),
    Trouble("order-months-missing", as_it_is, {"oms migrate": "orders"}),
    Trouble("database-slow", locked_row, {"psql": "FOR UPDATE"}),
    Trouble(
        "money-differs",
        statement_with_a_stranger,
        {"oms stuck": "refund", "oms order timeline": "refund"},
        NOTHING | DIFFERENT,
    ),
    Trouble("provider-away", provider_away, {"oms stuck": "refund", "oms timers list": "refund"}),
    Trouble("timers-late", late_timers, {"oms timers list": "payment", "oms consumers list": "timeouts"}),
    Trouble("broker-away", broker_away, {"oms doctor": "broker cannot be used"}, {"oms doctor": (2, "")}),
    Trouble("connection-blocked", alarms, {"rabbitmq-diagnostics alarms": "emory"}, {"oms doctor": (1, "memory on")}),
    Trouble("disk-full", alarms, {}, {"oms doctor": (1, "disk on")}),
    Trouble(
        "database-away",
        database_away,
        {"curl -s localhost:9100/ready": '"database default": false'},
        {"oms doctor": (2, "does not answer"), "psql": (1, "refused")},
    ),
)
