"""A database with an order and dead letters, for all tests of a module, and the console in this process."""

import os
import secrets
from collections.abc import AsyncIterator

import orjson
import pytest
from yarl import URL

from db import cipher
from db.pool import open_pool
from scripts.servers.find import Servers
from tests.handlers.builders import create
from tests.handlers.case_builders import apply, arrive, inspect, open_case, review, ship_back
from tests.handlers.harness import HandlerHarness
from tests.scripts.console.console_scene import ConsoleScene
from tests.scripts.letters import letter
from workers import shop
from workers.domain.shop import Shop
from workers.store import dead_letters

SCRIPT = "<script>alert(1)</script>"
STEPS = ["workers/runtime/process.py:118 in process", "workers/store/stock.py:77 in add", "KeyError"]
HEADERS = orjson.dumps({"headers": {"note": "call 13812345678"}, "reply_to": None, "traceback": STEPS})
RECEIVE = {"sku_id": "s1", "warehouse": "main", "qty": 1}


async def open_return(harness: HandlerHarness) -> str:
    """The number of a case about two units, of which one was accepted; its money is on its way back."""
    order_id = await harness.create_order(create(("s1", 2)))
    await harness.pay(order_id)
    await harness.deliver(order_id)
    words = {"reason_code": "quality", "description": "torn, call 13812345678"}
    case = await open_case(harness, apply(order_id, (1, 2), type="return_refund", **words))
    await harness.handle(review(case), trusted=True)
    await harness.handle(ship_back(case, "B7"), arrive(case))
    await harness.handle(inspect(case, (1, 1, "restock"), (1, 1, "send_back")))
    return str(case["case_no"])


@pytest.fixture(scope="module")
async def scene(servers: Servers, database_template: str) -> AsyncIterator[ConsoleScene]:
    """An order that is not paid, one with a case, three letters that failed alike, and two others; one holds HTML."""
    name = f"test_{secrets.token_hex(6)}"
    url = servers.postgres.new_database(name, template=database_template)
    cipher.configure(os.environ["OMS_ENCRYPTION_KEYS"])
    shop.configure(Shop())
    pool = await open_pool(url, application_name="tests", max_size=4)
    harness = HandlerHarness(pool)
    await harness.fill_stock()
    order_id = await harness.place_order()
    case_no = await open_return(harness)
    await pool.execute("DELETE FROM outbox")
    failed = {
        "queue": "stock",
        "type": "stock.receive.v1",
        "reason": "failed",
        "error_type": "KeyError",
        "error_path": None,
    }
    alike = [
        letter(
            f"m{number}",
            fingerprint="g1",
            headers=HEADERS,
            body=orjson.dumps(RECEIVE | {"ref": f"n{number}"}),
            **failed,
        )
        for number in range(3)
    ]
    foreign = orjson.dumps({"request_id": SCRIPT, "address": {"receiver": "Wang Fang"}})
    async with pool.acquire() as tx:
        await dead_letters.keep(tx, [*alike, letter("html", body=foreign), letter("bytes", body=b"\xff 13812345678")])
        ids = {row["message_id"]: row["id"] for row in await tx.fetch("SELECT message_id, id FROM dead_letters")}
    with pytest.MonkeyPatch.context() as variables:
        for variable in [one for one in os.environ if one.startswith("OMS_") and one != "OMS_ENCRYPTION_KEYS"]:
            variables.delenv(variable)
        variables.setenv("OMS_DATABASE_URL", url)
        variables.setenv("OMS_ACTOR", "ana")
        yield ConsoleScene(pool, URL(url), order_id, case_no, ids)
    pool.terminate()
    servers.postgres.drop_database(name)
