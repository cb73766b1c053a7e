"""What `oms doctor` says of exchanges and queues that RabbitMQ 4.3 does not show to a user who has no right to them."""

from collections.abc import Collection
from dataclasses import replace

from messages.topology import Names, topology
from scripts.commands.broker_health import BROKER_CHECKS
from scripts.commands.broker_readings import SET_URL, BrokerReadings, QueueCount

NAMES = Names("oms")
WANTED = topology(NAMES, ())
EXCHANGES = {one.name for one in WANTED.exchanges}
QUEUES = {one.name for one in WANTED.queues}
STOCK, CARTS = NAMES.queue("stock"), NAMES.queue("carts")
CHECKS = {check.name: check for check in BROKER_CHECKS}
NO_RIGHT = "this user has no right to"


def readings(missing: Collection[str], hidden: Collection[str], lonely: Collection[str]) -> BrokerReadings:
    """What is read without the management interface where some are missing, others hidden, and some not consumed."""
    there = QUEUES - {*missing, *hidden}
    return BrokerReadings(
        NAMES,
        "oms",
        (),
        "oms-relay",
        WANTED,
        blocked=False,
        exchanges=frozenset(EXCHANGES - {*missing, *hidden}),
        queues={name: QueueCount(0, int(name not in lonely)) for name in there},
        hidden=frozenset(hidden),
    )


def test_what_a_broker_hides_is_not_looked_at_and_what_is_missing_beside_it_is_wrong() -> None:
    cases: list[tuple[str, Collection[str], Collection[str], Collection[str], str, str]] = [
        ("queues", (), (), (), "well", f"all {len(QUEUES)} are there"),
        ("queues", (), (STOCK,), (), "not looked at", f"{NO_RIGHT} {STOCK}"),
        ("queues", (CARTS,), (STOCK,), (), "wrong", f"missing: {CARTS}"),
        ("exchanges", (), (NAMES.dlx,), (), "not looked at", f"{NO_RIGHT} {NAMES.dlx}"),
        ("exchanges", (NAMES.events,), (NAMES.dlx,), (), "wrong", f"missing: {NAMES.events}"),
        ("dead-letter exchange", (), (), (), "well", f"{NAMES.dlx} is there"),
        ("dead-letter exchange", (), (NAMES.dlx,), (), "not looked at", f"{NO_RIGHT} {NAMES.dlx}"),
        ("dead-letter exchange", (NAMES.dlx,), (STOCK,), (), "wrong", f"{NAMES.dlx} is missing"),
        ("consumers", (), (), (), "well", "each queue that a worker serves has one"),
        ("consumers", (), (STOCK,), (), "not looked at", f"{NO_RIGHT} {STOCK}"),
        ("consumers", (), (STOCK,), (CARTS,), "wrong", f"without a consumer: {CARTS} (0 waiting)"),
    ]
    for check, missing, hidden, lonely, diagnosis, found in cases:
        result = CHECKS[check].result("broker", readings(missing, hidden, lonely))
        assert (result.diagnosis, result.found) == (diagnosis, found), (check, missing, hidden, lonely)
        assert (result.next == SET_URL) == (diagnosis == "not looked at"), check
    everything = CHECKS["queues"].result("broker", readings((), QUEUES, ()))
    assert (everything.diagnosis, everything.found.endswith(f"and {len(QUEUES) - 5} more")) == ("not looked at", True)


def test_a_queue_in_which_messages_wait_is_named_before_those_that_are_empty() -> None:
    read = readings((), (), QUEUES)
    read = replace(read, queues={**read.queues, STOCK: QueueCount(7, 0)})
    assert CHECKS["consumers"].result("broker", read).found.startswith(f"without a consumer: {STOCK} (7 waiting), ")
