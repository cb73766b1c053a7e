"""Groups of buyers for the audit's tests: one that formed, one that failed, one that is open and holds a paid order."""

from tests.handlers.builders import captured
from tests.handlers.catalogue_builders import settings
from tests.handlers.group_builders import joining, let_end
from tests.handlers.harness import HandlerHarness

PRICE = 1007  # with the tax of the audited shop


async def add_groups(harness: HandlerHarness) -> None:
    """Two users join each group. Both pay in the first, and one in each of the others."""
    await harness.handle(settings("group_buy", revision=2, group_size=2, deduct_on="pay"), trusted=True)
    for group_id, paid in (("formed", 2), ("failed", 1), ("open", 1)):
        for user_id in ("u8", "u9"):
            order_id = await harness.create_order(joining(user_id, group_id, expected_pay_amount=PRICE))
            if user_id == "u8" or paid == 2:
                await harness.handle(captured(order_id, PRICE, f"group-{order_id}"), trusted=True)
        if group_id == "failed":
            await let_end(harness)
