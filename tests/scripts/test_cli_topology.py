"""`oms topology` compares and exports the topology, and `oms worker --dry-run` says whether a worker could start."""

import asyncio

import pika
import pytest
import yaml

from messages.topology import tiers_seconds
from outbox import declare
from scripts.servers.find import Servers
from tests.broker import Broker
from tests.scripts.oms_command import Oms


@pytest.fixture
def shop(broker: Broker, servers: Servers, database_url: str) -> dict[str, str]:
    """The variables of a shop whose broker is declared, as a worker has them."""

    asyncio.run(declare.declare(broker["topology"], broker.names, tiers_seconds(1800)))
    return {
        "amqp_url": broker["worker"],
        "prefix": broker.names.prefix,
        "management_url": servers.broker.management_url or "",
        "database_url": database_url,
    }


def test_the_broker_is_compared_with_this_version_and_a_worker_says_whether_it_could_start(
    oms: Oms, shop: dict[str, str], broker: Broker, servers: Servers
) -> None:
    names = broker.names
    same = oms("topology", "diff", **shop)
    assert (same.code, same.err) == (0, "no difference\n")
    ready = oms("worker", "--dry-run", "--queues", "stock,refunds", "-o", "json")
    assert (ready.code, [row["queue"] for row in ready.json["queues"]]) == (0, ["stock", "refunds"])
    unwell = {row["check"]: row["diagnosis"] for row in ready.json["checks"] if row["diagnosis"] != "well"}
    assert unwell == ({} if broker.has_roles else {"permissions": "not looked at"})

    with pika.BlockingConnection(pika.URLParameters(broker["admin"])) as connection:
        channel = connection.channel()
        channel.queue_delete(names.queue("stock"))
        channel.queue_delete(names.queue("carts"))
        channel.queue_declare(names.queue("carts"), durable=True, arguments={"x-queue-type": "quorum"})
        channel.queue_declare(names.queue("old"), durable=True, arguments={"x-queue-type": "quorum"})
        channel.queue_bind(names.queue("refunds"), names.events, "order.paid")
    found = oms("topology", "diff", "-o", "json")
    rows = {(row["kind"], row["name"]): row["difference"] for row in found.json}
    assert found.code == 3
    assert rows["queue", names.queue("stock")] == "missing"
    assert rows["queue", names.queue("old")] == "not of this version"
    assert "dead-letter-exchange is not set" in rows["queue", names.queue("carts")]
    assert rows["binding", f"{names.events} to {names.queue('refunds')} by order.paid"] == "not of this version"
    assert rows["binding", f"{names.internal} to {names.queue('stock')} by stock.reserve"] == "missing"
    blind = oms("topology", "diff", management_url="")
    assert (blind.code, "were not looked at" in blind.err) == (3, True)

    broken = oms("worker", "--dry-run", "--queues", "stock")
    assert (broken.code, f"broker, queues: missing: {names.queue('stock')}" in broken.err) == (3, True)
    assert "next: oms worker --queues stock" in oms("worker", "--dry-run", "--queues", "stok").err
    notifying = oms("worker", "--dry-run", "--queues", "buyer-notifications,dead-letters", notifications="email")
    parked = f"{names.queue('buyer-notifications')}.dlq, {names.queue('notification-calls.email')}.dlq"
    assert f"missing: {names.queue('buyer-notifications')}, {parked}" in notifying.err
    assert oms("worker", "--dry-run", database_url="postgresql://nobody@127.0.0.1:1/none").code == 5
    assert oms("worker", "--dry-run", encryption_keys="nonsense").code == 1


def test_what_is_exported_makes_the_same_topology(oms: Oms, broker: Broker, servers: Servers) -> None:
    made = oms("topology", "export", "--vhost", broker.vhost, prefix=broker.names.prefix).json
    assert set(made) == {"vhosts", "exchanges", "queues", "bindings"}  # and no users
    servers.broker.management.call("POST", "/definitions", made)
    management = {"management_url": servers.broker.management_url or ""}
    assert oms("topology", "diff", amqp_url=broker["admin"], **management).code == 0
    operator = ("topology", "export", "--format", "operator", "--cluster", "shop")
    resources = oms(*operator, "-o", "json").json
    assert list(yaml.safe_load_all(oms(*operator).out)) == resources
    assert {one["kind"] for one in resources} == {"Exchange", "Queue", "Binding"}
    assert len({(one["kind"], one["metadata"]["name"]) for one in resources}) == len(resources)
    assert len(resources) == sum(len(made[part]) for part in ("exchanges", "queues", "bindings"))


def test_a_mistyped_word_is_answered_with_what_was_meant(oms: Oms) -> None:
    assert "Did you mean 'topology'" in oms("topolgy", "show").err
    command = oms("topology", "shw").err
    assert "Did you mean 'show'?" in command
    assert "the commands are: show, declare, diff, export" in command
    assert command.endswith("next: oms topology --help\n")
    option = oms("topology", "show", "--outptu", "json").err
    assert "Possible options: --output" in option
    assert option.endswith("next: oms topology show --help\n")


def test_a_shell_completes_commands_and_options(
    oms: Oms, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def completed(words: str, place: int) -> list[str]:
        for name, value in {"_OMS_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(place)}.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(SystemExit):
            oms()
        return capsys.readouterr().out.split()

    assert completed("oms topo", 1) == ["topology"]
    assert completed("oms dead-letters re", 2) == ["replay", "restore"]
    assert completed("oms outbox list --des", 3) == ["--destination"]
