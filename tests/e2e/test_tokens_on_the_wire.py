"""Roles from a permission service's signed tokens, over a real broker and database."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from db.pool import Pool
from tests.broker import Broker
from tests.e2e.upstream import Upstream, running_system, wait_for
from tests.workers.token_builders import parts, public_set, token

SEARCH = """
SELECT count(*) FROM (
    SELECT to_jsonb(c)::text AS kept FROM commands c UNION ALL SELECT to_jsonb(l)::text FROM operate_logs l
    UNION ALL SELECT to_jsonb(h)::text FROM order_holds h UNION ALL SELECT to_jsonb(o)::text FROM outbox o
) AS rows WHERE position($1 IN kept) > 0
"""


async def test_an_operators_token_holds_an_order_and_no_other_sender_does(
    declared_broker: Broker, database_url: str, pool: Pool
) -> None:
    at = datetime.now(UTC)
    genuine = token(at, sub="anna", roles=["operator"])

    async def hold(header: str | None, actor: str = "anna") -> str:
        """Send order.hold as a user without the role operator; return the code of its rejection, or its event."""
        headers: dict[str, Any] = {} if header is None else {"authorization": header}
        about = {"request_id": uuid4().hex, "actor": {"type": "operator", "id": actor}, "order_id": order_id}
        correlation_id, count = uuid4().hex, len(shop.replies)
        await shop.publish(
            "order.hold",
            about | {"reason_code": "CHECK"},
            sender="upstream",
            headers=headers,
            reply_to=shop.inbox,
            correlation_id=correlation_id,
        )
        await wait_for(lambda: len(shop.replies) > count, "a reply", lambda: shop.replies)
        reply = shop.replies[-1]
        assert reply["properties"].correlation_id == correlation_id
        assert genuine.rpartition(".")[2] not in str(reply)
        return str(reply.get("code", reply["properties"].message_type))

    async with (
        running_system(declared_broker, database_url, token_keys=json.dumps(public_set())),
        Upstream.connect(declared_broker) as shop,
    ):
        await shop.fill_stock("s1")
        order_id = (await shop.place_order(("s1", 1)))["order_id"]
        assert await hold(None) == "AUTH_FORBIDDEN"
        assert await hold(token(at - timedelta(hours=1), sub="anna")) == "AUTH_REQUIRED"
        assert await hold(genuine, actor="bob") == "AUTH_FORBIDDEN"
        assert await hold(genuine) == "order.held.v1"
    assert await pool.fetchval(SEARCH, parts(genuine)["signature"]) == 0
    assert await pool.fetchval("SELECT count(*) FROM dead_letters") == 0
