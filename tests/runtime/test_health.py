"""The answers of the liveness and readiness probes."""

import asyncio

import pytest
from aio_pika.exceptions import ProbableAuthenticationError

from outbox import wire
from workers.runtime.health import Health
from workers.runtime.subscription import Link


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_queue_without_a_consumer_for_a_minute_fails_liveness() -> None:
    clock = Clock()
    health = Health(["stock"], clock)
    assert all(health.live().values())
    clock.now = 61
    assert not all(health.live().values())
    health.consuming("stock", True)
    assert all(health.live().values())


def test_a_minute_counts_from_the_loss_not_from_the_last_try() -> None:
    clock = Clock()
    health = Health(["stock"], clock)
    health.consuming("stock", True)
    clock.now = 100
    health.consuming("stock", False)
    clock.now = 159
    health.consuming("stock", False)
    assert all(health.live().values())
    clock.now = 161
    assert not all(health.live().values())


def test_no_new_process_is_wanted_while_the_broker_is_away_and_tries_go_on() -> None:
    clock = Clock()
    health = Health(["stock"], clock)
    health.consuming("stock", True)
    health.consuming("stock", False)
    for clock.now in range(0, 1_000, 5):
        health.broker(False)
        assert (all(health.live().values()), all(health.ready().values())) == (True, False)
    health.broker(True)
    clock.now += 59
    assert all(health.live().values()), "the minute counts from the broker's return"
    clock.now += 2
    assert not all(health.live().values()), "the broker is there, and the queue has no consumer"
    health.broker(False)
    clock.now += 61
    assert not all(health.live().values()), "nobody tries any more"


async def test_a_broker_that_refuses_the_login_is_not_away(monkeypatch: pytest.MonkeyPatch) -> None:
    stop, answers = asyncio.Event(), list[bool]()

    async def connect(*_: object, **__: object) -> None:
        if not answers:
            raise ConnectionRefusedError
        stop.set()
        raise ProbableAuthenticationError("ACCESS_REFUSED")

    monkeypatch.setattr(wire, "connect", connect)
    with pytest.raises(ConnectionError, match="stops"):
        await Link("amqp://", "test", answers.append).channel(stop)
    assert answers == [False, True], "a new process reads the password that was changed meanwhile"


def test_a_pause_on_purpose_is_alive_but_not_ready() -> None:
    clock = Clock()
    health = Health(["stock"], clock)
    health.consuming("stock", False)
    health.paused("stock", True)
    clock.now = 10_000
    assert all(health.live().values())
    assert not all(health.ready().values())
    health.paused("stock", False)
    assert all(health.live().values())


def test_ready_means_every_queue_is_consumed() -> None:
    health = Health(["stock", "refunds"])
    health.consuming("stock", True)
    assert health.ready() == {"consumer stock": True, "consumer refunds": False}
