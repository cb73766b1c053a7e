"""Several messages about one split order lower what its authorisation will bring: each part is released, once."""

from collections.abc import Iterator, Sequence

import pytest

from messages.base import Message
from messages.fulfilments import FulfilmentAccept, FulfilmentCancelAccepted, FulfilmentPack, FulfilmentPick
from tests.handlers.authorization_builders import authorize, paid_at_hand_over, short, violated
from tests.handlers.builders import cancel, create, receive, sku
from tests.handlers.fulfilment_builders import cancel_no, fact
from tests.handlers.harness import HandlerHarness


@pytest.fixture(autouse=True)
def _paid_at_hand_over(harness: HandlerHarness) -> Iterator[None]:
    with paid_at_hand_over():
        yield


async def authorized_family(harness: HandlerHarness) -> tuple[int, int, int]:
    """A split order of 500 and 1000 and 1500, with authorised money: its children."""
    for name, seller in (("tea", "acme"), ("cup", "bolt"), ("pot", "corp")):
        await harness.handle(sku(name, seller_id=seller), trusted=True)
        await harness.handle(receive(name, 5))
    root = await harness.create_order(create(("tea", 1), ("cup", 2), ("pot", 3)))
    await authorize(harness, root)
    tea, cup, pot = await harness.children(root)
    return tea, cup, pot


def released(harness: HandlerHarness) -> list[int]:
    return sorted(int(event["amount"]) for event in harness.events_of("payment.released"))


@pytest.mark.parametrize("way", ["cancel, cancel", "short, short", "cancel, short", "short, cancel"])
@pytest.mark.parametrize("overlapping", [False, True], ids=["one after the other", "at the same time"])
async def test_what_two_children_do_not_want_is_released(harness: HandlerHarness, way: str, overlapping: bool) -> None:
    tea, cup, _ = await authorized_family(harness)
    first: dict[str, Message] = {"cancel": cancel(tea, "x1"), "short": short(tea, "tea", 1)}
    second: dict[str, Message] = {"cancel": cancel(cup, "x2"), "short": short(cup, "cup", 2)}
    one, other = (made[kind] for made, kind in zip((first, second), way.split(", "), strict=True))
    batches: Sequence[Sequence[Message]] = [[one], [other]]
    if overlapping:
        await harness.handle_overlapping(*batches)
    else:
        for bodies in batches:
            await harness.handle(*bodies)
    assert (harness.rejections(), released(harness)) == ([], [500, 1000])
    assert await violated(harness) == []


@pytest.mark.parametrize("kind", ["cancel", "short"])
async def test_two_children_in_one_batch_release_both_parts(harness: HandlerHarness, kind: str) -> None:
    tea, cup, pot = await authorized_family(harness)
    cancels = [cancel(key, f"x{key}") for key in (tea, cup, pot)]
    shorts = [short(tea, "tea", 1), short(cup, "cup", 2), short(pot, "pot", 3)]
    bodies: Sequence[Message] = cancels if kind == "cancel" else shorts
    await harness.handle(*bodies[:2])
    assert released(harness) == [500, 1000]
    assert not [call for _, call in harness.provider_calls if call.routing_key() == "provider.authorization_void"]
    await harness.handle(bodies[2])
    assert released(harness) == [500, 1000, 1500]
    assert await harness.rows("SELECT state FROM payment_authorizations") == [("voiding",)]
    assert await violated(harness) == []


async def test_all_children_in_one_batch_void_the_authorisation_once(harness: HandlerHarness) -> None:
    family = await authorized_family(harness)
    harness.provider_calls.clear()
    await harness.handle(*(cancel(key, f"x{key}") for key in family))
    assert released(harness) == [500, 1000, 1500]
    assert [call.routing_key() for _, call in harness.provider_calls] == ["provider.authorization_void"]


@pytest.mark.parametrize("packed_first", [False, True], ids=["stopped first", "packed first"])
async def test_a_child_stops_in_the_batch_in_which_another_is_packed(
    harness: HandlerHarness, packed_first: bool
) -> None:
    tea, cup, _ = await authorized_family(harness)
    for step in (FulfilmentAccept, FulfilmentPick):
        await harness.handle(fact(step, tea), fact(step, cup))
    await harness.handle(cancel(tea, "x1"))
    answers = [fact(FulfilmentCancelAccepted, tea, cancel_no=cancel_no(harness)), fact(FulfilmentPack, cup)]
    await harness.handle(*(reversed(answers) if packed_first else answers))
    wanted = [int(event["amount"]) for event in harness.events_of("payment.capture_requested")]
    assert (released(harness), wanted) == ([500], [2500])
    assert await violated(harness) == []


async def test_messages_of_two_queues_are_no_batch(harness: HandlerHarness) -> None:
    """A handler gets the messages of its own queue only: it would take another's for one of its own."""
    tea, cup, _ = await authorized_family(harness)
    with pytest.raises(AssertionError, match="several queues"):
        await harness.handle(short(cup, "cup", 2), cancel(tea, "x1"))
