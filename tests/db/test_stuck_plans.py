"""What waits too long is found by when it began to wait, also beside two million orders (S3-38)."""

import re

from tests.db import plans

BY_AGE = {
    *("orders_state_created", "timers_wake_at", "order_holds_open", "after_sales_open", "payment_disputes_state"),
    *("fulfilments_waiting", "shipments_waiting", "waybills_waiting", "payment_authorizations_waiting"),
    *("refunds_running", "refunds_failed", "after_sale_send_backs_waiting", "interventions_cancelled_timers"),
}
"""The indexes whose entries are in the order of a time, or only those of what waits."""


def test_each_kind_of_wait_is_found_by_its_age(database_url: str) -> None:
    plans.pretend_rows(database_url, 2_000_000)
    plan = plans.plans(database_url, seqscan=False)["stuck.find"]
    read = set(re.findall(r"(?:using|Bitmap Index Scan on) (\w+)", plan))
    assert read >= BY_AGE
    assert "orders_paid_at_index" not in read, "almost every order was paid before the limit"
    assert "Seq Scan" not in plan
