"""Judges what `oms doctor` has read from the broker."""

import re
from collections.abc import Container, Mapping, Sequence

from messages.event_history import EVENT_HISTORY
from messages.topology import warehouse_queue
from scripts.commands.broker_readings import SET_URL, BrokerReadings
from scripts.commands.health_checks import HealthCheck, Observation, named, none_of, unseen, well, wrong
from scripts.servers.roles import permissions

VERSION_MIN = (3, 10)
FLAGS_NEEDED = ("quorum_queue", "stream_queue")
"""Without the second, a quorum queue does not dead-letter at least once."""
ALARMS = {"mem_alarm": "memory", "disk_free_alarm": "disk"}
BLOCKED = ("blocked", "blocking")
DECLARE = "oms topology declare, as the topology user"
CALLS = re.compile(r"[^.]*-calls\.[^.]+")


def _interface(read: BrokerReadings) -> Observation:
    return well(f"it answers, as RabbitMQ {read.answers['overview'].get('rabbitmq_version', '')}")


def _version(read: BrokerReadings) -> Observation:
    version = str(read.answers["overview"].get("rabbitmq_version", ""))
    numbers = re.match(r"(\d+)\.(\d+)", version)
    if numbers is None:
        return unseen(f"the broker calls its version {version!r}")
    return (
        wrong(f"RabbitMQ {version}") if tuple(map(int, numbers.groups())) < VERSION_MIN else well(f"RabbitMQ {version}")
    )


def _flags(read: BrokerReadings) -> Observation:
    off = sorted(flag["name"] for flag in read.answers["flags"] if flag.get("state") == "disabled")
    needed = [name for name in off if name in FLAGS_NEEDED]
    return none_of(needed, "disabled", f"those we need are enabled; disabled: {named(off) or 'none'}")


def _alarms(read: BrokerReadings) -> Observation:
    nodes = read.answers["nodes"]
    raised = [f"{what} on {node['name']}" for node in nodes for key, what in ALARMS.items() if node.get(key)]
    down = [f"{node['name']} is down" for node in nodes if not node.get("running", True)]
    return none_of(down + raised, "a node is down or lacks something", "none")


def _blocked(read: BrokerReadings) -> Observation:
    if read.blocked:
        return wrong("the broker has blocked our own connection")
    if "connections" in read.unread:
        return read.unread["connections"]
    blocked = [
        f"{one.get('user_provided_name') or one.get('name')} of {one.get('user')}"
        for one in read.answers["connections"]
        if one.get("state") in BLOCKED
    ]
    return none_of(sorted(blocked), "blocked", "none is blocked")


def _exchanges(read: BrokerReadings) -> Observation:
    return _all_there([exchange.name for exchange in read.wanted.exchanges], read.exchanges, read.hidden)


def _all_there(wanted: Sequence[str], there: Container[str], hidden: Container[str]) -> Observation:
    not_seen = [name for name in wanted if name not in there]
    if missing := [name for name in not_seen if name not in hidden]:
        return wrong(f"missing: {named(missing)}")
    return _out_of_sight(not_seen) if not_seen else well(f"all {len(wanted)} are there")


def _out_of_sight(names: Sequence[str]) -> Observation:
    return unseen(f"this user has no right to {named(names)}", SET_URL)


def _exchange_kinds(read: BrokerReadings) -> Observation:
    given = {row["name"]: row for row in read.answers["exchanges"]}
    faults = [
        f"{one.name}: {'; '.join(changed)}"
        for one in read.wanted.exchanges
        if (row := given.get(one.name))
        and (changed := differing({"type": one.type, **one.arguments}, {"type": row["type"], **row["arguments"]}))
    ]
    return none_of(faults, "other than declared", "their types and arguments are as declared")


def _dead_letters(read: BrokerReadings) -> Observation:
    dlx = read.names.dlx
    if dlx in read.hidden:
        return _out_of_sight([dlx])
    return well(f"{dlx} is there") if dlx in read.exchanges else wrong(f"{dlx} is missing")


def _queues(read: BrokerReadings) -> Observation:
    return _all_there([queue.name for queue in read.wanted.queues], read.queues, read.hidden)


def _queue_kinds(read: BrokerReadings) -> Observation:
    given = {row["name"]: {"x-queue-type": row["type"], **row["arguments"]} for row in read.answers["queues"]}
    faults = [
        f"{one.name}: {'; '.join(changed)}"
        for one in read.wanted.queues
        if one.name in given and (changed := differing(one.arguments, given[one.name]))
    ]
    return none_of(faults, "other than declared", "their types and arguments are as declared")


def differing(wanted: Mapping[str, object], given: Mapping[str, object]) -> list[str]:
    """Return the arguments in which two declarations differ, in words."""
    return [
        f"{key.removeprefix('x-')} is {given.get(key, 'not set')} in place of {wanted.get(key, 'not set')}"
        for key in sorted(wanted.keys() | given.keys())
        if wanted.get(key) != given.get(key)
    ]


def _bindings(read: BrokerReadings) -> Observation:
    given = {(row["source"], row["destination"], row["routing_key"]) for row in read.answers["bindings"]}
    faults = [
        f"{one.exchange} to {one.queue} by {one.routing_key or 'any key'}"
        for one in read.wanted.bindings
        if (one.exchange, one.queue, one.routing_key) not in given
    ]
    return none_of(faults, "missing", f"all {len(read.wanted.bindings)} are there")


def _consumers(read: BrokerReadings) -> Observation:
    counts = [
        (name, count.messages)
        for queue in read.wanted.queues
        if (count := read.queues.get(name := queue.name))
        and not count.consumers
        and _wants_consumer(name, read, waiting=count.messages > 0)
        and name.removeprefix(f"{read.names.prefix}.") not in read.paused
    ]
    lonely = [f"{name} ({waiting} waiting)" for name, waiting in sorted(counts, key=lambda one: -one[1])]
    if not lonely and (out_of_sight := [one.name for one in read.wanted.queues if one.name in read.hidden]):
        return _out_of_sight(out_of_sight)
    served = "each queue that a worker serves has one"
    return none_of(lonely, "without a consumer", f"{served}, or a person has paused it" if read.paused else served)


def _wants_consumer(name: str, read: BrokerReadings, *, waiting: bool) -> bool:
    """Tell whether a queue should have a consumer. A shop serves only the calls that it is configured for."""
    short = name.removeprefix(f"{read.names.prefix}.")
    if name.startswith(f"{read.names.delay}.") or short == EVENT_HISTORY:
        return False
    return waiting or not (CALLS.fullmatch(short) or short.startswith(warehouse_queue("")))


def _permissions(read: BrokerReadings) -> Observation:
    user, given = read.user, read.answers["permissions"]
    wanted = permissions(read.shop_prefix, read.cells).get(user.removeprefix(f"{read.shop_prefix}-"))
    if wanted is None:
        return unseen(f"{user} is none of the users that oms makes", "OMS_AMQP_URL of the user in question")
    names = [*(one.name for one in read.wanted.exchanges), *(one.name for one in read.wanted.queues), "amq.default"]
    faults = []
    for right in ("configure", "write", "read"):
        may, should = (
            {name for name in names if re.search(pattern, name)} for pattern in (given[right], getattr(wanted, right))
        )
        faults += [f"it may not {right} {name}" for name in sorted(should - may)]
        faults += [f"it may {right} {name} and need not" for name in sorted(may - should)]
    return none_of(faults, user, f"{user} has those of its role")


BROKER_CHECKS: tuple[HealthCheck[BrokerReadings], ...] = (
    HealthCheck(
        "management", _interface, "what AMQP does not show is seen there alone",
        "export OMS_MANAGEMENT_URL=http://user:password@host:15672, with a user who has the tag monitoring", "overview",
    ),
    HealthCheck(
        "version", _version, "quorum queues dead-letter at least once from RabbitMQ 3.10 on", "upgrade RabbitMQ",
        "version",
    ),
    HealthCheck(
        "feature flags", _flags, "queues cannot be declared as they must be, or lose what they dead-letter",
        "rabbitmqctl enable_feature_flag all, once all nodes run the same version", "flags",
    ),
    HealthCheck(
        "alarms", _alarms, "while an alarm lasts, the broker takes no messages from anyone",
        "free memory or disk on that node; rabbitmq-diagnostics alarms", "nodes",
    ),
    HealthCheck(
        "blocked connections", _blocked, "who is blocked publishes nothing, and what it has waits in the outbox",
        "rabbitmq-diagnostics alarms",
    ),
    HealthCheck("exchanges", _exchanges, "who publishes to one that is missing loses the channel", DECLARE),
    HealthCheck(
        "exchange types", _exchange_kinds, "messages go elsewhere than they should, and those without a queue are lost",
        f"delete the exchange at a quiet time, then {DECLARE}", "exchanges",
    ),
    HealthCheck(
        "dead-letter exchange", _dead_letters, "messages that fail stay in their queue and fail again", DECLARE
    ),
    HealthCheck("queues", _queues, "its messages are held in the outbox, or land in the unrouted queue", DECLARE),
    HealthCheck(
        "queue types", _queue_kinds, "a queue of another kind can lose or drop messages, and cannot be declared again",
        f"let its workers empty it, delete it, then {DECLARE}", "queues",
    ),
    HealthCheck("bindings", _bindings, "what is published by that key reaches no queue of ours", DECLARE, "bindings"),
    HealthCheck(
        "consumers", _consumers, "nothing takes the messages of such a queue",
        "oms consumers list --paused; oms worker --queues NAME, without the prefix; or see why its /ready fails",
    ),
    HealthCheck(
        "permissions", _permissions, "a process fails where it lacks one; one that it need not have is a risk",
        "python -m scripts.servers.users, as an administrator", "permissions",
    ),
)  # fmt: skip
"""The table of what is looked at on the broker."""
