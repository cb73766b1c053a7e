"""Shortage, cancel, hand-over, captures, voids, expiry in every order: no money is kept that is not wanted."""

from collections import deque
from dataclasses import replace
from datetime import timedelta
from functools import cache

from tests.domain.authorization_model import AMOUNT, Situation, drained, moves, new
from workers.domain.payment_authorizations import AuthorizationState, look_at


@cache
def reachable() -> tuple[Situation, ...]:
    """Every situation that can come about."""
    seen = {new()}
    todo = deque(seen)
    while todo:
        for after in moves(todo.popleft()):
            if after not in seen:
                seen.add(after)
                todo.append(after)
    return tuple(seen)


@cache
def ends() -> tuple[tuple[Situation, Situation], ...]:
    """Every situation, and what becomes of it when nothing else happens."""
    return tuple((one, drained(one)) for one in reachable())


def test_the_model_reaches_every_state_by_many_ways() -> None:
    assert {one.ours.state for one in reachable()} == set(AuthorizationState)
    assert len(reachable()) > 500


def test_no_more_is_captured_than_was_authorised() -> None:
    assert all(0 <= one.theirs.captured <= AMOUNT for one in reachable())


def test_money_ends_where_the_order_wants_it() -> None:
    for one, end in ends():
        wanted = AMOUNT - sum(amount for amount, _ in end.parts)
        if end.kept:
            assert end.kept == end.theirs.captured
            assert end.net == wanted, (one, end)
        elif end.stray:
            assert end.stray == end.theirs.captured
        else:
            assert end.theirs.captured == 0, (one, end)
        assert not [state for _, state in end.parts if state == "deferred"], (one, end)
        if end.cancelled:
            assert end.net == 0, (one, end)
            assert end.theirs.state != "open", (one, end)


def test_goods_that_left_are_paid_for_or_stop() -> None:
    for one, end in ends():
        if end.gone and end.current.left and not end.kept:
            assert end.stopped, (one, end)


def test_a_voided_authorisation_keeps_nothing() -> None:
    for one, end in ends():
        if end.ours.state is AuthorizationState.VOIDED:
            assert (end.kept, end.theirs.captured) == (0, 0), (one, end)


def test_a_promise_begins_anew_with_each_renewal() -> None:
    one, promise = new().ours, timedelta(days=3)
    assert look_at(one, None) == one.expire_at - timedelta(days=1)
    assert look_at(one, promise) == one.authorized_at + promise
    renewed = replace(one, renewed_at=one.authorized_at + timedelta(days=5))
    assert look_at(renewed, promise) == one.authorized_at + timedelta(days=8)
