"""Every panel and every recording rule gets data from a real Prometheus that has watched a real system."""

import asyncio
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import orjson
import pytest

from outbox.ops import ops_server
from scripts.servers.ports import free_ports
from tests.e2e.system import RunningSystem, cancel, order_create, payment, wait_until
from tests.e2e.upstream import now
from tests.prometheus_package import program
from tests.scripts.panels import expressions
from tests.scripts.promql import RULES, recorded

WITHOUT_DATA = {
    "rabbitmq_": "the broker of the tests has no plugin for Prometheus",
    "oms:queue_backlog": "the same",
    "oms_provider_call_seconds": "no provider is configured, so none is called",
    "oms_payment_callbacks_": "the same, so none notifies",
    "oms_reconciliation_differences": "no provider sends a statement",
    "oms_refunds_": "they are measured where providers are called",
    "after_sale": "nothing was sent back",
    "oms_parcels": "nothing was shipped",
    "oms:logistics": "the same",
    "oms:order_ship_on_time": "the same",
    "oms_notifications": "no medium is configured",
    "oms_alerts": "nothing raised an alert",
    "oms:messages_set_aside": "nobody held a row",
    "oms:stock_below_locked": "nothing was oversold",
}
"""What an expression names -> why it may have no data here: it did not happen, and to make it happen costs seconds."""


@pytest.fixture
def prometheus(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
) -> Iterator[tuple[int, str]]:
    """A Prometheus that reads a port each second, with our recording rules. Yields that port, and its own address."""
    target, own = free_ports(2)
    rules = re.sub(r"interval: \w+", "interval: 1s", RULES.read_text(encoding="utf-8"))
    (tmp_path / "rules.yml").write_text(rules, encoding="utf-8")
    scrape = {"job_name": "oms", "static_configs": [{"targets": [f"127.0.0.1:{target}"]}]}
    settings = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": ["rules.yml"],
        "scrape_configs": [scrape],
    }
    (tmp_path / "prometheus.yml").write_bytes(orjson.dumps(settings))  # which is YAML as well
    command = [
        program("prometheus", pytestconfig, tmp_path_factory),
        f"--config.file={tmp_path}/prometheus.yml",
        f"--storage.tsdb.path={tmp_path}/data",
        f"--web.listen-address=127.0.0.1:{own}",
        "--log.level=error",
    ]
    running = subprocess.Popen(command)
    yield target, f"http://127.0.0.1:{own}"
    running.kill()
    running.wait()


async def found(http: aiohttp.ClientSession, address: str, expression: str) -> list[Any]:
    async with http.get(f"{address}/api/v1/query?{urlencode({'query': expression})}") as response:
        answer = await response.json()
    assert answer["status"] == "success", (expression, answer)
    return [one for one in answer["data"]["result"] if one["value"][1] != "NaN"]


async def shop(system: RunningSystem) -> None:
    """Orders that are paid, cancelled and rejected, a query that is put twice, and a message that cannot be read."""
    created = []
    for _ in range(3):
        body = order_create()
        await system.publish(body)
        created += await system.upstream.wait_for_events("order.created", request_id=orjson.loads(body)["request_id"])
    for one, kind in zip(created, ("captured", "failed"), strict=False):
        result = payment(order_id=one["order_id"], kind=kind, amount=one["amounts"]["payable"], occurred_at=now())
        await system.payments.publish("payment.result", orjson.loads(result))
    await system.publish(cancel(order_id=created[2]["order_id"]), "order.cancel")
    await system.publish(b"no JSON")
    await system.upstream.wait_for_events("order.paid", order_id=created[0]["order_id"])
    for _ in range(2):
        about = {"order": created[0]["order_id"], "actor": {"type": "user", "id": created[0]["user_id"]}}
        await system.upstream.ask("order.get", about)
    await system.wait_until_idle()


async def test_every_panel_and_every_rule_has_data(system: RunningSystem, prometheus: tuple[int, str]) -> None:
    port, address = prometheus
    async with ops_server(port, live=dict, ready=dict, host="127.0.0.1"), aiohttp.ClientSession() as http:

        async def is_read() -> bool:
            try:
                return bool(await found(http, address, "oms_build_info"))
            except aiohttp.ClientError:
                return False

        await wait_until(is_read, "the first scrape")
        for _ in range(2):  # what is counted for the first time is no increase
            await shop(system)
            await asyncio.sleep(1.2)
        empty = {*expressions("1m"), *recorded()}

        async def all_have_data() -> bool:
            for one in sorted(empty):
                if any(name in one for name in WITHOUT_DATA) or await found(http, address, one):
                    empty.discard(one)
            return not empty

        try:
            await wait_until(all_have_data, "data")
        except AssertionError:
            pytest.fail(f"no data for {sorted(empty)}")
