"""`oms order holds` lists what is held, and counts it."""

from tests.handlers.harness import HandlerHarness
from tests.handlers.hold_builders import hold, release
from tests.scripts.oms_command import Oms
from tests.scripts.placed import with_handlers


def test_open_holds_are_listed_by_reason_with_who_placed_them(oms: Oms, database_url: str) -> None:
    assert oms("order", "holds", database_url=database_url).err == "0 open holds\n"

    async def work(harness: HandlerHarness) -> int:
        order_id = await harness.place_order()
        await harness.handle(hold(order_id), hold(order_id, "h2", code="ADDRESS"), trusted=True)
        await harness.handle(hold(order_id, "h3", code="TAX"), trusted=True)
        last = int(harness.events_of("order.held")[-1]["hold_id"])
        await harness.handle(release(order_id, hold_id=last), trusted=True)
        return order_id

    order_id = with_handlers(database_url, work)
    shown = oms("order", "holds", "--limit", "1", database_url=database_url)
    assert (shown.code, shown.err) == (0, "2 open holds, 1 shown\n")
    [found] = oms("order", "holds", "--reason-code", "ADDRESS", "-o", "json", database_url=database_url).json
    assert (found["order_id"], found["kind"], found["placed_by"]) == (str(order_id), "operator", "ops-7")
