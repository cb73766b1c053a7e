"""Every queue of the wire is served by one route, in the file that is named after it and says what it takes
(S0-19, S3-06).
"""

import sys
from collections import Counter
from pathlib import Path

import pytest

from messages.query_queues import QUERY_QUEUES
from messages.topology import (
    BUYER_NOTIFICATIONS,
    QUEUES,
    TAKEN,
    Names,
    carrier_calls_queue,
    messages_of,
    notification_calls_queue,
    tiers_seconds,
    topology,
)
from scripts.commands.worker import chosen
from workers.routes import ROUTES, with_carriers, with_media
from workers.runtime.route import QueryRoute, RawRoute, Route

CARRIER = "sf"
ALL = with_media(with_carriers(ROUTES, [CARRIER]), ["email"])
SOME = (carrier_calls_queue(CARRIER), BUYER_NOTIFICATIONS, notification_calls_queue("email"))
"""The queues that only some shops have."""
WORK = [route for route in ALL if not isinstance(route, RawRoute)]
RAW = [route for route in ALL if isinstance(route, RawRoute)]


def module_of(route: Route) -> str:
    """The handler's module."""
    return route.handler.__module__


def kind_of(queue: str) -> str:
    """`provider-calls.alipay` is one of several queues of a kind, each for one provider."""
    return queue.partition(".")[0]


def test_every_queue_has_exactly_one_route_and_every_route_a_queue() -> None:
    assert Counter(route.queue for route in WORK) == Counter([*TAKEN, *SOME])


def test_every_dead_letter_queue_and_the_unrouted_one_are_collected_once() -> None:
    assert Counter(route.queue for route in RAW) == Counter(
        [f"{queue}.dlq" for queue in (*QUEUES, *SOME)] + ["unrouted"]
    )


def test_every_question_is_answered_and_every_other_message_is_handled() -> None:
    assert {route.queue for route in ROUTES if isinstance(route, QueryRoute)} == set(QUERY_QUEUES)


def test_who_collects_dead_letters_answers_no_questions() -> None:
    collected = chosen("dead-letters", [route.queue for route in ALL])
    assert set(collected) == {route.queue for route in RAW}


def test_every_route_serves_a_queue_that_is_declared_and_every_queue_but_the_tiers_is_served() -> None:
    names = Names("shop")
    tiers = tiers_seconds(1800)
    declared = {queue.name for queue in topology(names, tiers, carriers=[CARRIER], media=["email"]).queues} - {
        names.tier_queue(t) for t in tiers
    }
    assert {names.queue(route.queue) for route in ALL} == declared


def test_no_message_is_taken_by_two_queues() -> None:
    taken = Counter(
        type_ for _, type_ in {(kind_of(name), m.TYPE) for name in (*TAKEN, *SOME) for m in messages_of(name)}
    )
    assert [type_ for type_, count in taken.items() if count > 1] == []


@pytest.mark.parametrize("route", WORK, ids=lambda route: route.queue)
def test_a_queues_handler_is_in_the_file_named_after_it(route: Route) -> None:
    assert module_of(route) == f"workers.handlers.{kind_of(route.queue).replace('-', '_')}"


@pytest.mark.parametrize("route", WORK, ids=lambda route: route.queue)
def test_a_handlers_file_names_every_message_it_takes(route: Route) -> None:
    table = sys.modules[module_of(route)].__doc__ or ""
    assert [model.TYPE for model in messages_of(route.queue) if model.routing_key() not in table] == []


def test_every_handler_file_has_a_route() -> None:
    folder = Path(__file__).parents[2] / "workers" / "handlers"
    files = {f"workers.handlers.{path.stem}" for path in folder.glob("*.py")} - {"workers.handlers.__init__"}
    assert files == {module_of(route) for route in ALL}
