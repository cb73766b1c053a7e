"""Exchange cases for the audit's tests: other goods arrived, are reserved, or went out for goods that are owed."""

from dataclasses import replace

from messages.after_sales import AppliedLine
from tests.handlers import case_builders as cases
from tests.handlers.builders import create
from tests.handlers.harness import HandlerHarness
from workers import shop
from workers.domain.after_sale_policy import AfterSaleRules, ExchangeShips


async def add_exchanges(harness: HandlerHarness) -> None:
    """An exchange of each kind, of one of two units for the same goods, or for dearer ones that are taxed."""
    before = shop.current()
    for name in ("exchanged", "exchanging", "owing"):
        if name == "owing":
            rules = shop.current()
            early = AfterSaleRules(exchange_ships=ExchangeShips.AT_APPROVAL)
            shop.configure(replace(rules, policy=replace(rules.policy, after_sale=early)))
        await harness.handle(create(("s1", 2), request_id=name, expected_pay_amount=1007))
        order_id = int(harness.events_of("order.created")[-1]["order_id"])
        await harness.pay(order_id)
        await harness.deliver(order_id)
        line = AppliedLine(line_no=1, qty=1, wanted_sku_id="b1" if name == "exchanging" else "s1")
        case = await cases.open_case(harness, cases.apply(order_id, type="exchange", lines=(line,)))
        await harness.handle(cases.review(case), trusted=True)
        if name == "exchanged":
            await harness.handle(cases.ship_back(case), cases.arrive(case))
            await harness.handle(cases.inspect(case, (1, 1, "write_off")))
            await harness.deliver(int(cases.last(harness)["exchange_order_id"]))
        if name == "owing":
            [(key,)] = await harness.rows("SELECT max(order_id) FROM exchange_orders")
            await harness.deliver(key)
            await harness.handle(cases.close(case), trusted=True)
    shop.configure(before)
