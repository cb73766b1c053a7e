"""A small run of the whole demo on given servers, from the first process to the verdict."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import psycopg
import pytest

from scripts.demo.notified_buyers import MAIL_KINDS
from scripts.servers.find import Servers
from tests.scripts.demo.person import Person

STATES_SQL = "SELECT state, captured_amount FROM orders WHERE id = ANY (%s::bigint[]) ORDER BY id"


SMALL_RUN = "--orders 32 --exit --rate 0 --workers 1 --relays 1 --window 8 --json"
State = tuple[str, int]
"""The state of an order, and the cents that were captured for it."""


class Demo:
    """The demo as a process, whose standard error is read while it runs."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], errors: Path) -> None:
        self._command, self._environment, self._errors = command, environment, errors
        self.stdout = ""

    def __enter__(self) -> "Demo":
        with self._errors.open("w") as errors:
            self._process = subprocess.Popen(
                self._command, env=self._environment, stdout=subprocess.PIPE, stderr=errors, text=True
            )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()

    def second_terminal(self) -> Path:
        """Wait until the crowd has begun; return the file to source in another terminal."""
        while self._process.poll() is None:
            text = self._errors.read_text()
            found = re.search(r"another terminal: +\. (\S+)", text)
            if found and re.search(r" s  (ordering|draining)", text):
                return Path(found[1])
            time.sleep(0.1)
        raise AssertionError(self.output())

    def watch(self, database_url: str, order_ids: Sequence[str]) -> list[tuple[State, State]]:
        """Return how two orders stood, each time that was another than before, until the demo ends."""
        seen: list[Any] = []
        while self._process.poll() is None:
            try:
                with psycopg.connect(database_url) as session:
                    rows = session.execute(STATES_SQL, [list(order_ids)]).fetchall()
            except psycopg.Error:
                break  # the demo has ended and dropped its database
            if rows and [*seen[-1:]] != [tuple(rows)]:
                seen.append(tuple(rows))
            time.sleep(0.3)
        self.stdout = self._process.communicate(timeout=200)[0]
        return seen

    @property
    def returncode(self) -> int | None:
        return self._process.returncode

    def output(self) -> str:
        """What the process has written."""
        return self.stdout + self._errors.read_text()


@pytest.mark.timeout(240)
def test_the_demo_passes_on_given_servers(servers: Servers, tmp_path: Path) -> None:
    """It places some thirty real orders, most of them paid at gateways that misbehave.

    Exit 0 means that all checks held. A person orders beside the crowd, which pays and ships neither order of hers,
    although its own warehouse has the goods; and the end does not wait for the one that she has paid. The warehouse
    north is hers: she reads what it has to ship, and leaves a second request unread, for which nobody waits.
    """
    environment = os.environ | {
        "OMS_DATABASE_URL": servers.postgres.admin_url,
        "OMS_AMQP_URL": servers.broker.admin_url,
        "OMS_MANAGEMENT_URL": servers.broker.management_url or "",
    }
    command = [sys.executable, "-m", "scripts.demo", *SMALL_RUN.split()]
    with Demo(command, environment, tmp_path / "stderr") as demo:
        person = Person(demo.second_terminal())
        assert person.variables["OMS_CARRIERS"] == "air;rail"
        assert "OMS_STOREFRONT_EVENTS_AMQP_URL" in person.variables
        person.stock("her-tea", "east")
        unpaid, paid = person.order("her-tea", "east"), person.order("her-tea", "east")
        person.pay(paid)
        person.stock("her-cups", "north")
        orders = {order["order_id"]: order for order in (person.order("her-cups", "north") for _ in range(2))}
        for order in orders.values():
            person.pay(order)
        request = person.request_of("north")  # of either order: there is no order between orders
        assert request["type"] == "fulfilment.requested.v1"
        assert request["order_id"] in orders
        assert request["address"]["receiver"] == "Ada"
        seen = demo.watch(person.variables["OMS_DATABASE_URL"], [unpaid["order_id"], paid["order_id"]])
        assert demo.returncode == 0, demo.output()
    assert [states for states in seen if states[1] == ("paid", 6_000)], seen
    assert {state for (state, captured), _ in seen if captured == 0} <= {"awaiting_payment", "cancelled"}, seen
    assert {state for _, (state, captured) in seen if captured} == {"paid"}, seen
    assert all(captured == 0 for (_, captured), _ in seen), seen
    summary = json.loads(demo.stdout)
    assert summary["ok"] is True
    assert sum(summary["orders"].values()) >= 25
    assert set(summary["orders"]) <= {"completed", "cancelled", "rejected", "split"}
    assert "invalid" in summary["dead_letters"]
    assert summary["client"]["agreed"] >= 25
    assert summary["client"]["refusals"]["order.create.v1: RISK_RATE_LIMITED"] >= 1
    assert summary["client"]["benefits"]["promotions_cents"] > 0
    assert summary["client"]["labels"]["equal"] >= 10
    assert all(summary["client"]["mails"][kind] for kind in MAIL_KINDS)
    assert summary["client"]["groups"]["groups that failed"] >= 1
    assert summary["client"]["reads"]["order.get"] >= 10
    assert set(summary["gateways"]) == {"alipay", "wechat", "unionpay", "paypal", "stripe"}
    assert sum(did["captures"] for did in summary["gateways"].values()) >= 10
    assert set(summary["kept_cents"]) == {"CNY", "USD"}


def test_exit_requires_a_number_of_orders_and_the_usage_is_what_people_type() -> None:
    done = subprocess.run([sys.executable, "-m", "scripts.demo", "--exit"], check=False, capture_output=True, text=True)
    assert done.returncode == 2
    assert "--orders N" in done.stderr
    assert done.stderr.startswith("Usage: scripts/up ")
