"""The start of a worker process: its warnings, and the queues that it serves."""

from typing import Any

import pytest
from structlog.testing import capture_logs

from workers import app
from workers.routes import ROUTES
from workers.settings import Settings

ALL_ROLES = "a=storefront,payments,warehouse; b=carrier,catalogue,marketing,operator,notifier"
WARNINGS = [
    ("", "", []),  # the users of the default are named after their roles
    (ALL_ROLES, "worker,relay", []),
    (ALL_ROLES, "worker", ["OMS_OWN_USERS"]),
    ("shop=storefront,operator,catalogue,carrier,warehouse,marketing", "", ["OMS_ROLES"]),
    ("pay=payments", "worker", ["OMS_ROLES", "OMS_OWN_USERS"]),
]


@pytest.mark.parametrize(("roles", "own", "warned"), WARNINGS)
def test_a_worker_warns_about_messages_that_no_user_may_send(roles: str, own: str, warned: list[str]) -> None:
    url = "amqp://worker:x@h/"
    settings = Settings(database_url="postgresql://h/db", amqp_url=url, roles=roles, own_users=own)
    with capture_logs() as lines:
        app.warn_of_missing_roles(settings)
    assert [line["event"].split()[0] for line in lines] == warned
    assert {line["log_level"] for line in lines} <= {"warning"}
    missing = [line["event"] for line in lines if line["event"].startswith("OMS_ROLES")]
    if roles.startswith("shop"):
        assert "payment.reconcile, payment.result, refund.result: all" in missing[0]
        assert "order.create" not in missing[0]


def test_a_worker_warns_about_bound_users_who_have_no_role() -> None:
    about: dict[str, Any] = {"database_url": "postgresql://h/db", "amqp_url": "amqp://oms-worker:x@h/"}
    about |= {"warehouse_users": "oms-warehouse=east; wms-esat=east", "carrier_users": "oms-carrier=sf"}
    with capture_logs() as lines:
        app.warn_of_missing_roles(Settings(**about))
    [line] = lines
    assert "OMS_WAREHOUSE_USERS or OMS_CARRIER_USERS binds wms-esat, without a role" in line["event"]


CALLS = {
    "provider-calls.alipay",
    "provider-calls.wechat",
    "provider-calls.unionpay",
    "provider-calls.paypal",
    "provider-calls.stripe",
}


def test_a_worker_serves_no_calls_to_a_provider_without_its_settings() -> None:
    every = {route.queue for route in ROUTES}
    assert every >= CALLS
    assert {route.queue for route in app.without_unconfigured_providers(ROUTES, ())} == every - CALLS
    assert {route.queue for route in app.without_unconfigured_providers(ROUTES, {"paypal"})} == every - CALLS | {
        "provider-calls.paypal"
    }


def test_provider_calls_need_the_settings_of_their_provider() -> None:
    routes = app.select_routes(["provider-calls.paypal"])
    assert app.without_unconfigured_providers(routes, {"paypal"}, named=True) == routes
    with pytest.raises(app.UnknownQueueError, match="OMS_PAYPAL"):
        app.without_unconfigured_providers(routes, {"alipay"}, named=True)
